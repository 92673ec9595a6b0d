"""Alignment is Umeyama's least squares, finds what was warped, and stays where it cannot help."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close, check_gradients, gradients, to_numpy

RANDOM = np.random.default_rng(0)
TEMPLATE = kr.ops.face_template()
NOISY = (TEMPLATE + RANDOM.normal(0, 0.05, (3, 5, 2))).astype("float32")
IDENTITY = np.eye(2, 3, dtype="float32")
WARP = {
    "rotation": [30.0, -80.0, 179.0],
    "scale": [0.6, 1.4, 1.0],
    "translation": [[0.1, -0.2], [0.0, 0.3], [-0.2, 0.1]],
}


def umeyama(source, target):
    """Eqs. 40-43 of the paper: target = scale * turn @ source + shift, by singular values."""
    source_mean, target_mean = source.mean(0), target.mean(0)
    covariance = (target - target_mean).T @ (source - source_mean) / len(source)
    u, d, vt = np.linalg.svd(covariance)
    signs = np.array([1, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = (u * signs) @ vt
    scale = (d * signs).sum() / ((source - source_mean) ** 2).sum() * len(source)
    return scale * turn, target_mean - scale * turn @ source_mean


@pytest.mark.parametrize("image_size", [(100, 100), (60, 90)])
@pytest.mark.parametrize("size", [(112, 112), (112, 96)])
def test_it_equals_umeyama_in_pixels(image_size, size):
    matrix = kr.ops.similarity_matrix(NOISY, image_size, size)
    found = to_numpy(kr.ops.affine_keypoints(NOISY, matrix)) * size[::-1]
    for points, aligned in zip(NOISY.astype("float64") * image_size[::-1], found, strict=True):
        linear, shift = umeyama(points, TEMPLATE * size[::-1])
        np.testing.assert_allclose(aligned, points @ linear.T + shift, atol=1e-3)


def test_it_undoes_a_similarity():
    warp = kr.ops.affine_matrix((80, 120), **WARP)
    warped = kr.ops.affine_keypoints(np.repeat(TEMPLATE[None], 3, axis=0), warp)
    matrix = kr.ops.similarity_matrix(warped, (80, 120), (80, 120))
    back = kr.ops.affine_keypoints(warped, matrix)
    assert_close(back, np.repeat(TEMPLATE[None], 3, axis=0))


def test_it_does_not_mirror():
    mirrored = (1.0, 0.0) + TEMPLATE[None] * (-1.0, 1.0)
    linear = to_numpy(kr.ops.similarity_matrix(mirrored, (112, 112)))[0, :, :2]
    assert np.linalg.det(linear) > 0


def test_images_come_back_as_they_were():
    x = np.linspace(0, 1, 64, dtype="float32")
    images = np.stack([x[None] * x[:, None], np.sin(4 * x)[None] * np.cos(3 * x)[:, None]], -1)
    images = np.repeat(images[None], 3, axis=0)
    points = np.repeat(TEMPLATE[None], 3, axis=0).astype("float32")
    warped, moved = kr.datasets.warp_with_keypoints(
        images, points, rotation=(40, 40), scale=(0.7, 0.7), translation=(0.05, 0.05)
    )
    aligned, back = kr.ops.align(warped, moved, (64, 64), data_format="channels_last")
    assert_close(back, points)
    inner = slice(12, 52)  # what a corner showed is lost
    assert_close(aligned[:, inner, inner], images[:, inner, inner], 6e-3)


def test_alpha_goes_from_a_resize_straight_to_the_aligned_image():
    images = RANDOM.random((3, 20, 24, 2)).astype("float32")
    options = {"size": (9, 8), "data_format": "channels_last"}
    resized, points = kr.ops.align(images, NOISY, alpha=0, **options)
    grid = np.repeat(to_numpy(kr.ops.uniform_grid((9, 8))), 3, axis=0)
    expected = kr.ops.sample(images, grid, data_format="channels_last")
    np.testing.assert_array_equal(to_numpy(resized), to_numpy(expected))
    np.testing.assert_array_equal(to_numpy(points), NOISY)
    matrix = to_numpy(kr.ops.similarity_matrix(NOISY, (20, 24), (9, 8)))
    halfway = (IDENTITY + matrix) / 2
    for alpha, expected in ((1, matrix), (0.5, halfway)):
        _, points = kr.ops.align(images, NOISY, alpha=alpha, **options)
        assert_close(points, kr.ops.affine_keypoints(NOISY, expected))


def test_missing_points_are_left_out():
    missing = NOISY.copy()
    missing[0, 1, 0], missing[0, 4] = np.nan, np.inf
    found = to_numpy(kr.ops.similarity_matrix(missing, (50, 60)))
    left = kr.ops.similarity_matrix(NOISY[:1, [0, 2, 3]], (50, 60), template=TEMPLATE[[0, 2, 3]])
    assert_close(found[:1], left)
    assert_close(found[1:], kr.ops.similarity_matrix(NOISY[1:], (50, 60)))


def test_nothing_to_align_by_is_a_resize():
    nowhere = np.full((4, 5, 2), np.nan, "float32")
    nowhere[1] = 0.3  # all in one point
    nowhere[2, 3] = 0.6  # one point is left
    nowhere[3] = np.float32(1 / 3) + np.float32(1e-6) * RANDOM.random((5, 2))
    matrix = to_numpy(kr.ops.similarity_matrix(nowhere, (112, 112)))
    np.testing.assert_array_equal(matrix, np.repeat(IDENTITY[None], 4, axis=0))


def test_the_matrix_is_float32_whatever_the_precision_of_keras():
    expected = kr.ops.similarity_matrix(NOISY, (50, 60))
    keras.config.set_floatx("float64")
    found = kr.ops.similarity_matrix(NOISY.astype("float64"), (50, 60))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert_close(found, expected)


def test_channels_first_and_other_templates():
    images = RANDOM.random((3, 20, 24, 2)).astype("float32")
    corners = [[0.2, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.8], [0.5, 0.5]]
    options = {"size": (9, 8), "template": corners, "antialias": True}
    last, _ = kr.ops.align(images, NOISY, **options, data_format="channels_last")
    first, _ = kr.ops.align(
        np.moveaxis(images, -1, 1), NOISY, **options, data_format="channels_first"
    )
    assert_close(np.moveaxis(to_numpy(first), 1, -1), last)


def test_gradients_reach_keypoints_also_beside_what_is_missing():
    def matrix(points):
        return kr.ops.similarity_matrix(points, (50, 60))

    check_gradients(matrix, NOISY, step=2.0**-12, tolerance=2e-2)
    missing = NOISY.copy()
    missing[0], missing[1, 2] = np.nan, np.nan
    gradient = gradients(matrix, NOISY[2:])[0]
    found = gradients(matrix, missing)[0]
    assert np.isfinite(found).all()
    assert_close(found[2:], gradient, 1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keypoints": np.zeros((3, 4, 2))}, "`keypoints` must be the 5 of the template"),
        ({"keypoints": np.zeros((2, 5, 2))}, "`keypoints` must have the batch of the images, 3"),
        ({"template": "faces"}, '`template` must be "face"'),
        ({"template": np.zeros((5, 3))}, '`template` must be "face"'),
        ({"template": np.full((5, 2), np.nan)}, '`template` must be "face"'),
        ({"template": np.zeros((5, 2))}, "`template` must have two different points"),
        ({"alpha": 1.5}, "`alpha` must be a number in"),
        ({"size": 112}, "`size` must be two positive integers"),
        ({"images": keras.Input((8, 8, 1))}, "by `keras_resample.layers.KeypointAlignment`"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, message):
    images = np.zeros((3, 8, 8, 1), "float32")
    with pytest.raises(ValueError, match=message):
        kr.ops.align(**{"images": images, "keypoints": NOISY, **arguments})
