"""The base of every dataset here: images of identities, loaded when they are asked for."""

import copy

import numpy as np

from keras_resample.arguments import as_integer, as_integer_array
from keras_resample.datasets.base.epoch_order import BalancedOrder, ShuffledDataset
from keras_resample.datasets.base.image_dataset import ImageDataset
from keras_resample.datasets.base.selection import Selection, as_index, as_indices


class IdentityDataset(ShuffledDataset, ImageDataset):
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

    Images are channels-last whatever `keras.config.image_data_format()` says, unless
    `data_format` asks for something else.

    Args:
        load: callable from an integer in `[0, n)` to one image, an array of shape
            `image_shape` with values in `[0, 1]`, channels last. It must be picklable for
            `use_multiprocessing=True` and thread-safe for `workers > 1`.
        labels: integers `(n,)` in `[0, num_classes)`, the identity of each image.
        image_shape: `(height, width, channels)` of what `load` returns.
        num_classes: number of identities. Default: that of `class_names`, or the largest label
            plus one.
        class_names: `num_classes` names. Default: none.
        batch_size: images in a batch; the last one of an epoch may be smaller.
        shuffle: whether each epoch has its own random order.
        seed: non-negative integer, the seed of that order.
        cameras: integers `(n,)`, the camera of each image, for re-identification. Default: unknown.
        **kwargs: `value_range` and `data_format` as in `ImageDataset`: how the images are
            served, `(0, 1)` and `"channels_last"` by default; `workers`,
            `use_multiprocessing` and `max_queue_size` of `keras.utils.PyDataset`.

    Attributes:
        labels: `(n,)` int32.
        num_images: `n`.
        num_classes: number of identities.
        image_shape: shape of an image as it is served.
        class_names: names in the order of the labels, or `None`.
        paths: list of the file of each image, in the order of `labels`, or `None` where images
            are not files.
        cameras: `(n,)` int32, what `kr.metrics` take as `probe_cameras` and `gallery_cameras`, or
            `None`.
        identities: who the labels are, in their order, also after `subset(relabel=True)`.
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
        cameras=None,
        **kwargs,
    ):
        labels = as_labels(labels)
        super().__init__(
            shuffle,
            seed,
            load=load,
            num_images=len(labels),
            image_shape=image_shape,
            batch_size=batch_size,
            **kwargs,
        )
        self.labels = labels
        self.cameras = None if cameras is None else as_cameras(cameras, len(labels))
        largest = int(labels.max())
        self.class_names = None if class_names is None else list(class_names)
        if num_classes is None:
            self.num_classes = max(largest + 1, len(self.class_names or ()))
        else:
            self.num_classes = as_integer(num_classes, "num_classes")
        if self.num_classes <= largest:
            raise ValueError(
                f"`num_classes` must be above the largest label, {largest}. "
                f"Received: num_classes={num_classes}"
            )
        if class_names is not None and len(self.class_names) != self.num_classes:
            raise ValueError(
                f"`class_names` must hold {self.num_classes} names, one a class. "
                f"Received: {len(self.class_names)} names"
            )
        self._numbers = np.arange(self.num_classes)
        self._balanced = None

    @property
    def identities(self):
        """Who the labels are: `class_names`, or the numbers they had before they were renumbered.

        A list of `num_classes` entries. Labels of datasets with other identities mean other people.
        """
        return self._numbers.tolist() if self.class_names is None else list(self.class_names)

    def _draw_order(self, random):
        if self._balanced is not None:
            return self._balanced(random)
        return super()._draw_order(random)

    def __len__(self):
        if self._balanced is not None:
            return self._balanced.num_batches
        return super().__len__()

    def __getitem__(self, index):
        index = as_index(index, len(self), "batch")
        chosen = self.order()[index * self.batch_size : (index + 1) * self.batch_size]
        return np.stack([self.image(i) for i in chosen]), self.labels[chosen]

    def arrays(self, progress=False):
        """All images and labels in memory, in the order of `labels`, never shuffled.

        Args:
            progress: whether to show a progress bar.

        Returns:
            `(images, labels)`: float32 `(n,) + image_shape` and int32 `(n,)`.
        """
        return super().arrays(progress), self.labels.copy()

    def balanced_batches(self, classes_per_batch, images_per_class):
        """The same images in batches of P identities with K images each (P x K).

        What triplet losses need. In each epoch the images of an identity are permuted and
        cut into groups of K; the images that do not fill a group rest, others in the next
        epoch. An identity with fewer than K images makes one group, in which each of its
        images comes `K // n` or `K // n + 1` times. Every batch holds groups of P different
        identities, and the number of batches is the largest that allows, the same in every
        epoch. As in any order here, a batch is a function of `(seed, epoch)` and its number,
        whatever the number of workers.

        Args:
            classes_per_batch: P, at most the number of identities with images.
            images_per_class: K. Batch-hard mining needs at least 2.

        Returns:
            An `IdentityDataset` with `batch_size = P * K`, at epoch 0. Without `shuffle` all
            its epochs have the order of epoch 0.

        Raises:
            ValueError: for P or K below 1, or P above the number of identities.

        Example:

        >>> import keras_resample as kr
        >>> palms = kr.datasets.bezier_palms(num_identities=6, images_per_identity=5)
        >>> triplets = palms.balanced_batches(classes_per_batch=3, images_per_class=2)
        >>> images, labels = triplets[0]
        >>> len(triplets), images.shape, len(set(labels.tolist()))
        (4, (6, 112, 112, 1), 3)
        """
        p = as_integer(classes_per_batch, "classes_per_batch")
        k = as_integer(images_per_class, "images_per_class")
        balanced = copy.copy(self)
        balanced._balanced = BalancedOrder(self.labels, p, k)
        balanced.batch_size = p * k
        balanced.epoch = 0
        return balanced

    def ordered(self):
        """The images in the order of `labels`, each once, whatever `shuffle` says.

        Returns:
            An `IdentityDataset` at epoch 0, without balanced batches.

        Example:

        >>> import keras_resample as kr
        >>> palms = kr.datasets.bezier_palms(num_identities=2, images_per_identity=2)
        >>> palms.ordered()[0][1].tolist()
        [0, 0, 1, 1]
        """
        view = super().ordered()
        view._balanced = None
        return view

    def subset(self, indices, relabel=False):
        """A dataset of some of the images, loaded the same way.

        Batches are plain ones of `batch_size`; those of `balanced_batches` are asked for
        again.

        Args:
            indices: integers `(m,)` in `[0, num_images)`, or a boolean mask `(n,)`.
            relabel: `False` keeps the labels and `num_classes`; `True` renumbers the
                identities that are left to `0 .. k-1`, in the order of their labels.

        Returns:
            An `IdentityDataset` with the same settings, at epoch 0.
        """
        indices = as_indices(indices, self.num_images)
        part = copy.copy(self)
        part.load = Selection(self.load, indices)
        part.labels = self.labels[indices]
        part.cameras = None if self.cameras is None else self.cameras[indices]
        part.num_images = len(indices)
        part._balanced = None
        if relabel:
            kept, part.labels = np.unique(part.labels, return_inverse=True)
            part.labels = part.labels.astype("int32")
            part.num_classes = len(kept)
            part._numbers = self._numbers[kept]
            if self.class_names is not None:
                part.class_names = [self.class_names[i] for i in kept]
        part.epoch = 0
        return part


def as_labels(labels):
    """`labels` as int32 `(n,)`, none of them negative."""
    kind = "a non-empty list of integers, one an image"
    labels = as_integer_array(labels, "labels", kind, (None,))
    if labels.min() < 0 or labels.max() > np.iinfo("int32").max:
        raise ValueError(
            "`labels` must lie in [0, num_classes). "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return labels.astype("int32")


def as_cameras(cameras, num_images):
    """`cameras` as int32 `(num_images,)`."""
    kind = f"{num_images} integers, one an image"
    return as_integer_array(cameras, "cameras", kind, (num_images,)).astype("int32")
