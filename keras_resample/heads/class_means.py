"""Directions of classes that were not learned but measured."""

import numpy as np
from keras import ops

from keras_resample.heads.labels import check_label_range, check_labels


def class_means(embeddings, labels, num_classes):
    """The mean embedding of each class, of length 1: float32 (num_classes, dim).

    Args:
        embeddings: (n, dim), finite.
        labels: integers (n,) or (n, 1), of every class at least one.
        num_classes: number of classes.
    """
    embeddings, labels = (
        ops.convert_to_numpy(x) if ops.is_tensor(x) else np.asarray(x) for x in (embeddings, labels)
    )
    if embeddings.ndim != 2 or not np.all(np.isfinite(embeddings)):
        raise ValueError(
            "`embeddings` must be a finite array (n, dim). "
            f"Received: embeddings.shape={embeddings.shape}"
        )
    check_labels(labels, embeddings)
    check_label_range(labels, num_classes)
    labels = labels.reshape(-1)
    missing = np.flatnonzero(np.bincount(labels, minlength=num_classes) == 0)
    if missing.size:
        raise ValueError(
            f"`labels` must hold each of the {num_classes} classes. "
            f"Received: none of {missing[:5].tolist()}"
        )
    sums = np.zeros((num_classes, embeddings.shape[1]))
    np.add.at(sums, labels, embeddings)
    lengths = np.linalg.norm(sums, axis=1)
    zero = np.flatnonzero(lengths == 0)
    if zero.size:
        raise ValueError(
            "`embeddings` must have a mean other than zero in each class. "
            f"Received: zeros for the classes {zero[:5].tolist()}"
        )
    return (sums / lengths[:, None]).astype("float32")
