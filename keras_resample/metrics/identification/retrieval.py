"""Mean average precision and mean inverse penalty of ranked galleries."""

import numpy as np

from keras_resample.metrics.verification.score_blocks import labelled_blocks


def mean_average_precision(
    scores, probe_labels, gallery_labels, probe_cameras=None, gallery_cameras=None
):
    """Mean over the probes of the average precision of their ranked gallery (mAP).

    `AP = mean over matches i of (matches ranked at or before i) / (rank of i)`, without
    interpolation; equal scores share the rank of the last of them, as in scikit-learn. Probes
    without a match are left out.

    Args:
        scores: Float array (p, g), higher for more alike, or `ScoreBlocks`. For distances, their
            negatives.
        probe_labels: Array (p,) of identities.
        gallery_labels: Array (g,) of identities.
        probe_cameras: Array (p,), for re-identification: entries of the gallery with the identity
            and the camera of the probe are left out, as junk. With numbers of images as cameras on
            both sides, the one left out is the probe itself.
        gallery_cameras: Array (g,), where `probe_cameras` is given.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: For shapes that do not fit, scores that are not finite, and where no probe has a
            match.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.mean_average_precision([[0.9, 0.8, 0.7]], [1], [1, 2, 1]).__round__(4)
    0.8333
    """
    precisions = _precisions(scores, probe_labels, gallery_labels, probe_cameras, gallery_cameras)
    return float(np.mean([np.mean(precision) for precision in precisions]))


def mean_inverse_penalty(
    scores, probe_labels, gallery_labels, probe_cameras=None, gallery_cameras=None
):
    """Mean inverse negative penalty (mINP): how early the hardest match is found.

    `INP = number of matches / rank of the last match`, averaged over the probes with a match.

    Args:
        scores, probe_labels, gallery_labels, probe_cameras, gallery_cameras: As in
            `mean_average_precision`.

    Returns:
        A float in (0, 1].

    Raises:
        ValueError: What `mean_average_precision` raises.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.mean_inverse_penalty([[0.9, 0.8, 0.7, 0.6]], [1], [1, 2, 1, 2]).__round__(4)
    0.6667

    Reference:
        - [Ye et al., 2021](https://arxiv.org/abs/2001.04193)
    """
    precisions = _precisions(scores, probe_labels, gallery_labels, probe_cameras, gallery_cameras)
    return float(np.mean([precision[0] for precision in precisions]))


def _precisions(*arguments):
    """Of each probe with a match: precision at each of them, from the lowest score to the best."""
    result = []
    probes = 0
    for block, match, junk in labelled_blocks(*arguments):
        for scores, of_row, left_out in zip(block, match, junk, strict=True):
            probes += 1
            hits = np.sort(scores[of_row])
            if not hits.size:
                continue
            ranked = np.sort(scores[~left_out])
            found = len(hits) - np.searchsorted(hits, hits)
            result.append(found / (len(ranked) - np.searchsorted(ranked, hits)))
    if not result:
        raise ValueError(
            "`probe_labels` must hold an identity of the gallery. "
            f"Received: {probes} probes, none of them with a match"
        )
    return result
