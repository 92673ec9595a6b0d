"""Every pair of a set of embeddings as a verification trial."""

import numpy as np

from keras_resample.arguments import as_integer
from keras_resample.metrics.arrays import progress_bar, to_numpy, unit_rows

# Rows of the similarity matrix held at a time.
ROWS = 512
# Columns of it held at a time where nothing of it is kept: such a block stays in the cache.
COLUMNS = 1024
# Pairs that are kept one by one where nobody chose: 0.5 GB, and as much again to sort them.
MOST_PAIRS = 100_000_000


def all_pairs(embeddings, labels, others=None):
    """Cosines of all pairs of embeddings, and whether the two have the same label.

    Pairs are those with i < j in the order (0, 1), (0, 2), ..., (n - 2, n - 1). The memory needed
    is that of the result, n (n - 1) / 2 times 5 bytes, and a block of the similarity matrix. For
    more than about 30,000 embeddings see `all_pairs_histogram`.

    Args:
        embeddings: Float array (n, dim) of any length; n is at least 2. An embedding of zeros
            has cosine 0 with every other.
        labels: Array (n,) of identities.
        others: Float array (n, dim), of the same images in the same order by another network, or
            at another resolution. A pair is then entry i of `embeddings` and entry j of `others`,
            of two images: the n (n - 1) with i != j, i first.

    Returns:
        scores (pairs,) float32 and same (pairs,) bool.

    Raises:
        ValueError: For shapes that do not fit, and for embeddings that are not finite.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> scores, same = kr.metrics.all_pairs(np.eye(3), [0, 1, 0])
    >>> same.tolist()
    [False, True, False]
    """
    embeddings, labels, columns, once = _arguments(embeddings, labels, others)
    n = len(embeddings)
    scores = np.empty(n * (n - 1) // (1 + once), "float32")
    same = np.empty(len(scores), bool)
    end = 0
    for first in range(0, n, ROWS):
        skipped = first if once else 0
        block = embeddings[first : first + ROWS] @ columns[skipped:].T
        for i, row in enumerate(block, start=first):
            pairs = (row[i + 1 - skipped :], labels[i + 1 :])
            if not once:
                pairs = np.delete(row, i), np.delete(labels, i)
            start, end = end, end + len(pairs[0])
            scores[start:end] = pairs[0]
            np.equal(labels[i], pairs[1], out=same[start:end])
    return scores, same


def all_pairs_histogram(embeddings, labels, bins=1 << 16, verbose=0, others=None):
    """Histogram of the cosines of all pairs: `all_pairs` in memory that does not grow with them.

    What it returns goes into `roc`, `det`, `eer`, `auc`, `tar_at_far` and `threshold_at_far`:
    `tar_at_far(scores, same, fars, counts=counts)`. Scores are rounded down to the lower edge of
    their bin, 2 / bins wide. Every point of the ROC curve so found lies on the curve of the scores
    themselves; TAR at a FAR is at most that of `all_pairs`, and less only by the pairs of one bin.

    Args:
        embeddings: Float array (n, dim) of any length; n is at least 2.
        labels: Array (n,) of identities.
        bins: Number of bins of [-1, 1], at least 2.
        verbose: 0, 1 or "auto" for a progress bar, 2 for a line at the end.
        others: As in `all_pairs`.

    Returns:
        scores (k,) float64, same (k,) bool and counts (k,) int64, of the bins that are not empty.

    Raises:
        ValueError: For shapes that do not fit, fewer bins, and embeddings that are not finite.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> scores, same, counts = kr.metrics.all_pairs_histogram(np.eye(3), [0, 1, 0])
    >>> scores.tolist(), same.tolist(), counts.tolist()
    ([0.0, 0.0], [False, True], [2, 1])
    """
    bins = as_integer(bins, "bins", minimum=2)
    embeddings, labels, columns, once = _arguments(embeddings, labels, others)
    n = len(embeddings)
    histogram = np.zeros((2, bins), "int64")
    bar = progress_bar(-(-n // ROWS), verbose)
    for done, first in enumerate(range(0, n, ROWS), start=1):
        rows, of_rows = embeddings[first : first + ROWS], labels[first : first + ROWS]
        for start in range(first if once else 0, n, COLUMNS):
            block = rows @ columns[start : start + COLUMNS].T
            same = of_rows[:, None] == labels[start : start + COLUMNS]
            index = _bin(block, bins)
            if start < first + ROWS and first < start + COLUMNS:  # on the diagonal
                i, j = np.ogrid[first : first + len(rows), start : start + block.shape[1]]
                kept = i < j if once else i != j
                index, same = index[kept], same[kept]
            index, same = index.ravel(), same.ravel()
            of_same = np.bincount(index[same], minlength=bins)
            histogram[1] += of_same
            histogram[0] += np.bincount(index, minlength=bins) - of_same
        bar.update(done)
    same, index = np.nonzero(histogram)
    return index * (2 / bins) - 1, same.astype(bool), histogram[same, index]


def bounded_pairs(embeddings, labels, others=None):
    """`(*all_pairs, None)` up to `MOST_PAIRS` of them, beyond that `all_pairs_histogram`."""
    n = len(labels)
    pairs = n * (n - 1) // (2 if others is None else 1)
    if pairs <= MOST_PAIRS:
        return *all_pairs(embeddings, labels, others), None
    return all_pairs_histogram(embeddings, labels, others=others)


def _bin(scores, bins):
    """Which of the equal bins of [-1, 1] each score falls in."""
    index = (scores + np.float32(1)) * np.float32(bins / 2)
    return np.clip(index, 0, bins - 1).astype("intp")


def _arguments(embeddings, labels, others):
    """Rows and columns of the matrix of cosines, as unit vectors, and whether they are the same."""
    embeddings, labels = unit_rows(embeddings), to_numpy(labels)
    n = len(embeddings)
    if n < 2 or labels.shape != (n,):
        raise ValueError(
            "`labels` must have one entry per embedding, and there must be 2 embeddings. "
            f"Received: embeddings.shape={embeddings.shape}, labels.shape={labels.shape}"
        )
    if others is None:
        return embeddings, labels, embeddings, True
    others = unit_rows(others, "others")
    if others.shape != embeddings.shape:
        raise ValueError(
            "`others` must have the shape of `embeddings`. "
            f"Received: others.shape={others.shape}, embeddings.shape={embeddings.shape}"
        )
    return embeddings, labels, others, False
