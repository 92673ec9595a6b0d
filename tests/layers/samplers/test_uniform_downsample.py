"""The baseline is the resize of Keras."""

import keras
import numpy as np
import pytest

from keras_resample.layers import UniformDownsample
from tests.layer_test_case import check_layer
from tests.layers.samplers.test_grid_sampler import VARIANT
from tests.numerics import assert_close, to_numpy

IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 12, 3)).astype("float32")


def test_size():
    check_layer(UniformDownsample, {"size": (4, 5)}, IMAGES, gradient={"entries": 6})


@pytest.mark.in_turn
def test_factor_and_antialias():
    arguments = {"factor": 0.5, "antialias": True}
    check_layer(UniformDownsample, arguments, IMAGES, only=VARIANT, gradient={"entries": 6})


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_it_is_the_resize_of_keras(interpolation, data_format):
    images = IMAGES if data_format == "channels_last" else IMAGES.transpose(0, 3, 1, 2).copy()
    layer = UniformDownsample(size=(4, 7), interpolation=interpolation, data_format=data_format)
    expected = keras.ops.image.resize(
        images, (4, 7), interpolation, antialias=False, data_format=data_format
    )
    assert_close(layer(images), expected, 1e-6)


def test_antialias_is_that_of_keras():
    layer = UniformDownsample(0.25, antialias=True, data_format="channels_last")
    expected = keras.ops.image.resize(
        IMAGES, (3, 3), "bilinear", antialias=True, data_format="channels_last"
    )
    assert_close(layer(IMAGES), expected, 1e-6)


def test_bytes_are_resized_as_floats():
    images = (255 * IMAGES).astype("uint8")
    layer = UniformDownsample(0.5, data_format="channels_last")
    assert_close(layer(images), layer(images.astype("float32")), 1e-6)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint32", "int32", "float16"])
def test_nearest_of_every_dtype(dtype):
    """Class maps keep their dtype and, above 2^24, their classes."""
    classes = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 200, (1, 9, 12, 1))
    if dtype.endswith("int32"):
        classes[...] += 2**24
    layer = UniformDownsample(size=(3, 4), interpolation="nearest", data_format="channels_last")
    maps = keras.ops.convert_to_tensor(classes.astype(dtype))  # PyTorch has no uint32
    found = layer(maps)
    assert found.dtype == maps.dtype
    assert np.array_equal(to_numpy(found), classes[:, 1::3, 1::3].astype(dtype))
