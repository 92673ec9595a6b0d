"""Blur of sampled images while a saliency sampler begins to learn."""

from keras import ops

# The released saliency sampler pools its 224 pixels to 64 at least.
SMALLEST = 64 / 224


def pooled_and_back(images, fraction, data_format):
    """Average pools both sides of images to a fraction of them, and resizes back bilinearly.

    Two products with a matrix for each axis, as the size between is a tensor.

    Args:
        images: (b, h, w, c) or (b, c, h, w).
        fraction: scalar tensor in (0, 1].
        data_format: of the images.
    """
    shape = ops.shape(images)
    height, width = shape[1:3] if data_format == "channels_last" else shape[2:]
    rows, cols = (_matrix(n, fraction) for n in (height, width))
    along = ("iy,byxc->bixc", "jx,byxc->byjc")
    if data_format == "channels_first":
        along = ("iy,bcyx->bcix", "jx,bcyx->bcyj")
    blurred = ops.einsum(along[0], rows, ops.cast(images, "float32"))
    return ops.cast(ops.einsum(along[1], cols, blurred), images.dtype)


def _matrix(count, fraction):
    """Pooling of `count` pixels to `round(fraction * count)` and the way back, (count, count)."""
    index = ops.arange(count, dtype="float32")
    total = ops.cast(count, "float32")
    bins = ops.maximum(ops.round(fraction * total), 1.0)
    low, high = index * total / bins, (index + 1.0) * total / bins
    overlap = ops.minimum(index + 1.0, high[:, None]) - ops.maximum(index, low[:, None])
    pool = ops.maximum(overlap, 0.0) * bins / total
    place = ops.clip((index + 0.5) * bins / total - 0.5, 0.0, bins - 1.0)
    back = ops.maximum(1.0 - ops.abs(place[:, None] - index), 0.0)
    return ops.matmul(back, pool)
