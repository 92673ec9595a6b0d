"""Images and keypoints are warped as one, in training alone."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 7, 9, 2)).astype("float32")
KEYPOINTS = RANDOM.uniform(0.2, 0.8, size=(2, 3, 2)).astype("float32")
INPUTS = {"images": IMAGES, "keypoints": KEYPOINTS}
# Ranges of one number, which warp every image alike.
FIXED = {"rotation": (31, 31), "scale": (0.8, 0.8), "translation": (0.1, 0.1), "shear": (0.2, 0.2)}
ANY = {"rotation": 40, "scale": (0.7, 1.3), "translation": 0.2, "shear": 0.3, "elastic": 0.4}


def warp_of(**arguments):
    return kr.layers.RandomWarp(**arguments, seed=3, data_format="channels_last")


def test_fixed_ranges():
    skip = {
        "half_precision": "keypoints stay float32: a test of its own",
        "exchange": "what is drawn differs between backends",
    }
    check_layer(
        kr.layers.RandomWarp,
        FIXED,
        INPUTS,
        call_arguments={"training": True},
        gradient={"entries": 4, "step": 2.0**-9},
        skip=skip,
    )


def test_outside_of_training_it_is_exactly_nothing():
    warp = warp_of(**ANY)
    for training in (False, None):
        images, keypoints = warp(IMAGES, KEYPOINTS, training=training)
        np.testing.assert_array_equal(to_numpy(images), IMAGES)
        np.testing.assert_array_equal(to_numpy(keypoints), KEYPOINTS)


def test_without_ranges_training_is_exactly_nothing():
    images, keypoints = warp_of()(IMAGES, KEYPOINTS, training=True)
    np.testing.assert_array_equal(to_numpy(images), IMAGES)
    np.testing.assert_array_equal(to_numpy(keypoints), KEYPOINTS)


def test_fixed_ranges_are_the_functions():
    images, keypoints = warp_of(**FIXED)(IMAGES, KEYPOINTS, training=True)
    matrix = kr.ops.affine_matrix((7, 9), 31.0, 0.8, (0.1, 0.1), 0.2)
    assert_close(keypoints, kr.ops.affine_keypoints(KEYPOINTS, matrix))
    grid = kr.ops.grid_from_affine(matrix, (7, 9))
    assert_close(images, kr.ops.sample(IMAGES, grid, data_format="channels_last"))


def test_each_image_has_its_own_warp_and_keypoints_stay_on_their_blob():
    height, width = 48, 64
    places = np.tile(np.array([[[0.45, 0.55]]], "float32"), (6, 1, 1))
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    blob = np.exp(-(((x - 0.45) * width) ** 2 + ((y - 0.55) * height) ** 2) / 4)
    images = np.tile(blob.astype("float32")[None, ..., None], (6, 1, 1, 1))
    warp = warp_of(**{**ANY, "translation": 0.05})
    seen, keypoints = (to_numpy(y) for y in warp(images, places, training=True))
    seen, keypoints = seen[..., 0], keypoints[:, 0]
    assert len(np.unique(keypoints[:, 0].round(3))) == 6
    mass = seen.sum((1, 2))
    centre = np.stack([(seen * x).sum((1, 2)), (seen * y).sum((1, 2))], -1) / mass[:, None]
    # An elastic warp stretches a blob unevenly, and moves its mean by some of a pixel.
    assert np.abs((centre - keypoints) * [width, height]).max() < 1


def test_a_seed_is_the_same_warps_and_the_next_call_others():
    first, second = (warp_of(**ANY) for _ in range(2))
    drawn = to_numpy(first(IMAGES, KEYPOINTS, training=True)[1])
    assert_close(second(IMAGES, KEYPOINTS, training=True)[1], drawn)
    assert np.abs(to_numpy(second(IMAGES, KEYPOINTS, training=True)[1]) - drawn).max() > 0.01


def test_half_precision_keeps_keypoints_in_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    images, keypoints = warp_of(**FIXED)(IMAGES, KEYPOINTS, training=True)
    assert keras.backend.standardize_dtype(images.dtype) == "bfloat16"
    matrix = kr.ops.affine_matrix((7, 9), 31.0, 0.8, (0.1, 0.1), 0.2)
    assert_close(keypoints, kr.ops.affine_keypoints(KEYPOINTS, matrix))


def test_it_warps_inside_of_fit_and_not_inside_of_predict():
    images, keypoints = keras.Input((7, 9, 2)), keras.Input((3, 2))
    seen, places = warp_of(translation=(0.2, 0.2))(images, keypoints)
    model = keras.Model((images, keypoints), [seen, places])
    found, still = model.predict((IMAGES, KEYPOINTS), verbose=0)
    assert_close(found, IMAGES)
    assert_close(still, KEYPOINTS)
    same = keras.layers.Dense(2, use_bias=False, kernel_initializer="identity")
    model = keras.Model((images, keypoints), same(places))
    model.compile("sgd", "mse")
    assert model.test_on_batch((IMAGES, KEYPOINTS), KEYPOINTS) < 1e-9
    assert model.train_on_batch((IMAGES, KEYPOINTS), KEYPOINTS + 0.2) < 1e-9


def test_labels_keep_their_dtype_under_nearest():
    labels = RANDOM.integers(0, 9, (2, 7, 9, 1)).astype("uint8")
    warp = warp_of(**ANY, interpolation="nearest", fill_mode="constant", fill_value=255)
    found, _ = warp(labels, KEYPOINTS, training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "uint8"
    assert set(np.unique(to_numpy(found))) <= {*range(9), 255}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rotation": (10, -10)}, r"`rotation` must be \(low, high\)"),
        ({"rotation": "10"}, "`rotation` must be"),
        ({"translation": (0, 1, 2)}, "`translation` must be"),
        ({"shear": -1}, r"`shear` must be a number in \[0, inf\) or \(low, high\)"),
        ({"scale": 1.2}, "`scale` must be 2"),
        ({"scale": (0, 1)}, "`scale` must be 2"),
        ({"scale": (2, 1)}, "`scale` must be"),
        ({"elastic": 0.5}, "`elastic` must be a number in"),
        ({"cells": 0}, "`cells` must be a positive integer"),
        ({"fill_mode": "zeros"}, "`fill_mode` must be one of"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        warp_of(**arguments)


@pytest.mark.backends("torch", reason="shapes are checked in Python")
def test_bad_inputs():
    with pytest.raises(ValueError, match="`keypoints` must have the batch of the images, 2"):
        warp_of()(IMAGES, np.zeros((3, 5, 2), "float32"))
