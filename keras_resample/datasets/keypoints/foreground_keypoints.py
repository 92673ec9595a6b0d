"""Keypoints of what stands out from a dark background: those of its box."""

import numpy as np

from keras_resample.arguments import as_data_format, as_number
from keras_resample.ops.sampling_arguments import check_images


def foreground_keypoints(images, threshold=0.0, data_format="channels_last"):
    """Four corners and the centre of the smallest box that covers the foreground of each image.

    The keypoints of digits in "KeyPoint Relative Position Encoding for Face Recognition". The box
    is upright, so take them before images are warped, and warp them along:
    `keras_resample.datasets.warp_with_keypoints`.

    Args:
        images: `(n, h, w)`, `(n, h, w, channels)` or `(n, channels, h, w)`, numbers.
        threshold: a pixel with a channel above it is foreground.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        float32 numpy array `(n, 5, 2)`, relative (x, y) of the outer edges of the box: top left,
        top right, bottom left and bottom right corner, centre. NaN for an image of no foreground.

    Raises:
        ValueError: if `images` has another shape, or `threshold` is no number.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> image = np.zeros((1, 8, 8))
    >>> image[0, 2:6, 4:6] = 1
    >>> kr.datasets.foreground_keypoints(image)[0].tolist()
    [[0.5, 0.25], [0.75, 0.25], [0.5, 0.75], [0.75, 0.75], [0.625, 0.5]]
    """
    threshold, data_format = as_number(threshold, "threshold"), as_data_format(data_format)
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None] if data_format == "channels_last" else images[:, None]
    check_images(images.shape, data_format)
    is_foreground = (images > threshold).any(axis=3 if data_format == "channels_last" else 1)
    left, right = _first_and_last(is_foreground.any(axis=1))
    top, bottom = _first_and_last(is_foreground.any(axis=2))
    x = np.stack([left, right, left, right, (left + right) / 2], axis=1)
    y = np.stack([top, top, bottom, bottom, (top + bottom) / 2], axis=1)
    return np.stack([x, y], axis=-1).astype("float32")


def _first_and_last(occupied):
    """Relative outer edges of what is occupied along an axis (n, length): two of (n,)."""
    length = occupied.shape[1]
    first, last = occupied.argmax(axis=1), length - occupied[:, ::-1].argmax(axis=1)
    is_any = occupied.any(axis=1)
    return (np.where(is_any, edge / length, np.nan) for edge in (first, last))
