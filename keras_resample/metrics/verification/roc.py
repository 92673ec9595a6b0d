"""Receiver operating characteristic of verification scores, and what is read from it.

A pair is accepted where its score is at least the threshold. FAR is the share of accepted pairs
among those of different identities, TAR among those of the same.
"""

import numpy as np

from keras_resample.arguments import as_bool, as_integer_array
from keras_resample.metrics.arrays import to_numpy, truth_array


def roc(scores, same, counts=None):
    """False and true accept rates at every threshold that makes a difference.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.
        counts: Integer array (n,), how many pairs stand behind each entry, as `all_pairs_histogram`
            returns them; None for one each.

    Returns:
        far, tar and thresholds (k + 1,) float64 for k distinct scores, from (0, 0) at the
        threshold infinity to (1, 1) at the lowest score.

    Raises:
        ValueError: For shapes that do not fit, scores that are NaN, or pairs that are all the
            same or all different.

    Example:
    >>> import keras_resample as kr
    >>> far, tar, thresholds = kr.metrics.roc([0.9, 0.8, 0.3], [True, False, True])
    >>> far.tolist(), tar.tolist(), thresholds.tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0], [inf, 0.9, 0.8, 0.3])
    """
    false, true, thresholds = counts_of_both(scores, same, counts)
    return false / false[-1], true / true[-1], thresholds


def det(scores, same, counts=None):
    """Detection error trade-off: false accept and false reject rates at every threshold.

    FRR = 1 - TAR. The curve is drawn with both rates on logarithmic or normal-deviate axes.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.
        counts: As in `roc`.

    Returns:
        far, frr and thresholds (k + 1,) float64, from (0, 1) to (1, 0).

    Raises:
        ValueError: What `roc` raises.

    Example:
    >>> import keras_resample as kr
    >>> far, frr, _ = kr.metrics.det([0.9, 0.8, 0.3], [True, False, True])
    >>> far.tolist(), frr.tolist()
    ([0.0, 0.0, 1.0, 1.0], [1.0, 0.5, 0.5, 0.0])

    Reference:
        - [The DET curve, Martin et al., 1997](https://doi.org/10.21437/Eurospeech.1997-504)
    """
    false, true, thresholds = counts_of_both(scores, same, counts)
    return false / false[-1], (true[-1] - true) / true[-1], thresholds


def auc(scores, same, counts=None):
    """Area under the ROC curve: the chance that a same pair scores above a different one.

    Equal scores count half.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.
        counts: As in `roc`.

    Returns:
        The area, a float in [0, 1].

    Raises:
        ValueError: What `roc` raises.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.auc([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    0.75
    """
    far, tar, _ = roc(scores, same, counts)
    return area(far, tar)


def eer(scores, same, counts=None, return_threshold=False):
    """Equal error rate: where FAR = 1 - TAR on the ROC curve with its points joined by lines.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.
        counts: As in `roc`.
        return_threshold: Whether to return the threshold as well: that of the point of the curve
            where FAR and 1 - TAR differ least (of two, the lower threshold).

    Returns:
        The rate, a float in [0, 1]; with `return_threshold` the rate and the threshold, floats.

    Raises:
        ValueError: What `roc` raises.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.eer([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    0.5
    >>> kr.metrics.eer([0.9, 0.8, 0.3], [True, True, False], return_threshold=True)
    (0.0, 0.8)
    """
    return_threshold = as_bool(return_threshold, "return_threshold")
    far, tar, thresholds = roc(scores, same, counts)
    excess = far - (1 - tar)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    share = -excess[after - 1] / (excess[after] - excess[after - 1])
    rate = float(far[after - 1] + share * (far[after] - far[after - 1]))
    if not return_threshold:
        return rate
    nearest = after if excess[after] <= -excess[after - 1] else after - 1
    return rate, float(thresholds[nearest])


def area(x, y):
    """Area under the points (x, y) joined by lines."""
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


def counts_of_both(scores, same, counts=None):
    """`accepted_counts` of pairs of both kinds, checked."""
    scores, same = to_numpy(scores), truth_array(same)
    if scores.ndim != 1 or scores.shape != same.shape:
        raise ValueError(
            "`scores` and `same` must be arrays of one dimension and equal length. "
            f"Received: scores.shape={scores.shape}, same.shape={same.shape}"
        )
    if np.any(np.isnan(scores)):
        raise ValueError(
            f"`scores` must not be NaN. Received: {np.sum(np.isnan(scores))} NaN of {scores.size}"
        )
    if counts is not None:
        kind = "a whole number, 0 or more, per score"
        counts = as_integer_array(to_numpy(counts), "counts", kind, same.shape, "[0, inf)")
        scores, same, counts = scores[counts > 0], same[counts > 0], counts[counts > 0]
    if same.all() or not same.any():
        raise ValueError(
            "`same` must hold pairs of both kinds. "
            f"Received: {np.sum(same)} same and {np.sum(~same)} different pairs"
        )
    return accepted_counts(scores, same, counts)


def accepted_counts(scores, same, counts=None):
    """Accepted different and same pairs, and the threshold, at each distinct score."""
    order = np.argsort(scores)[::-1]
    scores, same = scores[order], same[order]
    last = np.r_[np.flatnonzero(scores[1:] != scores[:-1]), scores.size - 1]
    if counts is None:
        true = np.cumsum(same)[last]
        false = last + 1 - true
    else:
        counts = counts[order].astype("int64")
        true = np.cumsum(np.where(same, counts, 0))[last]
        false = np.cumsum(counts)[last] - true
    return np.r_[0, false], np.r_[0, true], np.r_[np.inf, scores[last].astype("float64")]
