"""Jacobians and penalties against loops, goldens, and maps whose area is known."""

from pathlib import Path

import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close, check_gradients, gradients, to_numpy

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "flow_regularizers.npz")
CASES = ["a", "b"]


def random_grid(batch=2, rows=5, cols=7, cells=0.6, seed=0):
    """A uniform grid displaced by up to `cells` cells."""
    moves = np.random.default_rng(seed).uniform(-cells, cells, (batch, rows, cols, 2))
    grid = to_numpy(kr.ops.uniform_grid((rows, cols))) + moves / np.array([cols, rows])
    return grid.astype("float32")


def golden_grid(flow):
    """The goldens hold flows in input pixels at half the side."""
    rows, cols, _ = flow.shape
    return kr.ops.grid_from_flow(flow, (2 * rows, 2 * cols))


def cells_of(grid):
    """Places of the grid (float64) in units of its cells."""
    return grid.astype("float64") * np.array([grid.shape[2], grid.shape[1]])


def cross(u, v):
    return u[0] * v[1] - u[1] * v[0]


def determinant_loop(grid):
    places = cells_of(grid)
    batch, rows, cols, _ = places.shape
    result = np.zeros((batch, rows, cols))
    for b, i, j in np.ndindex(batch, rows, cols):
        # The last difference is repeated; an axis of length 1 has none and counts as uniform.
        k, m = min(i, rows - 2), min(j, cols - 2)
        along_x = places[b, i, m + 1] - places[b, i, m] if cols > 1 else np.array([1.0, 0.0])
        along_y = places[b, k + 1, j] - places[b, k, j] if rows > 1 else np.array([0.0, 1.0])
        result[b, i, j] = cross(along_x, along_y)
    return result


def corners_loop(grid):
    places = cells_of(grid)
    batch, rows, cols, _ = places.shape
    result = np.zeros((batch, rows - 1, cols - 1, 4))
    for b, i, j in np.ndindex(batch, rows - 1, cols - 1):
        p = places[b]
        top, bottom = p[i, j + 1] - p[i, j], p[i + 1, j + 1] - p[i + 1, j]
        left, right = p[i + 1, j] - p[i, j], p[i + 1, j + 1] - p[i, j + 1]
        corners = [(top, left), (top, right), (bottom, left), (bottom, right)]
        result[b, i, j] = [cross(u, v) for u, v in corners]
    return result


def smoothness_loop(flow):
    """Sum over the grid, of one flow (h', w', 2)."""
    rows, cols, _ = flow.shape
    f = flow.astype("float64")
    total = 0.0
    for i, j in np.ndindex(rows, cols):
        if i + 1 < rows:
            total += np.sum((f[i + 1, j] - f[i, j]) ** 2)
        if j + 1 < cols:
            total += np.sum((f[i, j + 1] - f[i, j]) ** 2)
        if 0 < i < rows - 1 and 0 < j < cols - 1:
            laplacian = f[i + 1, j] + f[i - 1, j] + f[i, j + 1] + f[i, j - 1] - 4 * f[i, j]
            total += np.sum(laplacian**2)
    return total


@pytest.mark.parametrize("rows, cols", [(5, 7), (2, 2), (1, 4), (4, 1), (1, 1)])
def test_jacobian_determinant_is_the_area_of_the_step_vectors(rows, cols):
    grid = random_grid(rows=rows, cols=cols)
    assert_close(kr.ops.jacobian_determinant(grid), determinant_loop(grid), 1e-5)


def test_corner_jacobians_are_the_four_corners_of_every_cell():
    grid = random_grid()
    assert_close(kr.ops.corner_jacobians(grid), corners_loop(grid), 1e-5)


@pytest.mark.parametrize("name", CASES)
def test_jacobian_equals_the_golden(name):
    grid = golden_grid(GOLDENS[f"{name}_flow"])
    assert_close(kr.ops.jacobian_determinant(grid)[0], GOLDENS[f"{name}_J"], 1e-5)


