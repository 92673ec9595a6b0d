"""The ten-fold accuracy of Labeled Faces in the Wild."""

import numpy as np

from keras_resample.metrics.all_pairs import unit_length

# Squared distances of unit vectors lie in [0, 4]; the step is that of the published scripts.
THRESHOLDS = np.arange(0, 4, 0.01)


def lfw_accuracy(embeddings, same, folds=10):
    """Mean and standard deviation of the verification accuracy over folds.

    The threshold of each fold is the one with the best accuracy on the other folds (the first of
    equals). It is compared with the squared distance of the embeddings scaled to length 1: a pair
    counts as same where the distance is below the threshold. Folds are contiguous and not
    shuffled, so the pairs must be stored as LFW stores them, with both kinds in every fold.

    Args:
        embeddings: Float array (2 n, dim): the two embeddings of pair i in rows 2 i and 2 i + 1.
            For the flip protocol, sums of the embeddings of an image and its mirror image.
        same: Bool array (n,), whether the pair shows one identity.
        folds: Number of folds, from 2 to n.

    Returns:
        Mean and standard deviation (of the population, not the sample) as floats.

    Raises:
        ValueError: For shapes that do not fit, embeddings that are not finite, or pairs that are
            all the same or all different.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> a, b = np.eye(2)
    >>> kr.metrics.lfw_accuracy([a, a, a, b, a, a, a, b], [True, False, True, False], folds=2)
    (1.0, 0.0)

    Reference:
        - [LFW, Huang et al., 2007](http://vis-www.cs.umass.edu/lfw/)
    """
    accuracy, _, _ = lfw_folds(embeddings, same, folds)
    return float(np.mean(accuracy)), float(np.std(accuracy))


def lfw_folds(embeddings, same, folds=10):
    """The folds behind `lfw_accuracy`, which has the protocol, the arguments and the errors.

    Args:
        embeddings: Float array (2 n, dim).
        same: Bool array (n,).
        folds: Number of folds.

    Returns:
        accuracy (folds,), and far and tar (400,), the averages over the folds of the false and
        the true accept rate at the thresholds 0, 0.01, ..., 3.99.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> a, b = np.eye(2)
    >>> accuracy, far, tar = kr.metrics.lfw_folds([a, a, a, b] * 2, [True, False] * 2, folds=2)
    >>> accuracy.tolist()
    [1.0, 1.0]
    """
    embeddings, same = unit_length(embeddings), np.asarray(same, bool)
    if same.ndim != 1 or len(embeddings) != 2 * len(same):
        raise ValueError(
            "`embeddings` must have two rows per entry of `same`. "
            f"Received: embeddings.shape={embeddings.shape}, same.shape={same.shape}"
        )
    if same.all() or not same.any():
        raise ValueError(
            "`same` must hold pairs of both kinds. "
            f"Received: {np.sum(same)} same and {np.sum(~same)} different pairs"
        )
    if not 2 <= folds <= len(same):
        raise ValueError(f"`folds` must be in [2, {len(same)}], the pairs. Received: {folds=}")
    distance = np.sum(np.square(embeddings[0::2] - embeddings[1::2]), axis=1)
    parts = np.array_split(np.arange(len(same)), folds)
    true = np.array([_below(distance[part][same[part]]) for part in parts])
    false = np.array([_below(distance[part][~same[part]]) for part in parts])
    positives = np.array([np.sum(same[part]) for part in parts])
    negatives = np.array([len(part) for part in parts]) - positives
    # Correct decisions of each fold at each threshold, and of all the other folds together.
    correct = true + negatives[:, None] - false
    best = np.argmax(np.sum(correct, axis=0) - correct, axis=1)
    accuracy = correct[np.arange(folds), best] / (positives + negatives)
    far = np.mean(false / np.maximum(negatives, 1)[:, None], axis=0)
    tar = np.mean(true / np.maximum(positives, 1)[:, None], axis=0)
    return accuracy, far, tar


def _below(distance):
    """How many distances are below each threshold."""
    return np.searchsorted(np.sort(distance), THRESHOLDS, side="left")
