"""Rows at indices that are known to be there, by every kernel."""

import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import reference
from tests.numerics import to_numpy


@pytest.mark.parametrize("gather", [backend.gather, reference.gather])
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_is_numpys_take(gather, dtype):
    table = np.random.default_rng(0).integers(-1, 2, (4, 5, 3)).astype(dtype)
    index = np.array([[3, 0, 2], [1, 1, 3]], "int32")
    for axis in (0, 1):
        found = gather(ops.convert_to_tensor(table), ops.convert_to_tensor(index), axis=axis)
        np.testing.assert_array_equal(to_numpy(found), np.take(table, index, axis))