@pytest.mark.parametrize("name", CASES)
def test_penalties_equal_the_goldens(name):
    flow = GOLDENS[f"{name}_flow"]
    grid = golden_grid(flow)
    relative = [
        (kr.ops.fold_penalty(grid, reduction="sum"), GOLDENS[f"{name}_diffeo"]),
        (kr.ops.shrink_penalty(grid, reduction="sum"), GOLDENS[f"{name}_shrink"]),
        (kr.ops.smoothness_penalty(flow, reduction="sum"), GOLDENS[f"{name}_smooth"]),
    ]
    for actual, expected in relative:
        assert_close(actual, expected, 1e-5)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "penalty, key",
    [(kr.ops.fold_penalty, "grad_diffeo"), (kr.ops.shrink_penalty, "grad_shrink")],
    ids=["fold", "shrink"],
)
def test_penalty_gradients_equal_the_goldens(name, penalty, key):
    flow = GOLDENS[f"{name}_flow"].astype("float32")
    (found,) = gradients(lambda flow: penalty(golden_grid(flow), reduction="sum"), flow)
    assert_close(found, GOLDENS[f"{name}_{key}"], 1e-5)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_penalties_reduce_the_grid_and_average_the_batch(reduction):
    grid = random_grid(batch=3, cells=1.5)
    flow = np.random.default_rng(1).normal(size=(3, 5, 7, 2)).astype("float32")
    reduce = getattr(np, reduction)
    folds = np.maximum(0, -determinant_loop(grid))
    corners = np.maximum(0, -corners_loop(grid))
    assert folds.any() and corners.any()
    smoothness = [smoothness_loop(f) / (35 if reduction == "mean" else 1) for f in flow]
    for actual, expected in [
        (kr.ops.fold_penalty(grid, reduction=reduction), [reduce(f) for f in folds]),
        (kr.ops.fold_penalty(grid, True, reduction), [reduce(c) for c in corners]),
        (kr.ops.shrink_penalty(grid, reduction), [reduce(d) for d in determinant_loop(grid)]),
        (kr.ops.smoothness_penalty(flow, reduction), smoothness),
    ]:
        assert_close(actual, np.mean(expected), 1e-5)


@pytest.mark.parametrize("rows, cols", [(1, 1), (1, 5), (5, 1), (2, 5), (3, 3)])
def test_smoothness_of_thin_flows(rows, cols):
    flow = np.random.default_rng(0).normal(size=(rows, cols, 2)).astype("float32")
    assert_close(kr.ops.smoothness_penalty(flow, "sum"), smoothness_loop(flow), 1e-5)


def test_smoothness_is_homogeneous_and_blind_to_a_shift():
    flow = np.random.default_rng(0).normal(size=(5, 7, 2)).astype("float32")
    one = float(kr.ops.smoothness_penalty(flow))
    assert_close(kr.ops.smoothness_penalty(3 * flow + np.float32(2.0)), 9 * one, 1e-5)


@pytest.mark.parametrize(
    "matrix",
    [
        [[1, 0, 0], [0, 1, 0]],
        [[0.5, 0, 0.1], [0, 0.25, -0.2]],
        [[1, 0.3, 0], [-0.2, 0.8, 0]],
        [[-1, 0, 0], [0, 1, 0]],
        [[0, 0, 0], [0, 1, 0]],
    ],
    ids=["identity", "zoom", "shear", "mirror", "collapse"],
)
@pytest.mark.parametrize("size", [(6, 6), (5, 8)])
def test_an_affine_map_has_its_determinant_everywhere(matrix, size):
    grid = kr.ops.grid_from_affine([matrix], size)
    expected = np.linalg.det(np.array(matrix)[:, :2])
    assert_close(kr.ops.jacobian_determinant(grid), np.full((1, *size), expected), 1e-5)
    cells = (1, size[0] - 1, size[1] - 1, 4)
    assert_close(kr.ops.corner_jacobians(grid), np.full(cells, expected), 1e-5)


@pytest.mark.parametrize("shift", [0.9, 1.1])
def test_one_sample_moved_past_its_neighbour_is_a_fold(shift):
    grid = to_numpy(kr.ops.uniform_grid((5, 5))).copy()
    grid[0, 2, 2, 0] += shift / 5
    folded = shift > 1
    assert (to_numpy(kr.ops.jacobian_determinant(grid)).min() < 0) == folded
    assert (float(kr.ops.fold_penalty(grid)) > 0) == folded


