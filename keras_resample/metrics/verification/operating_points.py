"""True accept rate and threshold at a given false accept rate."""

import numpy as np

from keras_resample.arguments import as_number, check_choice
from keras_resample.metrics.arrays import rate_array, rate_count
from keras_resample.metrics.verification.binomial import binomial_bounds
from keras_resample.metrics.verification.roc import counts_of_both

RULES = ("strict", "ijb", "nearest", "count")
# What the count rule adds to the highest score of different pairs to accept none of them.
ABOVE = 1e-5


def tar_at_far(scores, same, fars, rule="strict", counts=None):
    """True accept rate at given false accept rates.

    With N pairs of different identities, a pair accepted where its score is at least the threshold:

    * "strict": the largest TAR whose FAR does not exceed the target. A FAR below 1/N cannot be
      measured: the result is NaN. A target is read to six digits: 1e-2 in float32 is 1/100.
    * "ijb", of the IJB scripts: the TAR at the point of the ROC curve of scikit-learn, which leaves
      out points on straight lines, whose FAR is nearest to the target (of two as near, the larger
      TAR). It may exceed the target, and is never NaN.
    * "nearest": the same on all points of the curve (scikit-learn's `drop_intermediate=False`).
    * "count", of the TinyFace script: the threshold is the k-th highest score of different pairs,
      k = FAR N rounded (half to even); for k = 0 it is 1e-5 above the highest. Never NaN.

    Args:
        scores: Float array (n,), higher for pairs that look more alike.
        same: Bool array (n,), whether the pair shows one identity.
        fars: A false accept rate in [0, 1], or an array of them.
        rule: "strict", "ijb", "nearest" or "count".
        counts: As in `roc`.

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
    curve, fars = _arguments(scores, same, fars, rule, counts)
    tar, _ = operating_points(curve, curve[1][-1], fars, rule)
    return tar


def threshold_at_far(scores, same, fars, rule="strict", counts=None, confidence=None):
    """The threshold at which `tar_at_far` has its value: what a deployed system is set to.

    With a `confidence` also the interval that holds, with this probability, the threshold whose FAR
    on all the pairs of the world is the target: of N independent pairs of different identities
    Binomial(N, FAR) lie above that, whatever the distribution of scores. Pairs that share an image,
    or a person, are not independent, and tell less than their number: the interval is then too
    narrow.

    Args:
        scores, same, fars, rule, counts: As in `tar_at_far`.
        confidence: A probability in (0, 1), such as 0.95, or None for no interval.

    Returns:
        float64 array of the shape of `fars`; NaN where `tar_at_far` is, infinity where no pair at
        all is accepted. With a `confidence` a tuple of three: thresholds, lower and upper ends. An
        end that the pairs do not bound is infinite.

    Raises:
        ValueError: What `tar_at_far` raises, and for a `confidence` out of this range.

    Example:
    >>> import keras_resample as kr
    >>> scores, same = [0.9, 0.8, 0.7, 0.6, 0.5], [True, False, True, True, False]
    >>> kr.metrics.threshold_at_far(scores, same, 0.5).tolist()
    0.6

    Of 1000 pairs of strangers:

    >>> import numpy as np
    >>> scores, same = np.arange(1001) / 1000, np.arange(1001) == 1000
    >>> ends = kr.metrics.threshold_at_far(scores, same, 0.1, confidence=0.95)
    >>> [round(float(end), 3) for end in ends]
    [0.9, 0.88, 0.918]

    Reference:
        Conover, Practical Nonparametric Statistics, 1999, section 3.2: intervals of quantiles.
    """
    curve, fars = _arguments(scores, same, fars, rule, counts)
    _, threshold = operating_points(curve, curve[1][-1], fars, rule)
    if confidence is None:
        return threshold
    return threshold, *_interval(curve, fars, as_number(confidence, "confidence", "(0, 1)"))


def operating_points(curve, positives, fars, rule):
    """True accept rate and threshold at each rate.

    Args:
        curve: What `accepted_counts` returns.
        positives: The denominator of the true accept rate.
        fars: float64 array of rates.
        rule: One of `RULES`.
    """
    false, true, thresholds = curve
    if rule == "ijb":
        # Scikit-learn prunes before it prepends the point (0, 0).
        kept = np.r_[0, 1 + np.flatnonzero(_bends(false[1:], true[1:]))]
        false, true, thresholds = false[kept], true[kept], thresholds[kept]
    far, tar = false / false[-1], true / positives
    if rule in ("ijb", "nearest"):
        point = _nearest(far, fars)
        return tar[point], thresholds[point]
    if rule == "count":
        accepted = np.round(rate_count(fars, false[-1]))
        highest = thresholds[np.argmax(false > 0)]
        threshold = np.where(
            accepted > 0, thresholds[np.searchsorted(false, accepted)], highest + ABOVE
        )
        return tar[np.searchsorted(-thresholds, -threshold, side="right") - 1], threshold
    # FAR never falls along the curve, so the last point that is allowed has the largest TAR.
    allowed = np.floor(rate_count(fars, false[-1]))
    point = np.searchsorted(false, allowed, side="right") - 1
    measurable = allowed >= 1
    return np.where(measurable, tar[point], np.nan), np.where(measurable, thresholds[point], np.nan)


def _arguments(scores, same, fars, rule, counts):
    check_choice(rule, "rule", RULES)
    fars = rate_array(fars, "fars")
    return counts_of_both(scores, same, counts), fars


def _interval(curve, fars, confidence):
    """Scores of different pairs between which the threshold of each rate lies."""
    false, _, thresholds = curve
    fewest, most = binomial_bounds(int(false[-1]), fars, confidence)
    # The k-th highest score of different pairs; more than all of them lie below every threshold.
    of_count = np.r_[thresholds, -np.inf]
    return of_count[np.searchsorted(false, most + 1)], of_count[np.searchsorted(false, fewest)]


def _nearest(far, fars):
    """Index of the last of the points whose FAR is nearest to each rate."""
    after = np.minimum(np.searchsorted(far, fars), len(far) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(far[after] - fars <= fars - far[before], far[after], far[before])
    return np.searchsorted(far, nearest, side="right") - 1


def _bends(false, true):
    """Which points of the curve do not lie in the middle of two equal steps."""
    if len(false) < 3:
        return np.ones(len(false), bool)
    return np.r_[True, (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0), True]
