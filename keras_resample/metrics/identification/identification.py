"""Closed-set and open-set identification of probes in a gallery.

A probe is mated where its identity is in the gallery. Its rank is 1 plus the number of entries of
other identities that score at least as high as its best mate.
"""

import numpy as np

from keras_resample.arguments import as_integer, check_choice
from keras_resample.metrics.arrays import rate_array, to_numpy
from keras_resample.metrics.verification.operating_points import operating_points
from keras_resample.metrics.verification.roc import accepted_counts, area
from keras_resample.metrics.verification.score_blocks import labelled_blocks

RULES = ("strict", "count")


def cmc(
    scores,
    probe_labels,
    gallery_labels,
    ranks=(1, 5, 10, 20),
    probe_cameras=None,
    gallery_cameras=None,
):
    """Cumulative match characteristic: share of mated probes with a mate in the best `rank`.

    Rank-1 identification rate, top-k accuracy and R-1 are other names of its values. Probes without
    a mate do not count. Of equal scores those of other identities come first, so that a constant
    score is worth nothing.

    Args:
        scores: Float array (p, g), higher for more alike, or `ScoreBlocks`.
        probe_labels: Array (p,) of identities.
        gallery_labels: Array (g,) of identities.
        ranks: A rank, 1 or more, or an array of them.
        probe_cameras: Array (p,), for re-identification: entries of the gallery with the identity
            and the camera of the probe are left out. With numbers of images as cameras on both
            sides, the one left out is the probe itself.
        gallery_cameras: Array (g,), where `probe_cameras` is given.

    Returns:
        float64 array of the shape of `ranks`.

    Raises:
        ValueError: For shapes that do not fit, scores that are not finite, ranks below 1, and where
            no probe has a mate.

    Example:
    >>> import keras_resample as kr
    >>> scores = [[0.9, 0.1, 0.3], [0.2, 0.4, 0.5]]
    >>> kr.metrics.cmc(scores, [7, 8], [7, 8, 9], ranks=(1, 2)).tolist()
    [0.5, 1.0]
    """
    ranks = to_numpy(ranks)
    if ranks.dtype.kind not in "iu" or np.any(ranks < 1):
        raise ValueError(f"`ranks` must be whole numbers, 1 or more. Received: {ranks=}")
    trials = _trials(scores, probe_labels, gallery_labels, probe_cameras, gallery_cameras)
    rank = np.sort(trials["rank"][_mated(trials)])
    return np.searchsorted(rank, ranks, side="right") / len(rank)


def tpir_at_fpir(
    scores, probe_labels, gallery_labels, fpirs=(0.1, 0.2, 0.3), rank=20, rule="strict"
):
    """True positive identification rate at given false positive identification rates.

    A threshold t accepts a probe without mate where its best score is at least t: the share of
    these is FPIR. TPIR is the share of mated probes of at most the given rank whose mate's score is
    at least t. With N probes without mate:

    * "strict": the largest TPIR whose FPIR does not exceed the target; NaN below 1/N, which cannot
      be measured.
    * "count", of the published scripts: t is the k-th highest of the N best scores, k = FPIR N
      rounded (half to even); for k = 0 it is 1e-5 above the highest.

    Args:
        scores: Float array (p, g), higher for more alike, or `ScoreBlocks`.
        probe_labels: Array (p,) of identities. Probes without mate have one that the gallery lacks.
        gallery_labels: Array (g,) of identities.
        fpirs: A rate in [0, 1], or an array of them.
        rank: Highest rank of the mate: 20 for QMUL-SurvFace.
        rule: "strict" or "count".

    Returns:
        float64 array of the shape of `fpirs`.

    Raises:
        ValueError: For shapes that do not fit, scores that are not finite, a rate, rank or rule out
            of range, and where there are no probes of one of the two kinds.

    Example:
    >>> import keras_resample as kr
    >>> scores = [[0.9, 0.1], [0.2, 0.4], [0.5, 0.3], [0.1, 0.2]]
    >>> kr.metrics.tpir_at_fpir(scores, [7, 8, 0, 0], [7, 8], fpirs=[0.1, 0.5, 1.0]).tolist()
    [nan, 1.0, 1.0]

    Reference:
        - [QMUL-SurvFace, Cheng et al., 2018](https://arxiv.org/abs/1804.09691)
    """
    check_choice(rule, "rule", RULES)
    fpirs = rate_array(fpirs, "fpirs")
    curve, mated = _open_set(scores, probe_labels, gallery_labels, rank)
    return operating_points(curve, mated, fpirs, rule)[0]


