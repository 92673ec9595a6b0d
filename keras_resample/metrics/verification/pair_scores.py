"""Scores of listed pairs, for lists of millions."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_resample.arguments import as_bool, as_integer_array
from keras_resample.machine import cores
from keras_resample.metrics.arrays import (
    embedding_array,
    inverse,
    lengths,
    progress_bar,
    to_numpy,
    unit_length,
)

# Pairs whose rows are gathered at a time: 1 MB at 512 float32 numbers a row stays in the cache.
GATHERED = 256
# Pairs a thread works on at a time.
BLOCK = 1 << 16
# Lengths whose products neither overflow nor vanish in float32.
SAFE = (1e-15, 1e15)


def pair_scores(embeddings, first, second, normalize=True, verbose=0):
    """Cosine of the embeddings of each listed pair.

    `score[i] = <e[first[i]], e[second[i]]> / (|e[first[i]]| |e[second[i]]|)`

    Works in chunks, on all the cores the process may use, and never copies the embeddings: beside
    them, the indices and the result it needs a few MB. A memory-mapped array
    (`np.load(path, mmap_mode="r")`) is read where needed only. For all pairs of a set there are
    `all_pairs` and `all_pairs_histogram`, for all probes against a gallery `ScoreBlocks`.

    Args:
        embeddings: Float array (n, dim) of any length. An embedding of zeros has score 0 with
            every other. float32 as it is in memory; float64 is computed in float64, other types
            are copied to float32.
        first: Integer array (p,) of rows, in [0, n).
        second: Integer array (p,) of rows, in [0, n).
        normalize: False for plain dot products.
        verbose: 0, 1 or "auto" for a progress bar, 2 for a line at the end.

    Returns:
        float32 array (p,), float64 for float64 embeddings.

    Raises:
        ValueError: For shapes that do not fit, rows out of range, and embeddings that are not
            finite.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> embeddings = np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
    >>> kr.metrics.pair_scores(embeddings, [0, 0, 1], [0, 1, 2]).round(6).tolist()
    [1.0, 0.6, 0.0]
    """
    normalize, embeddings = as_bool(normalize, "normalize"), embedding_array(embeddings)
    first, second = (
        _rows(x, n, len(embeddings)) for x, n in ((first, "first"), (second, "second"))
    )
    if first.shape != second.shape:
        raise ValueError(
            "`first` and `second` must have equal length. "
            f"Received: first.shape={first.shape}, second.shape={second.shape}"
        )
    length = lengths(embeddings)
    if normalize and _unsafe(length):
        embeddings = unit_length(embeddings).astype(embeddings.dtype)
        length = (length > 0).astype("float64")
    scale = inverse(length).astype(embeddings.dtype)
    scores = np.empty(len(first), embeddings.dtype)

    def work(start):
        end = min(start + BLOCK, len(first))
        a, b = (np.empty((GATHERED, embeddings.shape[1]), embeddings.dtype) for _ in range(2))
        for begin in range(start, end, GATHERED):
            i, j = (x[begin : min(begin + GATHERED, end)] for x in (first, second))
            n = len(i)
            # The rows are in range; "clip" spares a buffered check.
            np.take(embeddings, i, axis=0, out=a[:n], mode="clip")
            np.take(embeddings, j, axis=0, out=b[:n], mode="clip")
            dots = np.einsum("ij,ij->i", a[:n], b[:n], out=scores[begin : begin + n])
            if normalize:
                dots *= scale[i] * scale[j]

    starts = range(0, len(first), BLOCK)
    bar = progress_bar(len(starts), verbose)
    with ThreadPoolExecutor(cores()) as pool:
        for done, _ in enumerate(pool.map(work, starts), start=1):
            bar.update(done)
    return scores


def _rows(rows, name, n):
    rows = to_numpy(rows)
    if not rows.size:
        rows = rows.astype("int64")
    rows = as_integer_array(rows, name, "an integer array of one dimension", (rows.size,))
    if rows.size and not (rows.min() >= 0 and rows.max() < n):
        raise ValueError(
            f"`{name}` must be in [0, {n}), the rows of `embeddings`. "
            f"Received: {name} from {rows.min()} to {rows.max()}"
        )
    return rows.astype("int64") if rows.dtype == "uint64" else rows


def _unsafe(length):
    used = length[length > 0]
    return used.size and (used.min() < SAFE[0] or used.max() > SAFE[1])
