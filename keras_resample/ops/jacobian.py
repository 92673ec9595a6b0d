"""Jacobians of sampling grids and the penalties that keep a grid sane."""

from keras import ops

from keras_resample.arguments import as_bool, check_choice
from keras_resample.backend.compiling import one_program
from keras_resample.ops.grids import as_pairs, cell_displacement

REDUCTIONS = ("mean", "sum")


def steps(field):
    """Differences to the next place along x (b, h', w' - 1, 2) and along y (b, h' - 1, w', 2)."""
    return field[:, :, 1:] - field[:, :, :-1], field[:, 1:] - field[:, :-1]


def forward_determinants(displacement, along_x, along_y):
    """`jacobian_determinant` of a displacement in cells with these steps."""
    along_x = _repeat_last(along_x, 2) if displacement.shape[2] != 1 else 0.0 * displacement
    along_y = _repeat_last(along_y, 1) if displacement.shape[1] != 1 else 0.0 * displacement
    return _determinants(along_x, along_y)


def corner_determinants(along_x, along_y):
    """`corner_jacobians`, (bottom, right, b, h' - 1, w' - 1), from the steps of a displacement."""
    top_bottom = ops.stack([along_x[:, :-1], along_x[:, 1:]])
    left_right = ops.stack([along_y[:, :, :-1], along_y[:, :, 1:]])
    return _determinants(top_bottom[:, None], left_right)


def _determinants(along_x, along_y):
    """Determinant of the identity plus two columns."""
    stretch = (1.0 + along_x[..., 0]) * (1.0 + along_y[..., 1])
    return stretch - along_x[..., 1] * along_y[..., 0]


def _repeat_last(differences, axis):
    last = differences[:, -1:] if axis == 1 else differences[:, :, -1:]
    return ops.concatenate([differences, last], axis=axis)


def jacobian_determinant(grid):
    """Area that each sample stands for, relative to the uniform grid's.

    Implements `J = det(I + grad F)` (Eq. 2 of "Beyond Predictive Resampling") with F in cells of
    the output grid, by forward differences, the last one repeated. J = 1 is the density of a plain
    resize, above 1 sparser, between 0 and 1 denser, 0 a tear; J < 0 exactly where the map folds.

    Args:
        grid: `(batch, h', w', 2)`, relative (x, y).

    Returns:
        float32 `(batch, h', w')`, dimensionless.

    Raises:
        ValueError: if `grid` is no grid.

    Example:

    >>> import keras_resample as kr
    >>> kr.ops.jacobian_determinant(kr.ops.uniform_grid((7, 9))).shape == (1, 7, 9)
    True
    """
    displacement = cell_displacement(grid)
    return forward_determinants(displacement, *steps(displacement))


def corner_jacobians(grid):
    """Determinants at the four corners of every cell of the grid.

    A bilinear cell is invertible if and only if all four are positive; forward differences
    (`jacobian_determinant`) see one corner of each cell.

    Args:
        grid: `(batch, h', w', 2)`, relative (x, y).

    Returns:
        float32 `(batch, h' - 1, w' - 1, 4)`: corners top left, top right, bottom left and
            right.

    Raises:
        ValueError: if `grid` is no grid.

    Example:

    >>> import keras_resample as kr
    >>> kr.ops.corner_jacobians(kr.ops.uniform_grid((7, 9))).shape == (1, 6, 8, 4)
    True
    """
    corners = corner_determinants(*steps(cell_displacement(grid)))
    corners = ops.transpose(corners, (2, 3, 4, 0, 1))
    return ops.reshape(corners, (*ops.shape(corners)[:3], 4))


def fold_penalty(grid, corners=False, reduction="mean"):
    """Penalty on folds, `max(0, -J)` (Eq. 3 of "Beyond Predictive Resampling").

    Args:
        grid: `(batch, h', w', 2)`, relative (x, y).
        corners: whether to look at all four corners of every cell instead of one, which no fold
            escapes.
        reduction: `"mean"` over the grid (independent of its size) or `"sum"`, as in the paper; the
            batch is always averaged.

    Returns:
        float32 scalar, >= 0.

    Raises:
        ValueError: if `grid` is no grid or `reduction` is unknown.

    Example:

    >>> import keras_resample as kr
    >>> float(kr.ops.fold_penalty(kr.ops.uniform_grid((7, 9))))
    0.0
    """
    return flow_penalty(
        cell_displacement(grid),
        diffeo_weight=1.0,
        corners=as_bool(corners, "corners"),
        reduction=reduction,
    )


