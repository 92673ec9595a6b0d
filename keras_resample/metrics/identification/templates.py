"""Templates: one embedding for all the images and videos of a person in a set."""

import numpy as np

from keras_resample.arguments import as_bool, check_choice
from keras_resample.metrics.arrays import (
    embedding_array,
    inverse,
    label_array,
    lengths,
    progress_bar,
    to_numpy,
)

FLIPS = ("sum", "mean")
REDUCTIONS = ("mean", "sum")
# Images whose embeddings are sorted by template at a time.
ROWS = 8192


def aggregate_templates(
    embeddings,
    templates,
    media=None,
    detector_scores=None,
    mirrored=None,
    template_ids=None,
    flip="sum",
    normalize_images=False,
    media_reduction="mean",
    template_reduction="sum",
    normalize=True,
    verbose=0,
):
    """Embeddings of templates, by the rules of the IJB-B and IJB-C scripts.

    In this order: the embeddings of an image and its mirror image are added; scaled to length 1
    where `normalize_images`; multiplied by the detector score; averaged over each medium (a video,
    or a still image) of the template; added up over its media; scaled to length 1 once.

    Without `normalize_images` an image counts by the length of its embedding, which follows its
    quality ("norm-weighted").

    Args:
        embeddings: Float array (n, dim), of images.
        templates: Array (n,), the template of each image.
        media: Array (n,), the medium of each image, within its template; None for one each.
        detector_scores: Float array (n,), 0 or more, or None.
        mirrored: Float array (n, dim), of the images mirrored left to right, or None.
        template_ids: Array (t,) of different templates to return; None for all that have images,
            in ascending order. One without images is a vector of zeros.
        flip: "sum" or "mean" of `embeddings` and `mirrored`; they differ only with
            `normalize=False`.
        normalize_images: Whether images are scaled to length 1 before anything is added up.
        media_reduction: "mean" or "sum" over the images of a medium.
        template_reduction: "sum" or "mean" over the media of a template; they differ only with
            `normalize=False`.
        normalize: Whether templates are scaled to length 1; zeros stay zeros.
        verbose: 0, 1 or "auto" for a progress bar, 2 for a line at the end.

    Returns:
        features (t, dim), float32, or float64 for float64 embeddings, and the template of each,
        (t,).

    Raises:
        ValueError: For shapes that do not fit, an option out of these, embeddings or scores that
            are not finite, and `template_ids` that repeat.

    Example:
    >>> import keras_resample as kr
    >>> features, ids = kr.metrics.aggregate_templates(
    ...     [[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]], templates=[5, 5, 5], media=[1, 1, 2],
    ...     normalize=False)
    >>> features.tolist(), ids.tolist()
    ([[2.0, 2.0]], [5])

    Reference:
        - [IJB-C, Maze et al., 2018](https://doi.org/10.1109/ICB2018.2018.00033)
    """
    check_choice(flip, "flip", FLIPS)
    check_choice(media_reduction, "media_reduction", REDUCTIONS)
    check_choice(template_reduction, "template_reduction", REDUCTIONS)
    normalize_images = as_bool(normalize_images, "normalize_images")
    normalize, embeddings = as_bool(normalize, "normalize"), embedding_array(embeddings)
    n = len(embeddings)
    templates = label_array(templates, n, "templates")
    media = np.arange(n) if media is None else label_array(media, n, "media")
    weights = np.ones(n) if detector_scores is None else _scores(detector_scores, n)
    lengths(embeddings)
    if mirrored is not None:
        mirrored = embedding_array(mirrored, "mirrored")
        lengths(mirrored, "mirrored")
        if mirrored.shape != embeddings.shape:
            raise ValueError(
                "`mirrored` must have the shape of `embeddings`. "
                f"Received: {mirrored.shape} and {embeddings.shape}"
            )
    found, template_of = np.unique(templates, return_inverse=True)
    ids = found if template_ids is None else _ids(template_ids)

    def images(rows):
        block = embeddings[rows].astype("float64")
        if mirrored is not None:
            block = (block + mirrored[rows]) * (0.5 if flip == "mean" else 1.0)
        if normalize_images:
            block *= inverse(lengths(block))[:, None]
        return block * weights[rows, None]

    # Images in the order of their templates and media, each image with its share of the result.
    order = np.lexsort((np.unique(media, return_inverse=True)[1], template_of))
    starts_medium = _changes(template_of[order]) | _changes(media[order])
    medium_of = np.cumsum(starts_medium) - 1
    share = np.ones(n)
    if media_reduction == "mean":
        share /= np.bincount(medium_of)[medium_of]
    if template_reduction == "mean":
        share /= np.bincount(template_of[order][starts_medium])[template_of[order]]
    sums = np.zeros((len(found), embeddings.shape[1]))
    bar = progress_bar(-(-n // ROWS), verbose)
    for done, start in enumerate(range(0, n, ROWS), start=1):
        rows = order[start : start + ROWS]
        first = np.flatnonzero(_changes(template_of[rows]))
        block = images(rows) * share[start : start + ROWS, None]
        sums[template_of[rows[first]]] += np.add.reduceat(block, first, axis=0)
        bar.update(done)
    if normalize:
        sums *= inverse(lengths(sums))[:, None]
    features = np.zeros((len(ids), sums.shape[1]), embeddings.dtype)
    position = np.minimum(np.searchsorted(found, ids), len(found) - 1)
    present = found[position] == ids
    features[present] = sums[position[present]]
    return features, ids


def template_rows(ids, templates, name):
    """Where each of `templates` stands in `ids`."""
    templates = to_numpy(templates)
    order = np.argsort(ids)
    position = order[np.minimum(np.searchsorted(ids, templates, sorter=order), len(ids) - 1)]
    unknown = templates[ids[position] != templates]
    if unknown.size:
        raise ValueError(
            f"`{name}` must be templates that have features. "
            f"Received: {unknown.size} that have none, the first is {unknown[0]}"
        )
    return position


def _changes(values):
    """True where a value differs from the one before it, and at the first."""
    return np.r_[True, values[1:] != values[:-1]]


def _scores(scores, n):
    scores = label_array(scores, n, "detector_scores").astype("float64")
    if not np.all(np.isfinite(scores) & (scores >= 0)):
        raise ValueError(
            "`detector_scores` must be finite, and 0 or more. "
            f"Received: from {np.min(scores)} to {np.max(scores)}"
        )
    return scores


def _ids(ids):
    ids = to_numpy(ids)
    if ids.ndim != 1 or len(np.unique(ids)) != ids.size:
        raise ValueError(
            "`template_ids` must be an array of different templates. "
            f"Received: template_ids.shape={ids.shape}"
        )
    return ids
