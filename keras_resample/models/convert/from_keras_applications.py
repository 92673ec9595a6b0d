"""Loading the weights of a ResNet of `keras.applications`."""

import re

import keras
import numpy as np

from keras_resample.models.convert.branches import check_trained_on, copy_to_branches, find_msgn

BLOCK = re.compile(r"conv(\d)_block(\d+)_(\d)_(conv|bn)")
LEAVES = ("gamma", "beta", "moving_mean", "moving_variance")


def from_keras_applications(source, model):
    """Copies the weights of a ResNet of `keras.applications` into an `MSGN`.

    Every local branch begins as a copy of the last two stages. The convolutions of the source have
    biases, those of the model have none: a batch normalization of `x + bias` is one of `x` whose
    mean is less by the bias, and what the two add to the variance differs by 1e-8, which the
    variance takes up. So a plain network, `MSGN(num_local_branches=0, conv3="stride",
    stride_in="1x1")`, gives what the source gives.

    The classifier is copied where the model has one of the same shape; else it stays as it is.

    Args:
        source: `keras.applications.ResNet50`, `ResNet101` or `ResNet152`, of the first version,
            or a network of the same layer names.
        model: A `keras.Model` that is or contains one `MSGN` of the same depths, made with
            `stride_in="1x1"` and `include_preprocessing="caffe"`, or `False` where the images
            come from `keras.applications.resnet.preprocess_input`.

    Returns:
        `model`.

    Raises:
        ValueError: For models of other kinds, and for weights that do not fit (listed). The model
            is then unchanged.

    Example:
    >>> import keras
    >>> import keras_resample as kr
    >>> source = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
    >>> kr.models.convert.from_keras_applications(source, kr.models.MSGN("resnet18"))
    Traceback (most recent call last):
        ...
    ValueError: `source` must be a ResNet of keras.applications. Received: ...
    """
    names = {layer.name for layer in getattr(source, "layers", ())}
    if not isinstance(source, keras.Model) or not {"conv1_conv", "conv1_bn"} <= names:
        raise ValueError(
            f"`source` must be a ResNet of keras.applications. Received: source={source!r}"
        )
    network = find_msgn(model)
    check_trained_on(network, "caffe", "1x1")
    values = _values(source)
    classifier = [layer for layer in network.layers if layer.name == "fc"]
    if classifier and _shapes(values.get("fc", [])) != _shapes(classifier[0].weights):
        classifier = []
    places = {layer.name: layer for layer in network.layers if _is_filled(layer)}
    places |= {layer.name: layer for layer in classifier}
    values = {name: value for name, value in values.items() if name != "fc" or classifier}
    wrong = [
        name
        for name in sorted({*places, *values})
        if name not in places
        or name not in values
        or _shapes(values[name]) != _shapes(places[name].weights)
    ]
    if wrong:
        raise ValueError(
            "`model` must have the layers of `source`, in the same sizes. "
            f"Received: {len(wrong)} that differ: {', '.join(wrong[:8])}"
        )
    for name, layer in places.items():
        layer.set_weights(values[name])
    copy_to_branches(network)
    return model


def _is_filled(layer):
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)
    return isinstance(layer, kinds) and re.match(r"(conv|bn)1$|layer\d_", layer.name) is not None


def _values(source):
    """The weights of every layer of the model, by its name there."""
    values = {}
    layers = {layer.name: layer for layer in source.layers}
    for name, layer in layers.items():
        if name.endswith("_conv") and f"{name[:-4]}bn" in layers and layer.weights:
            convolution, normalization = _names(name)
            kernel, *bias = layer.get_weights()
            values[convolution] = [kernel]
            values[normalization] = _folded(layers[f"{name[:-4]}bn"], bias, 1e-5)
    if "predictions" in layers:
        values["fc"] = layers["predictions"].get_weights()
    return values


def _folded(normalization, bias, epsilon):
    """Weights of the batch normalization that gives the same without the bias before it."""
    gamma, beta, mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(getattr(normalization, leaf))) for leaf in LEAVES
    )
    mean = mean - bias[0] if bias else mean
    return [gamma, beta, mean, variance + np.float32(normalization.epsilon - epsilon)]


def _names(convolution):
    """Of `conv3_block1_0_conv` those of the model's convolution and its normalization."""
    match = BLOCK.fullmatch(convolution)
    if match is None:
        return "conv1", "bn1"
    stage, block, number = int(match[1]) - 1, int(match[2]) - 1, match[3]
    name = f"layer{stage}_{block}"
    if number == "0":
        return f"{name}_downsample_0", f"{name}_downsample_1"
    return f"{name}_conv{number}", f"{name}_bn{number}"


def _shapes(weights):
    return [tuple(weight.shape) for weight in weights]
