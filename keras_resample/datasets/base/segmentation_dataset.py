"""The base of every segmentation dataset: images and label maps, loaded when asked for."""

import copy
import math
import warnings

import numpy as np

from keras_resample.arguments import as_bool, as_data_format, as_integer, check_choice
from keras_resample.datasets.base.classes import as_ignore_class, check_classes, class_table
from keras_resample.datasets.base.epoch_order import ShuffledDataset, random_generator
from keras_resample.datasets.base.label_tally import LabelTally, label_counts
from keras_resample.datasets.base.segmentation_windows import SegmentationWindows
from keras_resample.datasets.base.selection import Selection, as_index, as_indices
from keras_resample.datasets.base.windows import (
    as_image_sizes,
    as_window,
    as_window_size,
    random_window,
)
from keras_resample.datasets.files.screening import progress_bar


class SegmentationDataset(ShuffledDataset):
    """Images with a class a pixel, loaded lazily, in batches `(images, labels)`.

    Images and labels stay uint8: a batch of large images is never held in float32. The order
    of the images, their flips and their crops are functions of `(seed, epoch)` and of the
    number of the image alone, whatever the number of workers, so that a stopped training can
    be resumed with the batches it would have seen:

        model.fit(dataset, shuffle=False, initial_epoch=done, epochs=total,
                  callbacks=[dataset.epoch_callback()])

    Args:
        load: callable `(index, window)` to `(image, label)`, where `window` is
            `(top, left, height, width)` in pixels: uint8 `(height, width, 3)` and integers
            `(height, width)` of that window. It must be picklable for
            `use_multiprocessing=True` and thread-safe for `workers > 1`. Where it has a method
            `reads_windows(index)` that returns `True`, the windows of that image are asked for
            one by one; otherwise the image is loaded whole, once.
        image_sizes: `(height, width)` of each image, `(n, 2)`.
        num_classes: number of classes, at most 255.
        ignore_class: the label of pixels that count nowhere, in 0..255; `None` where there is
            none.
        class_names: `num_classes` names. Default: none.
        class_colors: `num_classes` colours (red, green, blue) in 0..255. Default: those of
            PASCAL VOC.
        batch_size: images in a batch; the last one of an epoch may be smaller. Images of
            different sizes need 1, or `crop`.
        shuffle: whether each epoch has its own random order.
        seed: non-negative integer, the seed of order, flips and crops.
        flip: whether an image and its label are flipped from left to right, half of the time.
        crop: `(height, width)` of the part of each image that is served; `None` for all of it.
        crop_position: `"center"`, or `"random"` for another place in every epoch.
        data_format: `"channels_last"` or `"channels_first"`, how images are served; `None` is
            `keras.config.image_data_format()`. Labels have no channels.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Attributes:
        num_images: `n`.
        image_shape: shape of an image as it is served; `None` for a side that differs.
        skipped: list of `(file, reason)` a reader left out; empty otherwise.
        epoch: the epoch whose order is in use. Writable.

    Where a class has no pixel in what was read while the ignored label has many, there is one
    warning: masks of 0 and 255 are such a case.

    Raises:
        TypeError, ValueError: for an argument of the wrong type or value, at construction;
            for an image or label of the wrong shape, or a label that is neither a class nor
            `ignore_class`, when it is read.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> def load(index, window):
    ...     top, left, height, width = window
    ...     image = np.full((height, width, 3), 10 * index, "uint8")
    ...     return image, np.full((height, width), index % 2)
    >>> dataset = kr.datasets.SegmentationDataset(
    ...     load, image_sizes=[(20, 30)] * 5, num_classes=2, batch_size=2, crop=(16, 16),
    ...     data_format="channels_last")
    >>> images, labels = dataset[0]
    >>> images.shape, labels.shape, len(dataset), str(images.dtype), str(labels.dtype)
    ((2, 16, 16, 3), (2, 16, 16), 3, 'uint8', 'uint8')
    """

    def __init__(
        self,
        load,
        image_sizes,
        num_classes,
        ignore_class=None,
        class_names=None,
        class_colors=None,
        batch_size=4,
        shuffle=True,
        seed=0,
        flip=False,
        crop=None,
        crop_position="center",
        data_format=None,
        **kwargs,
    ):
        if not callable(load):
            raise TypeError(
                f"`load` must be a callable (index, window) -> (image, label). Received: {load=!r}"
            )
        self.image_sizes = as_image_sizes(image_sizes)
        self.num_images = len(self.image_sizes)
        super().__init__(shuffle, seed, **kwargs)
        self.load = load
        self.num_classes = as_integer(num_classes, "num_classes")
        if self.num_classes > 255:
            raise ValueError(
                f"`num_classes` must be at most 255, labels are uint8. Received: {num_classes=}"
            )
        self.ignore_class = as_ignore_class(ignore_class)
        self.class_names, self.class_colors = class_table(
            self.num_classes, class_names, class_colors
        )
        self.batch_size = as_integer(batch_size, "batch_size")
        self.flip = as_bool(flip, "flip")
        self.crop = None if crop is None else as_window_size(crop, "crop", self.image_sizes)
        check_choice(crop_position, "crop_position", ("center", "random"))
        self.crop_position = crop_position
        self.data_format = as_data_format(data_format)
        self.image_shape = self._served_shape()
        self.skipped = []
        self._start_tally()

    def _served_shape(self):
        first = self.image_sizes[0]
        sides = self.crop
        if sides is None:
            same = (self.image_sizes == first).all(axis=0)
            sides = tuple(int(n) if fixed else None for n, fixed in zip(first, same, strict=True))
        if None in sides and self.batch_size > 1:
            other = self.image_sizes[(self.image_sizes != first).any(axis=1)][0]
            raise ValueError(
                "`batch_size` must be 1 for images of different sizes; or give "
                "`crop=(height, width)`. Received: "
                f"batch_size={self.batch_size}, sizes {tuple(first)} and {tuple(other)}"
            )
        return (3, *sides) if self.data_format == "channels_first" else (*sides, 3)

    def __len__(self):
        return math.ceil(self.num_images / self.batch_size)

    def __getitem__(self, index):
        index = as_index(index, len(self), "batch")
        chosen = self.order()[index * self.batch_size : (index + 1) * self.batch_size]
        images, labels = zip(*[self._augmented(int(i)) for i in chosen], strict=True)
        return np.ascontiguousarray(np.stack(images)), np.ascontiguousarray(np.stack(labels))

    def _augmented(self, index):
        """The crop of one image that this epoch serves, flipped or not."""
        random = random_generator(self.seed, self.epoch, index)
        flipped = self.flip and random.random() < 0.5
        if self.crop is None:
            window = None
        elif self.crop_position == "random":
            window = random_window(random, self.crop, self.image_sizes[index])
        else:
            window = self._served_window(index)
        image, label = self._read(index, window)
        if flipped:
            image, label = image[:, ::-1], label[:, ::-1]
        return self._served(image), label

    def _served_window(self, index):
        """The crop of image `index` without augmentation."""
        size = self.image_sizes[index]
        height, width = self.crop or size
        top, left = (size - (height, width)) // 2
        return int(top), int(left), int(height), int(width)

    def _served(self, image):
        return np.moveaxis(image, -1, 0) if self.data_format == "channels_first" else image

    def read(self, index, window=None):
        """One image and its label, not cropped and not flipped.

        Args:
            index: integer in `[0, num_images)`, or negative to count from the end.
            window: `(top, left, height, width)` in pixels, inside the image; `None` for all.

        Returns:
            uint8 image, in `data_format`, and uint8 `(height, width)` labels.
        """
        image, label = self._read(as_index(index, self.num_images, "image"), window)
        return self._served(image), label

    def _read(self, index, window):
        size = tuple(int(side) for side in self.image_sizes[index])
        window = (0, 0, *size) if window is None else as_window(window, size)
        image, label = self.load(index, window)
        image, label = np.asarray(image), np.asarray(label)
        _check_pair(image, label, window, index)
        check_classes(label, index, self.num_classes, self.ignore_class)
        label = label.astype("uint8", copy=False)
        if not self._tally.over:
            self._count_labels(label_counts(label))
        return image, label

    def _count_labels(self, counts, stacklevel=5):
        """Warns, once, where labels show that a class never comes while much is ignored.

        Args:
            counts: number of pixels of each label, `(256,)`.
            stacklevel: as in `warnings.warn`.
        """
        message = self._tally.add(counts)
        if message:
            warnings.warn(message, stacklevel=stacklevel)

    def _start_tally(self):
        self._tally = LabelTally(self.num_classes, self.ignore_class, self.image_sizes)

    def windows(self, size, batch_size=None):
        """The same images in windows that cover every pixel once.

        Each image is decoded once an epoch, or not at all where its file can be read by
        window.

        Args:
            size: `(height, width)` of a window.
            batch_size: windows in a batch. Default: that of the images.

        Returns:
            A `SegmentationWindows` with the same order, at epoch 0.
        """
        return SegmentationWindows(
            self,
            size,
            self.batch_size if batch_size is None else batch_size,
            workers=self.workers,
            use_multiprocessing=self.use_multiprocessing,
            max_queue_size=self.max_queue_size,
        )

    def arrays(self, progress=False):
        """All images and labels in memory, in their order, cropped at the center, not flipped.

        Args:
            progress: whether to show a progress bar.

        Returns:
            `(images, labels)`: uint8 `(n,) + image_shape` and uint8 `(n, height, width)`.

        Raises:
            ValueError: if the images have different sizes and there is no `crop`.
        """
        if None in self.image_shape:
            raise ValueError(
                "`crop` is needed for arrays of images of different sizes. "
                f"Received: crop=None, image_shape={self.image_shape}"
            )
        images = np.empty((self.num_images, *self.image_shape), "uint8")
        height_width = self._served_window(0)[2:]
        labels = np.empty((self.num_images, *height_width), "uint8")
        bar = progress_bar(self.num_images, progress)
        for index in range(self.num_images):
            images[index], labels[index] = self.read(index, self._served_window(index))
            bar.update(index + 1)
        return images, labels

    def ordered(self):
        """The images in their order, cropped at the center and not flipped, as in `arrays()`.

        Returns:
            A `SegmentationDataset` at epoch 0.
        """
        view = super().ordered()
        view.flip, view.crop_position = False, "center"
        return view

    def subset(self, indices):
        """A dataset of some of the images, loaded the same way.

        Args:
            indices: integers `(m,)` in `[0, num_images)`, or a boolean mask `(n,)`.

        Returns:
            A `SegmentationDataset` with the same settings, at epoch 0.
        """
        indices = as_indices(indices, self.num_images)
        part = copy.copy(self)
        part.load = Selection(self.load, indices)
        part.image_sizes = self.image_sizes[indices]
        part.num_images = len(indices)
        part._start_tally()
        part.epoch = 0
        return part


def _check_pair(image, label, window, index):
    """Raises unless an image and its label have the size of the window."""
    if image.shape != (*window[2:], 3) or image.dtype != np.uint8:
        raise ValueError(
            f"`load` must give uint8 images of shape {(*window[2:], 3)} for {window=}. "
            f"Received: {image.dtype} of shape {image.shape} for image {index}"
        )
    if label.shape != window[2:] or label.dtype.kind not in "iu":
        raise ValueError(
            f"`load` must give integer labels of shape {window[2:]} for {window=}. "
            f"Received: {label.dtype} of shape {label.shape} for image {index}"
        )
