"""Checks of the images, label maps and networks of a `Segmenter`."""

import keras
import numpy as np
from keras import ops


def check_ignore_class(ignore_class):
    """`ignore_class` if it is an integer or None."""
    is_integer = isinstance(ignore_class, (int, np.integer)) and not isinstance(ignore_class, bool)
    if ignore_class is not None and not is_integer:
        raise ValueError(f"`ignore_class` must be an integer or None. Received: {ignore_class=}")
    return None if ignore_class is None else int(ignore_class)


def check_edge_weight(edge_weight, sampler):
    """`edge_weight` if it is None or at least 0, and 0 for a sampler without saliency map."""
    if edge_weight is None:
        return None
    is_number = isinstance(edge_weight, (int, float, np.number))
    if not is_number or isinstance(edge_weight, bool) or not 0 <= edge_weight < float("inf"):
        raise ValueError(
            f"`edge_weight` must be None or a number of at least 0. Received: {edge_weight=}"
        )
    if edge_weight > 0 and not hasattr(sampler, "saliency_map"):
        raise ValueError(
            "`edge_weight` needs a sampler with a saliency map, such as SaliencySampler. "
            f"Received: {edge_weight=}, sampler={sampler!r}"
        )
    return float(edge_weight)


def check_output(shape, data_format):
    """Number of classes of a network with outputs of this shape."""
    axis = 1 if data_format == "channels_first" else -1
    places = "(b, classes, h, w)" if data_format == "channels_first" else "(b, h, w, classes)"
    is_map = isinstance(shape, (tuple, list)) and len(shape) == 4
    if not is_map or not isinstance(shape[axis], int) or shape[axis] < 2:
        raise ValueError(
            f"`network` must return one map of scores {places} with at least 2 classes (a binary "
            f"task has two). Received: network with outputs of shape {shape}"
        )
    return shape[axis]


def check_sample_size(size, image_size):
    """Raise where the sample is larger than the image, as far as both are known."""
    pairs = zip(size, image_size, strict=True)
    if any(isinstance(n, int) and isinstance(of, int) and n > of for n, of in pairs):
        raise ValueError(
            "`sampler` must not make images larger. "
            f"Received: samples of size {tuple(size)} of images of size {tuple(image_size)}"
        )


def check_label_map(labels, image_shape, data_format):
    """Raise unless the labels are integers (b, h, w) of the size of the images."""
    dtype, shape = keras.backend.standardize_dtype(labels.dtype), tuple(labels.shape)
    if "int" not in dtype:
        raise ValueError(f"`labels` must be integers. Received: labels.dtype={dtype}")
    size = image_shape[2:] if data_format == "channels_first" else image_shape[1:3]
    expected = (image_shape[0], *size)
    fits = len(shape) == 3 and all(
        None in (n, of) or n == of for n, of in zip(shape, expected, strict=True)
    )
    if not fits:
        raise ValueError(
            "`labels` must have shape (b, h, w), the size of the images, without a channel axis. "
            f"Received: labels.shape={shape}, images.shape={tuple(image_shape)}"
        )


def check_class_ids(labels, num_classes, ignore_class):
    """Raise where a label is no class of the network; tensors of a traced step are not seen."""
    try:
        labels = ops.convert_to_numpy(labels)
    except (TypeError, NotImplementedError):  # what JAX and TensorFlow raise while tracing
        return
    unknown = set()
    for image in labels:  # one at a time: the comparisons need several bytes a pixel
        wrong = (image < 0) | (image >= num_classes)
        if ignore_class is not None:
            wrong &= image != ignore_class
        unknown.update(np.unique(image[wrong]).tolist() if wrong.any() else ())
    if unknown:
        raise ValueError(
            f"`labels` must be in [0, {num_classes}), the classes of the network, or "
            f"`ignore_class` where pixels belong to no class. "
            f"Received: labels with class ids {sorted(unknown)[:5]}, {ignore_class=}"
        )
