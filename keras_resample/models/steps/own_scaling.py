"""Does a model scale its images itself?"""

import itertools

import keras

from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.models.steps.layers_inside import layers_inside

SCALING = (keras.layers.Rescaling, keras.layers.Normalization)
# By which `keras.applications.*.preprocess_input` leaves its trace in a functional model.
ARITHMETIC = {"Add", "Subtract", "Multiply", "Divide", "TrueDivide"}


def own_scaling(model):
    """Names of the layers and operations inside `model`, at any depth, that scale its images.

    They are layers `Rescaling` and `Normalization`, and the sums and quotients that a functional
    model does before its first layer, such as those of `keras.applications`' `preprocess_input`.
    """
    inside = [model, *layers_inside(model)]
    layers = [layer.name for layer in inside if isinstance(layer, SCALING)]
    graphs = [layer.operations for layer in inside if hasattr(layer, "operations")]
    return layers + [name for operations in graphs for name in _first_arithmetic(operations)]


def _first_arithmetic(operations):
    for operation in itertools.takewhile(_sees_pixels, operations):
        if type(operation).__name__ in ARITHMETIC:
            yield operation.name


def _sees_pixels(operation):
    """Whether what an operation returns still has the values of pixels."""
    kinds = (keras.layers.InputLayer, GridSampler)
    return not isinstance(operation, keras.Layer) or isinstance(operation, kinds)
