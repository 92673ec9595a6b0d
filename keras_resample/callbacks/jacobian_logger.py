"""The state of the sampling grids in the training log."""

import keras
import numpy as np
from keras import ops

from keras_resample.layers.samplers.flow_warp_downsample import FlowWarpDownsample
from keras_resample.models.steps.layers_inside import layers_inside
from keras_resample.ops.jacobian import corner_jacobians, jacobian_determinant


class JacobianLogger(keras.callbacks.Callback):
    """Adds the Jacobian of every `FlowWarpDownsample` in the model to the epoch logs.

    At the end of each epoch three numbers join the logs:

    * `jacobian_mean`: mean of J (`keras_resample.ops.jacobian_determinant`), 1 where the grid
      covers the image as a resize does;
    * `jacobian_min`: smallest J;
    * `folded_cells`: number of cells of the grid that fold, those with a corner whose determinant
      is not positive. `jacobian_min` alone can miss a fold: J is the determinant at one corner.

    A model with several of these layers gets the numbers of each, as `<layer name>_jacobian_mean`
    and so on. Layers are found in nested models and inside other layers.

    The history, the progress bar, and every callback that comes later in the list see the numbers,
    so name this callback before `CSVLogger`, `TensorBoard`, `EarlyStopping` and `ModelCheckpoint`.
    Those that monitor one of the numbers need their `mode`: "max" for the Jacobians, "min" for the
    folded cells.

    Args:
        images: `(batch, height, width, channels)` or channels-first: inputs of the layers whose
            flow is predicted from the image. Their numbers are taken over all of these images; with
            `None` such layers are left out. A learned flow needs no images.

    Raises:
        ValueError: at the start of the training, if the model has no such layer, or only ones with
            a predicted flow and there are no `images`.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> import keras_resample as kr
    >>> inputs = keras.Input((16, 16, 1))
    >>> x = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")(inputs)
    >>> model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    >>> model.compile(loss="mse")
    >>> images, targets = np.random.rand(8, 16, 16, 1), np.random.rand(8, 1)
    >>> history = model.fit(
    ...     images, targets, epochs=2, verbose=0, callbacks=[kr.callbacks.JacobianLogger()]
    ... )
    >>> history.history["folded_cells"]
    [0, 0]
    """

    def __init__(self, images=None):
        super().__init__()
        if images is not None and len(np.shape(images)) != 4:
            raise ValueError(
                "`images` must be a batch of images (4D) or None. "
                f"Received: images of shape {np.shape(images)}"
            )
        self.images = images

    def on_train_begin(self, logs=None):
        if not self._layers():
            raise ValueError(
                "The model has no FlowWarpDownsample that JacobianLogger could log (one that "
                "predicts its flow needs `images`). "
                f"Received: model={self.model!r}, images={type(self.images).__name__}"
            )

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        layers = self._layers()
        for layer in layers:
            prefix = f"{layer.name}_" if len(layers) > 1 else ""
            for name, value in self._numbers(layer).items():
                logs[prefix + name] = value

    def _layers(self):
        """The layers that can be logged, each once."""
        found = [
            x for x in layers_inside(self.model) if isinstance(x, FlowWarpDownsample) and x.built
        ]
        return [x for x in found if x.shares_grid or self.images is not None]

    def _numbers(self, layer):
        # The grid of a learned flow does not look at the images.
        grid = layer.grid(None if layer.shares_grid else ops.convert_to_tensor(self.images))
        jacobian = ops.convert_to_numpy(jacobian_determinant(grid))
        return {
            "jacobian_mean": float(np.mean(jacobian)),
            "jacobian_min": float(np.min(jacobian)),
            "folded_cells": count_folded_cells(grid),
        }


def count_folded_cells(grid):
    """Number of cells of a grid (b, h', w', 2) with a corner that is not positive, or NaN."""
    corners = ops.convert_to_numpy(corner_jacobians(grid))
    return int(np.sum(np.any(~(corners > 0), axis=-1)))
