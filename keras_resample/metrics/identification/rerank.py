"""Re-ranking by the neighbours that query and gallery have in common."""

import numpy as np

from keras_resample.arguments import as_integer, as_number
from keras_resample.metrics.arrays import embedding_array, inverse, lengths
from keras_resample.metrics.identification.reciprocal import encodings
from keras_resample.metrics.verification.score_blocks import ScoreBlocks


def rerank(query, gallery=None, k1=20, k2=6, lambda_value=0.3, verbose=0):
    """Scores of queries and gallery, re-ranked by their k-reciprocal neighbours.

    `score = (1 - lambda) J + lambda (1 - d)`, where d is the squared distance of the unit vectors,
    divided by the largest one of the query with any query or entry of the gallery, and J the
    overlap of their encodings V:

        J(q, g) = sum_i min(V[q, i], V[g, i]) / sum_i max(V[q, i], V[g, i])

    V[q, i] is `exp(-d(q, i))`, scaled to the sum 1, where i is a k-reciprocal neighbour of q: each
    is among the `k1` nearest of the other. The reciprocal neighbours of such a neighbour among
    `k1 / 2` join where more than two thirds of them are there already. Then V is averaged over the
    `k2` nearest, itself included.

    The score is 1 minus the distance of the paper and its published script. Only neighbours are
    held, so memory grows with (p + g) k1, not with its square. The neighbours of all queries and
    entries are found here, in the time of (p + g)^2 dot products; each iteration over the result
    takes that of p g. Queries are neighbours of each other: the scores of one depend on the others.

    Args:
        query: Float array (p, dim) of any length. An embedding of zeros has cosine 0 with every
            other.
        gallery: Float array (g, dim). Default: the queries, once; numbers of images as cameras then
            leave a query itself out of its ranking.
        k1: Number of nearest neighbours among all queries and the gallery, without itself. Those at
            the same distance are taken in the order of the rows, queries first.
        k2: Number of neighbours, with itself, whose encodings are averaged; 1 for none.
        lambda_value: Share of the distance itself, in [0, 1].
        verbose: 0, 1 or "auto" for progress bars, here and at each pass, 2 for lines at their end.

    Returns:
        `ScoreBlocks` (p, g), for `cmc`, `mean_average_precision` and the others. The whole matrix
        is `np.concatenate(list(scores))`.

    Raises:
        ValueError: For shapes that do not fit, embeddings that are not finite, and arguments out of
            these.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> angles = np.array([0.0, 0.3, -0.4, 0.5, 0.6])  # query, and the gallery
    >>> embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    >>> scores = kr.metrics.rerank(embeddings[:1], embeddings[1:], k1=2, k2=1)
    >>> np.concatenate(list(scores)).round(2).tolist()
    [[0.54, 0.52, 0.22, 0.0]]

    Reference:
        - [Zhong et al., 2017](https://arxiv.org/abs/1701.08398)
    """
    k1, k2 = as_integer(k1, "k1"), as_integer(k2, "k2")
    lambda_value = as_number(lambda_value, "lambda_value", "[0, 1]")
    query = embedding_array(query, "query")
    lengths(query, "query")
    alone = gallery is None
    gallery = query if alone else embedding_array(gallery, "gallery")
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            "`query` and `gallery` must have the same dimension. "
            f"Received: query.shape={query.shape}, gallery.shape={gallery.shape}"
        )
    blocks = ScoreBlocks(query, gallery, verbose=verbose)
    features = query if alone else np.concatenate([query, gallery])
    found, farthest = encodings(features, k1, k2, verbose=verbose)
    entries = found.columns_of(0 if alone else len(query), len(features))
    return RerankedBlocks(blocks, found, entries, inverse(farthest), lambda_value)


class RerankedBlocks(ScoreBlocks):
    """Blocks of re-ranked scores, computed when they are asked for.

    Args:
        blocks: `ScoreBlocks` (p, g) of the cosines.
        encodings: `SparseRows` (n, n), of the queries and then of the others.
        entries: `SparseRows` (n, g), the columns of that part of them that is the gallery.
        per_distance: Array (n,), what a squared distance is multiplied by.
        lambda_value: Share of the distance.
    """

    def __init__(self, blocks, encodings, entries, per_distance, lambda_value):
        super().__init__(blocks.probes, blocks.gallery, verbose=blocks.verbose)
        self._encodings, self._entries = encodings, entries
        self._per_distance = per_distance[: self.shape[0], None]
        self._lambda = lambda_value

    def __iter__(self):
        start = 0
        for cosines in super().__iter__():
            rows = np.arange(start, start + len(cosines))
            start += len(cosines)
            per_distance = self._per_distance[rows].astype(cosines.dtype)
            closeness = 1 - (2 - 2 * cosines) * per_distance
            yield (1 - self._lambda) * self._overlap(rows) + self._lambda * closeness

    def _overlap(self, rows):
        """J of the queries `rows`, (rows, g)."""
        place, column, of_query = self._encodings.of(rows)
        pair, entry, of_entry = self._entries.of(column)
        common = np.zeros((len(rows), self.shape[1]), "float32")
        np.add.at(common, (place[pair], entry), np.minimum(of_query[pair], of_entry))
        return common / (2 - common)  # both rows add up to 1
