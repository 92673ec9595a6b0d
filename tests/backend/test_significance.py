"""The mean of standardized channels, by every kernel."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import reference

KERNELS = {"kernel": backend.significance, "reference": reference.significance}
FLOOR = 1e-5
# More than a cache holds, which the kernels read an image at a time, and less.
SHAPES = [(2, 96, 97, 64), (3, 5, 1, 2), (1, 1, 1, 3)]


def expected(maps):
    maps = maps.astype("float64")
    mean, variance = (f(maps, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    return ((maps - mean) / np.sqrt(variance + FLOOR)).mean(axis=3)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_equals_the_equation(name, shape, dtype):
    rng = np.random.default_rng(0)
    scale, shift = rng.uniform(0.1, 900, shape[3]), rng.uniform(-900, 900, shape[3])
    maps = (rng.normal(size=shape) * scale + shift).astype(dtype)
    found = KERNELS[name](ops.convert_to_tensor(maps), FLOOR)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_allclose(found, expected(maps), atol=2e-6, rtol=0)


@pytest.mark.parametrize("name", KERNELS)
def test_a_large_offset_does_not_drown_the_variance(name):
    maps = np.random.default_rng(0).normal(size=SHAPES[0]).astype("float32") + np.float32(4096)
    found = KERNELS[name](ops.convert_to_tensor(maps), FLOOR)
    np.testing.assert_allclose(found, expected(maps), atol=1e-3, rtol=0)


def test_a_nan_spoils_its_own_map():
    maps = np.random.default_rng(0).normal(size=SHAPES[0]).astype("float32")
    maps[1, 0, 0, 0] = np.nan
    found = ops.convert_to_numpy(backend.significance(ops.convert_to_tensor(maps), FLOOR))
    assert np.isnan(found[1]).all() and np.isfinite(found[0]).all()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="graphs of unknown sizes")
@pytest.mark.parametrize("jit", [False, True])
def test_sizes_that_a_graph_does_not_know(jit):
    import tensorflow as tf

    signature = [tf.TensorSpec((None, None, None, 3), "float32")]
    traced = tf.function(
        lambda maps: backend.significance(maps, FLOOR), input_signature=signature, jit_compile=jit
    )
    for shape in ((2, 5, 4, 3), (1, 7, 6, 3), (0, 5, 4, 3)):
        maps = np.random.default_rng(0).normal(size=shape).astype("float32")
        np.testing.assert_allclose(traced(maps), expected(maps), atol=2e-6, rtol=0)
