"""How much a network computes: multiplications and additions of its convolutions and products."""

import functools
import math

import keras
from keras import layers

from keras_resample.layers.attention.relative_attention import RelativeAttention
from keras_resample.layers.attention.window_attention import WindowAttention
from keras_resample.layers.trunk.graph import is_functional
from keras_resample.ops.windows import window_counts

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


def gflops(model):
    """Arithmetic of one forward pass on one image, in 1e9 operations.

    Counts convolutions, dense layers and the products of attention, by the shapes of their calls:
    a layer that is called twice counts twice. A multiplication and an addition are two operations.
    Normalization, activation, pooling, sampling and what layers of other kinds do inside, such as
    the network that a sampler asks where to look, are left out.

    Args:
        model: A built Functional or Sequential model; such models inside of it are opened. Its
            inputs may be several, each of known size.

    Returns:
        A float.

    Raises:
        ValueError: For another model, or one of images of unknown size.

    Example:
    >>> import keras
    >>> import keras_resample as kr
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(5)])
    >>> kr.models.gflops(model) * 1e9
    100.0
    """
    if not isinstance(model, keras.Model) or not is_functional(model):
        raise ValueError(
            "`model` must be a built Functional or Sequential keras.Model, whose calls can be "
            f"seen. Received: model={model!r}"
        )
    shapes = _shapes(model.inputs)
    if None in sum(shapes, ()):
        raise ValueError(
            "`model` must have inputs of known size: make it for images of one. "
            f"Received: inputs of shapes {[tuple(x.shape) for x in model.inputs]}"
        )
    return 2 * sum(_macs_of_calls(model, shapes)) / 1e9


class _Shapes(keras.Operation):
    """A layer in what it makes of shapes alone: the layer itself is not called once more."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def compute_output_spec(self, *args, **kwargs):
        return self.layer.compute_output_spec(*args, **kwargs)


def _macs_of_calls(model, shapes):
    """Multiplications of each call of a layer inside of a model of inputs of given shapes."""
    found = []

    def call(layer, *args, **kwargs):
        if is_functional(layer):
            found.extend(_macs_of_calls(layer, _shapes(args[0])))
        outputs = _Shapes(layer)(*args, **kwargs)
        if isinstance(layer, keras.Layer):
            found.append(_macs(layer, _shapes((args, kwargs)), _shapes(outputs)))
        return outputs

    inputs = [
        keras.Input(shape, dtype=x.dtype, name=x.name)
        for shape, x in zip(shapes, model.inputs, strict=True)
    ]
    if isinstance(model, keras.Sequential):
        functools.reduce(lambda x, layer: call(layer, x), model.layers, inputs[0])
    else:
        inputs = keras.tree.pack_sequence_as(model.input, inputs)
        options = {"clone_function": lambda layer: layer, "call_function": call}
        keras.models.clone_model(model, inputs, **options)
    return found


def _shapes(structure):
    """Shapes of the tensors in a structure, without the batch."""
    leaves = keras.tree.flatten(structure)
    return [tuple(leaf.shape[1:]) for leaf in leaves if isinstance(leaf, keras.KerasTensor)]


def _macs(layer, inputs, outputs):
    """Multiplications of one call, from the shapes of what it takes and gives."""
    if isinstance(layer, layers.Dense):
        return math.prod(outputs[0]) * inputs[0][-1]
    if isinstance(layer, layers.EinsumDense):
        given, kernel = layer.equation.split("->")[0].split(",")
        kernel = zip(kernel, layer.kernel.shape, strict=True)
        return math.prod(inputs[0]) * math.prod(n for name, n in kernel if name not in given)
    if isinstance(layer, (*CONVOLUTIONS, *DEPTHWISE, *SEPARABLE, *TRANSPOSED)):
        return _macs_of_convolution(layer, inputs[0], outputs[0])
    if isinstance(layer, layers.MultiHeadAttention):
        return _macs_of_heads(layer, inputs, outputs[0])
    if isinstance(layer, RelativeAttention):
        count, channels = inputs[0]
        return count * layer.width * (4 * channels + 2 * count)
    if isinstance(layer, WindowAttention):
        *grid_size, channels = inputs[0]
        count = layer.window_size**2
        tokens = count * math.prod(window_counts(grid_size, layer.window_size))
        return tokens * channels * (4 * channels + 2 * count)
    return 0


def _macs_of_convolution(layer, inputs, outputs):
    taps = math.prod(layer.kernel_size)
    if isinstance(layer, TRANSPOSED):
        return math.prod(inputs) * taps * layer.filters
    if isinstance(layer, DEPTHWISE):
        return math.prod(outputs) * taps
    first = layer.data_format == "channels_first"
    channels = inputs[0 if first else -1]
    if isinstance(layer, SEPARABLE):
        places = math.prod(outputs) // layer.filters
        return places * channels * layer.depth_multiplier * (taps + layer.filters)
    return math.prod(outputs) * taps * channels // layer.groups


def _macs_of_heads(layer, inputs, outputs):
    """Of `keras.layers.MultiHeadAttention`, of all tokens with all."""
    (*queries, query_dim), (*values, value_dim) = inputs[:2]
    key_dim = inputs[2][-1] if len(inputs) > 2 else value_dim
    queries, values = math.prod(queries), math.prod(values)
    of_key, of_value = layer.key_dim, layer.value_dim or layer.key_dim
    return layer.num_heads * (
        queries * (query_dim * of_key + of_value * outputs[-1])
        + values * (key_dim * of_key + value_dim * of_value)
        + queries * values * (of_key + of_value)
    )
