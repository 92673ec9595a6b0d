"""The 1:1 and 1:N protocols of IJB-B and IJB-C, by the rules of the published scripts."""

import numpy as np

from keras_resample.metrics.arrays import (
    embedding_array,
    label_array,
    rate_array,
    rate_count,
    to_numpy,
)
from keras_resample.metrics.identification.identification import cmc
from keras_resample.metrics.identification.templates import template_rows
from keras_resample.metrics.verification.operating_points import tar_at_far
from keras_resample.metrics.verification.pair_scores import pair_scores
from keras_resample.metrics.verification.score_blocks import ScoreBlocks, labelled_blocks

FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def ijb_verification(features, ids, first, second, same, fars=FARS, rule="ijb", verbose=0):
    """TAR at FAR over listed pairs of templates: the 1:1 protocol of IJB-B and IJB-C.

    Args:
        features: Float array (t, dim), of templates, as `aggregate_templates` returns them.
        ids: Array (t,), the template of each row.
        first: Array (p,) of templates.
        second: Array (p,) of templates.
        same: Bool array (p,), whether the pair shows one identity.
        fars: False accept rates.
        rule: As in `tar_at_far`. "ijb" is what papers report.
        verbose: As in `pair_scores`.

    Returns:
        dict from "tar@far=1e-06" and so on to floats in [0, 1].

    Raises:
        ValueError: For templates without features, and what `tar_at_far` raises.

    Example:
    >>> import keras_resample as kr
    >>> features, ids = [[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], [10, 11, 12]
    >>> kr.metrics.ijb_verification(
    ...     features, ids, [10, 10], [11, 12], [True, False], fars=[0.1])
    {'tar@far=0.1': 1.0}
    """
    features, ids = _templates(features, ids)
    rows = [template_rows(ids, x, n) for x, n in ((first, "first"), (second, "second"))]
    scores = pair_scores(features, *rows, verbose=verbose)
    fars = np.ravel(rate_array(fars, "fars"))
    tars = tar_at_far(scores, same, fars, rule)
    return {f"tar@far={far:g}": float(tar) for far, tar in zip(fars, tars, strict=True)}


def ijb_identification(
    features,
    ids,
    probe_templates,
    probe_subjects,
    gallery_templates,
    gallery_subjects,
    ranks=(1, 5, 10),
    fpirs=(0.01, 0.1),
    verbose=0,
):
    """Closed-set identification of templates: the 1:N protocol as the published scripts have it.

    Every subject of a probe has one template in the gallery. Beside the rank-k rates the scripts
    report a "TPIR at FPIR" without probes that are not in the gallery: with Q probes, the threshold
    is the ceil(Q FPIR)-th highest score of all pairs of different subjects, and TPIR is the share
    of probes whose mate scores above it, at any rank. It is not the open-set number of that name,
    which is `tpir_at_fpir`.

    IJB-B and IJB-C have two galleries, S1 and S2, of different subjects: pass both as one, as the
    scripts do, or one with its probes.

    Args:
        features: Float array (t, dim), of templates, as `aggregate_templates` returns them.
        ids: Array (t,), the template of each row.
        probe_templates: Array (q,) of templates.
        probe_subjects: Array (q,), the subject of each.
        gallery_templates: Array (g,) of templates.
        gallery_subjects: Array (g,), the subject of each, all different.
        ranks: Ranks.
        fpirs: Rates in (0, 1].
        verbose: 0, 1 or "auto" for a progress bar, 2 for a line at the end.

    Returns:
        dict from "rank_1", "tpir@fpir=0.01" and so on to floats in [0, 1].

    Raises:
        ValueError: For templates without features, subjects twice in the gallery or of a probe that
            are not in it, and rates or ranks out of range.

    Example:
    >>> import keras_resample as kr
    >>> features, ids = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], [10, 11, 12]
    >>> kr.metrics.ijb_identification(
    ...     features, ids, [12], ["b"], [10, 11], ["a", "b"], ranks=[1], fpirs=[0.1])
    {'rank_1': 1.0, 'tpir@fpir=0.1': 1.0}
    """
    features, ids = _templates(features, ids)
    gallery_subjects = to_numpy(gallery_subjects)
    subjects, times = np.unique(gallery_subjects, return_counts=True)
    if np.any(times > 1):
        raise ValueError(
            "`gallery_subjects` must be all different. "
            f"Received: {subjects[times > 1][0]!r} {times.max()} times"
        )
    probe_subjects = to_numpy(probe_subjects)
    unknown = ~np.isin(probe_subjects, subjects)
    if unknown.any():
        raise ValueError(
            "`probe_subjects` must be in the gallery. "
            f"Received: {np.sum(unknown)} that are not, the first is {probe_subjects[unknown][0]!r}"
        )
    fpirs, ranks = np.ravel(rate_array(fpirs, "fpirs")), np.ravel(to_numpy(ranks))
    if np.any(fpirs == 0):
        raise ValueError(f"`fpirs` must be in (0, 1]. Received: fpirs={fpirs}")
    probes = features[template_rows(ids, probe_templates, "probe_templates")]
    gallery = features[template_rows(ids, gallery_templates, "gallery_templates")]
    scores = ScoreBlocks(probes, gallery, verbose=verbose)
    found = cmc(scores, probe_subjects, gallery_subjects, ranks)
    places = np.ceil(rate_count(fpirs, len(probes))).astype("int64")
    mates, others = _mates_and_highest(scores, probe_subjects, gallery_subjects, places.max())
    tpirs = [float(np.mean(mates > others[place - 1])) for place in places]
    return {f"rank_{k}": float(rate) for k, rate in zip(ranks, found, strict=True)} | {
        f"tpir@fpir={fpir:g}": tpir for fpir, tpir in zip(fpirs, tpirs, strict=True)
    }


def _mates_and_highest(scores, probe_subjects, gallery_subjects, count):
    """Scores of the mates, and the `count` highest of all others, highest first.

    Where there are fewer others, the rest is minus infinity.
    """
    mates, highest = [], np.full(count, -np.inf)
    for block, match, _ in labelled_blocks(scores, probe_subjects, gallery_subjects):
        mates.append(block[match])
        candidates = np.concatenate([highest, block[~match]])
        highest = np.partition(candidates, len(candidates) - count)[-count:]
    return np.concatenate(mates), np.sort(highest)[::-1]


def _templates(features, ids):
    features = embedding_array(features, "features")
    ids = label_array(ids, len(features), "ids")
    if len(np.unique(ids)) != len(ids):
        raise ValueError(f"`ids` must be all different. Received: {len(ids)} with repetitions")
    return features, ids
