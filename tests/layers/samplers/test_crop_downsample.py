"""A crop is a resize of a part of the image."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import CropDownsample, GridSampler
from tests.layer_test_case import check_layer
from tests.layers.samplers.test_grid_sampler import VARIANT
from tests.numerics import assert_close

IMAGES = np.random.default_rng(0).uniform(size=(2, 8, 12, 3)).astype("float32")


def crop(**arguments):
    return CropDownsample(data_format="channels_last", **arguments)


def test_size():
    check_layer(CropDownsample, {"size": (4, 5)}, IMAGES, gradient={"entries": 6})


@pytest.mark.in_turn
def test_variants():
    arguments = {"factor": 0.5, "box": (-0.2, 0.1, 0.7, 0.8), "antialias": True}
    check_layer(CropDownsample, arguments, IMAGES, only=VARIANT, gradient={"entries": 6})


def test_a_crop_of_whole_pixels_is_a_slice():
    assert_close(crop(factor=0.5, margin=0.25)(IMAGES), IMAGES[:, 2:6, 3:9], 1e-6)
    box = (2 / 12, 0.5, 10 / 12, 1.0)
    assert_close(crop(size=(4, 8), box=box)(IMAGES), IMAGES[:, 4:8, 2:10], 1e-6)


def test_antialiased_it_averages_each_cell_of_the_box():
    layer = crop(size=(4, 4), margin=0.25, antialias=True)
    fine = kr.ops.sample(
        IMAGES, kr.ops.grid_from_boxes([layer.box], (8, 12)), data_format="channels_last"
    )
    cells = keras.ops.convert_to_numpy(fine).reshape(2, 4, 2, 4, 3, 3).mean((2, 4))
    assert_close(layer(IMAGES)[:, 1:-1, 1:-1], cells[:, 1:-1, 1:-1], 1e-6)


def test_no_margin_is_exactly_a_resize():
    outputs, grid = crop(factor=0.4, margin=0)(IMAGES, return_grid=True)
    whole = GridSampler(0.4, data_format="channels_last")(IMAGES)
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (outputs, whole)))
    assert_close(grid, kr.ops.uniform_grid((4, 5)), 1e-7)


def test_the_grid_is_that_of_the_box():
    layer = crop(size=(3, 4), box=(0.1, -0.2, 0.6, 0.9))
    _, grid = layer(IMAGES, return_grid=True)
    assert tuple(grid.shape) == (1, 3, 4, 2)
    assert_close(grid, kr.ops.grid_from_boxes([layer.box], (3, 4)), 1e-6)


def test_the_default_leaves_out_a_tenth_on_each_side():
    assert crop(factor=0.5).box == crop(factor=0.5, margin=0.1).box == (0.1, 0.1, 0.9, 0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin": 0.5}, r"`margin` must be a number in \[0, 0.5\)\. Received: margin=0.5"),
        ({"margin": float("nan")}, "Received: margin=nan"),
        ({"margin": 0.1, "box": (0, 0, 1, 1)}, "either `margin` or `box`"),
        ({"box": (0, 0, 1)}, r"Received: box=\(0, 0, 1\)"),
        ({"box": (0.6, 0, 0.4, 1)}, r"x_min < x_max.*Received: box=\(0.6, 0, 0.4, 1\)"),
        ({"box": (0, 0.5, 1, 0.5)}, "y_min < y_max"),
        ({"box": (0, 0, 1, float("inf"))}, "Received: box="),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        crop(factor=0.5, **arguments)
