"""Brings a feature map to the size of another."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_data_format


@keras.saving.register_keras_serializable(package="keras_resample")
class ResizeLike(keras.layers.Layer):
    """Resizes feature maps bilinearly to the height and width of others, known or not.

    Args:
        align_corners: whether the centres of the corner pixels coincide, as with
            `align_corners=True` of torch; else pixels are areas, as with Keras's resize.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype` of `keras.layers.Layer`.

    Call arguments:
        x: `(batch, h, w, channels)` or `(batch, channels, h, w)`.
        like: the same of the wanted size, with any channels.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`.

    Example:

    >>> import numpy as np
    >>> from keras_resample.layers.blocks.resize_like import ResizeLike
    >>> layer = ResizeLike(data_format="channels_last")
    >>> layer(np.ones((2, 3, 4, 8)), np.ones((2, 5, 7, 1))).shape == (2, 5, 7, 8)
    True
    """

    def __init__(self, align_corners=False, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.align_corners = as_bool(align_corners, "align_corners")
        self.data_format = as_data_format(data_format)
        self._axes = (1, 2) if self.data_format == "channels_last" else (2, 3)

    def build(self, x_shape, like_shape):
        self.built = True

    def call(self, x, like):
        shape = ops.shape(like)
        size = tuple(shape[axis] for axis in self._axes)
        known = all(isinstance(n, int) for n in size)
        if known and not self.align_corners:
            return ops.image.resize(x, size, "bilinear", data_format=self.data_format)
        values = ops.cast(x, "float32")
        for axis, count in zip(self._axes, size, strict=True):
            values = self._resize_axis(values, count, axis)
        return ops.cast(values, self.compute_dtype)

    def compute_output_shape(self, x_shape, like_shape):
        shape = list(x_shape)
        for axis in self._axes:
            shape[axis] = like_shape[axis]
        return tuple(shape)

    def get_config(self):
        return {
            **super().get_config(),
            "align_corners": self.align_corners,
            "data_format": self.data_format,
        }

    def _resize_axis(self, values, count, axis):
        size = ops.shape(values)[axis]
        index = ops.arange(count, dtype="float32")
        last = ops.cast(size, "float32") - 1.0
        count = ops.cast(count, "float32")
        if self.align_corners:
            position = index * (last / ops.maximum(count - 1.0, 1.0))
        else:
            position = ops.clip((index + 0.5) * ((last + 1.0) / count) - 0.5, 0.0, last)
        low = ops.floor(position)
        weight = ops.reshape(position - low, (-1, *[1] * (3 - axis)))
        low = ops.cast(low, "int32")
        before = ops.take(values, ops.clip(low, 0, size - 1), axis=axis)
        after = ops.take(values, ops.clip(low + 1, 0, size - 1), axis=axis)
        return before * (1.0 - weight) + after * weight
