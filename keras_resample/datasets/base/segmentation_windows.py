"""Large images in windows, each image decoded once."""

import collections
import threading

import numpy as np

from keras_resample.arguments import as_integer, as_size
from keras_resample.datasets.base.epoch_order import ShuffledDataset, random_generator
from keras_resample.datasets.base.selection import as_index, reads_windows
from keras_resample.datasets.base.windows import tiling


class SegmentationWindows(ShuffledDataset):
    """All windows of the images of a `SegmentationDataset`, image by image.

    The windows of an image lie side by side and cover each of its pixels once. Those that
    reach over the right or lower border are filled up: the image with its last row and column,
    the label with `ignore_class`. A batch holds windows of one image, row by row, and the
    batches of an image follow each other, so that each image is decoded once an epoch (in each
    process, with `use_multiprocessing`), and at most one decoded image a worker is held. Files
    that can be read by window (`.npy`, `.ppm`, `.pgm` and uncompressed TIFF) and generated
    images are never held whole.

    `fit` shuffles batches unless it is told `shuffle=False`; that order would decode an image
    more than once.

    Args:
        dataset: a `SegmentationDataset` without `crop`. Its order of images, `flip`, classes
            and `data_format` are used.
        size: `(height, width)` of a window.
        batch_size: windows in a batch; the last one of an image may be smaller.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Attributes:
        num_windows: number of windows of all images.
        num_images, num_classes, ignore_class, class_names, class_colors, data_format: those of
            `dataset`.
        epoch: the epoch whose order is in use. Writable.

    Raises:
        ValueError: for a wrong argument, for a dataset with a `crop`, or where windows reach
            over a border and there is no `ignore_class`.

    Example:

    >>> import keras_resample as kr
    >>> scenes = kr.datasets.generated_scenes(2, size=(96, 160), data_format="channels_last")
    >>> windows = scenes.windows((48, 80), batch_size=3)
    >>> images, labels = windows[0]
    >>> len(windows), windows.num_windows, images.shape
    (4, 8, (3, 48, 80, 3))
    >>> windows.places(1)[1]
    [(48, 80, 48, 80)]
    """

    def __init__(self, dataset, size, batch_size=4, **kwargs):
        self.size = as_size(size)
        self.batch_size = as_integer(batch_size, "batch_size")
        if getattr(dataset, "crop", None) is not None or not hasattr(dataset, "image_sizes"):
            raise ValueError(
                "`dataset` must be a SegmentationDataset with crop=None. "
                f"Received: crop={getattr(dataset, 'crop', None)}, dataset={dataset!r}"
            )
        super().__init__(dataset.shuffle, dataset.seed, **kwargs)
        self.dataset = dataset
        self.num_images = dataset.num_images
        self.num_classes = dataset.num_classes
        self.ignore_class = dataset.ignore_class
        self.class_names = dataset.class_names
        self.class_colors = dataset.class_colors
        self.data_format = dataset.data_format
        self.image_shape = (*self.size, 3)
        if self.data_format == "channels_first":
            self.image_shape = (3, *self.size)
        if self.ignore_class is None and (dataset.image_sizes % self.size).any():
            raise ValueError(
                "`size` must divide the sides of the images where there is no `ignore_class` "
                f"for what lies outside. Received: size={self.size}"
            )
        counts = np.prod(-(-dataset.image_sizes // self.size), axis=1)
        self.num_windows = int(counts.sum())
        self._batches = -(-counts // self.batch_size)
        self._decoded = DecodedImages(dataset._read, max(1, self.workers))

    def on_epoch_end(self):
        """Moves to the order of the next epoch."""
        super().on_epoch_end()
        self._decoded.clear()

    def ordered(self):
        """The windows in the order of the images, not flipped.

        Returns:
            A `SegmentationWindows` at epoch 0.
        """
        view = super().ordered()
        view.dataset = self.dataset.ordered()
        return view

    def __len__(self):
        return int(self._batches.sum())

    def places(self, index):
        """Which windows a batch holds.

        Args:
            index: number of the batch.

        Returns:
            Number of the image, and a list of `(top, left, height, width)` inside it.
        """
        index = as_index(index, len(self), "batch")
        ends = np.cumsum(self._batches[self.order()])
        place = int(np.searchsorted(ends, index, side="right"))
        image = int(self.order()[place])
        first = (index - int(ends[place]) + int(self._batches[image])) * self.batch_size
        windows = tiling(self.size, self.dataset.image_sizes[image])
        return image, windows[first : first + self.batch_size]

    def __getitem__(self, index):
        image, windows = self.places(index)
        random = random_generator(self.seed, self.epoch, image)
        flipped = self.dataset.flip and random.random() < 0.5
        pairs = [self._filled(*pair) for pair in self._pairs(image, windows)]
        images, labels = (np.stack(part) for part in zip(*pairs, strict=True))
        if flipped:
            images, labels = images[:, :, ::-1], labels[:, :, ::-1]
        if self.data_format == "channels_first":
            images = np.moveaxis(images, -1, 1)
        return np.ascontiguousarray(images), np.ascontiguousarray(labels)

    def _pairs(self, image, windows):
        if reads_windows(self.dataset.load, image):
            return [self.dataset._read(image, window) for window in windows]
        pixels, label = self._decoded(image)
        parts = [np.s_[top : top + h, left : left + w] for top, left, h, w in windows]
        return [(pixels[part], label[part]) for part in parts]

    def _filled(self, image, label):
        rows, columns = (side - n for side, n in zip(self.size, label.shape, strict=True))
        if rows or columns:
            image = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="edge")
            label = np.pad(
                label, ((0, rows), (0, columns)), constant_values=np.uint8(self.ignore_class)
            )
        return image, label


class DecodedImages:
    """Decodes an image once while it is among the last `capacity` ones. Thread-safe, picklable.

    Args:
        read: callable `(index, None)` to `(image, label)`, both whole.
        capacity: how many images are held.
    """

    def __init__(self, read, capacity):
        self.read = read
        self.capacity = capacity
        self._start()

    def _start(self):
        self._lock = threading.Lock()
        self._held = collections.OrderedDict()

    def __getstate__(self):
        return {"read": self.read, "capacity": self.capacity}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._start()

    def clear(self):
        """Lets go of all images."""
        with self._lock:
            self._held.clear()

    def __call__(self, index):
        with self._lock:
            if index not in self._held:
                self._held[index] = _Once()
            self._held.move_to_end(index)
            while len(self._held) > self.capacity:
                self._held.popitem(last=False)
            image = self._held[index]
        return image(lambda: self.read(index, None))


class _Once:
    """What the first of several threads makes, the others wait for."""

    def __init__(self):
        self._lock = threading.Lock()
        self._made = None

    def __call__(self, make):
        with self._lock:
            if self._made is None:
                self._made = make()
            return self._made
