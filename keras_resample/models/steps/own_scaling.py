"""Does a model scale its images itself?"""

import itertools

import keras

from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.models.steps.layers_inside import layers_inside, parts

SCALING = (keras.layers.Rescaling, keras.layers.Normalization)
# By which `keras.applications.*.preprocess_input` leaves its trace in a functional model.
ARITHMETIC = {"Add", "Subtract", "Multiply", "Divide", "TrueDivide"}
# Layers that return what still has the values of pixels; so do all that are named Random*.
OF_PIXELS = (
    keras.layers.InputLayer,
    keras.layers.Identity,
    keras.layers.Resizing,
    keras.layers.CenterCrop,
    keras.layers.Cropping2D,
    keras.layers.ZeroPadding2D,
    keras.layers.UpSampling2D,
    keras.layers.Concatenate,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.Lambda,
    GridSampler,
)


def own_scaling(model):
    """Names of the layers and operations inside `model` that scale its images, or may.

    They are layers `Rescaling` and `Normalization` at any depth, and what comes before the first
    layer that makes features of the pixels: sums and quotients, such as those of
    `keras.applications`' `preprocess_input`, and layers `Lambda`, of which nobody knows.
    """
    inside = [model, *layers_inside(model)]
    layers = [layer.name for layer in inside if isinstance(layer, SCALING)]
    samplers = [layer for layer in inside if isinstance(layer, GridSampler)]
    networks = [network for sampler in samplers for network in parts(sampler)]
    firsts = [first for network in (model, *networks) for first in _beginnings(network)]
    return layers + [name for first in firsts for name in _first_arithmetic(first)]


def _beginnings(model):
    """What may see the images first: the model, or each part of one whose order nobody knows."""
    if not isinstance(model, keras.Model) or _operations(model) is not None:
        return [model]
    return [first for part in parts(model) for first in _beginnings(part)]


def _operations(model):
    """The layers and operations of a functional or sequential model; else `None`."""
    if isinstance(model, keras.Sequential):
        return model.layers
    return getattr(model, "operations", None)


def _first_arithmetic(model):
    for operation in itertools.takewhile(_sees_pixels, _flat(model)):
        if type(operation).__name__ in ARITHMETIC or isinstance(operation, keras.layers.Lambda):
            yield operation.name


def _flat(operation):
    """The layers and operations in their order, those of models inside in their place."""
    operations = _operations(operation)
    if operations is None:
        yield operation
    else:
        for part in operations:
            yield from _flat(part)


def _sees_pixels(operation):
    """Whether an operation gets, and returns, what still has the values of pixels."""
    if isinstance(operation, keras.Layer) and not isinstance(operation, OF_PIXELS):
        return type(operation).__name__.startswith("Random")
    return True
