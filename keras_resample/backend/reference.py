"""The kernels in `keras.ops` alone: the definition the fast ones are tested by."""

import contextlib
import functools
import math

import keras
from keras import ops

FEW_ROWS = 16  # that are compared one after the other
MOST_PIXELS = 2**31 - 1  # of an image: flat indices are int32
# JAX has no 64 bits unless it is told to, and reads pixels in a way of its own.
BATCH_INDEX = "int32" if keras.backend.backend() == "jax" else "int64"


def check_pixels(name, height, width):
    """Raises for an image of more pixels than a flat index can tell apart.

    Sizes that a graph learns when it runs are checked then, on TensorFlow, and not here.
    """
    if isinstance(height, int) and isinstance(width, int) and height * width > MOST_PIXELS:
        raise ValueError(too_many_pixels(name) + f" Received: {name} of {height} x {width} pixels")


def of_size(images, height, width, sizes, message):
    """The images; an error for a size that is none of `sizes` and only a graph of TensorFlow knows.

    Others know all sizes, and nothing is to check here.
    """
    return images


def index_dtype(*sizes):
    """The dtype of flat indices of so many pixels; int32 where they are known to be few."""
    is_known = all(isinstance(size, int) for size in sizes)
    return "int32" if is_known and math.prod(sizes) <= MOST_PIXELS else BATCH_INDEX


def too_many_pixels(name):
    return (
        f"`{name}` must have fewer than 2^31 pixels, as an index has 32 bits; read a larger image "
        "in windows, as `keras_resample.datasets.SegmentationDataset` does."
    )


def constant(function):
    """Decorator of a function of numbers that gives a numpy array: it gives a tensor instead.

    The array is computed once for the same numbers, and never inside of a graph.
    """
    array = functools.lru_cache(maxsize=64)(function)

    @functools.wraps(function)
    def tensor(*numbers):
        return ops.convert_to_tensor(array(*numbers))

    return tensor


def untraced(function):
    """Decorator of a function with loops that `torch.compile` would unroll for minutes: it leaves
    them out of its graph.
    """
    return function


def split(coordinate, size):
    """Splits pixel coordinates, moved into [0, size - 1], into two pixels and a fraction.

    By `where` rather than `clip`, whose gradient on the bound differs between backends. The
    integers are clipped after the cast, because NaN casts to a different one on each backend.
    """
    last = ops.cast(size - 1, coordinate.dtype)
    coordinate = ops.where(coordinate < 0, ops.zeros_like(coordinate), coordinate)
    coordinate = ops.where(coordinate > last, last, coordinate)
    low = ops.clip(ops.cast(ops.floor(coordinate), "int32"), 0, ops.maximum(size - 2, 0))
    high = ops.minimum(low + 1, size - 1)
    return low, high, coordinate - ops.cast(low, coordinate.dtype)


def tap_shares(fx, fy, weights):
    """Shares of the four taps in a sample."""
    gx, gy = 1 - fx, 1 - fy
    shares = (gy * gx, gy * fx, fy * gx, fy * fx)
    return shares if weights is None else [share * weights for share in shares]


def grid_gradients(products, fx, fy, weights):
    """The gradients to x, y and the weights (None for none), shaped as these are.

    Args:
        products: of each tap with the gradient to the sample, summed over the channels, and over
            the images of a shared grid.
    """
    a, b, c, d = products
    to_x = (b - a) * (1 - fy) + (d - c) * fy
    to_y = (c - a) * (1 - fx) + (d - b) * fx
    if weights is None:
        return to_x, to_y, None
    shares = tap_shares(fx, fy, None)
    to_weights = sum(product * share for product, share in zip(products, shares, strict=True))
    return to_x * weights, to_y * weights, to_weights


