"""Checks of the labels that heads, losses and models take."""

import keras
from keras import ops

NAMES = ("O", "S", "U")  # kinds of numpy's dtypes: objects, bytes, text


def visible(labels):
    """Labels as a numpy array, or `None` for a tensor of a traced step, which nobody can see."""
    try:
        return ops.convert_to_numpy(labels)
    except (TypeError, NotImplementedError):  # what JAX and TensorFlow raise while tracing
        return None


def check_label_range(labels, num_classes):
    """Raises unless the labels are in [0, num_classes); tensors of a traced step are not seen."""
    values = visible(labels)
    if values is None:
        return
    wrong = values[(values < 0) | (values >= num_classes)]
    if wrong.size:
        raise ValueError(
            f"`labels` must be in [0, num_classes) with num_classes={num_classes}. "
            f"Received: labels with values {sorted({int(v) for v in wrong})[:5]}"
        )


def check_label_array(labels, num_classes):
    """Raises unless the labels, an array or a tensor, are integers in [0, num_classes)."""
    labels = ops.convert_to_numpy(labels)
    check_labels(labels)
    check_label_range(labels, num_classes)


def missing_labels():
    """The error of a model that is to train or evaluate on images alone."""
    return ValueError(
        "`labels` are needed to train or evaluate: fit(images, labels), or a data set whose "
        "batches are (images, labels), such as kr.datasets.IdentityDataset. Received: labels=None"
    )


def check_labels(labels, embeddings=None):
    """Raises unless the labels are integers (b,) or (b, 1), one for each embedding."""
    if getattr(labels.dtype, "kind", None) in NAMES:
        raise ValueError(
            "`labels` must be integers, not names: names, labels = np.unique(labels, "
            f"return_inverse=True). Received: labels.dtype={labels.dtype}"
        )
    dtype = keras.backend.standardize_dtype(labels.dtype)
    if "int" not in dtype:
        raise ValueError(f"`labels` must be integers. Received: labels.dtype={dtype}")
    check_label_shape(labels, embeddings)


def check_label_shape(labels, embeddings=None, name="labels"):
    """Raises unless the labels have shape (b,) or (b, 1), one for each embedding."""
    shape = tuple(labels.shape)
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(f"`{name}` must have shape (b,) or (b, 1). Received: {name}.shape={shape}")
    batch = shape[0] if embeddings is None else embeddings.shape[0]
    if None not in (batch, shape[0]) and batch != shape[0]:
        raise ValueError(
            f"`{name}` must have one entry per embedding. Received: {name}.shape={shape} and "
            f"embeddings of shape {tuple(embeddings.shape)}"
        )
