"""A function of each image in turn, by every kernel."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import reference

KERNELS = {"kernel": backend.mapped, "reference": reference.mapped}


@pytest.mark.parametrize("name", KERNELS)
def test_equals_a_stack(name):
    images = np.random.default_rng(0).normal(size=(4, 3, 2)).astype("float32")
    shifts = np.arange(4, dtype="float32")

    def function(values):
        image, shift = values
        return ops.cast(ops.round(ops.sum(image, axis=-1) + shift), "int32")

    values = ops.convert_to_tensor(images), ops.convert_to_tensor(shifts)
    result = KERNELS[name](function, values, (3,), "int32")
    assert keras.backend.standardize_dtype(result.dtype) == "int32"
    expected = np.stack([np.round(i.sum(-1) + s) for i, s in zip(images, shifts, strict=True)])
    np.testing.assert_array_equal(ops.convert_to_numpy(result), expected)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="graphs of unknown sizes")
def test_traces_the_function_once_at_unknown_sizes():
    import tensorflow as tf

    calls = []

    @tf.function(input_signature=[tf.TensorSpec((None, None, 2), "float32")])
    def traced(images):
        def function(image):
            calls.append(image)
            return 2.0 * image

        return backend.mapped(function, images, (tf.shape(images)[1], 2), "float32")

    images = np.ones((3, 5, 2), "float32")
    np.testing.assert_array_equal(traced(images), 2 * images)
    assert traced.get_concrete_function().output_shapes == (None, None, 2)
    assert len(calls) == 1