def take_pixels(images, rows, cols, which=None, take=ops.take):
    """Reads `images` (b, h, w, c) at integer `rows`, `cols` (b or 1, ...) -> (b, ..., c).

    `which` (n,) says of which image each of `rows`, `cols` (n, ...) is, -> (n, ..., c). `take` may
    be another of `keras.ops.take`, for indices in [0, n).
    """
    batch, height, width, channels = ops.shape(images)
    flat = rows * width + cols
    if which is None and rows.shape[0] == 1:
        return take(ops.reshape(images, (batch, height * width, channels)), flat[0], axis=1)
    pixels, index = height * width, index_dtype(batch, height, width)
    pixels = ops.cast(pixels, index) if ops.is_tensor(pixels) else pixels
    which = ops.arange(0, batch, dtype="int32") if which is None else which
    first = ops.cast(which, index) * pixels
    flat = ops.cast(flat, index) + ops.reshape(first, (-1, *(1,) * (len(rows.shape) - 1)))
    return take(ops.reshape(images, (batch * height * width, channels)), flat, axis=0)


def gather(table, index, axis=0):
    """`keras.ops.take` of indices that are all in [0, n): none is checked or counted from the end.

    (Of one that is not, the result is undefined.)
    """
    return ops.take(table, index, axis=axis)


def bilinear(images, positions, weights=None):
    """Sums bilinear samples: `out[b, p] = sum_k weights[b, p, k] images[b](positions[b, p, k])`.

    The kernels of the backends compute the same, derivatives included: at an integer coordinate the
    one of the cell to its right (`floor`), at the last pixel the one of the last cell, beyond the
    first and the last pixel's centre, where the edge is read, zero. A NaN
    coordinate gives NaN in its own output only. A NaN or infinite pixel reaches the outputs that
    have it among their four taps, even with weight 0 (0 * inf is NaN).

    Args:
        images: (b, h, w, c), any dtype.
        positions: float32 (b or 1, p, k, 2), pixel coordinates (x, y), the first pixel's centre at
            0. A first axis of 1 is one grid shared by the whole batch.
        weights: float32, of the shape of `positions` without its last axis, or None for 1.

    Returns:
        (b, p, c), float64 for float64 images, else float32.
    """
    return bilinear_by(ops.take, images, positions, weights)


def bilinear_of(images, positions, which):
    """`bilinear` of chosen images: `out[n, p] = sum_k images[which[n]](positions[n, p, k])`.

    Args:
        images: (b, h, w, c), any dtype.
        positions: as of `bilinear`, (n, p, k, 2).
        which: int32 (n,), from 0 to b - 1.

    Returns:
        (n, p, c), float64 for float64 images, else float32.
    """
    return bilinear_by(ops.take, images, positions, which=which)


def bilinear_by(take, images, positions, weights=None, which=None):
    """`bilinear`, or `bilinear_of`, with a `take` of the backend's own; see `take_pixels`."""
    dtype = accumulator(keras.backend.standardize_dtype(images.dtype))
    _, height, width, _ = ops.shape(images)
    positions = ops.cast(positions, dtype)
    left, right, fx = split(positions[..., 0], width)
    top, bottom, fy = split(positions[..., 1], height)
    scale = 1.0 if weights is None else ops.cast(weights, dtype)
    result = 0.0
    for rows, weight_y in ((top, 1.0 - fy), (bottom, fy)):
        for cols, weight_x in ((left, 1.0 - fx), (right, fx)):
            pixels = ops.cast(take_pixels(images, rows, cols, which, take), dtype)
            result = result + pixels * (scale * weight_y * weight_x)[..., None]
    return ops.sum(result, axis=-2)


def accumulator(dtype):
    """The dtype that samples of images of `dtype` are computed in."""
    return "float64" if dtype == "float64" else "float32"


def nearest(images, rows, cols):
    """Reads the pixels at integer `rows`, `cols` (b or 1, p): (b, p, c) of the images' dtype."""
    return take_pixels(images, rows, cols)


