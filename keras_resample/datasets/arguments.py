"""Checks of the arguments that the readers share."""

import operator

import keras
import numpy as np


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


def image_channels(channels, allowed):
    """`channels`, one of `allowed`."""
    if channels not in allowed:
        values = ", ".join(str(value) for value in allowed)
        raise ValueError(f"`channels` must be one of {values}. Received: channels={channels!r}")
    return channels


def error_policy(on_error):
    """`on_error`, what a damaged image does."""
    if on_error not in ("raise", "skip"):
        raise ValueError(f"`on_error` must be 'raise' or 'skip'. Received: on_error={on_error!r}")
    return on_error


def standard_data_format(data_format):
    """`data_format`, or Keras's own if it is None."""
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            "`data_format` must be 'channels_last', 'channels_first' or None. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


def value_interval(value_range):
    """`value_range` as two floats, the first one smaller."""
    try:
        low, high = (float(value) for value in value_range)
    except (TypeError, ValueError):
        low = high = np.nan
    if not -np.inf < low < high < np.inf:
        raise ValueError(
            "`value_range` must be (low, high), finite, low < high. "
            f"Received: value_range={value_range!r}"
        )
    return low, high


def checked_index(index, length, kind):
    """`index` in `[0, length)`, counted from the end if it is negative."""
    index = operator.index(index)
    if not -length <= index < length:
        raise IndexError(f"There are {length} {kind} indices. Received: index={index}")
    return index % length


def checked_indices(indices, length):
    """Integers `(m,)` in `[0, length)` from integers or a boolean mask."""
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


def checked_labels(labels):
    """`labels` as int32 `(n,)`, none of them negative."""
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


def _integer(value, name, smallest, kind):
    try:
        number = operator.index(value)
    except TypeError:
        number = smallest - 1
    if isinstance(value, (bool, np.bool_)) or number < smallest:
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")
    return number
