"""The images of a comparison, split into identities to train on and identities to test on."""

import dataclasses
from pathlib import Path

import numpy as np

from keras_resample import datasets
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.resizing import resized


@dataclasses.dataclass
class Data:
    """Training dataset, and the images, labels and pairs of the test.

    Args:
        train: dataset of the training identities.
        test_images: float32 (n, h, w, channels) in [0, 1].
        test_labels: integers (n,).
        description: one sentence about the source.
    """

    train: datasets.IdentityDataset
    test_images: np.ndarray
    test_labels: np.ndarray
    description: str

    @property
    def image_shape(self):
        return self.test_images.shape[1:]

    @property
    def genuine_pairs(self):
        counts = np.bincount(self.test_labels)
        return int((counts * (counts - 1) // 2).sum())

    @property
    def impostor_pairs(self):
        n = len(self.test_labels)
        return n * (n - 1) // 2 - self.genuine_pairs


def load(settings):
    """Reads or draws the images of a comparison into memory and splits them.

    Raises:
        SettingError: images that cannot be read, fewer than two identities to train on or to test
            on, or a test half without two images of one identity.
    """
    source = settings.images or "palmprints"
    try:
        dataset, description = _dataset(settings)
        identities = len(np.unique(dataset.labels))
        if identities < 4:
            must = f"must have at least 4 identities, half train, half test, and has {identities}"
            raise SettingError("images", must, source)
        halves = datasets.half_identities(dataset)
        (train_images, train_labels), (test_images, test_labels) = [h.arrays() for h in halves]
    except (ImportError, OSError, TypeError, ValueError) as error:
        if isinstance(error, SettingError):
            raise
        must = f"must hold a folder of images for each identity, or be a whole .npz file ({error})"
        raise SettingError("images", must, source) from error
    train = _Training(_of_size(train_images, settings.size), train_labels, settings.batch_size)
    description = f"{description}: {identities} identities, {dataset.num_images} images"
    if dataset.skipped:
        description += f", {len(dataset.skipped)} unreadable ones left out"
    data = Data(train, _of_size(test_images, settings.size), test_labels, description)
    if not data.genuine_pairs:
        must = "must have two images of at least one identity of the test half"
        raise SettingError("images", must, source)
    return data


def held_out(data):
    """The training identities alone: a quarter of them in place of the test, for choices.

    Args:
        data: `Data`.

    Raises:
        SettingError: fewer than two identities on a side, or no two images of one of the quarter.
    """
    identities = np.random.default_rng(0).permutation(np.unique(data.train.labels))
    quarter = identities[: max(2, len(identities) // 4)]
    if len(identities) - len(quarter) < 2:
        must = "needs at least 4 identities to train on, 2 of them held out, and there are "
        raise SettingError("search_crop", f"{must}{len(identities)}", True)
    in_quarter = np.isin(data.train.labels, quarter)
    train = data.train.subset(~in_quarter, relabel=True)
    train.batch_size = min(train.batch_size, train.num_images)
    images, labels = data.train.subset(in_quarter, relabel=True).arrays()
    part = Data(train, images, labels, data.description)
    if not part.genuine_pairs:
        must = "needs two images of one of the training identities that are held out"
        raise SettingError("search_crop", must, True)
    return part


class _Training(datasets.IdentityDataset):
    """Images in memory in whole batches: batch normalisation has no statistics of one image."""

    def __init__(self, images, labels, batch_size):
        super().__init__(
            images.__getitem__, labels, images.shape[1:], batch_size=min(batch_size, len(labels))
        )

    def __len__(self):
        return self.num_images // self.batch_size


def _dataset(settings):
    if settings.images is None:
        palms = datasets.bezier_palms(
            settings.identities, settings.images_per_identity, size=settings.size
        )
        return palms, "synthetic palmprints (keras_resample.datasets.bezier_palms, seed 0)"
    path = Path(settings.images)
    if path.is_dir():
        on_error = "skip" if settings.skip_unreadable else "raise"
        return datasets.image_folder(path, size=settings.size, on_error=on_error), path.name
    return datasets.npz(path), path.name


def _of_size(images, size):
    if size is None or images.shape[1:3] == size:
        return images
    return resized(images, size, antialias=True)
