"""Checks of the images, label maps and networks of a `Segmenter`."""

import keras
import numpy as np

from keras_resample.arguments import as_bool, as_number
from keras_resample.heads.classifier_outputs import LOGITS, PROBABILITIES, classifier_outputs
from keras_resample.heads.labels import visible


def as_edge_weight(edge_weight, sampler):
    """`edge_weight` as a float or None; 0 for a sampler without saliency map."""
    if edge_weight is None:
        return None
    edge_weight = as_number(edge_weight, "edge_weight", "[0, inf)", "or None")
    if edge_weight > 0 and not hasattr(sampler, "saliency_map"):
        raise ValueError(
            "`edge_weight` needs a sampler with a saliency map, such as SaliencySampler. "
            f"Received: {edge_weight=}, sampler={sampler!r}"
        )
    return edge_weight


def check_image_batch(shape, data_format):
    """Raises unless images of this shape are a batch."""
    if len(shape) != 4:
        places = "(b, c, h, w)" if data_format == "channels_first" else "(b, h, w, c)"
        raise ValueError(
            f"`images` must be a batch {places}; one image is a batch of one, image[None]. "
            f"Received: images of shape {tuple(shape)}"
        )


def as_from_logits(from_logits, network):
    """`from_logits` as a bool, which the last layer of the network does not contradict."""
    from_logits = as_bool(from_logits, "from_logits")
    found = classifier_outputs(network)
    if found not in (None, LOGITS if from_logits else PROBABILITIES):
        end = "ends in a softmax or sigmoid" if from_logits else "ends without a softmax"
        raise ValueError(
            f"`from_logits` must be {not from_logits} for a network that {end}. "
            f"Received: from_logits={from_logits}, and a network that returns {found}"
        )
    return from_logits


def number_of_classes(shape, data_format):
    """Of a network with outputs of this shape."""
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
    """Raises where the sample is larger than the image, as far as both are known."""
    pairs = zip(size, image_size, strict=True)
    if any(isinstance(n, int) and isinstance(of, int) and n > of for n, of in pairs):
        raise ValueError(
            "`sampler` must not make images larger. "
            f"Received: samples of size {tuple(size)} of images of size {tuple(image_size)}"
        )


def check_label_map(labels, image_shape, data_format):
    """Raises unless the labels are integers (b, h, w) of the size of the images."""
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
    """Raises where a label is no class of the network; tensors of a traced step are not seen."""
    labels = visible(labels)
    if labels is None:
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
