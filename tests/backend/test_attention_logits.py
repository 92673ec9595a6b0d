"""Products of queries and keys with a bias, by every kernel."""

import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import attention
from tests.numerics import assert_close, check_gradients, gradients

KERNELS = {"kernel": backend.attention_logits, "reference": attention.attention_logits}
RANDOM = np.random.default_rng(0)
QUERIES = RANDOM.normal(size=(2, 3, 4, 5)).astype("float32")
KEYS = RANDOM.normal(size=(2, 6, 4, 5)).astype("float32")
BIASES = [None, (1, 1, 3, 6), (1, 4, 3, 6), (2, 4, 3, 6)]


def case(shape):
    return [] if shape is None else [RANDOM.normal(size=shape).astype("float32")]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("shape", BIASES)
def test_equals_a_loop(name, shape):
    bias = case(shape)
    expected = np.zeros((2, 4, 3, 6))
    for b, h, q, k in np.ndindex(expected.shape):
        expected[b, h, q, k] = 0.3 * QUERIES[b, q, h] @ KEYS[b, k, h]
    expected += sum(bias)
    tensors = [ops.convert_to_tensor(array) for array in (QUERIES, KEYS, *bias)]
    found = KERNELS[name](*tensors[:2], tensors[2] if bias else None, 0.3)
    assert_close(found, expected)


@pytest.mark.parametrize("shape", BIASES)
def test_gradients(shape):
    upstream = RANDOM.normal(size=(2, 4, 3, 6)).astype("float32")

    def product(kernel):
        def of(queries, keys, *bias):
            logits = kernel(queries, keys, bias[0] if bias else None, 0.3)
            return ops.multiply(logits, upstream)

        return of

    arrays = QUERIES, KEYS, *case(shape)
    check_gradients(product(backend.attention_logits), *arrays)
    found, expected = (gradients(product(kernel), *arrays) for kernel in KERNELS.values())
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)
