"""The warps of `RandomWarp` in numpy: the same draws on every backend."""

import keras
import numpy as np

from keras_resample.arguments import as_data_format, as_integer, as_integers
from keras_resample.ops.keypoints import check_keypoints
from keras_resample.ops.sampling_arguments import as_fill_value, check_images, check_sampling
from keras_resample.ops.warping import as_warp_ranges, warp

# Images are warped so many at a time.
CHUNK = 256


def warp_with_keypoints(
    images,
    keypoints,
    rotation=0.0,
    scale=(1.0, 1.0),
    translation=0.0,
    shear=0.0,
    elastic=0.0,
    cells=4,
    interpolation="bilinear",
    fill_mode="nearest",
    fill_value=0.0,
    seed=0,
    data_format="channels_last",
):
    """Images warped at random, and where their keypoints are on them.

    `keras_resample.layers.RandomWarp` for data in numpy: the numbers are drawn by numpy, so a seed
    is the same warps on every backend, and of an image whatever comes after it. A range of one
    number, such as `rotation=(30, 30)`, warps all images alike: a test set of one severity. It
    computes on the CPU.

    Args:
        images: `(n, h, w, channels)` or `(n, channels, h, w)`, any dtype.
        keypoints: `(n, k, 2)`, relative (x, y). They are not clipped, and NaN stays NaN.
        rotation, scale, translation, shear, elastic, cells, interpolation, fill_mode, fill_value:
            as in `keras_resample.layers.RandomWarp`.
        seed: non-negative integer, or a tuple of them such as `(seed, epoch, batch)`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        `(images, keypoints)`, numpy arrays of the shapes that went in: images as
        `keras_resample.ops.sample` gives them, keypoints float32.

    Raises:
        ValueError: for a range that is none, an `elastic` outside of [0, 0.4], an unknown mode, a
            negative seed, or images or keypoints of another shape.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images, centre = np.zeros((3, 28, 28, 1), "float32"), np.full((3, 1, 2), 0.5)
    >>> images, keypoints = kr.datasets.warp_with_keypoints(
    ...     images, centre, rotation=(90, 90), translation=(0.25, 0.25))
    >>> keypoints[0].tolist()
    [[0.75, 0.75]]
    """
    ranges = as_warp_ranges(rotation, scale, translation, shear, elastic, cells)
    check_sampling(interpolation, fill_mode, fill_value, antialias=False)
    fill_value = as_fill_value(fill_value)
    data_format = as_data_format(data_format)
    images, keypoints = np.asarray(images), np.asarray(keypoints, "float32")
    check_images(images.shape, data_format)
    check_keypoints(keypoints.shape, len(images))
    seed = as_integers(seed, "seed", 0) if isinstance(seed, tuple) else as_integer(seed, "seed", 0)
    drawn = np.random.default_rng(seed).random((len(images), ranges.count), "float32")
    warped = []
    with keras.device("cpu:0"):
        for first in range(0, max(len(images), 1), CHUNK):
            part = slice(first, first + CHUNK)
            results = warp(
                keras.ops.convert_to_tensor(images[part]),
                keypoints[part],
                drawn[part],
                ranges,
                interpolation,
                fill_mode,
                fill_value,
                data_format,
            )
            warped.append([keras.ops.convert_to_numpy(result) for result in results])
    images, keypoints = zip(*warped, strict=True)
    return np.concatenate(images), np.concatenate(keypoints)
