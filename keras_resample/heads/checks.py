"""Checks of the labels and counts that heads and models take."""

import keras
import numpy as np
from keras import ops


def check_range(labels, num_classes):
    """Raise unless the labels are in [0, num_classes); tensors of a traced step are not seen."""
    try:
        values = ops.convert_to_numpy(labels)
    except (TypeError, NotImplementedError):  # what JAX and TensorFlow raise while tracing
        return
    wrong = values[(values < 0) | (values >= num_classes)]
    if wrong.size:
        raise ValueError(
            f"`labels` must be in [0, num_classes) with num_classes={num_classes}. "
            f"Received: labels with values {sorted({int(v) for v in wrong})[:5]}"
        )


def check_labels(labels, embeddings=None):
    """Raise unless the labels are integers (b,) or (b, 1), one for each embedding."""
    dtype, shape = keras.backend.standardize_dtype(labels.dtype), tuple(labels.shape)
    if "int" not in dtype:
        raise ValueError(f"`labels` must be integers. Received: labels.dtype={dtype}")
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(f"`labels` must have shape (b,) or (b, 1). Received: labels.shape={shape}")
    batch = shape[0] if embeddings is None else embeddings.shape[0]
    if None not in (batch, shape[0]) and batch != shape[0]:
        raise ValueError(
            "`labels` must have one entry per embedding. Received: "
            f"labels.shape={shape}, embeddings.shape={tuple(embeddings.shape)}"
        )


def check_count(name, count):
    """Raise unless the argument is an integer of at least 1."""
    if not isinstance(count, (int, np.integer)) or count < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={count!r}")


def check_momentum(momentum):
    """Raise unless it is the weight of a batch in a running average."""
    if not 0 <= momentum <= 1:
        raise ValueError(f"`momentum` must be in [0, 1]. Received: {momentum=}")
