"""The layers that only the published face networks have."""

import keras
from keras import layers

from keras_resample.models.networks.torch_layers import KAIMING, TorchLayers

ALIGNED_FACE = (112, 112, 3)


class FaceLayers(TorchLayers):
    """Layers from images of a known size to embeddings; see `TorchLayers`."""

    def depthwise(self, x, size, strides, name, pad=True):
        x, padding = self.pad(x, size, strides, name) if pad else (x, "valid")
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


def projection_dtype():
    """As in the originals, the projection is never computed in half precision."""
    return "float64" if keras.config.dtype_policy().compute_dtype == "float64" else "float32"
