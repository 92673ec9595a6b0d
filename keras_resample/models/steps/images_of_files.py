"""The images of files, as an encoder takes them."""

import os

import numpy as np

from keras_resample.datasets.base.image_files import image_files
from keras_resample.models.steps.image_format import format_of_images
from keras_resample.models.steps.own_scaling import own_scaling

PATH = (str, os.PathLike)


def are_paths(images):
    """Whether what should be images is a path, or a list or an array of paths."""
    if isinstance(images, PATH):
        return True
    if isinstance(images, np.ndarray) and images.ndim == 1 and images.dtype.kind in "TUO":
        images = list(images)
    return isinstance(images, (list, tuple)) and all(isinstance(path, PATH) for path in images)


def images_of_files(paths, encoder, batch_size):
    """An `ImageDataset` of files in [0, 1], of the size, channels and format of an encoder.

    Raises:
        ValueError: For an encoder that does not tell these, and one that scales its images itself.
    """
    shape = getattr(encoder, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ValueError(
            "`images` may be paths for an encoder of one batch of images whose shape is known; "
            "for others read them: kr.datasets.image_files(paths, size=(height, width)). "
            f"Received: an encoder of inputs of shape {shape}"
        )
    names = own_scaling(encoder)
    if names:
        raise ValueError(
            "`images` given as paths are read in [0, 1], and this encoder scales its images "
            "itself. Read them in the range of training: kr.datasets.image_files(paths, "
            f"size=(height, width), value_range=(0, 255)). Received: paths, and {names[0]!r} inside"
        )
    data_format = format_of_images(shape, encoder)
    channels, *size = shape[1:] if data_format == "channels_first" else (shape[3], *shape[1:3])
    return image_files(
        paths,
        None if None in size else tuple(size),
        channels,
        batch_size,
        data_format=data_format,
    )
