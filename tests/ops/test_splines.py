"""The spline is the textbook's, does not fold below its bound, and its inverse is one."""

import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample.ops.splines import FOLD_FREE, displacement_at
from tests.numerics import assert_close, check_gradients, to_numpy

RANDOM = np.random.default_rng(0)
CELLS = 4
SPACING = 1 / CELLS
CONTROL = RANDOM.uniform(-0.4, 0.4, (2, CELLS + 3, CELLS + 3, 2)).astype("float32") * SPACING


def spline(t):
    """The cubic B-spline, piece by piece."""
    t = abs(t)
    if t < 1:
        return 2 / 3 - t**2 + t**3 / 2
    return (2 - t) ** 3 / 6 if t < 2 else 0.0


def loop(place, control):
    rows, columns, _ = control.shape
    result = np.zeros(2)
    for i, j in np.ndindex(rows, columns):
        weight_x = spline(place[0] * (columns - 3) - (j - 1))
        weight_y = spline(place[1] * (rows - 3) - (i - 1))
        result += weight_x * weight_y * control[i, j]
    return result


def test_it_equals_the_loop():
    control = CONTROL[:, :-2]  # fewer rows than columns
    grid = to_numpy(kr.ops.grid_from_spline(control, (3, 5)))
    uniform = to_numpy(kr.ops.uniform_grid((3, 5)))[0]
    for b, i, j in np.ndindex(2, 3, 5):
        expected = uniform[i, j] + loop(uniform[i, j], control[b])
        np.testing.assert_allclose(grid[b, i, j], expected, atol=1e-6)


def test_zeros_move_nothing_and_equal_points_shift():
    uniform = to_numpy(kr.ops.uniform_grid((6, 8)))
    still = to_numpy(kr.ops.grid_from_spline(CONTROL[:1] * 0, (6, 8)))
    np.testing.assert_array_equal(still, uniform)
    shift = CONTROL[:1] * 0 + np.array([0.1, -0.05], "float32")
    assert_close(kr.ops.grid_from_spline(shift, (6, 8)), uniform + [0.1, -0.05], 1e-6)


def test_the_bound_is_that_of_its_slopes():
    """Largest sum over control points of the slope along any direction of the axes' maxima."""
    places, points = np.linspace(0, 1, 101), np.arange(-1, 3)
    values = np.array([[spline(u - p) for p in points] for u in places])
    slopes = np.array([[spline(u + 1e-5 - p) - spline(u - 1e-5 - p) for p in points]
                       for u in places]) / 2e-5  # fmt: skip
    along_x = slopes[:, None, :, None] * values[None, :, None, :]
    along_y = values[:, None, :, None] * slopes[None, :, None, :]
    largest = max(np.abs(along_x + sign * along_y).sum((2, 3)).max() for sign in (1, -1))
    assert FOLD_FREE < 1 / largest < FOLD_FREE + 0.01


def test_no_fold_at_the_bound_whatever_the_signs():
    signs = np.sign(RANDOM.normal(size=(64, CELLS + 3, CELLS + 3, 2)))
    grid = kr.ops.grid_from_spline(signs * FOLD_FREE * SPACING, (64, 64))
    assert to_numpy(kr.ops.jacobian_determinant(grid)).min() > 0


def test_keypoints_are_the_inverse():
    keypoints = RANDOM.uniform(-0.3, 1.3, (2, 40, 2)).astype("float32")
    keypoints[0, 3, 1] = np.nan
    for control in (CONTROL, np.sign(CONTROL) * np.float32(0.4 * SPACING)):
        found = kr.ops.spline_keypoints(keypoints, control)
        read = to_numpy(found) + to_numpy(displacement_at(found, ops.convert_to_tensor(control)))
        assert np.isnan(read[0, 3]).all() and np.isnan(read).sum() == 2
        assert_close(np.nan_to_num(read), np.where(np.isnan(read), 0, keypoints), 1e-6)


def test_a_node_of_the_grid_is_where_its_place_went():
    grid = to_numpy(kr.ops.grid_from_spline(CONTROL, (4, 4)))
    found = kr.ops.spline_keypoints(grid.reshape(2, 16, 2), CONTROL)
    uniform = np.broadcast_to(to_numpy(kr.ops.uniform_grid((4, 4))), grid.shape)
    assert_close(found, uniform.reshape(2, 16, 2), 1e-6)


def test_one_keypoint_under_several_splines_and_several_under_one():
    points = RANDOM.uniform(0, 1, (2, 3, 2)).astype("float32")
    for few, controls in ((points[:1], CONTROL), (points, CONTROL[:1])):
        repeated = np.repeat(few, 2 // len(few), 0), np.repeat(controls, 2 // len(controls), 0)
        found = kr.ops.spline_keypoints(few, controls)
        assert_close(found, kr.ops.spline_keypoints(*repeated), 1e-6)
    with pytest.raises(ValueError, match="`keypoints` must have the batch of `control`, 2"):
        kr.ops.spline_keypoints(np.zeros((3, 1, 2)), CONTROL)


def test_gradients():
    points = RANDOM.uniform(0, 1, (2, 3, 2)).astype("float32")
    check_gradients(kr.ops.spline_keypoints, points, CONTROL / 2, entries=6, tolerance=2e-2)


@pytest.mark.parametrize("shape", [(7, 7, 2), (1, 7, 7, 3), (1, 3, 7, 2), (1, 7, 3, 2)])
@pytest.mark.backends("torch", reason="shapes are checked in Python")
def test_bad_control(shape):
    with pytest.raises(ValueError, match="`control` must have"):
        kr.ops.grid_from_spline(np.zeros(shape), (8, 8))
    with pytest.raises(ValueError, match="`control` must have"):
        kr.ops.spline_keypoints(np.zeros((1, 5, 2)), np.zeros(shape))
