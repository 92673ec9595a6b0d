"""Averages over a fixed number of windows of a feature map of any size."""

import keras
from keras import ops

from keras_resample.arguments import as_data_format, as_integer


@keras.saving.register_keras_serializable(package="keras_resample")
class AdaptivePooling(keras.layers.Layer):
    """Mean of each of `bins` x `bins` windows that cover a feature map, at any size of the map.

    Window i of n pixels is `[floor(i n / bins), ceil((i + 1) n / bins))`, as in
    `keras.layers.AdaptiveAveragePooling2D`, which needs a known height and width on TensorFlow.
    Both means are products with a small matrix.

    Args:
        bins: windows per side.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` of `keras.layers.Layer`.

    Call arguments:
        x: `(batch, h, w, channels)` or `(batch, channels, h, w)`.

    Output shape:
        `(batch, bins, bins, channels)` or `(batch, channels, bins, bins)`.

    Example:

    >>> import numpy as np
    >>> from keras_resample.layers.blocks.adaptive_pooling import AdaptivePooling
    >>> layer = AdaptivePooling(3, data_format="channels_last")
    >>> layer(np.ones((2, 7, 10, 8))).shape == (2, 3, 3, 8)
    True
    """

    def __init__(self, bins, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.bins = as_integer(bins, "bins")
        self.data_format = as_data_format(data_format)

    def call(self, x):
        last = self.data_format == "channels_last"
        shape = ops.shape(x)
        height, width = shape[1:3] if last else shape[2:]
        # Sums over a whole map are too long for half precision.
        equation = "ih,bhwc,jw->bijc" if last else "ih,bchw,jw->bcij"
        rows, columns = self._windows(height), self._windows(width)
        means = ops.einsum(equation, rows, ops.cast(x, "float32"), columns)
        return ops.cast(means, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        if self.data_format == "channels_last":
            return (input_shape[0], self.bins, self.bins, input_shape[3])
        return (*input_shape[:2], self.bins, self.bins)

    def get_config(self):
        return {**super().get_config(), "bins": self.bins, "data_format": self.data_format}

    def _windows(self, size):
        """Weight of each pixel in each window, (bins, size), rows sum to 1."""
        index = ops.arange(self.bins, dtype="int32")[:, None]
        pixel = ops.arange(size, dtype="int32")[None]
        inside = (pixel >= index * size // self.bins) & (pixel * self.bins < (index + 1) * size)
        inside = ops.cast(inside, "float32")
        return inside / ops.sum(inside, axis=1, keepdims=True)
