"""Pairs of images of one resolution, and of two."""

import itertools

import numpy as np

from keras_resample import metrics
from keras_resample.compare.resolutions.names import BICUBIC, HIGH, SCRATCH, TRUNKS
from keras_resample.metrics.verification.all_pairs import bounded_pairs

# The false accept rate of the tables.
FAR = 1e-3
NOTHING = {"eer": None, "tar": None, "accuracy": None}


def measured(embeddings, labels, pairs=None, others=None):
    """EER and TAR over all pairs of images, accuracy of listed ones.

    Args:
        embeddings: (n, dim), of images of one resolution.
        labels: (n,).
        pairs: `Pairs`, or None for no accuracy. The first of each is of `embeddings`.
        others: (n, dim), of the same images in the same order at another resolution: all pairs
            are those of two images at the two. None for pairs of one resolution.

    Returns:
        dict of "eer", "tar" and "accuracy": the mean over the folds of the pairs, each at the
        threshold that is best on the other folds. None for what cannot be measured.
    """
    second = embeddings if others is None else others
    if not (np.isfinite(embeddings).all() and np.isfinite(second).all()):
        return NOTHING
    scores, same, counts = bounded_pairs(embeddings, labels, others)
    (tar,) = metrics.tar_at_far(scores, same, [FAR], counts=counts)
    accuracy = None
    if pairs is not None:
        both = np.stack([embeddings[pairs.rows[:, 0]], second[pairs.rows[:, 1]]], 1)
        listed = both.reshape(-1, both.shape[-1])
        accuracy, _ = metrics.lfw_accuracy(listed, pairs.same, pairs.folds)
    return {
        "eer": float(metrics.eer(scores, same, counts)),
        "tar": float(tar) if np.isfinite(tar) else None,
        "accuracy": accuracy,
    }


def of_records(records, labels, settings, pairs=None):
    """EER, TAR and accuracy of every method and seed, for each pair of resolutions.

    A network of one resolution is set against the trunk at the full one; a network that was trained
    from scratch against that of high resolution, the only one it could be compatible with.

    Args:
        records: list of a dict for each run, with its embeddings by their resolutions.
        labels: (n,), of the test images.
        settings: `ResolutionSettings`.
        pairs: as in `measured`.

    Returns:
        List of dicts: "method", "seed", "pair" (two names of resolutions), and those of `measured`.
    """
    found = []
    for (method, seed), embeddings in _together(records, settings).items():
        for pair in itertools.combinations_with_replacement(embeddings, 2):
            one, other = (embeddings[name] for name in pair)
            numbers = measured(one, labels, pairs, None if pair[0] == pair[1] else other)
            found.append({"method": method, "seed": seed, "pair": list(pair), **numbers})
    return found


def _together(records, settings):
    """dict from method and seed to the embeddings at each resolution, large ones first."""
    full, *small = settings.sizes()
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
        partner = trunks.get((HIGH if method == SCRATCH else settings.base, seed))
        own = found.setdefault((method, seed), {} if partner is None else {full: partner[full]})
        own.update({name: record[name] for name in small if name in record})
    return found