def test_the_corners_see_a_fold_that_forward_differences_miss():
    grid = to_numpy(kr.ops.uniform_grid((3, 3))).copy()
    # Pulled over the diagonal of the top left cell; the steps that start at a sample stay upright.
    grid[0, 1, 1] -= np.float32(0.8 / 3)
    assert float(kr.ops.fold_penalty(grid)) == 0
    assert float(kr.ops.fold_penalty(grid, corners=True)) > 0
    assert corners_loop(grid).min() < 0


def test_a_uniform_grid_costs_nothing_but_its_area():
    grid = kr.ops.uniform_grid((28, 28))
    assert_close(kr.ops.jacobian_determinant(grid), np.ones((1, 28, 28)), 1e-5)
    assert float(kr.ops.fold_penalty(grid)) == 0.0
    assert float(kr.ops.fold_penalty(grid, corners=True)) == 0.0
    assert_close(kr.ops.shrink_penalty(grid, "sum"), 784.0, 1e-5)


def test_equal_weights_leave_a_fold_without_gradient_to_its_determinant():
    """max(0, -J) + J = max(J, 0): why the weights of a layer must differ."""
    grid = to_numpy(kr.ops.grid_from_affine([[[-1, 0, 0], [0, 1, 0]]], (5, 5)))
    both = gradients(
        lambda grid: kr.ops.fold_penalty(grid) + kr.ops.shrink_penalty(grid),
        grid,
    )[0]
    assert_close(both, np.zeros_like(grid), 1e-6)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    "penalty",
    [
        lambda grid, reduction: kr.ops.fold_penalty(grid, reduction=reduction),
        lambda grid, reduction: kr.ops.fold_penalty(grid, corners=True, reduction=reduction),
        kr.ops.shrink_penalty,
        kr.ops.smoothness_penalty,
    ],
    ids=["fold", "corners", "shrink", "smoothness"],
)
def test_gradients_equal_finite_differences(penalty, reduction):
    grid = random_grid(cells=1.5)
    check_gradients(lambda grid: penalty(grid, reduction), grid, step=2.0**-10)


def test_gradients_of_the_determinants():
    grid = random_grid()
    check_gradients(kr.ops.jacobian_determinant, grid)
    check_gradients(kr.ops.corner_jacobians, grid)


@pytest.mark.backends("tensorflow")
def test_unknown_batch_and_size():
    import tensorflow as tf

    fns = [
        kr.ops.jacobian_determinant,
        kr.ops.corner_jacobians,
        kr.ops.fold_penalty,
        kr.ops.shrink_penalty,
        kr.ops.smoothness_penalty,
    ]
    grid = random_grid()
    for fn in fns:
        traced = tf.function(fn, input_signature=[tf.TensorSpec([None, None, None, 2])])
        assert_close(traced(grid), fn(grid), 1e-5, fn.__name__)


@pytest.mark.parametrize("corners", [False, True])
def test_nan_passes(corners):
    grid = random_grid()
    grid[0, 2, 3] = np.nan
    assert np.isnan(float(kr.ops.fold_penalty(grid, corners=corners)))
    assert np.isnan(float(kr.ops.shrink_penalty(grid)))
    assert np.isnan(float(kr.ops.smoothness_penalty(grid)))


@pytest.mark.parametrize(
    "fn, argument",
    [
        (kr.ops.jacobian_determinant, "grid"),
        (kr.ops.corner_jacobians, "grid"),
        (kr.ops.fold_penalty, "grid"),
        (kr.ops.shrink_penalty, "grid"),
        (kr.ops.smoothness_penalty, "flow"),
    ],
)
def test_bad_input(fn, argument):
    with pytest.raises(ValueError, match=rf"`{argument}` must .*Received: .*\(2, 3\)$"):
        fn(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=rf"`{argument}` must .*Received: .*\(1, 4, 4, 3\)$"):
        fn(np.zeros((1, 4, 4, 3)))
    if "penalty" in fn.__name__:
        with pytest.raises(ValueError, match="`reduction` must .*Received: reduction='max'$"):
            fn(np.zeros((1, 4, 4, 2)), reduction="max")
