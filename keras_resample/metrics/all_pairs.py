"""Every pair of a set of embeddings as a verification trial."""

import numpy as np

# Rows of the similarity matrix held at a time: 64 MB of it at 16,000 embeddings.
ROWS = 1024


def all_pairs(embeddings, labels):
    """Cosines of all pairs of embeddings, and whether the two have the same label.

    Pairs are those with i < j in the order (0, 1), (0, 2), ..., (n - 2, n - 1). The memory needed
    is that of the result, n (n - 1) / 2 times 5 bytes, and a block of the similarity matrix.

    Args:
        embeddings: Float array (n, dim) of any length; n is at least 2. An embedding of zeros
            has cosine 0 with every other.
        labels: Array (n,) of identities.

    Returns:
        scores (n (n - 1) / 2,) float32 and same (n (n - 1) / 2,) bool.

    Raises:
        ValueError: For shapes that do not fit, and for embeddings that are not finite.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> scores, same = kr.metrics.all_pairs(np.eye(3), [0, 1, 0])
    >>> same.tolist()
    [False, True, False]
    """
    embeddings = unit_length(embeddings).astype("float32")
    labels = np.asarray(labels)
    n = len(embeddings)
    if n < 2 or labels.shape != (n,):
        raise ValueError(
            "`labels` must have one entry per embedding, and there must be 2 embeddings. "
            f"Received: embeddings.shape={embeddings.shape}, labels.shape={labels.shape}"
        )
    scores = np.empty(n * (n - 1) // 2, "float32")
    same = np.empty(len(scores), bool)
    end = 0
    for first in range(0, n - 1, ROWS):
        block = embeddings[first : first + ROWS] @ embeddings[first:].T
        for i, row in enumerate(block[: n - 1 - first]):
            start, end = end, end + n - 1 - first - i
            scores[start:end] = row[i + 1 :]
            same[start:end] = labels[first + i] == labels[first + i + 1 :]
    return scores, same


def unit_length(embeddings):
    """Embeddings (n, dim) divided by their lengths; zeros stay zeros."""
    embeddings = np.asarray(embeddings)
    if embeddings.ndim != 2 or not np.all(np.isfinite(embeddings)):
        raise ValueError(
            "`embeddings` must be a finite array (n, dim). "
            f"Received: embeddings.shape={embeddings.shape}"
        )
    embeddings = embeddings.astype("float64")
    length = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.where(length > 0, length, 1)
