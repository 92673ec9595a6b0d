"""The conditioned gradient of a learned flow, against its formula in numpy."""

import numpy as np
import pytest
from keras import ops

from keras_resample.layers.samplers.flow_gradient import (
    FLOW_UNIT,
    GRADIENT_BOUND,
    RESPONSE_PER_CELL,
    SOBOLEV_LENGTH,
    sobolev_matrix,
    with_conditioned_gradient,
)
from tests.numerics import assert_close, gradients, to_numpy

WEIGHTS = np.random.default_rng(0).normal(size=(5, 7, 2)).astype("float32")
UPSTREAM = np.random.default_rng(1).normal(size=(5, 7, 2)).astype("float32")


def free_laplacian(count):
    """Sum over the neighbours of (own - theirs), a loop."""
    matrix = np.zeros((count, count))
    for i in range(count):
        for k in (i - 1, i + 1):
            if 0 <= k < count:
                matrix[i, i] += 1
                matrix[i, k] -= 1
    return matrix


def conditioned(upstream, loss_scale=None):
    """The documented formula; `loss_scale=None` is a loss without the zero."""
    rows, cols, _ = upstream.shape
    smooth = [
        np.linalg.inv(np.eye(n) + SOBOLEV_LENGTH**2 * free_laplacian(n)) for n in (rows, cols)
    ]
    field = np.stack([smooth[0] @ upstream[..., k] @ smooth[1].T for k in range(2)], axis=-1)
    field = field * RESPONSE_PER_CELL * rows * cols / FLOW_UNIT**2
    if loss_scale is None:
        return field
    longest = np.max(np.linalg.norm(field, axis=-1))
    return field * min(1.0, GRADIENT_BOUND * loss_scale / longest)


def found(upstream, loss_scale=None):
    def loss(weights):
        values, zero = with_conditioned_gradient(weights)
        total = ops.sum(ops.multiply(values, upstream))
        return total if loss_scale is None else total + loss_scale * zero

    return gradients(loss, WEIGHTS)[0]


@pytest.mark.parametrize("count", [1, 2, 7, 56])
def test_the_sobolev_matrix_inverts_its_metric_and_keeps_shifts(count):
    matrix = sobolev_matrix(count).astype("float64")
    metric = np.eye(count) + SOBOLEV_LENGTH**2 * free_laplacian(count)
    assert_close(matrix @ metric, np.eye(count), 1e-5)
    assert_close(matrix.sum(axis=1), np.ones(count), 1e-6)
    assert_close(matrix, matrix.T, 1e-6)
    assert matrix.min() >= 0


def test_the_weights_pass_unchanged_and_the_zero_is_zero():
    values, zero = with_conditioned_gradient(ops.convert_to_tensor(WEIGHTS))
    assert np.array_equal(to_numpy(values), WEIGHTS)
    assert tuple(zero.shape) == () and float(zero) == 0.0


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("loss_scale", [None, 1.0, 1024.0])
def test_the_gradient_is_the_formula(size, loss_scale):
    upstream = np.float32(size * (loss_scale or 1.0)) * UPSTREAM
    expected = conditioned(upstream.astype("float64"), loss_scale)
    actual = found(upstream, loss_scale)
    assert_close(actual / np.abs(expected).max(), expected / np.abs(expected).max(), 1e-5)


def test_the_bound_is_active_above_and_not_below():
    longest = [
        np.linalg.norm(found(np.float32(s) * UPSTREAM, 1.0), axis=-1).max() for s in (1, 1e4)
    ]
    assert longest[0] < GRADIENT_BOUND
    assert_close(longest[1] / GRADIENT_BOUND, 1.0, 1e-5)


def test_the_bound_scales_with_the_loss():
    """As mixed float16 scales it: dividing by the scale gives the gradient without it."""
    scale = np.float32(2.0**15)
    upstream = np.float32(1e3) * UPSTREAM
    assert_close(found(scale * upstream, scale) / scale, found(upstream, 1.0), 1e-6)


def test_without_the_zero_nothing_is_bounded():
    once, twice = found(np.float32(1e4) * UPSTREAM), found(np.float32(2e4) * UPSTREAM)
    assert np.linalg.norm(once, axis=-1).max() > 10 * GRADIENT_BOUND
    assert_close(twice, 2 * once, 1e-5)


def test_no_gradient_stays_none():
    assert not np.any(found(0 * UPSTREAM, 1.0))


def test_nan_passes_the_bound():
    upstream = UPSTREAM.copy()
    upstream[2, 3, 0] = np.nan
    assert np.isnan(found(upstream, 1.0)).any()
    assert np.isnan(found(UPSTREAM, np.float32(np.nan))).all()


def test_a_lonely_cell_moves_its_neighbours():
    upstream = np.zeros_like(UPSTREAM)
    upstream[2, 3, 0] = 1.0
    field = found(upstream)
    assert field[..., 0].min() > 0 and np.argmax(field[..., 0]) == 2 * 7 + 3
    assert not field[..., 1].any()
