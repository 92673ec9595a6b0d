"""Some of the images of a dataset: their indices, and the loader seen through them."""

import operator

import numpy as np

from keras_resample.arguments import as_integer_array


def as_index(index, length, kind):
    """`index` as an int in `[0, length)`, counted from the end if it is negative."""
    index = operator.index(index)
    if not -length <= index < length:
        raise IndexError(f"There are {length} {kind} indices. Received: index={index}")
    return index % length


def as_indices(indices, length):
    """`indices` as int64 `(m,)` in `[0, length)`, from integers or a boolean mask."""
    indices = np.asarray(indices)
    if indices.dtype == bool and indices.shape == (length,):
        indices = np.flatnonzero(indices)
    kind = f"integers (m,) of at least one image, or a boolean mask ({length},)"
    indices = as_integer_array(indices, "indices", kind, (None,))
    if indices.min() < 0 or indices.max() >= length:
        raise ValueError(
            f"`indices` must lie in [0, {length}). "
            f"Received: indices from {indices.min()} to {indices.max()}"
        )
    return indices.astype("int64")


class Selection:
    """A loader seen through a list of indices. A class, so that it can be pickled."""

    def __init__(self, load, indices):
        self.load = load
        self.indices = indices

    def __call__(self, index, *window):
        return self.load(int(self.indices[index]), *window)

    @property
    def files(self):
        """The files of the selected images, or `None` where images are not files."""
        files = getattr(self.load, "files", None)
        return None if files is None else [files[index] for index in self.indices]

    def reads_windows(self, index):
        """Whether the loader reads windows of an image without decoding the rest."""
        return reads_windows(self.load, int(self.indices[index]))


def reads_windows(load, index):
    """Whether a loader reads windows of an image without decoding the rest."""
    method = getattr(load, "reads_windows", None)
    return method is not None and method(index)
