"""Which of several resolutions serves an image."""

import itertools
import math

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_size, check_choice

INDICATORS = ("average", "min", "max")
ROUNDINGS = ("floor", "near", "ceil")
LARGEST_SIDE = 2**14  # up to here all numbers of a choice fit into 32 bits


def choose_resolution(sizes, resolutions, indicator="max", rounding="ceil"):
    """The resolution, of several of one aspect ratio, that serves images of a native size.

    How large an image of h x w pixels is to a resolution of H x W pixels, the `indicator` of
    `(h / H, w / W)` says: above 1 it is larger, below 1 smaller. For squares that is to compare
    the average, the smaller or the larger side of the image with that of the resolution.

    | `rounding` | the image is served by |
    |---|---|
    | `"floor"` | the largest resolution that it is not smaller than |
    | `"near"` | the one whose side is nearest, in pixels; the smaller of two as near |
    | `"ceil"` | the smallest resolution that it is not larger than |

    Images larger or smaller than all resolutions are served by the last or the first one. All of it
    is computed in integers, so that an image of exactly a resolution is served by it.

    Args:
        sizes: `(n, 2)` or `(2,)`, height and width of images in pixels: an array or a list of
            positive integers, or a tensor of integers, whose values are not checked.
        resolutions: `(height, width)` of each, in any order: different ones of one aspect ratio, of
            at most 16384 pixels a side.
        indicator: `"average"`, `"min"` or `"max"`.
        rounding: `"floor"`, `"near"` or `"ceil"`. The reference found `"max"` and `"ceil"` best.

    Returns:
        Indices into `resolutions`, int32, `(n,)` or `()`: a tensor for a tensor, else numpy.

    Raises:
        ValueError: for sizes of another shape, that are no integers or not positive, resolutions
            that are none, alike, too large or of several aspect ratios, or an unknown word.

    Example:

    >>> import keras_resample as kr
    >>> branches = [(112, 96), (28, 24), (14, 12)]
    >>> kr.ops.choose_resolution([(20, 16), (14, 12), (90, 13), (300, 200)], branches).tolist()
    [1, 2, 0, 0]

    Reference:
        "Learning Unified Representations for Multi-Resolution Face Recognition", Fig. 8.
    """
    check_choice(indicator, "indicator", INDICATORS)
    check_choice(rounding, "rounding", ROUNDINGS)
    sizes, numpy = _as_sizes(sizes)
    return choose_resolution_by(numpy, sizes, resolutions, indicator, rounding)


def choose_resolution_by(numpy, sizes, resolutions, indicator="max", rounding="ceil"):
    """`choose_resolution` with the functions of a module like numpy, such as TensorFlow's.

    Args:
        numpy: the module.
        sizes: what it computes with: positive integers `(n, 2)` or `(2,)`, which are not checked.
        resolutions, indicator, rounding: as in `choose_resolution`.
    """
    (rows, cols), multiples = _as_multiples(resolutions)
    # The resolutions are k times rows x cols: in shares of 1 / (rows * cols), sides are integers.
    # Twice the largest resolution is larger than all, whatever the other side is.
    largest = 2 * max(multiples)
    height = numpy.minimum(sizes[..., 0], largest * rows) * cols
    width = numpy.minimum(sizes[..., 1], largest * cols) * rows
    if indicator == "average":
        shown, unit = height + width, 2 * rows * cols
    else:
        larger_or_smaller = numpy.maximum if indicator == "max" else numpy.minimum
        shown, unit = larger_or_smaller(height, width), rows * cols
    order = sorted(range(len(multiples)), key=multiples.__getitem__)
    which = numpy.full_like(shown, order[0], dtype="int32")
    for below, above in itertools.pairwise(order):
        low, high = multiples[below] * unit, multiples[above] * unit
        # Of integers, those from `high` on are above `high - 1`.
        bound = {"floor": high - 1, "near": (low + high) // 2, "ceil": low}[rounding]
        which = numpy.where(shown > bound, above, which)
    return which


def _as_multiples(resolutions):
    """The smallest size of the aspect ratio, and how many times that each resolution is."""
    try:
        sides = [as_size(resolution) for resolution in resolutions]
    except (TypeError, ValueError):
        sides = []
    divisors = [math.gcd(*size) for size in sides]
    units = {(h // k, w // k) for (h, w), k in zip(sides, divisors, strict=True)}
    is_large = any(max(size) > LARGEST_SIDE for size in sides)
    if len(units) != 1 or len(set(sides)) < len(sides) or is_large:
        raise ValueError(
            "`resolutions` must be different (height, width) of one aspect ratio, at least one, of "
            f"at most {LARGEST_SIDE} pixels a side. Received: resolutions={resolutions!r}"
        )
    return units.pop(), divisors


def _as_sizes(sizes):
    """`sizes` as integers (..., 2), and the `numpy` of them: `keras.ops` for a tensor."""
    is_tensor = ops.is_tensor(sizes)
    values = sizes if is_tensor else _as_array(sizes)
    shape, dtype = tuple(values.shape), keras.backend.standardize_dtype(values.dtype)
    is_size = len(shape) in (1, 2) and shape[-1] == 2 and keras.backend.is_int_dtype(dtype)
    if not is_size or not (is_tensor or (values > 0).all()):
        raise ValueError(
            "`sizes` must be positive integers (height, width), of shape (n, 2) or (2,). "
            f"Received: sizes={sizes!r}"
        )
    return (ops.cast(values, "int32"), ops) if is_tensor else (values.astype("int64"), np)


def _as_array(sizes):
    """`sizes` as a numpy array; an empty one where they are no numbers."""
    try:
        array = np.asarray(sizes)
    except (TypeError, ValueError):
        return np.zeros(0)
    return array if array.dtype.kind in "iuf" else np.zeros(0)
