"""The convolution in groups: the loop, its gradients, and a SavedModel without a compiler."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.layers.blocks.grouped_convolution import GroupedConv2D
from tests.numerics import assert_close, gradients, to_numpy

LAST, FIRST = "channels_last", "channels_first"


def arrays(groups=3, in_group=2, out_group=4):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 7, groups * in_group)).astype("float32")
    kernel = rng.normal(size=(3, 2, in_group, groups * out_group)).astype("float32")
    return x, kernel


def convolution(x, kernel, strides=(1, 1), padding="valid", data_format=LAST, dilation=(1, 1)):
    return backend.grouped_convolution(x, kernel, strides, padding, data_format, dilation)


def loop(x, kernel, strides, dilation):
    height, width, in_group, filters = kernel.shape
    out_group = filters * in_group // x.shape[-1]
    rows = (x.shape[1] - (height - 1) * dilation[0] - 1) // strides[0] + 1
    cols = (x.shape[2] - (width - 1) * dilation[1] - 1) // strides[1] + 1
    result = np.zeros((len(x), rows, cols, filters))
    for i, j, o in np.ndindex(rows, cols, filters):
        first = o // out_group * in_group
        for a, b, c in np.ndindex(height, width, in_group):
            read = x[:, i * strides[0] + a * dilation[0], j * strides[1] + b * dilation[1]]
            result[:, i, j, o] += read[:, first + c] * kernel[a, b, c, o]
    return result


@pytest.mark.parametrize(
    ("strides", "dilation"), [((1, 1), (1, 1)), ((2, 2), (1, 1)), ((1, 1), (2, 2))]
)
def test_equals_the_loop(strides, dilation):
    x, kernel = arrays()
    found = convolution(x, kernel, strides, dilation=dilation)
    assert_close(found, loop(x, kernel, strides, dilation))


@pytest.mark.parametrize("groups", [(1, 2, 3), (6, 1, 1), (4, 1, 3), (2, 3, 1)])
def test_equals_keras_with_gradients(groups):
    x, kernel = arrays(*groups)
    found = gradients(
        lambda x, k: ops.sum(ops.square(convolution(x, k, padding="same"))), x, kernel
    )
    expected = gradients(
        lambda x, k: ops.sum(ops.square(ops.conv(x, k, padding="same", data_format=LAST))),
        x,
        kernel,
    )
    for ours, theirs in zip(found, expected, strict=True):
        assert_close(ours, theirs)


def test_channels_first_is_the_transposed():
    x, kernel = arrays()
    layer = GroupedConv2D(
        12, (3, 2), padding="same", groups=3, data_format=FIRST, activation="relu"
    )
    layer.build((None, 6, 6, 7))
    layer.set_weights([kernel, np.arange(12) - 5.0])
    expected = np.maximum(to_numpy(convolution(x, kernel, padding="same")) + np.arange(12) - 5, 0)
    assert_close(layer(x.transpose(0, 3, 1, 2)), expected.transpose(0, 3, 1, 2))


@pytest.mark.backends("tensorflow", reason="only TensorFlow compiles a part of a graph")
def test_saved_model_needs_no_compiler(tmp_path):
    x, _ = arrays()
    layer = GroupedConv2D(12, 3, groups=3, data_format=LAST)
    inputs = keras.Input((None, None, 6))
    model = keras.Model(inputs, layer(inputs))
    model.export(str(tmp_path), verbose=False)
    assert b"_XlaMustCompile" not in (tmp_path / "saved_model.pb").read_bytes()
    import tensorflow as tf

    served = tf.saved_model.load(str(tmp_path))
    for images in (x, x[:1, :4, :5]):
        assert_close(served.serve(images).numpy(), model(images))
