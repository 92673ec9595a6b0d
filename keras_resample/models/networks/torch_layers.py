"""The layers that face networks are made of, in one data format and one set of constants."""

import keras
from keras import layers

from keras_resample.layers.blocks.grouped_convolution import GroupedConv2D

# `kaiming_normal_(mode="fan_out", nonlinearity="relu")` of torch.
KAIMING = {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"}


class FaceLayers:
    """Convolutions, normalizations and PReLUs that follow torch's conventions.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.
        epsilon, momentum: Of every batch normalization, as Keras defines them.
        initializer: Makes the initializer of a convolution's kernel.

    Attributes:
        dtype: Of the layers made from now on; `None` for the global policy.
    """

    def __init__(self, data_format, epsilon, momentum, initializer):
        self.data_format = check_data_format(data_format)
        self.epsilon, self.momentum, self.initializer = epsilon, momentum, initializer
        self.channel_axis = -1 if self.data_format == "channels_last" else 1
        self.dtype = None
        self.spatial_axes = [1, 2] if self.data_format == "channels_last" else [2, 3]

    def convolution(self, x, filters, size, strides, name, groups=1):
        x, padding = self._pad(x, size, strides, name)
        make = layers.Conv2D if groups == 1 else GroupedConv2D
        return make(
            filters,
            size,
            strides,
            padding=padding,
            groups=groups,
            use_bias=False,
            data_format=self.data_format,
            kernel_initializer=self.initializer(),
            dtype=self.dtype,
            name=name,
        )(x)

    def depthwise(self, x, size, strides, name, pad=True):
        x, padding = self._pad(x, size, strides, name) if pad else (x, "valid")
        return layers.DepthwiseConv2D(
            size,
            strides,
            padding=padding,
            use_bias=False,
            data_format=self.data_format,
            # torch counts the outputs of a depthwise kernel as Keras counts its inputs.
            depthwise_initializer=keras.initializers.VarianceScaling(
                **{**KAIMING, "mode": "fan_in"}
            ),
            dtype=self.dtype,
            name=name,
        )(x)

    def normalization(self, x, name):
        return layers.BatchNormalization(
            axis=self.channel_axis,
            momentum=self.momentum,
            epsilon=self.epsilon,
            dtype=self.dtype,
            name=name,
        )(x)

    def prelu(self, x, name):
        return layers.PReLU(
            alpha_initializer=keras.initializers.Constant(0.25),
            shared_axes=self.spatial_axes,
            dtype=self.dtype,
            name=name,
        )(x)

    def flatten(self, x):
        # Both formats flatten in (height, width, channel) order and share their weights.
        return layers.Flatten(data_format=self.data_format, dtype=self.dtype, name="flatten")(x)

    def channels(self, x):
        return x.shape[self.channel_axis]

    def size(self, x):
        """(height, width)."""
        return tuple(x.shape[axis] for axis in self.spatial_axes)

    def _pad(self, x, size, strides, name):
        # torch pads both sides; "same" pads only bottom and right where the stride is 2.
        if strides == 1:
            return x, "same"
        if size > 1:
            x = layers.ZeroPadding2D(
                size // 2, data_format=self.data_format, dtype=self.dtype, name=f"{name}_pad"
            )(x)
        return x, "valid"


def projection_dtype():
    """As in the originals, the projection is never computed in half precision."""
    return "float64" if keras.config.dtype_policy().compute_dtype == "float64" else "float32"


def check_data_format(data_format):
    if data_format is None:
        return keras.config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            '`data_format` must be "channels_last", "channels_first" or None. '
            f"Received: {data_format=}"
        )
    return data_format


def check_input_shape(input_shape, data_format):
    """The input shape as a tuple; by default that of an aligned face."""
    if input_shape is None:
        return (112, 112, 3) if data_format == "channels_last" else (3, 112, 112)
    if len(input_shape) != 3 or None in input_shape:
        raise ValueError(
            "`input_shape` must be a known (height, width, channels), or (channels, height, "
            "width) in the channels_first format: the embedding is a projection of the whole "
            f"feature map. Received: {input_shape=}"
        )
    return tuple(input_shape)


def check_embedding_dim(embedding_dim):
    if embedding_dim < 1:
        raise ValueError(f"`embedding_dim` must be at least 1. Received: {embedding_dim=}")
