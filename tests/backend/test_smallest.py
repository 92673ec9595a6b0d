"""The smallest of each column, by every kernel."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import reference

KERNELS = {"kernel": backend.smallest, "reference": reference.smallest}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("count", [1, 3, 12])
@pytest.mark.parametrize("shape", [(12, 7), (12, 4, 5)])
def test_equals_a_sort(name, count, shape):
    values = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape).astype("float32")
    found, indices = KERNELS[name](ops.convert_to_tensor(values), count)
    order = np.argsort(values, axis=0)[:count]
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(found, np.take_along_axis(values, order, axis=0))
    assert keras.backend.standardize_dtype(indices.dtype) == "int32"


@pytest.mark.parametrize("name", KERNELS)
def test_equal_values_are_each_found_once(name):
    values = np.array([[2, 5], [1, 5], [2, 5], [1, 5]], "float32")
    found, indices = KERNELS[name](ops.convert_to_tensor(values), 3)
    np.testing.assert_array_equal(found, [[1, 5], [1, 5], [2, 5]])
    indices = ops.convert_to_numpy(indices)
    np.testing.assert_array_equal(np.take_along_axis(values, indices, axis=0), found)
    assert all(len(set(column)) == 3 for column in indices.T)
