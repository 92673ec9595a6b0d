"""Images of any sizes: what they are as arrays, resized, and in batches of few lengths."""

import functools

import numpy as np

from keras_resample.metrics.arrays import to_numpy


def as_native_images(images, channels, channels_first):
    """A list of arrays (height, width, channels) of a batch or a list of images of any sizes.

    Args:
        images: Array (n, h, w, channels), or a list of (h, w, channels); or channels first.
        channels: Number of channels.
        channels_first: Whether these are the first axis of an image.

    Raises:
        ValueError: For none, and for one of another shape, by its place.
    """
    is_batch = len(getattr(images, "shape", ())) == 4
    if not (is_batch or isinstance(images, (list, tuple))) or not len(images):
        raise ValueError(
            "`images` must be a list of images, or a batch of at least one. "
            f"Received: {type(images).__name__} of shape {getattr(images, 'shape', 'unknown')}"
        )
    found = []
    for place, image in enumerate(to_numpy(images) if is_batch else images):
        image = to_numpy(image)
        if image.dtype.kind not in "biuf" or image.ndim != 3 or not image.size:
            shape = image.shape, str(image.dtype)
        else:
            image = np.moveaxis(image, 0, -1) if channels_first else image
            shape = None if image.shape[2] == channels else (image.shape, str(image.dtype))
        if shape:
            raise ValueError(
                f"`images` must be numbers of {channels} channels, "
                f"{'channels first' if channels_first else '(height, width, channels)'}. "
                f"Received: image {place} of shape and dtype {shape}"
            )
        found.append(image)
    return found


def resized(image, size):
    """An image (height, width, channels) in another size, float32: antialiased where reduced.

    That is `keras.ops.image.resize(antialias=True)`, in numpy: some frameworks compile a program
    for every size of an image.
    """
    image = image.astype("float32")
    if image.shape[:2] == tuple(size):
        return image
    rows, columns = map(_weights, image.shape[:2], size)
    return np.einsum("yh,hwc,xw->yxc", rows, image, columns, optimize=True)


@functools.lru_cache(maxsize=256)
def _weights(old, new):
    """What each of `new` places takes of each of `old` ones, (new, old): a triangle, normalised."""
    step = old / new
    centres = (np.arange(new) + 0.5) * step - 0.5
    distance = np.abs(centres[:, None] - np.arange(old)[None, :])
    weights = np.maximum(0, 1 - distance / max(step, 1))
    return (weights / weights.sum(axis=1, keepdims=True)).astype("float32")


def batches_of(places, batch_size):
    """Parts of `places`, and how long each is to be made: `batch_size`, or a power of two.

    So a compiled program sees few lengths, whatever the number of images is.
    """
    for start in range(0, len(places), batch_size):
        part = places[start : start + batch_size]
        yield part, min(batch_size, 1 << (len(part) - 1).bit_length())
