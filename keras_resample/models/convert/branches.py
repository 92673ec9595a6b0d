"""What the weights of a plain residual network meet in an `MSGN`."""

import re

import keras

from keras_resample.models.convert.variables import models_in
from keras_resample.models.networks.residual_layers import DEVIATION

# First variance of the normalization of images, by `include_preprocessing`.
VARIANCES = {"caffe": 1.0, True: DEVIATION[0] ** 2}


def find_msgn(model):
    """The network inside `model`."""
    found = [part for part in models_in(model) if _is_msgn(part)]
    if len(found) != 1:
        raise ValueError(
            "`model` must contain exactly one `MSGN` of keras_resample.models. "
            f"Received: {model} with {len(found)}"
        )
    return found[0]


def check_trained_on(network, preprocessing, stride_in):
    """Raises where the network treats its images otherwise than the weights expect."""
    names = {layer.name: layer for layer in network.layers}
    if "preprocessing" in names:
        variance = names["preprocessing"].input_variance
        first = float(keras.ops.convert_to_numpy(variance).reshape(-1)[0])
        if abs(first - VARIANCES[preprocessing]) > 1e-3 * first:
            raise ValueError(
                f"`model` must be built with include_preprocessing={preprocessing!r} or False for "
                f"these weights. Received: a normalization of variance {first}"
            )
    place = {"conv1": "1x1", "conv2": "3x3"}
    for name, layer in names.items():
        match = re.fullmatch(r"layer\d_0_(conv[12])", name)
        is_bottleneck = name[:-1] + "3" in names
        if match and is_bottleneck and layer.strides != (1, 1) and place[match[1]] != stride_in:
            raise ValueError(
                f"`model` must be built with stride_in={stride_in!r} for these weights. "
                f"Received: a stride in {name!r}"
            )


def copy_to_branches(network):
    """Gives every local branch the weights of the global one's Conv4 and Conv5."""
    layers = {layer.name: layer for layer in network.layers}
    for name, layer in layers.items():
        if match := re.fullmatch(r"local\d+_(layer\d_.*)", name):
            layer.set_weights(layers[match[1]].get_weights())


def without_other_classifier(places, tensors):
    """Both, by torch name, without the classifier where that of the file is of another shape."""
    own = {key: place.torch_shape for key, place in places.items() if _is_classifier(key)}
    given = {key: tensor.shape for key, tensor in tensors.items() if _is_classifier(key)}
    if own == given:
        return places, tensors
    return tuple(
        {key: value for key, value in part.items() if not _is_classifier(key)}
        for part in (places, tensors)
    )


def _is_classifier(key):
    return key.startswith("fc.")


def _is_msgn(model):
    names = {layer.name for layer in model.layers}
    return {"conv1", "bn1", "layer4_0_conv1", "avgpool", "predictions"} <= names
