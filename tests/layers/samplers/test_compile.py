"""Samplers under `torch.compile`: one graph, in training too.

`backend="eager"` traces as every other one and needs no compiler of C++.
"""

import keras
import numpy as np
import pytest

from keras_resample.layers import FlowWarpDownsample, SaliencySampler
from tests.numerics import assert_close, to_numpy

pytestmark = pytest.mark.backends("torch", reason="other backends have other compilers")

IMAGES = np.random.default_rng(0).uniform(size=(2, 8, 6, 3)).astype("float32")


def compiled(function):
    import torch

    torch._dynamo.reset()
    return torch.compile(function, backend="eager", fullgraph=True)


def test_a_map_of_saliency():
    layer = SaliencySampler(0.5, saliency="learned", grid_size=(4, 5), data_format="channels_last")
    images = keras.ops.convert_to_tensor(IMAGES)
    expected = layer(images)
    assert_close(compiled(layer.call)(images), expected, 1e-6)


def test_a_flow_in_training():
    """What `compile(jit_compile=True)` traces, the conditioned gradient among it."""
    layer = FlowWarpDownsample(0.5, antialias=True, data_format="channels_last")
    layer.build(IMAGES.shape)
    layer.set_flow(np.random.default_rng(1).uniform(-1, 1, (4, 3, 2)))
    images, weight = keras.ops.convert_to_tensor(IMAGES), layer.trainable_weights[0].value

    def loss(images):
        flow = layer.flow  # which a regularizer looks at
        return keras.ops.sum(layer.call(images, training=True) ** 2) + keras.ops.sum(flow**2)

    def gradient(function):
        layer.zero_grad()
        function(images).backward()
        return to_numpy(weight.grad)

    expected = gradient(loss)
    assert np.any(expected != 0)
    assert_close(gradient(compiled(loss)), expected, 1e-6)
