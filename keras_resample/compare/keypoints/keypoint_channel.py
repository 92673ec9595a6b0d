"""Keypoints as a picture of dots, for a network that knows nothing of keypoints."""

import keras
from keras import ops

from keras_resample.arguments import as_size
from keras_resample.ops import uniform_grid

# Square of a distance in pixels at which nothing is left of a dot.
FAR = 1e6


@keras.saving.register_keras_serializable(package="keras_resample")
class KeypointChannel(keras.layers.Layer):
    """Draws keypoints (b, n, 2) into one channel (b, h, w, 1): a Gaussian dot of one pixel each.

    A missing keypoint, NaN, has no dot.

    Args:
        size: `(height, width)` of the channel.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.
    """

    def __init__(self, size, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.size = as_size(size)

    def call(self, keypoints):
        away = (
            uniform_grid(self.size)[:, :, :, None] - ops.cast(keypoints, "float32")[:, None, None]
        )
        pixels = ops.sum(ops.square(away * ops.cast(self.size[::-1], "float32")), axis=-1)
        pixels = ops.where(ops.isnan(pixels), FAR, pixels)
        dots = ops.exp(-ops.min(pixels, axis=-1, keepdims=True) / 2)
        return ops.cast(dots, self.compute_dtype)

    def compute_output_shape(self, keypoints_shape):
        return keypoints_shape[0], *self.size, 1

    def get_config(self):
        return {**super().get_config(), "size": self.size}
