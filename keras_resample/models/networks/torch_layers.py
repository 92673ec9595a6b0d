"""The layers of PyTorch's networks, in one data format and one set of constants."""

import keras
from keras import layers

from keras_resample.arguments import as_data_format, as_integer
from keras_resample.layers.blocks.grouped_convolution import GroupedConv2D

# `kaiming_normal_(mode="fan_out", nonlinearity="relu")` of torch.
KAIMING = {"scale": 2.0, "mode": "fan_out", "distribution": "untruncated_normal"}


def kaiming():
    return keras.initializers.VarianceScaling(**KAIMING)


class TorchLayers:
    """Convolutions and normalizations that follow torch's conventions.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.
        epsilon, momentum: Of every batch normalization, as Keras defines them.
        initializer: Makes the initializer of a convolution's kernel.

    Attributes:
        dtype: Of the layers made from now on; `None` for the global policy.
    """

    def __init__(self, data_format, epsilon, momentum, initializer):
        self.data_format = as_data_format(data_format)
        self.epsilon, self.momentum, self.initializer = epsilon, momentum, initializer
        self.channel_axis = -1 if self.data_format == "channels_last" else 1
        self.dtype = None
        self.spatial_axes = [1, 2] if self.data_format == "channels_last" else [2, 3]

    def convolution(
        self,
        x,
        filters,
        size,
        strides,
        name,
        groups=1,
        dilation=1,
        use_bias=False,
        initializer=None,
    ):
        x, padding = self.pad(x, size, strides, name)
        make = layers.Conv2D if groups == 1 else GroupedConv2D
        return make(
            filters,
            size,
            strides,
            padding=padding,
            dilation_rate=dilation,
            groups=groups,
            use_bias=use_bias,
            data_format=self.data_format,
            kernel_initializer=initializer or self.initializer(),
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

    def channels(self, x):
        return x.shape[self.channel_axis]

    def size(self, x):
        """(height, width)."""
        return tuple(x.shape[axis] for axis in self.spatial_axes)

    def pad(self, x, size, strides, name):
        """`x` for a kernel of this size, padded as by torch, and what Keras is still to pad."""
        # torch pads both sides; "same" pads only bottom and right where the stride is 2.
        if strides == 1:
            return x, "same"
        if size > 1:
            x = layers.ZeroPadding2D(
                size // 2, data_format=self.data_format, dtype=self.dtype, name=f"{name}_pad"
            )(x)
        return x, "valid"


def as_input_shape(input_shape, default, data_format):
    """The shape of one image as a tuple.

    Args:
        input_shape: (height, width, channels) or, channels first, (channels, height, width);
            `None` is the default.
        default: (height, width, channels); a side may be `None` where it is in the default.
        data_format: `"channels_last"` or `"channels_first"`.
    """
    free = None in default
    if data_format == "channels_first":
        default = (default[2], *default[:2])
    if input_shape is None:
        return default
    try:
        return tuple(
            None if side is None and usual is None else as_integer(side, "input_shape")
            for side, usual in zip(input_shape, default, strict=True)
        )
    except (TypeError, ValueError):
        raise ValueError(
            "`input_shape` must be (height, width, channels), or (channels, height, width) in the "
            f"channels_first format, {'height and width known or None' if free else 'all known'}. "
            f"Received: {input_shape=}"
        ) from None
