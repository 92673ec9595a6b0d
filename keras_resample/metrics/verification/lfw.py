"""The ten-fold accuracy of Labeled Faces in the Wild, and its validation rate."""

import numpy as np

from keras_resample.arguments import as_integer, as_number
from keras_resample.metrics.arrays import rate_count, truth_array, unit_length

# Squared distances of unit vectors lie in [0, 4]; the steps are those of the published scripts.
THRESHOLDS = np.arange(0, 4, 0.01)
FINE_THRESHOLDS = np.arange(0, 4, 0.001)


def lfw_accuracy(embeddings, same, folds=10):
    """Mean and standard deviation of the verification accuracy over folds.

    The threshold of each fold is the one with the best accuracy on the other folds (the first of
    equals). It is compared with the squared distance of the embeddings scaled to length 1: a pair
    counts as same where the distance is below the threshold. Folds are contiguous and not
    shuffled, so the pairs must be stored as LFW stores them, with both kinds in every fold.

    Args:
        embeddings: Float array (2 n, dim): the two embeddings of pair i in rows 2 i and 2 i + 1.
            For the flip protocol, sums of the embeddings of an image and its mirror image
            (`flip_augmented`).
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
    parts = _parts(embeddings, same, folds)
    true, false, positives, negatives = _accepted(parts, THRESHOLDS)
    # Correct decisions of each fold at each threshold, and of all the other folds together.
    correct = true + negatives[:, None] - false
    best = np.argmax(np.sum(correct, axis=0) - correct, axis=1)
    accuracy = correct[np.arange(folds), best] / (positives + negatives)
    far = np.mean(false / np.maximum(negatives, 1)[:, None], axis=0)
    tar = np.mean(true / np.maximum(positives, 1)[:, None], axis=0)
    return accuracy, far, tar


def val_at_far(embeddings, same, far=1e-3, folds=10):
    """Validation rate (VAL) at a false accept rate, over folds.

    The threshold of each fold is where the false accept rate on the other folds, measured at the
    squared distances 0, 0.001, ..., 3.999 and joined by lines, reaches `far`. VAL is the share of
    same pairs of the fold whose squared distance is below it. Where the other folds never reach
    `far`, the threshold is 0 and nothing is accepted, as in the published script.

    Args:
        embeddings: Float array (2 n, dim), as in `lfw_accuracy`.
        same: Bool array (n,), whether the pair shows one identity. Every fold needs both kinds.
        far: The false accept rate, in [0, 1].
        folds: Number of folds, from 2 to n.

    Returns:
        Mean and standard deviation (of the population) of VAL, and the mean of the false accept
        rate that the folds really had, as floats.

    Raises:
        ValueError: What `lfw_accuracy` raises, for a rate out of [0, 1], and for a fold with pairs
            of one kind only.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> a, b = np.eye(2)
    >>> val, _, _ = kr.metrics.val_at_far([a, a, a, b] * 2, [True, False] * 2, folds=2)
    >>> val
    1.0

    Reference:
        - [FaceNet, Schroff et al., 2015](https://arxiv.org/abs/1503.03832)
    """
    far = as_number(far, "far", "[0, 1]")
    parts = _parts(embeddings, same, folds)
    _, false, positives, negatives = _accepted(parts, FINE_THRESHOLDS)
    if not (positives.all() and negatives.all()):
        raise ValueError(
            "`same` must hold pairs of both kinds in every fold. "
            f"Received: {positives.tolist()} same and {negatives.tolist()} different pairs"
        )
    rates = np.empty((folds, 2))
    for i, (of_same, of_different) in enumerate(parts):
        of_others = np.sum(false, axis=0) - false[i]
        allowed = rate_count(far, np.sum(negatives) - negatives[i])
        reached = np.max(of_others) >= allowed
        threshold = np.interp(allowed, of_others, FINE_THRESHOLDS) if reached else 0.0
        rates[i] = np.mean(of_same < threshold), np.mean(of_different < threshold)
    val, measured = rates.T
    return float(np.mean(val)), float(np.std(val)), float(np.mean(measured))


def _parts(embeddings, same, folds):
    """Squared distances of the same and of the different pairs of each fold."""
    embeddings, same = unit_length(embeddings), truth_array(same)
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
    if not 2 <= as_integer(folds, "folds") <= len(same):
        raise ValueError(f"`folds` must be in [2, {len(same)}], the pairs. Received: {folds=}")
    distance = np.sum(np.square(embeddings[0::2] - embeddings[1::2]), axis=1)
    parts = np.array_split(np.arange(len(same)), folds)
    return [(distance[part][same[part]], distance[part][~same[part]]) for part in parts]


def _accepted(parts, thresholds):
    """Accepted same and different pairs (folds, thresholds), and how many there are (folds,)."""
    true = np.array([_below(same, thresholds) for same, _ in parts])
    false = np.array([_below(different, thresholds) for _, different in parts])
    positives = np.array([len(same) for same, _ in parts])
    negatives = np.array([len(different) for _, different in parts])
    return true, false, positives, negatives


def _below(distance, thresholds):
    """How many distances are below each threshold."""
    return np.searchsorted(np.sort(distance), thresholds, side="left")
