"""Pairs of images of one resolution, and of two."""

import itertools

import numpy as np

from keras_resample import metrics
from keras_resample.compare.resolutions.names import BICUBIC, HIGH, MULTI, SCRATCH, TRUNKS, case

# The false accept rate of the tables.
FAR = 1e-3
NOTHING = {"eer": None, "tar": None}


def same(embeddings, labels):
    """EER and TAR over all pairs of images of one resolution."""
    if not np.isfinite(embeddings).all():
        return NOTHING
    return _measured(*metrics.all_pairs(embeddings, labels))


def across(embeddings, others, labels):
    """EER and TAR over all pairs of an image of one resolution and another one's of a second.

    Args:
        embeddings, others: (n, dim), of the same images in the same order.
        labels: (n,).
    """
    if not (np.isfinite(embeddings).all() and np.isfinite(others).all()):
        return NOTHING
    first, second = (
        x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        for x in (embeddings, others)
    )
    apart = ~np.eye(len(labels), dtype=bool)
    return _measured((first @ second.T)[apart], np.equal.outer(labels, labels)[apart])


def of_records(records, labels, settings):
    """EER and TAR of every method and seed, for each pair of resolutions.

    A network of one resolution is set against the trunk at the full one; a network that was trained
    from scratch against that of high resolution, the only one it could be compatible with.

    Args:
        records: list of a dict for each run, with its embeddings by their resolutions.
        labels: (n,), of the test images.
        settings: `ResolutionSettings`.

    Returns:
        List of dicts: "method", "seed", "pair" (two names of resolutions), "eer", "tar".
    """
    found = []
    for (method, seed), embeddings in _together(records, settings).items():
        for pair in itertools.combinations_with_replacement(embeddings, 2):
            one, other = (embeddings[name] for name in pair)
            measured = same(one, labels) if pair[0] == pair[1] else across(one, other, labels)
            found.append({"method": method, "seed": seed, "pair": list(pair), **measured})
    return found


def _together(records, settings):
    """dict from method and seed to the embeddings at each resolution, large ones first."""
    full, small = case(settings.size), [case(side) for side in settings.resolutions]
    trunks = {(r["method"], r["seed"]): r for r in records if r["method"] in TRUNKS}
    found = {}
    for record in records:
        method, seed = record["method"], record["seed"]
        if method in TRUNKS:
            found[method, seed] = {name: record[name] for name in (full, *small)}
            if method == HIGH:
                sharp = {name: record[f"{name} {BICUBIC}"] for name in small}
                found[f"{HIGH} {BICUBIC}", seed] = {full: record[full], **sharp}
            continue
        partner = trunks.get((HIGH if method == SCRATCH else MULTI, seed))
        own = found.setdefault((method, seed), {} if partner is None else {full: partner[full]})
        own.update({name: record[name] for name in small if name in record})
    return found


def _measured(scores, same):
    (tar,) = metrics.tar_at_far(scores, same, [FAR])
    tar = float(tar) if np.isfinite(tar) else None
    return {"eer": float(metrics.eer(scores, same)), "tar": tar}
