"""The base of every dataset here: images of identities, loaded when they are asked for."""

import copy
import math
import operator

import keras
import numpy as np


class IdentityDataset(keras.utils.PyDataset):
    """Images of identities, loaded lazily, in batches `(images, labels)`.

    Batch `i` of an epoch holds `image(j)` and `labels[j]` for `j` in the `i`-th slice of
    the epoch's order. That order is a function of `(seed, epoch)` alone, so the content of
    a batch depends neither on the number of workers nor on what was read before, and a
    stopped training can be resumed with the batches it would have seen:

        model.fit(dataset, shuffle=False, initial_epoch=done, epochs=total,
                  callbacks=[dataset.epoch_callback()])

    (`fit` on its own also shuffles whole batches, with Python's random state, and ends an
    epoch once more when it has to build the model; hence these two arguments. With
    `workers > 1` it also feeds first what it prefetched to build the model and metrics;
    a `train_on_batch` before it avoids that where the exact order matters.)

    An identity with a single image is kept: it trains like any other, and in a
    verification protocol it makes impostor pairs but no genuine one.

    Images are channels-last whatever `keras.config.image_data_format()` says.

    Args:
        load: callable from an integer in `[0, n)` to one image, an array of shape
            `image_shape` with values in `[0, 1]`. It must be picklable for
            `use_multiprocessing=True` and thread-safe for `workers > 1`.
        labels: integers `(n,)` in `[0, num_classes)`, the identity of each image.
        image_shape: `(height, width, channels)` of every image.
        num_classes: number of identities. Default: the largest label plus one.
        class_names: `num_classes` names. Default: none.
        batch_size: images in a batch; the last one of an epoch may be smaller.
        shuffle: whether each epoch has its own random order.
        seed: non-negative integer, the seed of that order.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Attributes:
        labels: `(n,)` int32.
        num_images: `n`.
        num_classes: number of identities.
        image_shape: `(height, width, channels)`.
        class_names: names in the order of the labels, or `None`.
        skipped: list of `(file, reason)` a reader left out; empty otherwise.
        epoch: the epoch whose order is in use. Writable.

    Raises:
        TypeError, ValueError: for an argument of the wrong type or value, at construction;
            for an image of another shape than `image_shape`, when it is read.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> dataset = kr.datasets.IdentityDataset(
    ...     lambda index: np.full((8, 8, 1), index / 10), labels=[0, 0, 1, 1, 2],
    ...     image_shape=(8, 8, 1), batch_size=2)
    >>> len(dataset), dataset.num_classes
    (3, 3)
    >>> images, labels = dataset[0]
    >>> images.shape, labels.shape
    ((2, 8, 8, 1), (2,))
    """

    def __init__(
        self,
        load,
        labels,
        image_shape,
        num_classes=None,
        class_names=None,
        batch_size=32,
        shuffle=True,
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not callable(load):
            raise TypeError(f"`load` must be a callable index -> image. Received: load={load!r}")
        self.load = load
        self.labels = _checked_labels(labels)
        self.num_images = len(self.labels)
        largest = int(self.labels.max())
        self.num_classes = (
            largest + 1 if num_classes is None else positive(num_classes, "num_classes")
        )
        if self.num_classes <= largest:
            raise ValueError(
                f"`num_classes` must be above the largest label, {largest}. "
                f"Received: num_classes={num_classes}"
            )
        self.class_names = None if class_names is None else list(class_names)
        if class_names is not None and len(self.class_names) != self.num_classes:
            raise ValueError(
                f"`class_names` must hold {self.num_classes} names, one a class. "
                f"Received: {len(self.class_names)} names"
            )
        if len(image_shape) != 3:
            raise ValueError(
                "`image_shape` must be (height, width, channels). "
                f"Received: image_shape={image_shape!r}"
            )
        self.image_shape = tuple(positive(side, "image_shape") for side in image_shape)
        self.batch_size = positive(batch_size, "batch_size")
        self.shuffle = bool(shuffle)
        self.seed = non_negative(seed, "seed")
        self.epoch = 0
        self.skipped = []

    @property
    def epoch(self):
        """Number of the epoch whose order is served; set it to go on where a run stopped."""
        return self._epoch

    @epoch.setter
    def epoch(self, value):
        self._epoch = non_negative(value, "epoch")
        self._order = None

    def on_epoch_end(self):
        """Moves to the order of the next epoch."""
        self.epoch += 1

    def epoch_callback(self):
        """A callback that keeps `epoch` equal to the epoch of `fit`.

        Returns:
            A `keras.callbacks.Callback`.
        """
        return keras.callbacks.LambdaCallback(on_epoch_begin=self._start_epoch)

    def _start_epoch(self, epoch, logs=None):
        self.epoch = epoch

    def order(self):
        """The order of the images in the current epoch.

        Returns:
            `(n,)` indices: a permutation drawn from `(seed, epoch)`, or `0 .. n-1` without
            `shuffle`.
        """
        order = self._order
        if order is None:
            order = np.arange(self.num_images)
            if self.shuffle:
                order = random_generator(self.seed, self.epoch).permutation(order)
            self._order = order
        return order

    def __len__(self):
        return math.ceil(self.num_images / self.batch_size)

    def __getitem__(self, index):
        index = _checked_index(index, len(self), "batch")
        chosen = self.order()[index * self.batch_size : (index + 1) * self.batch_size]
        return np.stack([self.image(i) for i in chosen]), self.labels[chosen]

    def image(self, index):
        """One image.

        Args:
            index: integer in `[0, num_images)`, or negative to count from the end.

        Returns:
            float32 `image_shape`, values in `[0, 1]`.
        """
        index = _checked_index(index, self.num_images, "image")
        image = np.asarray(self.load(index), dtype="float32")
        if image.shape != self.image_shape:
            raise ValueError(
                f"`load` must give images of shape {self.image_shape}. "
                f"Received: shape {image.shape} for image {index}"
            )
        return image

    def arrays(self, progress=False):
        """All images and labels in memory, in the order of `labels`, never shuffled.

        Args:
            progress: whether to show a progress bar.

        Returns:
            `(images, labels)`: float32 `(n,) + image_shape` and int32 `(n,)`.
        """
        images = np.empty((self.num_images, *self.image_shape), "float32")
        bar = keras.utils.Progbar(self.num_images, unit_name="image") if progress else None
        for index in range(self.num_images):
            images[index] = self.image(index)
            if bar is not None:
                bar.update(index + 1)
        return images, self.labels.copy()

    def subset(self, indices, relabel=False):
        """A dataset of some of the images, loaded the same way.

        Args:
            indices: integers `(m,)` in `[0, num_images)`, or a boolean mask `(n,)`.
            relabel: `False` keeps the labels and `num_classes`; `True` renumbers the
                identities that are left to `0 .. k-1`, in the order of their labels.

        Returns:
            An `IdentityDataset` with the same settings, at epoch 0.
        """
        indices = _checked_indices(indices, self.num_images)
        part = copy.copy(self)
        part.load = _Selection(self.load, indices)
        part.labels = self.labels[indices]
        part.num_images = len(indices)
        if relabel:
            kept, part.labels = np.unique(part.labels, return_inverse=True)
            part.labels = part.labels.astype("int32")
            part.num_classes = len(kept)
            if self.class_names is not None:
                part.class_names = [self.class_names[i] for i in kept]
        part.epoch = 0
        return part


class _Selection:
    """A loader seen through a list of indices. A class, so that it can be pickled."""

    def __init__(self, load, indices):
        self.load = load
        self.indices = indices

    def __call__(self, index):
        return self.load(int(self.indices[index]))


def random_generator(seed, *key):
    """A numpy generator that depends on all of `(seed, *key)`, and on nothing else."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def positive(value, name):
    """`value` as an int, at least 1."""
    return _integer(value, name, 1, "a positive integer")


def non_negative(value, name):
    """`value` as an int, at least 0."""
    return _integer(value, name, 0, "a non-negative integer")


def image_size(size):
    """`size` as `(height, width)`."""
    if isinstance(size, (str, bytes)) or not hasattr(size, "__len__") or len(size) != 2:
        raise ValueError(f"`size` must be (height, width). Received: size={size!r}")
    return tuple(positive(side, "size") for side in size)


def _integer(value, name, smallest, kind):
    try:
        number = operator.index(value)
    except TypeError:
        number = smallest - 1
    if isinstance(value, (bool, np.bool_)) or number < smallest:
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")
    return number


def _checked_labels(labels):
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.size == 0 or labels.dtype.kind not in "iu":
        raise ValueError(
            "`labels` must be a non-empty list of integers, one an image. "
            f"Received: labels of shape {labels.shape} and dtype {labels.dtype}"
        )
    if labels.min() < 0 or labels.max() > np.iinfo("int32").max:
        raise ValueError(
            "`labels` must lie in [0, num_classes). "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels.astype("int32")


def _checked_index(index, length, kind):
    index = operator.index(index)
    if not -length <= index < length:
        raise IndexError(f"There are {length} {kind} indices. Received: index={index}")
    return index % length


def _checked_indices(indices, length):
    indices = np.asarray(indices)
    if indices.dtype == bool and indices.shape == (length,):
        indices = np.flatnonzero(indices)
    if indices.ndim != 1 or indices.size == 0 or indices.dtype.kind not in "iu":
        raise ValueError(
            "`indices` must select at least one image: integers (m,), or a boolean mask "
            f"({length},). Received: indices of shape {indices.shape} and dtype {indices.dtype}"
        )
    if indices.min() < 0 or indices.max() >= length:
        raise ValueError(
            f"`indices` must lie in [0, {length}). "
            f"Received: indices from {indices.min()} to {indices.max()}"
        )
    return indices.astype("int64")
