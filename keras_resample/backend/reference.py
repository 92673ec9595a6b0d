"""The sampling kernels in `keras.ops` alone: the definition the fast ones are tested by."""

import keras
from keras import ops


def taps(coordinate, size):
    """Splits pixel coordinates in [0, size - 1] into the two pixels around them and a fraction.

    The integers are clipped after the cast, because NaN casts to a different one on each backend.
    """
    low = ops.clip(ops.cast(ops.floor(coordinate), "int32"), 0, ops.maximum(size - 2, 0))
    high = ops.minimum(low + 1, size - 1)
    return low, high, coordinate - ops.cast(low, coordinate.dtype)


def tap_weights(fx, fy, weights):
    """Weights of the four taps, row by row, from a sample's place between them."""
    gx, gy = 1 - fx, 1 - fy
    taps = (gy * gx, gy * fx, fy * gx, fy * fx)
    return taps if weights is None else [tap * weights for tap in taps]


def take_pixels(images, rows, cols):
    """Reads `images` (b, h, w, c) at integer `rows`, `cols` (b or 1, ...) -> (b, ..., c)."""
    batch, height, width, channels = ops.shape(images)
    flat = rows * width + cols
    if rows.shape[0] == 1:
        return ops.take(ops.reshape(images, (batch, height * width, channels)), flat[0], axis=1)
    first = ops.arange(batch, dtype="int32") * (height * width)
    flat = flat + ops.reshape(first, (-1,) + (1,) * (len(rows.shape) - 1))
    return ops.take(ops.reshape(images, (batch * height * width, channels)), flat, axis=0)


def bilinear(images, x, y, weights=None):
    """Sums bilinear samples: `out[b, p] = sum_k weights[b, p, k] image[b](x[b, p, k], y[b, p, k])`.

    The kernels of the backends compute the same, derivatives included: at an integer coordinate the
    one of the cell to its right (`floor`), at the last pixel the one of the last cell. A NaN
    coordinate gives NaN in its own output only. A NaN or infinite pixel reaches the outputs that
    have it among their four taps, even with weight 0 (0 * inf is NaN).

    Args:
        images: (b, h, w, c), any dtype.
        x: float32 (b or 1, p, k), pixel coordinates in [0, w - 1] or NaN. A first axis of 1 is one
            grid shared by the whole batch.
        y: as `x`, in [0, h - 1].
        weights: float32, of the shape of `x` (or with a first axis of 1), or None for 1.

    Returns:
        (b, p, c), float64 for float64 images, else float32.
    """
    dtype = accumulator(keras.backend.standardize_dtype(images.dtype))
    _, height, width, _ = ops.shape(images)
    left, right, fx = taps(ops.cast(x, dtype), width)
    top, bottom, fy = taps(ops.cast(y, dtype), height)
    scale = 1.0 if weights is None else ops.cast(weights, dtype)
    result = 0.0
    for rows, weight_y in ((top, 1.0 - fy), (bottom, fy)):
        for cols, weight_x in ((left, 1.0 - fx), (right, fx)):
            pixels = ops.cast(take_pixels(images, rows, cols), dtype)
            result = result + pixels * (scale * weight_y * weight_x)[..., None]
    return ops.sum(result, axis=-2)


def accumulator(dtype):
    """The dtype that samples of images of `dtype` are computed in."""
    return "float64" if dtype == "float64" else "float32"


def nearest(images, rows, cols):
    """Reads the pixels at integer `rows`, `cols` (b or 1, p): (b, p, c) of the images' dtype."""
    return take_pixels(images, rows, cols)
