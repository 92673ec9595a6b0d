"""The saliency network of learning to downsample."""

import keras
from keras import layers, ops

from keras_resample.arguments import as_data_format, as_integers


@keras.saving.register_keras_serializable(package="keras_resample")
class DeformationModule(keras.layers.Layer):
    """Small convolutional network from images to one saliency logit for each pixel.

    Convolutions of 3x3 with batch normalization and ReLU, one for each entry of `filters`, and one
    of 1x1 to a single channel, initialized after He. The logits become a saliency map in
    `SaliencySampler`, which resizes them to its map and takes the softmax over all cells. With its
    kernel of the paper, `sigma = radius / 2.355`:

        radius = 13    # cells of the map
        SaliencySampler(size=(64, 128), saliency=DeformationModule(), grid_size=(64, 128),
                        saliency_input_size=(64, 128), sigma=radius / 2.355, radius=radius)

    Args:
        filters: channels of the 3x3 convolutions, one or more positive integers.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`; that of the sampler.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`.
        training: whether batch normalization uses the statistics of the batch.

    Output shape:
        `(batch, h, w, 1)` or `(batch, 1, h, w)`: logits.

    Raises:
        ValueError: if `filters` are not positive integers or `data_format` is unknown.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> net = kr.layers.DeformationModule(data_format="channels_last")
    >>> warp = kr.layers.SaliencySampler(0.5, saliency=net, data_format="channels_last")
    >>> warp(keras.Input((112, 112, 3))).shape
    (None, 56, 56, 3)

    Reference:
        Jin et al., "Learning to Downsample for Segmentation of Ultra-High Resolution Images",
        ICLR 2022, appendix A.7.
    """

    def __init__(self, filters=(24, 24, 3), data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = as_integers(filters, "filters")
        self.data_format = as_data_format(data_format)
        self.input_spec = layers.InputSpec(ndim=4)

    def build(self, input_shape):
        policy = self.dtype_policy
        options = {"padding": "same", "kernel_initializer": "he_normal", "dtype": policy}
        options |= {"data_format": self.data_format, "trainable": self.trainable}
        axis = 1 if self.data_format == "channels_first" else 3
        self._stages = []
        for number, filters in enumerate(self.filters, start=1):
            self._stages += [
                layers.Conv2D(filters, 3, use_bias=False, name=f"conv{number}", **options),
                layers.BatchNormalization(
                    axis=axis,
                    momentum=0.9,
                    epsilon=1e-5,
                    dtype=policy,
                    trainable=self.trainable,
                    name=f"bn{number}",
                ),
                layers.ReLU(dtype=policy, name=f"relu{number}"),
            ]
        self._stages.append(layers.Conv2D(1, 1, name="logits", **options))
        shape = tuple(input_shape)
        for stage in self._stages:
            stage.build(shape)
            shape = stage.compute_output_shape(shape)
        self.built = True

    def call(self, images, training=None):
        x = ops.cast(images, self.compute_dtype)
        for stage in self._stages:
            is_normalization = isinstance(stage, layers.BatchNormalization)
            x = stage(x, training=training) if is_normalization else stage(x)
        return x

    def compute_output_shape(self, input_shape):
        if self.data_format == "channels_first":
            return (input_shape[0], 1, *input_shape[2:])
        return (*input_shape[:3], 1)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "data_format": self.data_format,
        }
