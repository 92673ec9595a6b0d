"""Receiver operating characteristic of verification scores, and what is read from it.

A pair is accepted where its score is at least the threshold. FAR is the share of accepted pairs
among those of different identities, TAR among those of the same.
"""

import numpy as np

RULES = ("strict", "ijb")


def roc(scores, same):
    """False and true accept rates at every threshold that makes a difference.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.

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
    false, true, thresholds = _counts(scores, same)
    return false / false[-1], true / true[-1], thresholds


def tar_at_far(scores, same, fars, rule="strict"):
    """True accept rate at given false accept rates.

    `rule="strict"` is the largest TAR whose FAR does not exceed the target. With N pairs of
    different identities a FAR below 1/N cannot be measured: the result is NaN.

    `rule="ijb"` is that of the IJB scripts: the TAR at the point of the ROC curve of
    scikit-learn, which leaves out points on straight lines, whose FAR is nearest to the target
    (of two as near, the larger TAR). It may exceed the target, and is never NaN.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.
        fars: A false accept rate in [0, 1], or an array of them.
        rule: "strict" or "ijb".

    Returns:
        float64 array of the shape of `fars`.

    Raises:
        ValueError: For a rate or rule out of these, and what `roc` raises.

    Example:
    >>> import keras_resample as kr
    >>> scores, same = [0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, True, False]
    >>> kr.metrics.tar_at_far(scores, same, [0.1, 0.5, 1.0]).round(2).tolist()
    [nan, 1.0, 1.0]
    """
    if rule not in RULES:
        raise ValueError(f"`rule` must be one of {RULES}. Received: {rule=}")
    fars = np.asarray(fars, "float64")
    if not np.all((fars >= 0) & (fars <= 1)):
        raise ValueError(f"`fars` must be in [0, 1]. Received: {fars=}")
    false, true, _ = _counts(scores, same)
    if rule == "ijb":
        # Scikit-learn prunes before it prepends the point (0, 0).
        kept = 1 + np.flatnonzero(_bends(false[1:], true[1:]))
        false, true = false[np.r_[0, kept]], true[np.r_[0, kept]]
    far, tar = false / false[-1], true / true[-1]
    if rule == "ijb":
        distance = np.abs(far[::-1] - fars[..., None])
        return tar[::-1][np.argmin(distance, axis=-1)]
    # FAR never falls along the curve, so the last point that is allowed has the largest TAR.
    result = tar[np.searchsorted(far, fars, side="right") - 1]
    return np.where(fars < 1 / false[-1], np.nan, result)


def eer(scores, same):
    """Equal error rate: where FAR = 1 - TAR on the ROC curve with its points joined by lines.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.

    Returns:
        The rate, a float in [0, 1].

    Raises:
        ValueError: What `roc` raises.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.eer([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    0.5
    """
    far, tar, _ = roc(scores, same)
    excess = far - (1 - tar)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    share = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(far[after - 1] + share * (far[after] - far[after - 1]))


def _counts(scores, same):
    """Accepted different and same pairs, and the threshold, at each distinct score."""
    scores, same = np.asarray(scores), np.asarray(same, bool)
    if scores.ndim != 1 or scores.shape != same.shape:
        raise ValueError(
            "`scores` and `same` must be arrays of one dimension and equal length. "
            f"Received: scores.shape={scores.shape}, same.shape={same.shape}"
        )
    if np.any(np.isnan(scores)):
        raise ValueError(
            f"`scores` must not be NaN. Received: {np.sum(np.isnan(scores))} NaN of {scores.size}"
        )
    if same.all() or not same.any():
        raise ValueError(
            "`same` must hold pairs of both kinds. "
            f"Received: {np.sum(same)} same and {np.sum(~same)} different pairs"
        )
    order = np.argsort(scores)[::-1]
    scores, same = scores[order], same[order]
    last = np.r_[np.flatnonzero(scores[1:] != scores[:-1]), scores.size - 1]
    true = np.cumsum(same)[last]
    return (
        np.r_[0, last + 1 - true],
        np.r_[0, true],
        np.r_[np.inf, scores[last].astype("float64")],
    )


def _bends(false, true):
    """Which points of the curve do not lie in the middle of two equal steps."""
    if len(false) < 3:
        return np.ones(len(false), bool)
    return np.r_[True, (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0), True]
