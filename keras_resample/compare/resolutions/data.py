"""People to train on and people to verify, all in memory and of one size."""

import dataclasses
import os

import numpy as np

from keras_resample import datasets
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.resizing import resized
from keras_resample.compare.engine.sources import by
from keras_resample.compare.resolutions import folds


@dataclasses.dataclass
class Data:
    """The images of a comparison.

    Args:
        train: dataset of the people trained on, in memory.
        test_images: float32 (n, height, width, channels) in [0, 1], of others.
        test_labels: integers (n,).
        description: one sentence about the source.
        pairs: `Pairs` of the test images, where they were given.
    """

    train: datasets.IdentityDataset
    test_images: np.ndarray
    test_labels: np.ndarray
    description: str
    pairs: folds.Pairs | None = None


def load(settings):
    """Reads or draws the images of a comparison.

    Raises:
        SettingError: for files that cannot be read, or too few people.
    """
    size, pairs = settings.size, None
    try:
        if settings.faces is None:
            people, images = settings.identities, settings.images_per_identity
            whole = datasets.bezier_palms(people, images, size=size)
        else:
            whole = datasets.image_folder(settings.faces, size=size)
        if whole.num_classes < 4:
            raise ValueError(f"{whole.num_classes} identities, of which at least 4 are needed")
        if settings.pairs is None:
            halves = datasets.half_identities(whole)
        else:
            *halves, pairs = folds.split(whole, settings)
        (images, labels), (test_images, test_labels) = (half.arrays() for half in halves)
    except SettingError:
        raise
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
        f"{name} of {by(size)}: {len(images)} images of "
        f"{train.num_classes} identities to train on, {len(test_images)} of "
        f"{len(np.unique(test_labels))} others to verify"
    )
    if pairs is not None:
        description += f" and {len(pairs.same)} listed pairs of them"
    return Data(train, test_images, test_labels, description, pairs)


def reduced(images, size):
    """Images (n, h, w, c) at a smaller (height, width), antialiased."""
    return resized(images, size, antialias=True)


def enlarged(images, size, interpolation="bilinear"):
    """Images (n, h, w, c) at a larger (height, width)."""
    return resized(images, size, interpolation=interpolation)
