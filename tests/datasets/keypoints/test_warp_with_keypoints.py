"""The layer's warps, drawn by numpy: a seed is the same everywhere."""

import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close, to_numpy

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((5, 12, 16, 2)).astype("float32")
KEYPOINTS = RANDOM.uniform(0.2, 0.8, size=(5, 3, 2)).astype("float32")
ANY = {"rotation": 40, "scale": (0.7, 1.3), "translation": 0.2, "shear": 0.3, "elastic": 0.4}
warp = kr.datasets.warp_with_keypoints


@pytest.mark.every_backend
def test_it_draws_the_documented_numbers_on_every_backend():
    ranges = {"rotation": (-10, 30), "scale": (0.7, 1.3), "translation": 0.2, "shear": 0.3}
    images, keypoints = warp(IMAGES, KEYPOINTS, **ranges, seed=4)
    drawn = np.random.default_rng(4).random((5, 5), "float32")
    matrix = kr.ops.affine_matrix(
        (12, 16),
        rotation=-10 + 40 * drawn[:, 0],
        scale=0.7 + 0.6 * drawn[:, 1],
        translation=-0.2 + 0.4 * drawn[:, 2:4],
        shear=-0.3 + 0.6 * drawn[:, 4],
    )
    assert_close(keypoints, kr.ops.affine_keypoints(KEYPOINTS, matrix))
    grid = kr.ops.grid_from_affine(matrix, (12, 16))
    assert_close(images, kr.ops.sample(IMAGES, grid, data_format="channels_last"))
    assert type(images) is np.ndarray and images.dtype == keypoints.dtype == "float32"


@pytest.mark.every_backend
def test_elastic_alone_is_the_spline():
    _, keypoints = warp(IMAGES, KEYPOINTS, elastic=0.4, cells=2, seed=4)
    drawn = np.random.default_rng(4).random((5, 5 + 50), "float32")[:, 5:]
    control = (2 * drawn - 1).reshape(5, 5, 5, 2) * 0.2
    assert_close(keypoints, kr.ops.spline_keypoints(KEYPOINTS, control))


def test_an_image_does_not_depend_on_those_behind_it():
    images, keypoints = warp(IMAGES, KEYPOINTS, **ANY, seed=1)
    fewer, places = warp(IMAGES[:2], KEYPOINTS[:2], **ANY, seed=1)
    assert_close(fewer, images[:2])
    assert_close(places, keypoints[:2])


def test_seeds_differ_and_may_be_tuples():
    found = [warp(IMAGES, KEYPOINTS, **ANY, seed=seed)[1] for seed in (0, 1, (0, 1), (0, 1))]
    assert all(np.abs(found[0] - other).max() > 0.01 for other in found[1:])
    np.testing.assert_array_equal(found[2], found[3])


def test_nothing_is_exactly_nothing():
    images, keypoints = warp(IMAGES, KEYPOINTS, seed=5)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_array_equal(keypoints, KEYPOINTS)


def test_channels_first():
    expected, _ = warp(IMAGES, KEYPOINTS, **ANY)
    found, _ = warp(np.moveaxis(IMAGES, -1, 1), KEYPOINTS, **ANY, data_format="channels_first")
    assert_close(np.moveaxis(found, 1, -1), expected)


def test_many_images_are_warped_in_parts(monkeypatch):
    expected = warp(IMAGES, KEYPOINTS, **ANY)
    module = __import__("sys").modules[warp.__module__]
    monkeypatch.setattr(module, "CHUNK", 2)
    for found, whole in zip(warp(IMAGES, KEYPOINTS, **ANY), expected, strict=True):
        assert_close(found, whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "`seed` must be"),
        ({"seed": (0, 1.5)}, "`seed` must be"),
        ({"rotation": (3, 1)}, "`rotation` must be"),
        ({"keypoints": np.zeros((4, 3, 2))}, "`keypoints` must have the batch"),
        ({"images": np.zeros((5, 12, 16))}, "`images` must have shape"),
        ({"data_format": "NHWC"}, "`data_format` must be"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        warp(**{"images": IMAGES, "keypoints": KEYPOINTS, **arguments})


def test_uint8_images_are_read_as_sample_reads_them():
    pixels = (IMAGES * 255).astype("uint8")
    found, _ = warp(pixels, KEYPOINTS, **ANY)
    expected, _ = warp(pixels.astype("float32"), KEYPOINTS, **ANY)
    assert_close(found, expected)
    assert to_numpy(found).dtype == "float32"
