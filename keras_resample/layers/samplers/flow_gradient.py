"""The gradient that a learned flow is trained with.

A flow is a field, not a bag of weights: its plain gradient is noise from cell to cell,
proportional to one over the number of cells, and spans orders of magnitude between tasks. Adam
would turn it into jitter, SGD into folds. So the gradient is conditioned, the function is not:

* smoothed by the Sobolev metric `(1 + l^2 L)^-1` along each axis, L the Laplacian with free ends
  (Charpiat et al., "Generalized Gradients: Priors on Minimization Flows", 2007);
* scaled by the number of cells, so that one learning rate serves every size;
* bounded, as a clipped gradient is, so that one step moves a cell by a fraction of a cell.
"""

import numpy as np
from keras import ops

from keras_resample import backend

# Cells per unit of weight: Adam at 1e-3 moves a cell of the grid by at most 0.064 cells a step.
FLOW_UNIT = 64.0
# Cells over which neighbours move together.
SOBOLEV_LENGTH = 2.0
# Response of SGD, in squared cells per unit of gradient and cell of the grid.
RESPONSE_PER_CELL = 0.02
# Longest gradient of a cell: SGD at 0.1 moves it by 0.013 cells a step, 0.13 with momentum 0.9.
GRADIENT_BOUND = 0.002


def sobolev_matrix(count):
    """`(1 + l^2 L)^-1`, L = [-1 2 -1] with free ends: (count, count), rows sum to 1."""
    laplacian = 2.0 * np.eye(count) - np.eye(count, k=1) - np.eye(count, k=-1)
    laplacian[0, 0] -= 1.0
    laplacian[-1, -1] -= 1.0
    return np.linalg.inv(np.eye(count) + SOBOLEV_LENGTH**2 * laplacian).astype("float32")


def pairs_matrix(count):
    """`sobolev_matrix` for a row of `count` pairs (x, y) that lie one after the other."""
    return np.kron(sobolev_matrix(count), np.eye(2, dtype="float32"))


_smooth_rows, _smooth_pairs = backend.constant(sobolev_matrix), backend.constant(pairs_matrix)


def with_conditioned_gradient(weights):
    """`weights` unchanged, and a zero to add to the loss; conditions gradients on the way back.

    The zero measures by how much the loss is scaled (mixed float16 multiplies it by thousands), so
    that the bound means the same under loss scaling. Where it is in no loss, the gradient is not
    bounded.

    Args:
        weights: float32 `(h', w', 2)`, displacement in units of `FLOW_UNIT` cells.

    Returns:
        Tuple of `(h', w', 2)` and a scalar 0.
    """
    rows, cols, _ = weights.shape
    smooth_y, smooth_x = _smooth_rows(rows), _smooth_pairs(cols)
    response = RESPONSE_PER_CELL * rows * cols / FLOW_UNIT**2

    @ops.custom_gradient
    def condition(values):
        def grad(*args, upstream=None):
            upstream = args[0] if upstream is None else upstream
            with backend.fusion():
                loss_scale = upstream[-1]
                field = ops.matmul(smooth_y, ops.reshape(upstream[:-1], (rows, cols * 2)))
                field = ops.reshape(ops.matmul(field, smooth_x), (rows, cols, 2)) * response
                longest = ops.sqrt(ops.amax(ops.sum(field * field, axis=-1)))
                bound = GRADIENT_BOUND * loss_scale
                share = bound / ops.maximum(longest, bound)
                field = field * ops.where(bound <= 0.0, 1.0, share)  # NaN stays NaN
                return ops.concatenate([ops.reshape(field, (-1,)), ops.zeros((1,))])

        return values, grad

    values = ops.concatenate([ops.reshape(weights, (-1,)), ops.zeros((1,))])
    values = condition(values)
    return ops.reshape(values[:-1], (rows, cols, 2)), values[-1]
