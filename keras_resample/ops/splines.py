"""Smooth displacements: a few control points, and a cubic B-spline between them."""

from keras import ops

from keras_resample.backend.compiling import compiled_once, one_program
from keras_resample.ops.grids import as_pairs, uniform_grid
from keras_resample.ops.keypoints import as_keypoints, check_batches

# A displacement of all control points by less than this share of their spacing never folds: it is
# 1 / K, K = 2.0464 the largest sum of the spline's slopes (Choi and Lee, 2000).
FOLD_FREE = 0.48
# Each step multiplies the error by K * displacement at most, 0.82 for the 0.4 of `RandomWarp`.
STEPS = 40


def grid_from_spline(control, size):
    """Grid displaced smoothly from the uniform one, by the cubic B-spline of control points.

    `grid(u) = u + sum_ij B(cells_x u_x - j + 1) B(cells_y u_y - i + 1) control[i, j]`, the
    free-form deformation of Rueckert et al. with cubic B-splines B. As long as no control point
    moves by more than 0.48 of the spacing along any axis, it does not fold.

    Args:
        control: `(batch, rows, columns, 2)`, displacements (x, y) as shares of the width and of the
            height. Points stand at `(j - 1) / (columns - 3)` along x, and along y alike: one
            outside of each edge.
        size: `(height, width)` of the grid.

    Returns:
        float32 grid `(batch, height, width, 2)`, relative (x, y).

    Raises:
        ValueError: if `control` has another shape or fewer than 4 rows or columns, or `size` is no
            size.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> control = np.random.default_rng(0).uniform(-0.1, 0.1, size=(2, 7, 7, 2))  # 4 by 4 cells
    >>> kr.ops.grid_from_spline(control, (28, 28)).shape == (2, 28, 28, 2)
    True

    Reference:
        Rueckert et al., "Nonrigid registration using free-form deformations", IEEE TMI 1999. Choi
        and Lee, "Injectivity conditions of 2D and 3D uniform cubic B-spline functions", Graphical
        Models 2000.
    """
    return moved_by_spline(uniform_grid(size), as_control(control))


def spline_keypoints(keypoints, control):
    """Where keypoints are on images that were sampled at `grid_from_spline(control, size)`.

    The inverse of that map, by the fixed-point iteration `p <- keypoint - displacement(p)`: exact
    to rounding for control points that move by at most 0.4 of their spacing.

    Args:
        keypoints: `(batch, n, 2)`, relative (x, y) of the images that were sampled. They are not
            clipped; one with a NaN stays NaN, for itself alone.
        control: as in `grid_from_spline`.

    Returns:
        float32 `(batch, n, 2)`, relative (x, y) of the samples.

    Raises:
        ValueError: if `keypoints` or `control` has another shape, or one another batch.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> control = np.random.default_rng(0).uniform(-0.1, 0.1, size=(2, 7, 7, 2))
    >>> kr.ops.spline_keypoints(np.full((2, 5, 2), 0.4), control).shape == (2, 5, 2)
    True
    """
    keypoints, control = as_keypoints(keypoints), as_control(control)
    check_batches(keypoints.shape, control.shape, "control")
    return _inverse(keypoints, control)


@compiled_once
def _inverse(keypoints, control):
    def step(_, places):
        return keypoints - displacement_at(places, control)

    # The first step is outside, where one keypoint becomes those of the batch of control points.
    return ops.fori_loop(1, STEPS, step, step(0, keypoints))


def as_control(control):
    """`control` as a float32 tensor (batch, rows, columns, 2), of at least 4 by 4."""
    control = as_pairs(control, "control", ranks=(4,))
    if min(control.shape[1:3]) < 4:
        raise ValueError(
            "`control` must have at least 4 rows and 4 columns, for one cell. "
            f"Received: control of shape {tuple(control.shape)}"
        )
    return control


@one_program
def moved_by_spline(grid, control):
    """A grid (1, h', w', 2) whose rows and columns are straight, displaced by the spline.

    x and y are computed apart: pairs in the last axis are slow on PyTorch.
    """
    rows, columns = control.shape[1:3]
    y = _basis(grid[0, :, :1, 1], rows)  # (h', rows)
    x = _basis(grid[0, 0, :, None, 0], columns)  # (w', columns)
    control = ops.transpose(control, (0, 3, 1, 2))
    lines = sum(y[:, i, None] * control[:, :, i : i + 1] for i in range(rows))
    displacement = sum(x[:, j] * lines[..., j : j + 1] for j in range(columns))
    return grid + ops.transpose(displacement, (0, 2, 3, 1))


def displacement_at(places, control):
    """The spline at places (batch, n, 2)."""
    rows, columns = control.shape[1:3]
    y = _basis(places[..., 1:2], rows)
    x = _basis(places[..., 0:1], columns)
    control = ops.transpose(control, (0, 3, 1, 2))[:, :, None]
    at_rows = ops.sum(control * x[:, None, :, None], axis=-1)  # (batch, 2, n, rows)
    return ops.transpose(ops.sum(at_rows * y[:, None], axis=-1), (0, 2, 1))


def _basis(position, count):
    """Cubic B-splines of `count` control points at relative positions (..., 1): (..., count)."""
    distance = ops.abs(position * (count - 3) + 1.0 - ops.arange(count, dtype="float32"))
    far, near = (ops.maximum(reach - distance, 0.0) for reach in (2.0, 1.0))
    return (far * far * far - 4.0 * near * near * near) / 6.0
