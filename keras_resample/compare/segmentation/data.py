"""What is trained and tested on: images in memory where they fit, lazily read where not."""

import keras
import numpy as np

from keras_resample import datasets, ops
from keras_resample.compare.engine.checks import SettingError

# Decoded images are kept in memory up to so many bytes.
MEMORY = 2 << 30
# Reader, what is trained on, what is tested on, and name of each data set.
SETS = {
    "camvid": (
        datasets.camvid,
        "train",
        "val",
        "CamVid (Brostow et al. 2009, split of SegNet), trained on train, tested on val",
    ),
    "cityscapes": (
        datasets.cityscapes,
        "train",
        "val",
        "Cityscapes (Cordts et al. 2016), trained on train, tested on val",
    ),
    "deep_globe": (
        datasets.deep_globe,
        "train",
        "test",
        "DeepGlobe land cover (Demir et al. 2018), split of 454 / 207 / 142 images",
    ),
}


def load(settings):
    """The training set, the test set and one sentence about them.

    Raises:
        SettingError: for a folder that cannot be read.
    """
    try:
        train, test, name = _read(settings)
    except (ImportError, OSError, TypeError, ValueError) as error:
        name = settings.source() or "images"
        raise SettingError(name, f"must be readable ({error})", getattr(settings, name)) from error
    if settings.images and train.num_images > settings.images:
        train = train.subset(np.arange(settings.images))
    description = (
        f"{name}: {train.num_images} training and {test.num_images} test images of "
        f"{test.image_shape[0]}x{test.image_shape[1]}, {train.num_classes} classes"
    )
    return in_memory(train, flip=True), in_memory(test, shuffle=False), description


def _read(settings):
    """The training set, the test set and their name."""
    common = {"batch_size": settings.batch_size, "data_format": "channels_last"}
    if settings.source() is None:
        counts = settings.images, max(settings.images // 4, 1)
        train, test = (
            datasets.generated_scenes(n, settings.scene_size, seed=seed, **common)
            for seed, n in enumerate(counts)
        )
        return train, test, "generated street scenes (keras_resample.datasets.generated_scenes)"
    reader, *splits, name = SETS[settings.source()]
    path = getattr(settings, settings.source())
    return *(reader(path, split, **common) for split in splits), name


def in_memory(dataset, flip=False, shuffle=True):
    """The dataset with its decoded images kept as bytes, where they are of one size and fit."""
    dataset.flip, dataset.shuffle = flip, shuffle
    if None in dataset.image_shape:
        return dataset
    if dataset.num_images * np.prod(dataset.image_shape) > MEMORY:
        return dataset
    images, labels = dataset.arrays()
    return datasets.SegmentationDataset(
        Windows(images, labels),
        np.broadcast_to(labels.shape[1:], (len(labels), 2)),
        num_classes=dataset.num_classes,
        ignore_class=dataset.ignore_class,
        class_names=dataset.class_names,
        class_colors=dataset.class_colors,
        batch_size=dataset.batch_size,
        data_format="channels_last",
        shuffle=shuffle,
        flip=flip,
    )


class Windows:
    """Reads images and labels from arrays."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __call__(self, index, window):
        top, left, height, width = window
        part = np.s_[index, top : top + height, left : left + width]
        return self.images[part], self.labels[part]

    def reads_windows(self, index):
        return True


class Batches(keras.utils.PyDataset):
    """Batches of a dataset, with the map of an `EdgeOracle` as fourth channel where one is given.

    In training only whole batches: batch normalization has poor statistics of a few images.
    """

    def __init__(self, dataset, oracle=None, training=False):
        super().__init__()
        self.dataset, self.oracle = dataset, oracle
        self.count = len(dataset)
        if training and dataset.num_images >= dataset.batch_size:
            self.count = dataset.num_images // dataset.batch_size

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        images, labels = self.dataset[index]
        if self.oracle is not None:
            images = np.concatenate([images, self.oracle(labels)], axis=-1)
        return images, labels


class EdgeOracle:
    """The map of simulated edge-based sampling (Jin et al., A.5), as bytes of the image's size.

    Args:
        size: (height, width) of the map.
        blur: standard deviation of its Gaussian in cells: how far samples spread from an edge.
        ignore_class: label without class, or None.
    """

    def __init__(self, size, blur, ignore_class):
        self.size, self.blur, self.ignore_class = size, blur, ignore_class

    def __call__(self, labels):
        rows, columns = (
            (np.arange(n) + 0.5) * side // n
            for n, side in zip(self.size, labels.shape[1:], strict=True)
        )
        cells = labels[:, rows.astype(int)][:, :, columns.astype(int)]
        edges = ops.edge_map(cells, self.blur, binary=True, ignore_class=self.ignore_class)
        edges = keras.ops.convert_to_numpy(edges)
        edges = edges / np.maximum(edges.max(axis=(1, 2), keepdims=True), 1e-6)
        rows, columns = (
            np.arange(side) * n // side for n, side in zip(self.size, labels.shape[1:], strict=True)
        )
        return np.rint(255 * edges[:, rows][:, :, columns, None]).astype("uint8")


def class_weights(dataset):
    """Weights of the classes that favour rare ones: 1 / ln(1.02 + frequency), as of ENet."""
    counts = np.zeros(dataset.num_classes)
    for index in range(dataset.num_images):
        labels = dataset.read(index)[1]
        counts += np.bincount(labels.ravel(), minlength=256)[: len(counts)]
    weights = 1 / np.log(1.02 + counts / counts.sum())
    weights /= np.sum(weights * counts) / counts.sum()  # the mean weight of a pixel is 1
    return {i: float(w) for i, w in enumerate(weights)}
