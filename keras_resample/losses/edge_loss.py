"""The loss that draws a saliency map towards the borders of classes."""

import keras
from keras import ops

from keras_resample.ops.extremes import greatest, least

# Relative differences below this are the rounding of float32, not structure.
ROUNDING = 1e-6


@keras.saving.register_keras_serializable(package="keras_resample")
class EdgeLoss(keras.losses.Loss):
    """Squared error between a saliency map and the edges of the labels.

    The regularisation of Jin et al., Section 3.2, that keeps a sampler from seeking easy places:

        loss = mean over cells of (norm(d) - norm(d_t))^2,   norm(m) = (m - min m) / (max m - min m)

    with `d` the saliency map and `d_t` the edge map of the labels at its size
    (`keras_resample.ops.edge_map`), each scaled to [0, 1] over its own sample. A constant map is
    scaled to zeros, without gradient. The paper adds 100 times this loss to that of the
    segmentation.

    It is computed in float32.

    Args:
        reduction: As in `keras.losses.Loss`.
        name: Name of the loss.

    Call arguments:
        y_true: Edge map (b, gh, gw).
        y_pred: Saliency map (b, gh, gw).
        sample_weight: (b,), or `None`.

    Raises:
        ValueError: For maps that are not 3D or not of the same shape.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> edges = np.array([[[0.0, 0.5], [0.25, 0.0]]])
    >>> saliency = np.array([[[0.1, 0.4], [0.4, 0.1]]])  # sums to 1
    >>> round(float(kr.losses.EdgeLoss()(edges, saliency)), 4)
    0.0625

    Reference:
        - [Learning to Downsample for Segmentation of Ultra-High Resolution Images, Jin et al.,
          2022](https://arxiv.org/abs/2109.11071)
    """

    def __init__(self, reduction="sum_over_batch_size", name="edge_loss"):
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Before the base class, which would broadcast maps of other ranks.
        for name, value in (("y_true", y_true), ("y_pred", y_pred)):
            if len(value.shape) != 3:
                raise ValueError(
                    f"`{name}` must be maps of shape (b, gh, gw). "
                    f"Received: {name}.shape={tuple(value.shape)}"
                )
        pairs = zip(y_true.shape, y_pred.shape, strict=True)
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            raise ValueError(
                "`y_true` and `y_pred` must be of the same shape. "
                f"Received: y_true.shape={tuple(y_true.shape)}, "
                f"y_pred.shape={tuple(y_pred.shape)}"
            )
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        """Mean squared error (b,) of each sample."""
        return ops.mean(ops.square(_scale(y_pred) - _scale(y_true)), axis=(1, 2))


def _scale(maps):
    """Maps (b, gh, gw), each scaled to [0, 1]; zeros for a constant one, NaN stays."""
    low, high = least(maps), greatest(maps)
    # Of an infinite map both sides are infinite, and their difference is NaN.
    constant = ROUNDING * ops.maximum(ops.abs(high), ops.abs(low)) - (high - low) >= 0.0
    scale = ops.where(constant, 1.0, high - low)
    return ops.where(constant, 0.0, (maps - low) / scale)
