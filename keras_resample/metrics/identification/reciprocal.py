"""k-reciprocal encodings: whom an embedding has among its neighbours, and is one of theirs.

Equations 3 to 7 and 11 of Zhong et al., 2017, as the published script has them, of the nearest
neighbours alone.
"""

import numpy as np

from keras_resample.metrics.arrays import inverse, progress_bar
from keras_resample.metrics.identification.sparse_rows import sparse_rows
from keras_resample.metrics.verification.pair_scores import pair_scores
from keras_resample.metrics.verification.score_blocks import ScoreBlocks

# Embeddings whose neighbours are compared at a time: 5 MB for k1 = 20.
ROWS = 1024
# Groups of columns for each neighbour that is looked for: their maxima bound the search.
GROUPS = 32


def nearest(embeddings, count, verbose=0):
    """The embeddings with the highest cosines, itself first, of equal ones the first row.

    Args:
        embeddings: Float array (n, dim).
        count: Number of neighbours with itself, at most n.
        verbose: As in `ScoreBlocks`.

    Returns:
        neighbours, int32 (n, count), and the lowest cosine of each embedding with any, (n,).
    """
    neighbours, lowest = [], []
    start = 0
    for block in ScoreBlocks(embeddings, embeddings, verbose=verbose):
        lowest.append(block.min(axis=1))
        rows = np.arange(len(block))
        block[rows, start + rows] = np.inf
        neighbours.append(highest(block, count).astype("int32"))
        start += len(block)
    return np.concatenate(neighbours), np.concatenate(lowest)


def highest(scores, count):
    """Columns (rows, count) of the highest scores of each row, of equal ones the first columns.

    The `count`-th highest of the maxima of groups of columns is no higher than the `count`-th
    highest score, so only what reaches it, little more than `count` columns, is sorted.
    """
    rows, columns = scores.shape
    groups = min(columns, GROUPS * count)
    grouped = scores[:, : columns // groups * groups].reshape(rows, -1, groups)
    bound = np.partition(grouped.max(axis=1), groups - count, axis=1)[:, groups - count]
    row, column = np.divmod(np.flatnonzero(scores >= bound[:, None]), columns)
    order = np.lexsort((-scores[row, column], row))
    first = np.searchsorted(row, np.arange(rows))
    return column[order[first[:, None] + np.arange(count)]]


def encodings(embeddings, k1, k2, verbose=0):
    """The encodings of all embeddings, and the farthest squared distance of each.

    Returns:
        `SparseRows` (n, n) whose rows add up to 1, and an array (n,).
    """
    n = len(embeddings)
    neighbours, lowest = nearest(embeddings, min(n, max(k1 + 1, k2)), verbose)
    farthest = 2 - 2 * lowest
    near = neighbours[:, : k1 + 1]
    half = neighbours[:, : round(k1 / 2) + 1]
    mutual, half_mutual = _mutual(near), _mutual(half)
    starts = range(0, n, ROWS)
    bar = progress_bar(2 * len(starts), verbose)
    parts = []
    for done, start in enumerate(starts, start=1):
        rows = slice(start, start + ROWS)
        row, column = _expanded(near[rows], mutual[rows], half, half_mutual)
        row += start
        distances = (2 - 2 * pair_scores(embeddings, row, column)) * inverse(farthest)[row]
        weights = np.exp(-distances)
        weights /= np.bincount(row - start, weights)[row - start]
        parts.append((row, column.astype("int32"), weights.astype("float32")))
        bar.update(done)
    of_each = sparse_rows(parts, n)
    parts = []
    for done, start in enumerate(starts, start=1 + len(starts)):
        of_near = neighbours[start : start + ROWS, :k2]
        place, column, value = of_each.of(of_near.ravel())
        keys, entry = np.unique(place // of_near.shape[1] * n + column, return_inverse=True)
        means = np.bincount(entry, value) / of_near.shape[1]
        parts.append((start + keys // n, (keys % n).astype("int32"), means.astype("float32")))
        bar.update(done)
    return sparse_rows(parts, n), farthest


def _mutual(neighbours):
    """Whether a row is a neighbour of its neighbour, bool (n, count)."""
    result = np.empty(neighbours.shape, bool)
    for start in range(0, len(neighbours), ROWS):
        rows = neighbours[start : start + ROWS]
        itself = np.arange(start, start + len(rows))
        result[start : start + ROWS] = (neighbours[rows] == itself[:, None, None]).any(axis=2)
    return result


def _expanded(near, mutual, half, half_mutual):
    """Rows and columns of the reciprocal neighbours and, by Eq. 5, of those of theirs.

    The reciprocal neighbours of a neighbour among half as many join where more than two thirds of
    them are there already.
    """
    theirs, are_theirs = half[near], half_mutual[near]
    known = np.where(mutual, near, -1)
    common = are_theirs & (theirs[..., None] == known[:, None, None]).any(axis=3)
    joins = mutual & (3 * common.sum(axis=2) > 2 * are_theirs.sum(axis=2))
    n = len(half)
    row = np.arange(len(near))[:, None] * n
    own, others = (row + near)[mutual], (row[..., None] + theirs)[joins[..., None] & are_theirs]
    keys = np.unique(np.concatenate([own, others]))
    return keys // n, keys % n
