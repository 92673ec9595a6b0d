"""Which torch tensor belongs to which Keras variable, and how it has to be turned."""

import re

import keras
import numpy as np

from keras_resample.models.convert.layouts import MOBILEFACENET, RESNET, modules

LEAVES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "kernel": "weight",
    "alpha": "weight",
    "bias": "bias",
}


class Slot:
    """One variable of the network and the tensor that fills it.

    Args:
        layer, variable: Where the tensor goes.
        pixels: (height, width) of the feature map before the projection.
    """

    def __init__(self, layer, variable, pixels):
        self.layer, self.variable, self.pixels = layer, variable, pixels

    @property
    def torch_shape(self):
        """Shape of the tensor in the file."""
        shape = tuple(self.variable.shape)
        if len(shape) == 4:
            height, width, inputs, outputs = shape
            # Keras counts the channels of a depthwise kernel as its inputs.
            return (inputs, outputs, height, width) if self._depthwise else (
                outputs, inputs, height, width)  # fmt: skip
        if self.variable.name == "alpha":
            return (int(np.prod(shape)),)
        return shape[::-1]

    def to_keras(self, array):
        """The tensor in the layout of the variable."""
        if array.ndim == 4:
            return array.transpose(2, 3, 0, 1) if self._depthwise else array.transpose(2, 3, 1, 0)
        if array.ndim == 2:
            # torch flattens (channel, height, width), Keras (height, width, channel).
            array = array.reshape(len(array), -1, *self.pixels).transpose(2, 3, 1, 0)
        return array.reshape(self.variable.shape)

    @property
    def _depthwise(self):
        return isinstance(self.layer, keras.layers.DepthwiseConv2D)


def slots(backbone, one):
    """`Slot` of every torch name that the network needs."""
    pixels = (1, 1) if one is RESNET else _pixels(backbone.get_layer("flatten"))
    names = modules(one, depths_of(backbone, one))
    return {
        f"{names[layer.name]}.{LEAVES[variable.name]}": Slot(layer, variable, pixels)
        for layer in backbone.layers
        if layer.name in names
        for variable in layer.weights
        if variable.name in LEAVES
    }


def _pixels(flatten):
    shape = flatten.input.shape
    return shape[2:] if flatten.data_format == "channels_first" else shape[1:3]


def depths_of(backbone, one):
    """Blocks of every stage, from the names of the layers."""
    first = 0 if one is MOBILEFACENET else 1
    depths = {}
    for layer in backbone.layers:
        if match := re.match(r"(?:layer|stage)(\d+)_(\d+)_", layer.name):
            stage, block = map(int, match.groups())
            depths[stage] = max(depths.get(stage, 0), block + 1)
    return [depths.get(stage, 1) for stage in range(first, max(depths) + 1)]


def find_backbone(model, one):
    """The network inside `model`, which may stand behind a sampler or in a `Recognizer`."""
    mark = "conv_sep" if one is MOBILEFACENET else "layer1_0_conv1"
    found = [
        part
        for part in models_in(model)
        if {mark, "flatten", "fc", "features"} <= {layer.name for layer in part.layers}
    ]
    if len(found) != 1:
        wanted = "MobileFaceNet" if one is MOBILEFACENET else "IResNet"
        raise ValueError(
            f"`model` must contain exactly one `{wanted}` of keras_resample.models. "
            f"Received: {model} with {len(found)}"
        )
    return found[0]


def models_in(model):
    """The model and all that it contains."""
    if isinstance(model, keras.Model):
        yield model
        for layer in model.layers:
            yield from models_in(layer)
