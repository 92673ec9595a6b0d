"""People to train on and people to verify, all in memory and of one size."""

import dataclasses
import os

import keras
import numpy as np

from keras_resample import datasets
from keras_resample.compare.engine.checks import SettingError

# Images that are resized at a time.
CHUNK = 256


@dataclasses.dataclass
class Data:
    """The images of a comparison.

    Args:
        train: dataset of the people trained on, in memory.
        test_images: float32 (n, side, side, channels) in [0, 1], of others.
        test_labels: integers (n,).
        description: one sentence about the source.
    """

    train: datasets.IdentityDataset
    test_images: np.ndarray
    test_labels: np.ndarray
    description: str


def load(settings):
    """Reads or draws the images of a comparison.

    Raises:
        SettingError: for files that cannot be read, or too few people.
    """
    size = settings.size, settings.size
    try:
        if settings.faces is None:
            people, images = settings.identities, settings.images_per_identity
            whole = datasets.bezier_palms(people, images, size=size)
        else:
            whole = datasets.image_folder(settings.faces, size=size)
        if whole.num_classes < 4:
            raise ValueError(f"{whole.num_classes} identities, of which at least 4 are needed")
        halves = datasets.half_identities(whole)
        (images, labels), (test_images, test_labels) = (half.arrays() for half in halves)
    except (ImportError, OSError, TypeError, ValueError) as error:
        must = f"must be a folder of photographs for each person ({error})"
        raise SettingError("faces", must, settings.faces) from error
    if np.bincount(test_labels).max() < 2:
        must = "must have two photographs of a person of the test half"
        raise SettingError("faces", must, settings.faces)
    train = datasets.from_arrays(images, labels, settings.batch_size)
    name = "palmprints"
    if settings.faces is not None:
        name = os.path.basename(os.path.normpath(settings.faces))
    description = (
        f"{name} of {settings.size}x{settings.size}: {len(images)} images of "
        f"{train.num_classes} identities to train on, {len(test_images)} of "
        f"{len(np.unique(test_labels))} others to verify"
    )
    return Data(train, test_images, test_labels, description)


def reduced(images, side):
    """Images (n, h, w, c) at a smaller side, antialiased."""
    return _resized(images, side, antialias=True)


def enlarged(images, side, interpolation="bilinear"):
    """Images (n, h, w, c) at a larger side."""
    return _resized(images, side, interpolation=interpolation)


def _resized(images, side, **options):
    resize = keras.ops.image.resize
    parts = [
        keras.ops.convert_to_numpy(resize(images[first : first + CHUNK], (side, side), **options))
        for first in range(0, len(images), CHUNK)
    ]
    return np.concatenate(parts)