def tpir_curve(scores, probe_labels, gallery_labels, rank=20):
    """TPIR over FPIR at every threshold that makes a difference.

    Args:
        scores, probe_labels, gallery_labels, rank: As in `tpir_at_fpir`.

    Returns:
        fpir, tpir and thresholds, float64 arrays (k,), from (0, 0) at the threshold infinity to
        FPIR 1, where TPIR is the value of `cmc` at this rank.

    Raises:
        ValueError: What `tpir_at_fpir` raises.

    Example:
    >>> import keras_resample as kr
    >>> scores = [[0.9, 0.1], [0.2, 0.4], [0.5, 0.3]]
    >>> fpir, tpir, _ = kr.metrics.tpir_curve(scores, [7, 8, 0], [7, 8])
    >>> fpir.tolist(), tpir.tolist()
    ([0.0, 0.0, 1.0, 1.0], [0.0, 0.5, 0.5, 1.0])
    """
    (false, true, thresholds), mated = _open_set(scores, probe_labels, gallery_labels, rank)
    return false / false[-1], true / mated, thresholds


def tpir_auc(scores, probe_labels, gallery_labels, rank=20):
    """Area under TPIR over FPIR, the AUC of QMUL-SurvFace: 1 at best.

    Args:
        scores, probe_labels, gallery_labels, rank: As in `tpir_at_fpir`.

    Returns:
        The area under `tpir_curve` with its points joined by lines, a float.

    Raises:
        ValueError: What `tpir_at_fpir` raises.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.tpir_auc([[0.9, 0.1], [0.2, 0.4], [0.5, 0.3]], [7, 8, 0], [7, 8])
    0.5
    """
    fpir, tpir, _ = tpir_curve(scores, probe_labels, gallery_labels, rank)
    return area(fpir, tpir)


def _open_set(scores, probe_labels, gallery_labels, rank):
    """Accepted probes without mate, and with, at each threshold; and how many are mated."""
    rank = as_integer(rank, "rank")
    trials = _trials(scores, probe_labels, gallery_labels)
    mated = _mated(trials)
    if mated.all():
        raise ValueError(
            "`probe_labels` must hold probes whose identity is not in the gallery. "
            f"Received: {len(mated)} probes, all in the gallery"
        )
    hits = trials["mate_score"][mated & (trials["rank"] <= rank)]
    others = trials["best_other"][~mated]
    same = np.arange(len(hits) + len(others)) < len(hits)
    # The curve ends at the lowest score of all, where everything of rank or better is accepted.
    return accepted_counts(np.r_[hits, others], same), np.sum(mated)


def _mated(trials):
    mated = trials["rank"] > 0
    if not mated.any():
        raise ValueError(
            "`probe_labels` must hold an identity of the gallery. "
            f"Received: {len(mated)} probes, none of them in the gallery"
        )
    return mated


def _trials(scores, probe_labels, gallery_labels, probe_cameras=None, gallery_cameras=None):
    """Of each probe: score and rank of its best mate (rank 0: no mate), best score of others."""
    parts = {"mate_score": [], "rank": [], "best_other": []}
    blocks = labelled_blocks(scores, probe_labels, gallery_labels, probe_cameras, gallery_cameras)
    for block, match, junk in blocks:
        mate_score = np.where(match, block, -np.inf).max(axis=1)
        others = np.where(match | junk, -np.inf, block)
        rank = 1 + np.sum(others >= mate_score[:, None], axis=1)
        parts["mate_score"].append(mate_score)
        parts["rank"].append(np.where(match.any(axis=1), rank, 0))
        parts["best_other"].append(others.max(axis=1))
    return {name: np.concatenate(part) for name, part in parts.items()}
