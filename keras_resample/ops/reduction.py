"""Images that are reduced and brought back to their size: what is left of them at a resolution."""

from keras import ops

from keras_resample.backend.compiling import one_program
from keras_resample.ops.area_weights import weighted_mean
from keras_resample.ops.sampling import image_sides


@one_program
def reduced_and_back(images, factors, *, data_format):
    """Each image reduced by a factor of its own, antialiased, and brought back by interpolation.

    An image of height h has `max(1, floor(factor * h + 0.5))` rows in between, and columns alike.
    It is what `keras.ops.image.resize` gives at that size with `antialias=True`, and then back.
    As both are linear, they are one matrix for an axis, (batch, side, side) for all images.

    Args:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        factors: float32 (batch,), in (0, 1]. Where both sides stay what they are, so does the
            image, exactly.
        data_format: `"channels_last"` or `"channels_first"`.

    Returns:
        Images of the same shape, float64 for float64 images, else float32.
    """
    height, width = image_sides(images, data_format)
    rows, is_whole_height = _there_and_back(factors, height)
    cols, is_whole_width = _there_and_back(factors, width)
    if data_format == "channels_first":
        images = ops.transpose(images, (0, 2, 3, 1))
    result = weighted_mean(images, rows[:, None], cols[:, None])[:, 0]
    is_whole = (is_whole_height & is_whole_width)[:, None, None, None]
    result = ops.where(is_whole, ops.cast(images, result.dtype), result)
    if data_format == "channels_first":
        result = ops.transpose(result, (0, 3, 1, 2))
    return result


def _there_and_back(factors, side):
    """What is in each pixel of an axis after it was reduced and brought back.

    Returns:
        `(shares, is_whole)`: shares of each pixel (batch, side, side), and whether the axis was not
        reduced (batch,).
    """
    pixel = ops.arange(side, dtype="float32")
    side = ops.cast(side, "float32")
    count = ops.maximum(ops.floor(factors * side + 0.5), 1.0)[:, None]
    ratio = side / count
    place = ops.clip((pixel + 0.5) / ratio - 0.5, 0.0, count - 1.0)
    low = ops.floor(place)
    fraction = (place - low)[..., None]
    high = ops.minimum(low + 1.0, count - 1.0)
    low, high = (_shares(reduced, ratio, pixel) for reduced in (low, high))
    return (1.0 - fraction) * low + fraction * high, count[:, 0] == side


def _shares(reduced, ratio, pixel):
    """Shares of each pixel in reduced ones: a triangle, `ratio` pixels to each side of its tip."""
    centre = (reduced + 0.5) * ratio - 0.5
    shares = ops.maximum(1.0 - ops.abs(pixel - centre[..., None]) / ratio[..., None], 0.0)
    return shares / ops.sum(shares, axis=-1, keepdims=True)
