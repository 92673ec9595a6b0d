"""Where a feature map has most to say: its confidence, how much of it to keep, and which part."""

import math

from keras import ops

from keras_resample import backend
from keras_resample.backend.compiling import one_program
from keras_resample.ops.grids import extent

VARIANCE_FLOOR = 1e-5
# Windows whose mean confidence is as near are equal: float32 tells no less apart, and where a map
# is flat or symmetric every backend has to find the same first one.
TIE = 2e-7


@one_program
def confidence_map(maps):
    """Confidence in (0, 1) of each place of feature maps (b, h, w, c): float32 (b, h, w).

    `sigmoid(mean over channels of (x - mean) / sqrt(var + 1e-5))`, mean and (population) variance
    of a channel over the places of its own map: Eqs. 1-3 of adaptive region pooling.
    """
    return ops.sigmoid(backend.significance(maps, VARIANCE_FLOOR))


@one_program
def adaptive_rates(confidence, *, k, rate):
    """Share of the height and width to keep, from `rate` to 1: float32 (b, 2).

    `min(max(k * 2 sqrt(3) / h * std, rate), 1)`, std in pixels of the sums of confidence along an
    axis, taken as a distribution; of a flat one that is h / (2 sqrt(3)) of h pixels (Eqs. 5-8).
    """
    spreads = [_spread(ops.sum(confidence, axis=axis)) for axis in (2, 1)]
    return ops.clip(k * 2.0 * math.sqrt(3.0) * ops.stack(spreads, axis=1), rate, 1.0)


def _spread(sums):
    """Standard deviation of a distribution (b, n) over its places, in shares of n."""
    count = ops.shape(sums)[1]
    place = _places(count) - (ops.cast(count, "float32") - 1.0) / 2.0
    place = place / ops.cast(count, "float32")
    shares = sums / ops.sum(sums, axis=1, keepdims=True)
    center = ops.sum(shares * place, axis=1, keepdims=True)
    return ops.sqrt(ops.sum(shares * ops.square(place - center), axis=1))


@one_program
def best_windows(confidence, lengths, *, kernel="gaussian"):
    """Boxes of the windows of most confidence: float32 (b, 4), pixel edges (x, y, x, y).

    A window lies wholly inside of its map and is weighted about its own centre; of equal ones the
    first by rows wins (Eq. 4). A map with a NaN has a box of NaN.

    Args:
        confidence: float32 (b, h, w).
        lengths: float32 (b or 1, 2), whole numbers: height and width of a window.
        kernel: `"gaussian"`, with a sixth of the length as its standard deviation, or `"box"`.
    """
    height, width = ops.shape(confidence)[1:]
    mean = ops.mean(confidence, axis=(1, 2), keepdims=True)
    (rows, fits_y), (cols, fits_x) = (
        _windows(lengths[:, axis], count, kernel) for axis, count in enumerate((height, width))
    )
    scores = ops.matmul(ops.matmul(rows, confidence - mean), ops.transpose(cols, (0, 2, 1)))
    fits = ops.logical_and(fits_y[:, :, None], fits_x[:, None, :])
    scores = ops.where(fits, scores, -math.inf)
    best = ops.amax(scores, axis=(1, 2), keepdims=True)
    y, x = _first(scores >= best - TIE)
    low = ops.where(ops.isnan(mean[:, :, 0]), float("nan"), ops.stack([x, y], axis=1))
    return ops.concatenate([low, low + ops.flip(lengths, axis=1)], axis=1)


def relative_boxes(boxes, height, width):
    """Boxes (b, 4) in pixels as shares of the width and height of the map."""
    size = extent(width, height)
    if not isinstance(size, float):
        size = ops.concatenate([size, size])
    return boxes / size


def _windows(length, count, kernel):
    """Weights (b, count, count) of windows that start at each place, and which are inside."""
    length = length[:, None]
    start = _places(count)
    offset = start - start[:, None]
    middle, deviation = (length - 1.0) / 2.0, length / 6.0
    if kernel == "gaussian":
        distance = (offset - middle[..., None]) / deviation[..., None]
        weights = ops.exp(-0.5 * ops.square(distance))
    else:
        weights = ops.ones_like(offset)
    inside = ops.logical_and(offset >= 0.0, offset < length[..., None])
    weights = ops.where(inside, weights, 0.0)
    fits = start + length <= ops.cast(count, "float32")
    return weights / ops.sum(weights[:, :1], axis=2, keepdims=True), fits


def _first(found):
    """Row and column, float32 (b,), of the first True of maps (b, h, w); the last place if none."""
    height, width = ops.shape(found)[1:]
    count = height * width
    number = ops.reshape(ops.arange(0, count, dtype="int32"), (height, width))
    first = ops.amin(ops.where(found, number, count - 1), axis=(1, 2))
    row = first // width
    return ops.cast(row, "float32"), ops.cast(first - row * width, "float32")


def _places(count):
    return ops.arange(0, count, dtype="float32")
