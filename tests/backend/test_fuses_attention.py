"""Which product of attention is taken where nothing is asked for."""

import keras
import pytest
from keras import ops

from keras_resample import backend

AUTO = {"tensorflow": False, "jax": True, "torch": True}[keras.backend.backend()]


def test_of_the_backend():
    assert backend.fuses_attention(None, "float32") is AUTO
    assert backend.fuses_attention(ops.zeros((1, 2, 3, 3)), "float32") is AUTO


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
