"""Images in batches, loaded when they are asked for."""

import math
import os

import keras
import numpy as np

from keras_resample.arguments import as_data_format, as_integer, as_integers, as_value_range
from keras_resample.datasets.base.selection import as_index
from keras_resample.datasets.files.screening import progress_bar


class ImageDataset(keras.utils.PyDataset):
    """Images, loaded lazily, in batches `(b,) + image_shape`.

    The order is that of the images, always. This is what an encoder embeds:
    `encoder.predict(dataset)`.

    Args:
        load: callable from an integer in `[0, num_images)` to one image, an array
            `(height, width, channels)` with values in `[0, 1]`. It must be picklable for
            `use_multiprocessing=True` and thread-safe for `workers > 1`.
        num_images: number of images.
        image_shape: `(height, width, channels)` of what `load` returns.
        batch_size: images in a batch; the last one may be smaller.
        value_range: `(low, high)`: a value `v` of `load` is served as
            `low + v * (high - low)`.
        data_format: `"channels_last"` or `"channels_first"`, how images are served; `None`
            is `keras.config.image_data_format()`.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Attributes:
        num_images: number of images.
        image_shape: shape of an image as it is served.
        paths: list of the file of each image, or `None` where images are not files.
        skipped: list of `(file, reason)` a reader left out; empty otherwise.

    Raises:
        TypeError, ValueError: for an argument of the wrong type or value, at construction;
            for an image of another shape, when it is read.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> dataset = kr.datasets.ImageDataset(
    ...     lambda index: np.full((8, 8, 1), index / 4), num_images=5, image_shape=(8, 8, 1),
    ...     batch_size=2, value_range=(-1, 1))
    >>> len(dataset), dataset[0].shape, float(dataset[0].min()), float(dataset[2].max())
    (3, (2, 8, 8, 1), -1.0, 1.0)
    """

    def __init__(
        self,
        load,
        num_images,
        image_shape,
        batch_size=32,
        value_range=(0.0, 1.0),
        data_format="channels_last",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not callable(load):
            raise TypeError(f"`load` must be a callable index -> image. Received: load={load!r}")
        self.load = load
        self.num_images = as_integer(num_images, "num_images")
        self.value_range = as_value_range(value_range)
        self.data_format = as_data_format(data_format)
        self._loaded_shape = as_integers(image_shape, "image_shape", length=3)
        self.image_shape = self._loaded_shape
        if self.data_format == "channels_first":
            self.image_shape = (self._loaded_shape[2], *self._loaded_shape[:2])
        self.batch_size = as_integer(batch_size, "batch_size")
        self.skipped = []

    @property
    def paths(self):
        """The file of each image, in their order; `None` where images are not files."""
        files = getattr(self.load, "files", None)
        return None if files is None else [os.fspath(file) for file in files]

    def __len__(self):
        return math.ceil(self.num_images / self.batch_size)

    def __getitem__(self, index):
        first = as_index(index, len(self), "batch") * self.batch_size
        last = min(first + self.batch_size, self.num_images)
        return np.stack([self.image(i) for i in range(first, last)])

    def image(self, index):
        """One image.

        Args:
            index: integer in `[0, num_images)`, or negative to count from the end.

        Returns:
            float32 `image_shape`, values in `value_range`.
        """
        index = as_index(index, self.num_images, "image")
        image = np.asarray(self.load(index), dtype="float32")
        if image.shape != self._loaded_shape:
            raise ValueError(
                f"`load` must give images of shape {self._loaded_shape}. "
                f"Received: shape {image.shape} for image {index}"
            )
        low, high = self.value_range
        if (low, high) != (0.0, 1.0):
            image = np.float32(low) + image * np.float32(high - low)
        if self.data_format == "channels_first":
            image = np.moveaxis(image, -1, 0)
        return image

    def arrays(self, progress=False):
        """All images in memory, in their order.

        Args:
            progress: whether to show a progress bar.

        Returns:
            float32 `(num_images,) + image_shape`.
        """
        images = np.empty((self.num_images, *self.image_shape), "float32")
        bar = progress_bar(self.num_images, progress)
        for index in range(self.num_images):
            images[index] = self.image(index)
            bar.update(index + 1)
        return images
