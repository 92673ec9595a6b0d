"""The smallest of each column, by every kernel."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import reference

KERNELS = {"kernel": backend.smallest, "reference": reference.smallest}


def check(values, count, smallest):
    found, indices = smallest(ops.convert_to_tensor(values), count)
    order = np.argsort(values, axis=0, kind="stable")[:count]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(found, np.take_along_axis(values, order, axis=0))
    assert keras.backend.standardize_dtype(indices.dtype) == "int32"


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("count", "shape"), [(1, (12, 7)), (1, (64, 9)), (3, (13, 4, 5)), (12, (12, 7)), (12, (64, 9))]
)
def test_equals_a_stable_sort(name, count, shape):
    """Half of the columns have many equal values."""
    values = np.random.default_rng(0).integers(0, 1000, shape)
    values[..., ::2] %= 5
    check(values.astype("float32") / 7, count, KERNELS[name])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="unknown sizes")
@pytest.mark.parametrize("count", [1, 3])
def test_an_unknown_number_of_rows(count):
    import tensorflow as tf

    signature = [tf.TensorSpec((None, 7), "float32")]
    values = np.random.default_rng(0).integers(0, 5, (30, 7)).astype("float32")
    traced = tf.function(lambda v: backend.smallest(v, count), input_signature=signature)
    check(values, count, lambda values, count: traced(values))
