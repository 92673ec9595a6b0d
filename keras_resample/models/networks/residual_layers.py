"""The layers that residual networks are made of, for classification and for segmentation."""

from keras import layers

from keras_resample.models.networks.torch_layers import TorchLayers, kaiming

# ImageNet's mean and deviation per channel (R, G, B), for values of 0 to 255.
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)
IMAGE_OF_ANY_SIZE = (None, None, 3)
# A bottleneck has this many times more channels outside than inside.
EXPANSION = 4


class ResidualLayers(TorchLayers):
    """Units of convolution, normalization and ReLU, named as in the originals.

    A layer has the name of the original's module with "_" for ".", so that the weights of both
    correspond by name.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.
    """

    def __init__(self, data_format):
        super().__init__(data_format, epsilon=1e-5, momentum=0.9, initializer=kaiming)

    def unit(
        self,
        x,
        filters,
        size,
        strides,
        convolution,
        normalization,
        dilation=1,
        use_bias=False,
        relu=True,
        groups=1,
    ):
        """Convolution, normalization and, where wanted, ReLU."""
        x = self.convolution(
            x, filters, size, strides, convolution, groups, dilation=dilation, use_bias=use_bias
        )
        x = self.normalization(x, normalization)
        return self.relu(x, f"{normalization}_relu") if relu else x

    def relu(self, x, name):
        return layers.ReLU(name=name)(x)

    def concatenate(self, parts, name):
        return layers.Concatenate(axis=self.channel_axis, name=name)(parts)

    def bottleneck(self, x, filters, strides, dilation, name, width=None, groups=1, first=False):
        """Residual block: 1x1, 3x3 and 1x1 convolutions, `EXPANSION * filters` channels outside.

        Args:
            width: Channels inside; `filters` by default.
            groups: Of the 3x3 convolution.
            first: Whether the stride is that of the first convolution instead of the 3x3 one.
        """
        width = width or filters
        one, three = (strides, 1) if first else (1, strides)
        y = self.unit(x, width, 1, one, f"{name}_conv1", f"{name}_bn1")
        y = self.unit(y, width, 3, three, f"{name}_conv2", f"{name}_bn2", dilation, groups=groups)
        y = self.unit(y, EXPANSION * filters, 1, 1, f"{name}_conv3", f"{name}_bn3", relu=False)
        return self.residual(x, y, strides, name)

    def basic_block(self, x, filters, strides, name):
        """Residual block: two 3x3 convolutions."""
        y = self.unit(x, filters, 3, strides, f"{name}_conv1", f"{name}_bn1")
        y = self.unit(y, filters, 3, 1, f"{name}_conv2", f"{name}_bn2", relu=False)
        return self.residual(x, y, strides, name)

    def residual(self, x, y, strides, name):
        """`y` plus `x`, which a 1x1 convolution brings to its size and channels where needed."""
        filters = self.channels(y)
        if strides > 1 or self.channels(x) != filters:
            names = f"{name}_downsample_0", f"{name}_downsample_1"
            x = self.unit(x, filters, 1, strides, *names, relu=False)
        y = layers.Add(name=f"{name}_add")([y, x])
        return self.relu(y, f"{name}_relu")

    def max_pool(self, x, name):
        """3x3 windows with a stride of 2, of a map that a ReLU has left."""
        # After a ReLU, padding with zeros is padding with minus infinity.
        x = layers.ZeroPadding2D(1, data_format=self.data_format, name=f"{name}_pad")(x)
        return layers.MaxPooling2D(3, 2, data_format=self.data_format, name=name)(x)

    def preprocessing(self, images, mean=MEAN, deviation=DEVIATION):
        """Images of 0 to 255 normalized by the mean and deviation of each channel."""
        if self.channels(images) != len(mean):
            raise ValueError(
                "`include_preprocessing` must be False for images without three channels "
                "(R, G, B). "
                f"Received: {self.channels(images)} channels"
            )
        variance = tuple(d * d for d in deviation)
        return layers.Normalization(
            self.channel_axis, mean=mean, variance=variance, name="preprocessing"
        )(images)
