"""A dataset of identities together with the keypoints of its images."""

import copy
import os

import keras
import numpy as np

from keras_resample.datasets.base.epoch_order import ShuffledDataset
from keras_resample.datasets.base.identity_dataset import IdentityDataset
from keras_resample.datasets.base.selection import as_index, as_indices
from keras_resample.datasets.keypoints.relative_keypoints import as_relative_keypoints


def _of_the_dataset(name):
    return property(lambda self: getattr(self.dataset, name), doc=f"`{name}` of the dataset.")


class KeypointDataset(ShuffledDataset):
    """An `IdentityDataset` with keypoints: batches `({"images", "keypoints"}, labels)`.

    Images, labels and their order are those of the dataset. A model with inputs named `images` and
    `keypoints` is trained on it by `fit`.

    Args:
        dataset: an `IdentityDataset`. It is left as it is.
        keypoints: where they come from, relative (x, y), NaN where missing:

            * numbers `(n, k, 2)`, in the order of `dataset.labels`;
            * a dict from the path of an image to `(k, 2)`, as `keypoint_file` reads it, with each
              of `dataset.paths`;
            * any callable or Keras model from images, as the dataset serves them, to `(batch, k,
              2)`, such as a landmark detector. It is called once, batch by batch, and nothing is
              ever downloaded. Of images that are served channels first, tell
              `foreground_keypoints` and `warp_with_keypoints` so by their `data_format`.
        warp: None, or a callable `(images, keypoints, seed=...) -> (images, keypoints)` of numpy
            arrays that augments each batch, such as `functools.partial(warp_with_keypoints,
            rotation=30)`. Its seed is `(dataset.seed, epoch, batch)`.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Attributes:
        dataset: the dataset of the images.
        keypoints: float32 `(n, k, 2)`, in the order of `labels`.
        labels, num_images, num_classes, class_names, identities, paths, batch_size, image_shape:
            those of the dataset.
        epoch: the epoch whose order and warps are in use. Writable.

    Raises:
        TypeError: for a dataset of another kind, or a `warp` that cannot be called.
        ValueError: for keypoints of another shape or number, or far outside of the images, such as
            pixels; for an image without a path, or whose path is not in the dict.

    Example:

    >>> import functools
    >>> import numpy as np
    >>> import keras_resample as kr
    >>> digits = kr.datasets.digits(size=(28, 28), batch_size=8)
    >>> dataset = kr.datasets.KeypointDataset(
    ...     digits, kr.datasets.foreground_keypoints,
    ...     warp=functools.partial(kr.datasets.warp_with_keypoints, rotation=30))
    >>> inputs, labels = dataset[0]
    >>> inputs["images"].shape, inputs["keypoints"].shape, labels.shape
    ((8, 28, 28, 1), (8, 5, 2), (8,))
    """

    labels = _of_the_dataset("labels")
    num_images = _of_the_dataset("num_images")
    num_classes = _of_the_dataset("num_classes")
    class_names = _of_the_dataset("class_names")
    identities = _of_the_dataset("identities")
    paths = _of_the_dataset("paths")
    batch_size = _of_the_dataset("batch_size")
    image_shape = _of_the_dataset("image_shape")

    def __init__(self, dataset, keypoints, warp=None, **kwargs):
        if not isinstance(dataset, IdentityDataset):
            raise TypeError(
                "`dataset` must be an IdentityDataset, whose order is known. "
                f"Received: dataset={dataset!r}"
            )
        if warp is not None and not callable(warp):
            raise TypeError(f"`warp` must be None or a callable. Received: warp={warp!r}")
        self.dataset = copy.copy(dataset)
        super().__init__(dataset.shuffle, dataset.seed, **kwargs)
        self.keypoints = _keypoints_of(self.dataset, keypoints)
        self.warp = warp

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        index = as_index(index, len(self), "batch")
        images, labels = self.dataset[index]
        first = index * self.batch_size
        keypoints = self.keypoints[self.order()[first : first + self.batch_size]]
        if self.warp is not None:
            seed = (self.seed, self.epoch, index)
            images, keypoints = self.warp(images, keypoints, seed=seed)
        return {"images": images, "keypoints": keypoints}, labels

    @property
    def epoch(self):
        """Number of the epoch whose order is served; set it to go on where a run stopped."""
        return self.dataset.epoch

    @epoch.setter
    def epoch(self, value):
        self.dataset.epoch = value

    def order(self):
        """The order of the current epoch, that of the dataset."""
        return self.dataset.order()

    def ordered(self):
        """The images in the order of `labels`, each once, and without `warp`.

        Returns:
            A `KeypointDataset` at epoch 0.
        """
        return self._of(self.dataset.ordered(), self.keypoints, warp=None)

    def subset(self, indices, relabel=False):
        """A dataset of some of the images, with their keypoints and the same `warp`.

        Args:
            indices, relabel: as in `IdentityDataset.subset`.

        Returns:
            A `KeypointDataset` at epoch 0.
        """
        keypoints = self.keypoints[as_indices(indices, self.num_images)]
        return self._of(self.dataset.subset(indices, relabel), keypoints, self.warp)

    def balanced_batches(self, classes_per_batch, images_per_class):
        """The same images in batches of P identities with K images each (P x K).

        Args:
            classes_per_batch, images_per_class: as in `IdentityDataset.balanced_batches`.

        Returns:
            A `KeypointDataset` with `batch_size = P * K`, at epoch 0.
        """
        balanced = self.dataset.balanced_batches(classes_per_batch, images_per_class)
        return self._of(balanced, self.keypoints, self.warp)

    def arrays(self, progress=False):
        """All images, keypoints and labels in memory, in the order of `labels`, without `warp`.

        Args:
            progress: whether to show a progress bar.

        Returns:
            `({"images": (n, ...), "keypoints": (n, k, 2)}, labels)`.
        """
        images, labels = self.dataset.arrays(progress)
        return {"images": images, "keypoints": self.keypoints.copy()}, labels

    def _of(self, dataset, keypoints, warp):
        view = copy.copy(self)
        view.dataset, view.keypoints, view.warp = dataset, keypoints, warp
        view.shuffle = dataset.shuffle
        view.epoch = 0
        return view


def _keypoints_of(dataset, source):
    if isinstance(source, dict):
        keypoints = _by_path(dataset.paths, source)
    elif callable(source):
        keypoints = _found_by(source, dataset.ordered())
    else:
        keypoints = source
    return as_relative_keypoints(keypoints, dataset.num_images)


def _by_path(paths, keypoints):
    if paths is None:
        raise ValueError(
            "`keypoints` may be a dict of paths for images in files; of others give an array. "
            "Received: a dict, and a dataset without paths"
        )
    places = {os.path.abspath(path): points for path, points in keypoints.items()}
    missing = [path for path in paths if os.path.abspath(path) not in places]
    if missing:
        raise ValueError(
            f"`keypoints` must have those of every image, NaN where there are none; {len(missing)} "
            f"are missing. Received: keypoints of {len(keypoints)} files, without {missing[0]!r}"
        )
    return [places[os.path.abspath(path)] for path in paths]


def _found_by(source, dataset):
    found = []
    call = source.predict_on_batch if isinstance(source, keras.Model) else source
    for index in range(len(dataset)):
        images, _ = dataset[index]
        points = keras.ops.convert_to_numpy(call(images))
        found.append(as_relative_keypoints(points, len(images)))
    return np.concatenate(found)
