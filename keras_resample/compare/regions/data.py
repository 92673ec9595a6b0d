"""Images in memory: what is trained on, what is watched during training, and what is tested on."""

import dataclasses
import os

import keras
import numpy as np

from keras_resample import datasets
from keras_resample.compare.engine.checks import SettingError

# Files are read so much larger than what a network sees, and cropped (Section 4.1: 512 to 448).
MARGIN = 8 / 7
# Readers of the training and the test images of each data set, and its name.
SETS = {
    "cub": (datasets.cub, "CUB-200-2011 (Wah et al. 2011)"),
    "stanford_cars": (datasets.stanford_cars, "Stanford Cars (Krause et al. 2013)"),
    "fgvc_aircraft": (datasets.fgvc_aircraft, "FGVC-Aircraft (Maji et al. 2013)"),
}
SPLITS = ("train", "test")


@dataclasses.dataclass
class Part:
    """Images and labels of one purpose.

    Args:
        images: bytes (n, h, w, 3).
        labels: integers (n,).
        boxes: relative boxes (n, 4) of what tells the classes apart, or `None` if unknown.
    """

    images: np.ndarray
    labels: np.ndarray
    boxes: np.ndarray | None = None

    def __getitem__(self, index):
        boxes = None if self.boxes is None else self.boxes[index]
        return Part(self.images[index], self.labels[index], boxes)

    def __len__(self):
        return len(self.labels)


@dataclasses.dataclass
class Data:
    """The parts of a comparison.

    Args:
        train, validation, test: `Part`s; `validation` is a part of the training images of the data
            set, and what is chosen is chosen by it.
        num_classes: number of classes.
        size: height and width of what a network sees.
        augment: whether training images are flipped, and cropped at random.
        description: one sentence about the source.
    """

    train: Part
    validation: Part
    test: Part
    num_classes: int
    size: tuple[int, int]
    augment: bool
    description: str


def load(settings):
    """Reads or draws the images of a comparison, and splits them.

    Raises:
        SettingError: for a folder that cannot be read, or too few images.
    """
    source = settings.source()
    if source is None:
        return _generated(settings)
    path = getattr(settings, source)
    size = tuple(round(MARGIN * side) for side in settings.size)
    try:
        train, test, name = _readers(source, path, size)
        arrays = [(_bytes(part), part.labels) for part in (train, test)]
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise SettingError(source, f"must be readable ({error})", path) from error
    parts = [Part(*array) for array in arrays]
    return _split(parts, train.num_classes, settings, True, name)


def held_out(labels, share):
    """Which images are for validation: the last ones of each class, bool (n,).

    A class keeps at least one image for training.
    """
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        count = min(round(share * len(own)), len(own) - 1)
        held[own[len(own) - count :]] = True
    return held


class Batches(keras.utils.PyDataset):
    """Batches of a part, as bytes; the order of an epoch depends on seed and epoch alone.

    Args:
        part: a `Part`.
        size: height and width of what is cut out of the images, the middle where not at random.
        batch_size: images in a batch.
        seed: of the order, and of what is cut and flipped; `None` for the order of the part, once.
        augment: whether images are flipped and cropped at random.
        epoch: the first epoch.
    """

    def __init__(self, part, size, batch_size, seed=None, augment=False, epoch=0):
        super().__init__()
        self.part, self.size, self.batch_size = part, size, batch_size
        self.seed, self.augment = seed, augment
        sides = part.images.shape[1:3]
        self.room = [side - own for side, own in zip(sides, size, strict=True)]
        self.begin(epoch)

    def begin(self, epoch):
        """Draws the order of an epoch, and what is cut and flipped in it."""
        self.epoch, count = epoch, len(self.part)
        self.order, self.flipped = np.arange(count), np.zeros(count, bool)
        self.corners = np.tile([room // 2 for room in self.room], (count, 1))
        if self.seed is None:
            return
        random = np.random.default_rng((self.seed, epoch))
        self.order = random.permutation(count)
        if self.augment:
            self.flipped = random.random(count) < 0.5
            self.corners = random.integers(0, np.add(self.room, 1), (count, 2))

    def on_epoch_end(self):
        self.begin(self.epoch + 1)

    def __len__(self):
        # Batch normalization has poor statistics of a few images.
        whole, rest = divmod(len(self.part), self.batch_size)
        return whole + bool(rest and (self.seed is None or not whole))

    def __getitem__(self, index):
        places = np.s_[index * self.batch_size : (index + 1) * self.batch_size]
        chosen = self.order[places]
        return self._images(chosen), self.part.labels[chosen]

    def all_images(self):
        """The images in their order, as a network sees them: bytes (n, h, w, 3)."""
        return self._images(self.order)

    def _images(self, places):
        height, width = self.size
        images = np.empty((len(places), height, width, 3), "uint8")
        for row, place in enumerate(places):
            top, left = self.corners[place]
            image = self.part.images[place, top : top + height, left : left + width]
            images[row] = image[:, ::-1] if self.flipped[place] else image
        return images


def _generated(settings):
    """Beetles that differ in a mark; a mirror image of a mark may be the mark of another class."""
    train, test = settings.images_per_class, settings.test_images_per_class
    beetles = datasets.fine_grained_scenes(
        settings.classes,
        train + test,
        settings.size,
        settings.beetle_seed,
        part_size=settings.part_size,
        shuffle=False,
        data_format="channels_last",
    )
    boxes = np.array([beetles.load.part_box(i) for i in range(beetles.num_images)])
    whole = Part(_bytes(beetles), beetles.labels, boxes)
    in_train = np.arange(len(whole)) % (train + test) < train
    parts = whole[in_train], whole[~in_train]
    name = "generated beetles (keras_resample.datasets.fine_grained_scenes)"
    return _split(parts, settings.classes, settings, False, name)


def _readers(source, path, size):
    """The training set, the test set and their name."""
    common = {"size": size, "channels": 3, "data_format": "channels_last", "shuffle": False}
    if source != "image_lists":
        reader, name = SETS[source]
        return *(reader(path, split=split, **common) for split in SPLITS), name
    files = [os.path.join(path, f"{split}.list") for split in SPLITS]
    train = datasets.image_list(files[0], **common)
    test = datasets.image_list(files[1], class_names=train.class_names, **common)
    return train, test, os.path.basename(os.path.normpath(path))


def _split(parts, num_classes, settings, augment, name):
    whole, test = parts
    held = held_out(whole.labels, settings.validation)
    train, validation = whole[~held], whole[held]
    if not len(validation):
        must = "must leave images of each class for validation"
        raise SettingError("validation", must, settings.validation)
    height, width = settings.size
    description = (
        f"{name}: {num_classes} classes, {len(train)} training, {len(validation)} validation and "
        f"{len(test)} test images of {height}x{width}"
    )
    return Data(train, validation, test, num_classes, settings.size, augment, description)


def _bytes(dataset):
    """All images of a dataset as bytes."""
    images = np.empty((dataset.num_images, *dataset.image_shape), "uint8")
    for index in range(dataset.num_images):
        images[index] = np.rint(255 * dataset.image(index))
    return images
