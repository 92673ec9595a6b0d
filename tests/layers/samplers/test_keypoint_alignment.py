"""The layer is the function."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.layer_test_case import check_layer
from tests.numerics import assert_close

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 7, 9, 2)).astype("float32")
KEYPOINTS = np.array(
    [[[0.22, 0.31], [0.71, 0.24], [0.52, 0.83]], [[0.35, 0.2], [0.8, 0.45], [0.3, 0.7]]], "float32"
)
TEMPLATE = [[0.3, 0.3], [0.7, 0.3], [0.5, 0.7]]
ARGUMENTS = {"size": (5, 6), "template": TEMPLATE}


def test_layer():
    check_layer(
        kr.layers.KeypointAlignment,
        ARGUMENTS,
        {"images": IMAGES, "keypoints": KEYPOINTS},
        gradient={"entries": 6, "step": 2.0**-10},
        skip={"half_precision": "keypoints stay float32: a test of its own"},
    )


@pytest.mark.parametrize("more", [{}, {"alpha": 0.3, "fill_mode": "constant", "antialias": True}])
def test_it_is_the_function_and_keypoints_stay_float32(more):
    keras.config.set_dtype_policy("mixed_float16")
    layer = kr.layers.KeypointAlignment(**ARGUMENTS, **more, data_format="channels_last")
    images, keypoints = layer(IMAGES, KEYPOINTS)
    expected = kr.ops.align(IMAGES, KEYPOINTS, **ARGUMENTS, **more, data_format="channels_last")
    assert keras.backend.standardize_dtype(images.dtype) == "float16"
    assert_close(images, expected[0], 2e-3)
    assert_close(keypoints, expected[1], 1e-6)


@pytest.mark.parametrize(
    ("arguments", "keypoints", "message"),
    [
        ({"size": 5}, (2, 3, 2), "`size` must be"),
        ({"template": "eyes"}, (2, 3, 2), "`template` must be"),
        ({"alpha": -0.1}, (2, 3, 2), "`alpha` must be"),
        ({"antialias": 1}, (2, 3, 2), "`antialias` must be"),
        ({}, (2, 5, 2), "`keypoints` must be the 3 of the template"),
        ({}, (3, 3, 2), "`keypoints` must have the batch"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, keypoints, message):
    with pytest.raises(ValueError, match=message):
        layer = kr.layers.KeypointAlignment(**{**ARGUMENTS, **arguments})
        layer(IMAGES, np.zeros(keypoints, "float32"))
