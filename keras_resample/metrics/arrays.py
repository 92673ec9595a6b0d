"""Arguments of the metrics as checked numpy arrays."""

import keras
import numpy as np

from keras_resample.arguments import check_choice

# Rows taken at a time where a whole copy would be too large: 4 MB at 512 float64 numbers a row.
ROWS = 1024
# How much of itself a rate may lose by rounding: float32, or the logarithms of `np.logspace`. Of
# more than a thousand pairs no larger part of one is rounded away.
ROUNDING, MANY = 1e-6, 1000


def to_numpy(x):
    """A numpy array of a list, an array or a tensor of the backend, wherever it is stored."""
    return keras.ops.convert_to_numpy(x) if keras.ops.is_tensor(x) else np.asarray(x)


def embedding_array(embeddings, name="embeddings"):
    """Embeddings (n, dim) as float32 or, if they are that, float64; not copied where they fit."""
    embeddings = to_numpy(embeddings)
    if embeddings.ndim != 2 or not embeddings.size:
        raise ValueError(
            f"`{name}` must be an array (n, dim). Received: {name}.shape={embeddings.shape}"
        )
    dtype = "float64" if embeddings.dtype == "float64" else "float32"
    return np.ascontiguousarray(embeddings, dtype)


def lengths(embeddings, name="embeddings"):
    """Length of each embedding, float64 (n,); only finite ones are allowed."""
    result = np.empty(len(embeddings))
    for start in range(0, len(embeddings), ROWS):
        rows = embeddings[start : start + ROWS].astype("float64", copy=False)
        result[start : start + ROWS] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if not np.all(np.isfinite(result)):
        raise ValueError(
            f"`{name}` must be finite. "
            f"Received: {np.sum(~np.isfinite(result))} rows of {len(result)} that are not"
        )
    return result


def inverse(lengths):
    """1 / length, and 0 for the length 0: an embedding of zeros stays zeros."""
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0)


def unit_length(embeddings, name="embeddings"):
    """Embeddings (n, dim) divided by their lengths, in float64; zeros stay zeros."""
    embeddings = to_numpy(embeddings)
    if embeddings.ndim != 2 or not np.all(np.isfinite(embeddings)):
        raise ValueError(
            f"`{name}` must be a finite array (n, dim). Received: {name}.shape={embeddings.shape}"
        )
    return unit_vectors(embeddings.astype("float64"))


def unit_vectors(vectors):
    """Vectors (..., dim) divided by their lengths, whatever these are, in the same dtype.

    The largest component is divided by first, so that no square overflows or vanishes. Zeros stay
    zeros, and a vector with a NaN is one of NaN.
    """
    for measure in (_largest, np.linalg.norm):
        size = measure(vectors, axis=-1, keepdims=True)
        vectors = vectors / np.where(size == 0, 1, size)
    return vectors


def _largest(vectors, **axes):
    return np.max(np.abs(vectors), initial=0, **axes)


def unit_rows(embeddings, name="embeddings"):
    """`unit_length` in float32, without a copy of everything in float64."""
    embeddings = to_numpy(embeddings)
    if embeddings.ndim != 2:
        raise ValueError(
            f"`{name}` must be an array (n, dim). Received: {name}.shape={embeddings.shape}"
        )
    result = np.empty(embeddings.shape, "float32")
    for start in range(0, len(embeddings), ROWS):
        result[start : start + ROWS] = unit_length(embeddings[start : start + ROWS], name)
    return result


def label_array(labels, n, name="labels"):
    """Labels as an array of `n` entries."""
    labels = to_numpy(labels)
    if labels.shape != (n,):
        raise ValueError(f"`{name}` must have {n} entries. Received: {name}.shape={labels.shape}")
    return labels


def truth_array(same):
    """Whether pairs are of one identity, as a bool array; 0 and 1 are allowed, -1 is not."""
    same = to_numpy(same)
    if same.dtype != bool:
        if not np.all((same == 0) | (same == 1)):
            raise ValueError(f"`same` must hold booleans, or 0 and 1. Received: {same=}")
        same = same.astype(bool)
    return same


def rate_array(rates, name):
    """Rates in [0, 1] as float64; of shorter floats the decimals they were written as."""
    rates = to_numpy(rates)
    if rates.dtype.kind == "f" and rates.dtype.itemsize < 8:
        rates = rates.astype(str)
    rates = rates.astype("float64")
    if not np.all((rates >= 0) & (rates <= 1)):
        raise ValueError(f"`{name}` must be in [0, 1]. Received: {name}={rates}")
    return rates


def rate_count(rates, total):
    """`rates` of `total`, a float64 that is whole, or a half, where only rounding says otherwise.

    A rate is compared with 1 / total by comparing this with 1: 0.01 in float32 is 1 of 100.
    """
    count = np.asarray(rates * total, "float64")
    half = np.round(2 * count) / 2
    return np.where(np.abs(count - half) <= ROUNDING * np.minimum(count, MANY), half, count)


def progress_bar(target, verbose, unit="block"):
    """A Keras progress bar, for `verbose` in Keras's meaning."""
    check_choice(verbose, "verbose", ("auto", 0, 1, 2))
    return keras.utils.Progbar(target, verbose=1 if verbose == "auto" else verbose, unit_name=unit)
