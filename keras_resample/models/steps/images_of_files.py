"""The images of files, as an encoder takes them."""

import os

import numpy as np

from keras_resample.arguments import as_value_range
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


def images_of_files(paths, encoder, batch_size, value_range=None, trained_range=None):
    """An `ImageDataset` of files, of the size, channels and format of an encoder.

    Args:
        paths, batch_size: As in `image_files`.
        encoder: A model of one batch of images.
        value_range: As in `image_files`; `None` is that of training, or [0, 1] if unknown.
        trained_range: The range of values that the encoder was trained on, `None` if unknown.

    Raises:
        ValueError: For an encoder that does not tell these, a range that is not the trained one,
            and none for an encoder of an unknown one that scales its images itself.
    """
    shape = getattr(encoder, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4:
        raise ValueError(
            "`images` may be paths for an encoder of one batch of images whose shape is known; "
            "for others read them: kr.datasets.image_files(paths, size=(height, width)). "
            f"Received: an encoder of inputs of shape {shape}"
        )
    found_range = range_of_files(value_range, trained_range, encoder)
    data_format = format_of_images(shape, encoder)
    channels, *size = shape[1:] if data_format == "channels_first" else (shape[3], *shape[1:3])
    return image_files(
        paths,
        None if None in size else tuple(size),
        channels,
        batch_size,
        value_range=found_range,
        data_format=data_format,
    )


def range_of_files(value_range, trained_range, encoder):
    """The range of values that files are read in; arguments and errors of `images_of_files`."""
    unsaid = trained_range or (0.0, 1.0)
    found = unsaid if value_range is None else as_value_range(value_range)
    if trained_range not in (None, found):
        raise ValueError(
            f"`value_range` must be that of training, value_range={trained_range}, or the files "
            f"would be read in the range {found}. Received: value_range={value_range}"
        )
    names = own_scaling(encoder) if value_range is None and trained_range is None else ()
    if names:
        raise ValueError(
            "`images` given as paths are read in [0, 1], and this encoder scales its images "
            "itself, or may. Say the range of training as for kr.datasets.image_files, such as "
            f"value_range=(0, 255). Received: paths, and {names[0]!r} inside"
        )
    return found
