"""The layers that the published segmentation networks are made of."""

import keras
from keras import layers

from keras_resample.layers.blocks.resize_like import ResizeLike
from keras_resample.models.networks.torch_layers import TorchLayers, kaiming

# ImageNet's mean and deviation per channel (R, G, B), for values of 0 to 255.
MEAN = (123.675, 116.28, 103.53)
DEVIATION = (58.395, 57.12, 57.375)
IMAGE_OF_ANY_SIZE = (None, None, 3)
# A bottleneck has this many times more channels outside than inside.
EXPANSION = 4
CLASSIFIER_DEVIATION = 0.01


class SegmentationLayers(TorchLayers):
    """Units of convolution, normalization and ReLU, named as in the originals.

    A layer has the name of the original's module with "_" for ".", so that the weights of both
    correspond by name.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.
        align_corners: How feature maps are enlarged, see `ResizeLike`.
    """

    def __init__(self, data_format, align_corners):
        super().__init__(data_format, epsilon=1e-5, momentum=0.9, initializer=kaiming)
        self.align_corners = align_corners

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
    ):
        """Convolution, normalization and, where wanted, ReLU."""
        x = self.convolution(
            x, filters, size, strides, convolution, dilation=dilation, use_bias=use_bias
        )
        x = self.normalization(x, normalization)
        return self.relu(x, f"{normalization}_relu") if relu else x

    def relu(self, x, name):
        return layers.ReLU(name=name)(x)

    def resize_like(self, x, like, name):
        return ResizeLike(self.align_corners, data_format=self.data_format, name=name)(x, like)

    def concatenate(self, parts, name):
        return layers.Concatenate(axis=self.channel_axis, name=name)(parts)

    def bottleneck(self, x, filters, strides, dilation, name):
        """Residual block: 1x1, 3x3 and 1x1 convolutions with `filters` channels inside."""
        y = self.unit(x, filters, 1, 1, f"{name}_conv1", f"{name}_bn1")
        y = self.unit(y, filters, 3, strides, f"{name}_conv2", f"{name}_bn2", dilation)
        y = self.unit(y, EXPANSION * filters, 1, 1, f"{name}_conv3", f"{name}_bn3", relu=False)
        if strides > 1 or self.channels(x) != EXPANSION * filters:
            names = f"{name}_downsample_0", f"{name}_downsample_1"
            x = self.unit(x, EXPANSION * filters, 1, strides, *names, relu=False)
        y = layers.Add(name=f"{name}_add")([y, x])
        return self.relu(y, f"{name}_relu")

    def preprocessing(self, images):
        """Images of 0 to 255 normalized by ImageNet's mean and deviation."""
        if self.channels(images) != len(MEAN):
            raise ValueError(
                "`include_preprocessing=True` needs images of three channels (R, G, B). "
                f"Received: {self.channels(images)} channels"
            )
        variance = tuple(d * d for d in DEVIATION)
        return layers.Normalization(
            self.channel_axis, mean=MEAN, variance=variance, name="preprocessing"
        )(images)

    def logits(self, x, num_classes, name):
        initializer = keras.initializers.RandomNormal(stddev=CLASSIFIER_DEVIATION)
        return self.convolution(x, num_classes, 1, 1, name, use_bias=True, initializer=initializer)

    def outputs(self, logits, images, full_resolution, activation, name):
        """float32 predictions from logits, of the size of the images where asked for."""
        if full_resolution:
            logits = self.resize_like(logits, images, f"{name}_resize")
        if activation == "softmax":
            return layers.Softmax(axis=self.channel_axis, dtype="float32", name=name)(logits)
        return layers.Activation(activation or "linear", dtype="float32", name=name)(logits)
