"""Region pooling in a SavedModel: the numbers of the model, at every size."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.numerics import assert_close, to_numpy


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sizes a graph learns late")
@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("size", [(None, None), (12, 10)])
def test_a_saved_model_of_any_size(tmp_path, size, jit):
    import tensorflow as tf

    layer = kr.layers.AdaptiveRegionPooling(0.5, 0.7, data_format="channels_last")
    maps = keras.Input((*size, 4))
    outputs, regions = layer(maps, return_regions=True)
    keras.Model(maps, [outputs, regions["boxes"]]).export(tmp_path / "model", verbose=False)
    served = tf.function(tf.saved_model.load(tmp_path / "model").serve, jit_compile=jit)
    rng = np.random.default_rng(0)
    for shape in ((3, 12, 10, 4), (1, 12, 10, 4), (2, 7, 9, 4))[: 2 if size[0] else 3]:
        maps = ops.convert_to_tensor(rng.normal(size=shape), "float32")
        expected, regions = layer(maps, return_regions=True)
        found, boxes = served(maps)
        assert_close(to_numpy(found), to_numpy(expected), 1e-5)
        assert_close(to_numpy(boxes), to_numpy(regions["boxes"]), 1e-6)
