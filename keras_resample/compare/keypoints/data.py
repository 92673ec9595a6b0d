"""Digits in a frame with room around them, their keypoints, and their warps for the test."""

import dataclasses
import os

import keras
import numpy as np

from keras_resample import datasets
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.keypoints.names import TRANSFORMS

# Side of a digit over that of the frame: 28 of 40 pixels, as in affNIST.
DIGIT = 0.7
# A byte above it is foreground.
FOREGROUND = 51
# Of the split, and with the number of a transform of its warps; of shifts of validation images.
SPLIT_SEED, WARP_SEED, SHIFT_SEED = 0, 1, 3


@dataclasses.dataclass
class Part:
    """Images of one purpose.

    Args:
        images: bytes (n, side, side, 1), of faces maybe (n, side, side, 3).
        keypoints: float32 (n, 5, 2), relative (x, y).
        labels: integers (n,).
    """

    images: np.ndarray
    keypoints: np.ndarray
    labels: np.ndarray

    def __getitem__(self, index):
        return Part(self.images[index], self.keypoints[index], self.labels[index])

    def __len__(self):
        return len(self.labels)

    def inputs(self, names):
        """The arrays that a network has as inputs, of "images" and "keypoints"."""
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass
class Data:
    """The parts of a comparison.

    Args:
        train, validation, test: `Part`s of upright digits.
        num_classes: number of classes.
        description: one sentence about the source.
    """

    train: Part
    validation: Part
    test: Part
    num_classes: int
    description: str

    @property
    def template(self):
        """Where the keypoints of a training image lie on average, (5, 2)."""
        return np.nanmean(self.train.keypoints, axis=0)


def load(settings):
    """Reads the digits of a comparison, places them in their frames and splits them.

    Raises:
        SettingError: for a file that cannot be read, or too few images.
    """
    try:
        dataset, name = _source(settings)
        images, labels = dataset.arrays()
        images = framed(images, settings.size)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise SettingError("mnist", f"must be readable ({error})", settings.mnist) from error
    keypoints = datasets.foreground_keypoints(images, FOREGROUND)
    if np.isnan(keypoints).any():
        raise SettingError("mnist", "must have a bright digit on each image", settings.mnist)
    whole, parts = Part(images, keypoints, labels), split(len(labels), settings)
    for setting, part in zip(("validation", "validation", "test"), parts, strict=True):
        if not len(part):
            raise SettingError(setting, "must leave images for it", getattr(settings, setting))
    train, validation, test = (whole[part] for part in parts)
    validation = shifted(validation, SHIFT_SEED, settings)
    classes = dataset.num_classes
    description = (
        f"{name}: {classes} classes, {len(train)} training, {len(validation)} validation and "
        f"{len(test)} test images in frames of {settings.size}x{settings.size}"
    )
    return Data(train, validation, test, classes, description)


def framed(images, size):
    """Grey images (n, h, w, 1) in [0, 1], resized, in the middle of black frames, as bytes."""
    if images.shape[-1] != 1:
        raise ValueError(f"images must be grey, and have the shape {images.shape}")
    side = round(DIGIT * size)
    if images.shape[1:3] != (side, side):
        images = keras.ops.image.resize(
            images, (side, side), antialias=True, data_format="channels_last"
        )
        images = np.clip(keras.ops.convert_to_numpy(images), 0, 1)
    before = (size - side) // 2
    frames = np.zeros((len(images), size, size, 1), "uint8")
    frames[:, before : before + side, before : before + side] = np.rint(255 * images)
    return frames


def split(count, settings):
    """Indices of the training, validation and test images, drawn once and for all."""
    order = np.random.default_rng(SPLIT_SEED).permutation(count)
    tested = round(settings.test * count)
    held = round(settings.validation * (count - tested))
    return order[tested + held :], order[tested : tested + held], order[:tested]


def ranges(transform, severity, settings):
    """Arguments of `warp_with_keypoints` for one of `TRANSFORMS`."""
    change = severity * settings.scale
    found = {
        "rotation": severity * settings.rotation,
        "scale": (1 - change, 1 + change),
        "translation": severity * settings.translation,
        "shear": severity * settings.shear,
    }
    return found if transform == "all" else {transform: found[transform]}


def warped(part, transform, severity, settings):
    """A `Part` under a transform; an image has the same draws at every severity."""
    images, keypoints = datasets.warp_with_keypoints(
        part.images,
        part.keypoints,
        **ranges(transform, severity, settings),
        fill_mode=settings.fill_mode,
        seed=(WARP_SEED, TRANSFORMS.index(transform)),
    )
    return Part(np.rint(images).astype("uint8"), keypoints, part.labels)


def shifted(part, seed, settings):
    """A `Part` whose images are moved as training images are, if they are."""
    if not settings.train_translation:
        return part
    images, keypoints = datasets.warp_with_keypoints(
        part.images,
        part.keypoints,
        translation=settings.train_translation,
        fill_mode=settings.fill_mode,
        seed=seed,
    )
    return Part(np.rint(images).astype("uint8"), keypoints, part.labels)


class Batches(keras.utils.PyDataset):
    """Whole batches of a part; order and shifts of an epoch depend on seed and epoch alone.

    Args:
        part: a `Part`.
        names: inputs of the network, of "images" and "keypoints".
        settings: `KeypointSettings`.
        seed: of the order and the shifts.
        epoch: the first epoch.
    """

    def __init__(self, part, names, settings, seed, epoch=0):
        super().__init__()
        self.part, self.names, self.settings, self.seed = part, names, settings, seed
        self.batch_size = min(settings.batch_size, len(part))
        self.begin(epoch)

    def begin(self, epoch):
        """Draws the order of an epoch, and moves its images."""
        self.epoch = epoch
        self.order = np.random.default_rng((self.seed, epoch)).permutation(len(self.part))
        self.moved = shifted(self.part, (self.seed, epoch), self.settings)

    def on_epoch_end(self):
        self.begin(self.epoch + 1)

    def __len__(self):
        return len(self.part) // self.batch_size

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        part = self.moved[chosen]
        return part.inputs(self.names), part.labels


def _source(settings):
    """A dataset of upright digits, and its name."""
    if settings.mnist is None:
        return datasets.digits(data_format="channels_last"), "Handwritten digits of scikit-learn"
    return datasets.npz(settings.mnist), os.path.basename(settings.mnist)
