"""Four patches that become one."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_resample")
class PatchMerging(keras.layers.Layer):
    """Two by two patches beside each other in the channels, in the order of Swin.

    A last row or column without a partner gets zeros. `(batch, h, w, c)` becomes
    `(batch, ceil(h / 2), ceil(w / 2), 4 c)`, in the order (0, 0), (1, 0), (0, 1), (1, 1) of rows
    and columns. Height, width and channels have to be known.
    """

    def call(self, maps):
        _, height, width, channels = maps.shape
        if height % 2 or width % 2:
            maps = ops.pad(maps, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
        rows, cols = (height + 1) // 2, (width + 1) // 2
        maps = ops.reshape(maps, (-1, rows, 2, cols, 2, channels))
        maps = ops.transpose(maps, (0, 1, 3, 4, 2, 5))
        return ops.reshape(maps, (-1, rows, cols, 4 * channels))

    def compute_output_shape(self, maps_shape):
        batch, height, width, channels = maps_shape
        return (batch, (height + 1) // 2, (width + 1) // 2, 4 * channels)
