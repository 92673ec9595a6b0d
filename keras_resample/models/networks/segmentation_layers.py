"""The layers that only the published segmentation networks have."""

import keras
from keras import layers

from keras_resample.arguments import as_bool
from keras_resample.layers.blocks.resize_like import ResizeLike
from keras_resample.models.networks.residual_layers import ResidualLayers

CLASSIFIER_DEVIATION = 0.01


class SegmentationLayers(ResidualLayers):
    """Layers from images to class maps of any size; see `ResidualLayers`.

    Args:
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.
        align_corners: How feature maps are enlarged, see `ResizeLike`.
    """

    def __init__(self, data_format, align_corners):
        super().__init__(data_format)
        self.align_corners = align_corners

    def preprocessed(self, images, include_preprocessing):
        """The images as the network takes them, normalized here where asked for."""
        include = as_bool(include_preprocessing, "include_preprocessing")
        return self.preprocessing(images) if include else images

    def resize_like(self, x, like, name):
        return ResizeLike(self.align_corners, data_format=self.data_format, name=name)(x, like)

    def logits(self, x, num_classes, name):
        initializer = keras.initializers.RandomNormal(stddev=CLASSIFIER_DEVIATION)
        return self.convolution(x, num_classes, 1, 1, name, use_bias=True, initializer=initializer)

    def outputs(self, logits, images, full_resolution, activation, name):
        """float32 predictions from logits, of the size of the images where asked for."""
        if as_bool(full_resolution, "full_resolution"):
            logits = self.resize_like(logits, images, f"{name}_resize")
        if activation == "softmax":
            return layers.Softmax(axis=self.channel_axis, dtype="float32", name=name)(logits)
        return layers.Activation(activation or "linear", dtype="float32", name=name)(logits)
