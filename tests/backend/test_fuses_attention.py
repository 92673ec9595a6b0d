"""Which product of attention is taken where nothing is asked for."""

import types

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample import backend

AUTO = {"tensorflow": False, "jax": True, "torch": True}[keras.backend.backend()]


def test_of_the_backend():
    assert backend.fuses_attention(None, "float32") is AUTO
    assert backend.fuses_attention(ops.zeros((1, 2, 3, 3)), "float32") is AUTO


@pytest.mark.backends("jax", reason="the gradient of JAX's fused product is slow on a CPU")
def test_training_on_jax():
    assert not backend.fuses_attention(None, "float32", training=True)
    assert backend.fuses_attention(None, "float32", training=False)


@pytest.mark.backends("jax", reason="the fused product of JAX refuses float16 on a CPU")
def test_half_precision_on_jax():
    assert not backend.fuses_attention(None, "float16")
    assert backend.fuses_attention(None, "bfloat16")


@pytest.mark.backends("torch", reason="only PyTorch's tensors know whether they are trained")
def test_a_bias_in_training_on_torch():
    import torch

    bias = torch.zeros((1, 2, 3, 3), requires_grad=True)
    assert not backend.fuses_attention(bias, "float32")
    with torch.no_grad():
        assert backend.fuses_attention(bias, "float32")


@pytest.mark.backends("jax", reason="Keras's kernel of a TPU is JAX's")
def test_a_tpu_loses_the_bias(monkeypatch):
    import jax

    tokens, points = np.ones((1, 4, 4), "float32"), np.ones((1, 1, 2), "float32")
    bias = ops.zeros((1, 2, 4, 4))
    monkeypatch.setattr(jax, "devices", lambda: [types.SimpleNamespace(platform="tpu")])
    for given in (None, bias):
        assert not backend.fuses_attention(given, "float32")
    for layer, inputs in (
        (kr.layers.RelativeAttention(2, attention="fused"), (tokens, bias)),
        (kr.layers.KeypointRelativeAttention(2, attention="fused", grid_size=2), (tokens, points)),
        (kr.layers.WindowAttention(2, 2, attention="fused"), (ops.ones((1, 2, 2, 4)),)),
    ):
        with pytest.raises(ValueError, match="`attention` must be 'einsum' or 'auto' on a TPU"):
            layer(*inputs)
