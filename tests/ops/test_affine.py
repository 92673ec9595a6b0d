"""Keypoints stay on what they mark, and angles are angles of pixels."""

import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.numerics import assert_close, check_gradients, to_numpy

SIZE = (20, 32)
RANDOM = np.random.default_rng(0)
KEYPOINTS = RANDOM.uniform(-0.2, 1.2, size=(3, 5, 2)).astype("float32")
ARGUMENTS = {
    "rotation": [25.0, -70.0, 180.0],
    "scale": [1.3, 0.7, 1.0],
    "translation": [[0.1, -0.2], [0.0, 0.3], [-0.4, 0.0]],
    "shear": [0.2, 0.0, -0.5],
}
MATRIX = to_numpy(kr.ops.affine_matrix(SIZE, **ARGUMENTS))


def test_nothing_to_do_is_exactly_nothing():
    matrix = kr.ops.affine_matrix(SIZE)
    np.testing.assert_array_equal(
        to_numpy(kr.ops.grid_from_affine(matrix, (7, 9))), to_numpy(kr.ops.uniform_grid((7, 9)))
    )
    np.testing.assert_array_equal(to_numpy(kr.ops.affine_keypoints(KEYPOINTS, matrix)), KEYPOINTS)


def test_keypoints_are_moved_as_the_equation_says():
    """Pixel by pixel: shear, scale and turn about the centre, then shift."""
    sides = np.array(SIZE[::-1])
    found = to_numpy(kr.ops.affine_keypoints(KEYPOINTS, MATRIX))
    for i in range(3):
        angle = np.deg2rad(ARGUMENTS["rotation"][i])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        shear = np.array([[1, ARGUMENTS["shear"][i]], [0, 1]])
        for k in range(5):
            pixels = (KEYPOINTS[i, k] - 0.5) * sides
            pixels = ARGUMENTS["scale"][i] * turn @ shear @ pixels
            expected = pixels / sides + 0.5 + ARGUMENTS["translation"][i]
            np.testing.assert_allclose(found[i, k], expected, atol=2e-6)


def test_a_quarter_turn_takes_what_is_right_to_the_top():
    matrix = kr.ops.affine_matrix((8, 8), rotation=90.0)
    assert_close(kr.ops.affine_keypoints([[[1.0, 0.5]]], matrix), [[[0.5, 0.0]]])
    image = np.zeros((1, 8, 8, 1), "float32")
    image[:, :, 6:] = 1
    turned = kr.ops.sample(
        image, kr.ops.grid_from_affine(matrix, (8, 8)), data_format="channels_last"
    )
    assert_close(turned, np.rot90(image, axes=(1, 2)).copy())


def test_the_grid_leads_from_moved_keypoints_back():
    moved = to_numpy(kr.ops.affine_keypoints(KEYPOINTS, MATRIX))
    places = np.einsum("bij,bnj->bni", MATRIX[:, :, :2], moved - 0.5) + MATRIX[:, None, :, 2] + 0.5
    assert_close(places, KEYPOINTS)


def test_a_blob_is_where_its_keypoint_is():
    height, width = size = (48, 64)
    keypoints = np.array([[[0.45, 0.55]], [[0.52, 0.4]]], "float32")
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    far = ((x - keypoints[:, :, :1]) * width) ** 2 + ((y - keypoints[:, :, 1:]) * height) ** 2
    blobs = np.exp(-far / 18).astype("float32")[..., None]
    matrix = kr.ops.affine_matrix(size, [40.0, -100.0], [1.2, 0.8], [[0.1, 0.05], [-0.1, 0.1]])
    seen = kr.ops.sample(blobs, kr.ops.grid_from_affine(matrix, size), data_format="channels_last")
    seen = to_numpy(seen)[..., 0]
    centre = np.stack([(seen * x).sum((1, 2)), (seen * y).sum((1, 2))], -1)
    centre = centre / seen.sum((1, 2))[:, None]
    assert_close(kr.ops.affine_keypoints(keypoints, matrix)[:, 0], centre, 1e-3)


def test_one_matrix_for_all_and_a_missing_keypoint():
    missing = KEYPOINTS.copy()
    missing[1, 2, 0] = np.nan
    found = to_numpy(kr.ops.affine_keypoints(missing, MATRIX[:1]))
    expected = to_numpy(kr.ops.affine_keypoints(KEYPOINTS, np.repeat(MATRIX[:1], 3, axis=0))).copy()
    assert np.isnan(found[1, 2]).any() and np.isnan(found).sum() <= 2
    expected[1, 2] = found[1, 2]
    assert_close(found, expected)


def test_gradients():
    check_gradients(kr.ops.affine_keypoints, KEYPOINTS, MATRIX, tolerance=2e-2)


@pytest.mark.parametrize(
    ("keypoints", "matrix", "message"),
    [
        (np.zeros((2, 5)), np.zeros((2, 2, 3)), "`keypoints` must have shape"),
        (np.zeros((2, 5, 2)), np.zeros((2, 3, 3)), "`matrix` must have shape"),
        (
            np.zeros((2, 5, 2)),
            np.zeros((3, 2, 3)),
            "`keypoints` must have the batch of `matrix`, 3",
        ),
    ],
)
@pytest.mark.backends("torch", reason="shapes are checked in Python")
def test_bad_arguments(keypoints, matrix, message):
    with pytest.raises(ValueError, match=message):
        kr.ops.affine_keypoints(keypoints, matrix)
    with pytest.raises(ValueError, match="`image_size` must be"):
        kr.ops.affine_matrix(8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"translation": 0.1}, r"`translation` must have shape \(2,\) or \(batch, 2\)"),
        ({"translation": (0.1,)}, "`translation` must have shape"),
        ({"translation": (0.1, 0.2, 0.3)}, "`translation` must have shape"),
        ({"rotation": [[10.0, 20.0]]}, "`rotation` must be a number"),
        ({"rotation": [10.0, 20.0], "scale": [1.0, 1.0, 1.0]}, "`shear` must have one batch"),
    ],
)
def test_bad_numbers(arguments, message):
    with pytest.raises(ValueError, match=message):
        kr.ops.affine_matrix(SIZE, **arguments)


def test_numbers_stand_for_the_batch():
    matrix = kr.ops.affine_matrix(SIZE, rotation=[10.0, 20.0], scale=2.0)
    assert tuple(ops.shape(matrix)) == (2, 2, 3)
    assert_close(matrix[1], kr.ops.affine_matrix(SIZE, 20.0, 2.0)[0])