def significance(maps, floor):
    """Mean over the channels of maps that are standardized over their places: float32 (b, h, w).

    `mean over c of (x - mean) / sqrt(var + floor)`. The kernels of the backends compute the same
    without a copy of the whole batch: an image at a time, while it is in the cache. The input has
    no gradient.

    Args:
        maps: (b, h, w, c), floating.
        floor: what is added to the (population) variance.
    """
    maps = ops.cast(maps, "float32")
    centered = maps - ops.mean(maps, axis=(1, 2), keepdims=True)
    variance = ops.mean(ops.square(centered), axis=(1, 2), keepdims=True)
    return ops.mean(centered * ops.rsqrt(variance + floor), axis=3)


def smallest(values, count):
    """The `count` smallest of `values` (n, ...) along the first axis, in order, and their indices.

    Of equal ones the first. The values are finite and not negative, as squared distances are. By
    comparisons of whole rows, which XLA computes in vectors, as it does no sort and no `argmin`.
    (To look for the minimum among the values is no way: XLA may compute them twice, with other
    rounding.)
    """
    if count == 1:
        best, place = _smallest_row(values)
        return best[None], place[None]
    index = ops.arange(values.shape[0], dtype="int32")
    index = ops.reshape(index, (-1,) + (1,) * (len(values.shape) - 1))

    def step(number, state):
        values, smallest, places = state
        found = _smallest_by_pairs(values, ops.broadcast_to(index, ops.shape(values)))
        values = ops.where(index == found[1], math.inf, values)
        start = [number] + [0] * len(found[0].shape)
        tables = zip((smallest, places), found, strict=True)
        return values, *(ops.slice_update(table, start, row[None]) for table, row in tables)

    state = values, values[:count], ops.cast(values[:count], "int32")  # all is written over
    return ops.fori_loop(0, count, step, state)[1:]


def _smallest_row(values):
    """The smallest row and its index, by one row after the other; of many rows, first in groups."""
    count = values.shape[0]
    groups = max(n for n in range(1, math.isqrt(count) + 1) if count % n == 0)
    if count <= FEW_ROWS or groups == 1:
        return _smallest_of(ops.unstack(values))
    group = ops.reshape(values, (groups, count // groups, *ops.shape(values)[1:]))
    best, place = _smallest_of(ops.unstack(group, axis=1))
    best, first = _smallest_of(ops.unstack(best))
    place = ops.take_along_axis(place, first[None], axis=0)[0]
    return best, first * (count // groups) + place


def _smallest_of(rows):
    best, *rest = rows
    place = ops.zeros_like(best, dtype="int32")
    for number, value in enumerate(rest, 1):
        closer = value < best
        best, place = ops.where(closer, value, best), ops.where(closer, number, place)
    return best, place


def _smallest_by_pairs(values, index):
    """The smallest row and its index, in rounds of neighbours that keep their order."""
    while (length := values.shape[0]) > 1:
        even = length // 2 * 2
        closer = values[1:even:2] < values[:even:2]
        values, index = (
            ops.concatenate([ops.where(closer, rows[1:even:2], rows[:even:2]), rows[even:]])
            for rows in (values, index)
        )
    return values[0], index[0]


def fusion():
    """Context in which operations may be compiled together."""
    return contextlib.nullcontext()


def gelu(x):
    """`x` times the normal distribution's share below `x`."""
    return ops.gelu(x, approximate=False)


def grouped_convolution(inputs, kernel, strides, padding, data_format, dilation_rate):
    """Convolution whose groups are told by the channels of `inputs` over those of the kernel."""
    return ops.conv(inputs, kernel, tuple(strides), padding, data_format, dilation_rate)


def mapped(function, values, shape, dtype):
    """`function` of each of `values` (b, ...), one after the other, in a stack (b, ...).

    Args:
        function: gives a tensor of `shape`, whose sizes may be tensors, and `dtype`.
        values: tensor, or tuple of tensors for a function of such a tuple.
    """
    if keras.tree.flatten(values)[0].shape[0] == 0:
        return ops.zeros((0, *shape), dtype)
    return ops.map(function, values)
