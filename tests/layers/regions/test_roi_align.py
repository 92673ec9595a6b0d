"""The layer is the function."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.layer_test_case import check_layer
from tests.numerics import assert_close

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 7, 9, 2)).astype("float32")
BOXES = np.array([[0.13, 0.21, 0.62, 0.88], [0.04, 0.06, 0.93, 0.91]], "float32")
INPUTS = {"images": IMAGES, "boxes": BOXES}
GRADIENT = {"entries": 4, "step": 2.0**-9}


def test_points():
    check_layer(kr.layers.RoIAlign, {"size": (3, 2)}, INPUTS, gradient=GRADIENT)


def test_antialiased():
    arguments = {"size": (2, 3), "antialias": True}
    only = ["config", "symbolic_shape", "unknown_size", "data_format", "half_precision", "fit"]
    check_layer(kr.layers.RoIAlign, arguments, INPUTS, only=only)


def test_boxes_of_each_image_in_a_functional_model():
    features, boxes = keras.Input((7, 9, 2)), keras.Input((3, 4))
    crops = kr.layers.RoIAlign((3, 2), data_format="channels_last")(features, boxes)
    assert crops.shape == (None, 3, 3, 2, 2)
    three = np.stack([BOXES, BOXES[::-1], BOXES], axis=1)
    found = keras.Model((features, boxes), crops).predict((IMAGES, three), verbose=0)
    assert_close(found, kr.ops.roi_align(IMAGES, three, (3, 2), data_format="channels_last"))


@pytest.mark.parametrize(
    ("arguments", "boxes", "message"),
    [
        ({"size": 3}, (2, 4), "`size` must be"),
        ({"antialias": 1}, (2, 4), "`antialias` must be"),
        ({}, (3, 4), "`boxes` must have the batch of the images"),
        ({}, (2, 5), "`boxes` must have shape"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, boxes, message):
    with pytest.raises(ValueError, match=message):
        kr.layers.RoIAlign(**{"size": (3, 2), **arguments})(IMAGES, np.zeros(boxes, "float32"))
