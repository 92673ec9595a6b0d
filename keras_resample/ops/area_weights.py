"""The mean of evenly spaced bilinear samples of a bin, as shares of the pixels of one axis."""

import keras
from keras import ops

from keras_resample import backend

SLACK = 1e-3  # of a sample: what rounding adds to a box of whole pixels


def area_weights(low, pitch, count, size):
    """Shares of `size` pixels in each of `count` bins of an interval: (..., count, size).

    A bin is the mean of `m = ceil(pixels of the bin)` bilinear samples at the centres of its m
    equal parts. For a pixel at x the samples that it has a part in are those of (x - 1, x], which
    rise with their position, and those of (x, x + 1), which fall: two arithmetic series, summed
    in closed form. A sample beyond the frame reads the edge pixel.

    Args:
        low: float32 (..., 1), where the first bin starts, in pixels from the outer edge.
        pitch: float32 (..., 1), extent of a bin; negative in a reversed box.
        count: number of bins.
        size: number of pixels, which may be a tensor.
    """
    bins = ops.arange(count, dtype="float32")
    low = low + pitch * ops.where(pitch < 0, bins + 1.0, bins) - 0.5
    samples = ops.maximum(ops.ceil(ops.abs(pitch) - SLACK), 1.0)[..., None]
    step = ops.abs(pitch)[..., None] / samples
    start = low[..., None] + 0.5 * step
    pixel = ops.arange(size, dtype="float32")
    before, here, after = (
        _samples_up_to(pixel + shift, start, step, samples) for shift in (-1.0, 0.0, 1.0)
    )
    rising = _sum_of_series(before, here, 1.0 + start - pixel, step)
    falling = _sum_of_series(here, after, 1.0 - start + pixel, -step)
    rising = ops.where(pixel == 0.0, here, rising)
    last = ops.cast(size, "float32") - 1.0
    falling = ops.where(pixel == last, samples - here, falling)
    weights = rising + falling
    return weights / ops.sum(weights, axis=-1, keepdims=True)


def weighted_mean(images, rows, cols):
    """`out[b, n, i, j] = sum over y, x of rows[b, n, i, y] cols[b, n, j, x] images[b, y, x]`.

    A pixel that is no number gives NaN where its share is above 0, and nowhere else.
    """
    dtype = keras.backend.standardize_dtype(images.dtype)
    accumulator = backend.accumulator(dtype)
    rows, cols = ops.cast(rows, accumulator), ops.cast(cols, accumulator)
    images = ops.cast(images, accumulator)
    if not keras.backend.is_float_dtype(dtype):
        return _contract(images, rows, cols)
    is_number = ops.isfinite(images)
    result = _contract(ops.where(is_number, images, 0.0), rows, cols)
    has_part = [ops.cast(weights > 0.0, accumulator) for weights in (rows, cols)]
    touched = _contract(ops.cast(~is_number, accumulator), *has_part)
    return ops.where(touched > 0.5, float("nan"), result)


def _contract(images, rows, cols):
    bands = ops.einsum("bniy,byxc->bnixc", rows, images)
    return ops.einsum("bnjx,bnixc->bnijc", cols, bands)


def _samples_up_to(place, start, step, samples):
    """How many samples start, start + step, ... lie at or before each place; float32."""
    pitch = ops.where(step > 0.0, step, 1.0)
    return ops.clip(ops.floor((place - start) / pitch) + 1.0, 0.0, samples)


def _sum_of_series(first, end, base, step):
    """The sum of base + i * step over i from `first` to before `end`."""
    count = end - first
    return count * (base + first * step) + step * count * (count - 1.0) * 0.5
