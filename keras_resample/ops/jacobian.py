"""Jacobians of sampling grids and the penalties that keep a grid sane."""

from keras import ops

from keras_resample.ops.grids import check_pairs, uniform_grid_like


def cell_displacement(grid):
    """Displacement of `grid` from the uniform grid, in cells of the grid: (batch, h', w', 2)."""
    grid = check_pairs(grid, "grid", ranks=(4,))
    shape = ops.shape(grid)
    extent = ops.cast(ops.stack([shape[2], shape[1]]), "float32")
    return (grid - uniform_grid_like(grid)) * extent


def forward_difference(values, axis):
    """Forward differences along axis 1 or 2, the last one repeated; zero on an axis of length 1."""
    if values.shape[axis] == 1:
        return ops.zeros_like(values)
    steps = ops.diff(values, axis=axis)
    last = steps[:, -1:] if axis == 1 else steps[:, :, -1:]
    return ops.concatenate([steps, last], axis=axis)


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
    along_y = forward_difference(displacement, axis=1)
    along_x = forward_difference(displacement, axis=2)
    return (1.0 + along_x[..., 0]) * (1.0 + along_y[..., 1]) - along_x[..., 1] * along_y[..., 0]


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
    displacement = cell_displacement(grid)
    along_x = ops.diff(displacement, axis=2) + ops.convert_to_tensor([1.0, 0.0], dtype="float32")
    along_y = ops.diff(displacement, axis=1) + ops.convert_to_tensor([0.0, 1.0], dtype="float32")
    top_bottom = ops.stack([along_x[:, :-1], along_x[:, 1:]], axis=3)[:, :, :, :, None]
    left_right = ops.stack([along_y[:, :, :-1], along_y[:, :, 1:]], axis=3)[:, :, :, None]
    determinants = top_bottom[..., 0] * left_right[..., 1] - top_bottom[..., 1] * left_right[..., 0]
    _, rows, cols, _ = ops.shape(displacement)
    return ops.reshape(determinants, (-1, rows - 1, cols - 1, 4))


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
    determinants = corner_jacobians(grid) if corners else jacobian_determinant(grid)
    return reduce_grid(ops.relu(-determinants), reduction)


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
    return reduce_grid(jacobian_determinant(grid), reduction)


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
    flow = check_pairs(flow, "flow", ranks=(3, 4))
    if len(flow.shape) == 3:
        flow = flow[None]
    vertical = flow[:, 2:, 1:-1] + flow[:, :-2, 1:-1]
    horizontal = flow[:, 1:-1, 2:] + flow[:, 1:-1, :-2]
    laplacian = vertical + horizontal - 4.0 * flow[:, 1:-1, 1:-1]
    terms = [ops.diff(flow, axis=1), ops.diff(flow, axis=2), laplacian]
    total = ops.mean(sum(ops.sum(ops.square(term), axis=(1, 2, 3)) for term in terms))
    if check_reduction(reduction) == "mean":
        _, rows, cols, _ = ops.shape(flow)
        total = total / ops.cast(rows * cols, "float32")
    return total


def reduce_grid(values, reduction):
    """Reduces (batch, h, w, ...) over the grid by `reduction` and averages over the batch."""
    axes = tuple(range(1, len(values.shape)))
    reduce = {"mean": ops.mean, "sum": ops.sum}[check_reduction(reduction)]
    return ops.mean(reduce(values, axis=axes))


def check_reduction(reduction):
    """`reduction` if it is known."""
    if reduction not in ("mean", "sum"):
        raise ValueError(f'`reduction` must be "mean" or "sum". Received: reduction={reduction!r}')
    return reduction
