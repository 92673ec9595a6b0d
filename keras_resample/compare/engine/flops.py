"""How much a network computes: multiplications and additions of its convolutions and products."""

import math

import keras


def gflops(model):
    """Arithmetic of one forward pass on one image, in 1e9 operations.

    Counts the convolutions and dense layers of a Functional model, and of the models nested in
    it, from their shapes; a multiplication and an addition are two operations. Normalisation,
    activation, pooling and the sampling itself are left out.

    Args:
        model: built Functional or Sequential model with known image size.

    Returns:
        float.

    Example:

    >>> import keras
    >>> from keras_resample.compare.engine.flops import gflops
    >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(5)])
    >>> gflops(model) * 1e9
    100.0
    """
    return 2 * _macs(model) / 1e9


def _macs(layer):
    if isinstance(layer, keras.Model):
        return sum(_macs(part) for part in layer.layers)
    if isinstance(layer, keras.layers.Dense):
        rows = math.prod(layer.output.shape[1:-1])
        return rows * math.prod(layer.kernel.shape)
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        # A kernel is (kh, kw, channels / groups, filters), so groups count as they should.
        return _positions(layer) * math.prod(layer.kernel.shape)
    return 0


def _positions(layer):
    shape = layer.output.shape
    return math.prod(shape[2:] if layer.data_format == "channels_first" else shape[1:3])