def shrink_penalty(grid, reduction="mean"):
    """Total area that the samples stand for, `J` itself (Eq. 4 of "Beyond Predictive Resampling").

    Pulls the frame of the grid inwards. Its weight must stay below that of `fold_penalty`: with
    equal weights the two cancel and a fold feels no gradient.

    Args:
        grid: `(batch, h', w', 2)`, relative (x, y).
        reduction: `"mean"` or `"sum"` over the grid; the batch is always averaged.

    Returns:
        float32 scalar; 1 for the uniform grid under `"mean"`.

    Raises:
        ValueError: if `grid` is no grid or `reduction` is unknown.

    Example:

    >>> import keras_resample as kr
    >>> round(float(kr.ops.shrink_penalty(kr.ops.uniform_grid((7, 9)))), 4)
    1.0
    """
    return flow_penalty(cell_displacement(grid), shrink_weight=1.0, reduction=reduction)


def smoothness_penalty(flow, reduction="mean"):
    """Squared gradient and squared Laplacian of a flow (Eq. 5 of "Beyond Predictive Resampling").

    Forward differences inside the grid and the five-point Laplacian on its interior; an axis of
    length 1 gives 0. Homogeneous in the unit of the flow: in cells of the output grid one weight
    means the same at every size, and that is what `FlowWarpDownsample` passes.

    Args:
        flow: `(h', w', 2)` or `(batch, h', w', 2)`.
        reduction: `"mean"` (the sum divided by h' w') or `"sum"`; the batch is always averaged.

    Returns:
        float32 scalar, >= 0.

    Raises:
        ValueError: if `flow` has another rank or last axis, or `reduction` is unknown.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> float(kr.ops.smoothness_penalty(np.ones((7, 9, 2))))
    0.0
    """
    flow = as_pairs(flow, "flow", ranks=(3, 4))
    if len(flow.shape) == 3:
        flow = flow[None]
    return flow_penalty(flow, smooth_weight=1.0, reduction=reduction)


def flow_penalty(
    displacement,
    smooth_weight=0.0,
    diffeo_weight=0.0,
    shrink_weight=0.0,
    corners=False,
    reduction="mean",
):
    """Weighted sum of the three penalties of a displacement (batch, h', w', 2) in cells."""
    check_choice(reduction, "reduction", REDUCTIONS)
    return _flow_penalty(
        displacement,
        smooth_weight=smooth_weight,
        diffeo_weight=diffeo_weight,
        shrink_weight=shrink_weight,
        corners=corners,
        reduction=reduction,
    )


@one_program
def _flow_penalty(displacement, *, smooth_weight, diffeo_weight, shrink_weight, corners, reduction):
    batch, rows, cols, _ = ops.shape(displacement)
    along = steps(displacement)
    total = 0.0
    if smooth_weight:
        squares = sum(ops.sum(values * values) for values in (*along, _laplacian(*along)))
        total = total + smooth_weight * (squares / _as_float(batch))
        if reduction == "mean":
            total = total / _as_float(rows * cols)
    if diffeo_weight or shrink_weight:
        determinants = forward_determinants(displacement, *along)
        has_corners = corners and 1 not in displacement.shape[1:3]
        folding = corner_determinants(*along) if has_corners else determinants
    if diffeo_weight:
        total = total + diffeo_weight * _reduce(ops.relu(-folding), batch, reduction)
    if shrink_weight:
        total = total + shrink_weight * _reduce(determinants, batch, reduction)
    return total


def _laplacian(along_x, along_y):
    """The five-point Laplacian inside of the grid, from its steps."""
    inside_x, inside_y = along_x[:, 1:-1], along_y[:, :, 1:-1]
    return (inside_x[:, :, 1:] - inside_x[:, :, :-1]) + (inside_y[:, 1:] - inside_y[:, :-1])


def _reduce(determinants, batch, reduction):
    if reduction == "mean":
        return ops.mean(determinants)
    return ops.sum(determinants) / _as_float(batch)


def _as_float(count):
    """A size, which may be a tensor, to divide by."""
    return float(count) if isinstance(count, int) else ops.cast(count, "float32")
