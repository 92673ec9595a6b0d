"""Galleries of one random image an identity, as VehicleID is evaluated."""

import numpy as np

from keras_resample.arguments import as_integer
from keras_resample.datasets.base.epoch_order import random_generator
from keras_resample.datasets.base.identity_dataset import as_labels


def gallery_draws(labels, num_draws=10, seed=0):
    """Draws one image of each identity for the gallery; all others are the probes.

    The protocol of VehicleID: numbers are averaged over ten draws. An identity with a single
    image is in the gallery and is never searched.

    Args:
        labels: integers `(n,)`, the identity of each image, such as `dataset.labels`.
        num_draws: number of draws.
        seed: non-negative integer. Draw `i` is a function of `(seed, i)` and the labels.

    Returns:
        A list of `num_draws` pairs `(probes, gallery)` of indices into `labels`, int64: probes in
        their order, the gallery in the order of the identities.

    Raises:
        ValueError: for labels that are no integers, none of which comes twice, or a wrong argument.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> labels = np.array([0, 0, 1, 1, 1])
    >>> embeddings = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.9]])
    >>> rank1 = [
    ...     kr.metrics.cmc(embeddings[probes] @ embeddings[gallery].T, labels[probes],
    ...                    labels[gallery], ranks=1)
    ...     for probes, gallery in kr.datasets.gallery_draws(labels, num_draws=10, seed=0)]
    >>> len(rank1), bool(0 < np.mean(rank1) < 1)
    (10, True)
    """
    labels = as_labels(labels)
    num_draws = as_integer(num_draws, "num_draws")
    seed = as_integer(seed, "seed", 0)
    if len(np.unique(labels)) == len(labels):
        raise ValueError(
            "`labels` must hold an identity with two images. "
            f"Received: {len(labels)} labels, all of them different"
        )
    return [_draw(labels, random_generator(seed, number)) for number in range(num_draws)]


def _draw(labels, random):
    order = random.permutation(len(labels))
    gallery = order[np.unique(labels[order], return_index=True)[1]]
    return np.setdiff1d(np.arange(len(labels)), gallery), gallery
