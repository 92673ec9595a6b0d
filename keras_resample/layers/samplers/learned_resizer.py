"""A small residual network that resizes images."""

import keras
from keras import layers, ops

from keras_resample.arguments import as_integer
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.layers.samplers.uniform_downsample import UniformDownsample

LEAKY_SLOPE = 0.2


@keras.saving.register_keras_serializable(package="keras_resample")
class LearnedResizer(GridSampler):
    """Resizes images by a small network trained with the task, at uniform places.

    With f filters, `C7` a 7x7 convolution, `lrelu` of slope 0.2 and `resize` bilinear:

        features = resize(BN(lrelu(C1(lrelu(C7(images))))))
        z = features;  num_blocks times:  z = z + BN(C3(lrelu(BN(C3(z)))))
        outputs = C7(features + BN(C3(z))) + resize(images)

    It learns what the pixels hold, where the other samplers learn their places: its grid is the
    uniform one, so labels are sampled and predictions restored as under a plain resize. So it
    overrides `call`, which a sampler that says where to look has no need to. The first two
    convolutions see the full image, which costs more than any other sampler here; a batch of
    bytes becomes a batch of floats. 12,163 parameters for three channels, 16 filters and one
    block, statistics included.

    Args:
        size: `(height, width)` of the output. Give `size` or `factor`.
        filters: channels of every hidden convolution.
        num_blocks: residual blocks, at least 1.
        factor: side of the output over side of the input, in (0, 1].
        **kwargs: further arguments of `GridSampler`; `interpolation` and `antialias` are those of
            both resizes.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        return_grid: whether to return `(images', grid)`.
        training: whether batch normalization uses the statistics of the batch.

    Input shape:
        4D: `(batch, h, w, channels)` or `(batch, channels, h, w)`, channels known.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`, of the compute dtype.

    Raises:
        ValueError: for the errors of `GridSampler`, or `filters` or `num_blocks` that is not a
            positive integer.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> resizer = kr.layers.LearnedResizer((56, 56), data_format="channels_last")
    >>> resizer(np.ones((2, 112, 112, 3), "float32")).shape == (2, 56, 56, 3)
    True
    >>> resizer.count_params()
    12163

    Reference:
        Talebi and Milanfar, "Learning to Resize Images for Computer Vision Tasks", ICCV 2021.
    """

    def __init__(self, size=None, filters=16, num_blocks=1, factor=None, **kwargs):
        super().__init__(factor=factor, size=size, **kwargs)
        self.filters = as_integer(filters, "filters")
        self.num_blocks = as_integer(num_blocks, "num_blocks")

    def build(self, input_shape):
        super().build(input_shape)
        axis = self._channel_axis
        channels = input_shape[axis]
        if channels is None:
            raise ValueError(
                "The number of channels of `images` must be known. "
                f"Received: images of shape {tuple(input_shape)}"
            )
        resize = {**GridSampler.get_config(self), "name": "resize"}
        self._resize = UniformDownsample.from_config(resize)
        features = [
            self._convolution(self.filters, 7, "conv1", use_bias=True),
            self._activation("relu1"),
            self._convolution(self.filters, 1, "conv2", use_bias=True),
            self._activation("relu2"),
            self._normalization("bn2"),
        ]
        self._features = keras.Sequential(features, name="features")
        self._blocks = [
            keras.Sequential(
                [
                    self._convolution(self.filters, 3, "conv1"),
                    self._normalization("bn1"),
                    self._activation("relu1"),
                    self._convolution(self.filters, 3, "conv2"),
                    self._normalization("bn2"),
                ],
                name=f"block{i}",
            )
            for i in range(self.num_blocks)
        ]
        last = [self._convolution(self.filters, 3, "conv3"), self._normalization("bn3")]
        self._last = keras.Sequential(last, name="last")
        self._residual = self._convolution(channels, 7, "conv4", use_bias=True)
        hidden = [None] * 4
        hidden[axis] = self.filters
        self._features.build((*hidden[:axis], channels, *hidden[axis + 1 :]))
        for part in (*self._blocks, self._last, self._residual):
            part.build(tuple(hidden))

    def call(self, images, return_grid=False, training=None):
        images = ops.cast(images, self.compute_dtype)
        features = self._resize(self._features(images, training=training))
        x = features
        for block in self._blocks:
            x = x + block(x, training=training)
        x = features + self._last(x, training=training)
        outputs = self._residual(x) + self._resize(images)
        return (outputs, self.grid(images)) if return_grid else outputs

    def compute_output_spec(self, images, return_grid=False, **kwargs):
        # Not of the images' dtype, whatever the interpolation.
        images = keras.KerasTensor(images.shape, dtype=self.compute_dtype)
        return super().compute_output_spec(images, return_grid=return_grid, **kwargs)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "num_blocks": self.num_blocks}

    @property
    def _channel_axis(self):
        return 1 if self.data_format == "channels_first" else 3

    def _convolution(self, filters, size, name, use_bias=False):
        return layers.Conv2D(
            filters,
            size,
            padding="same",
            use_bias=use_bias,
            data_format=self.data_format,
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name=name,
        )

    def _normalization(self, name):
        return layers.BatchNormalization(
            axis=self._channel_axis, dtype=self.dtype_policy, trainable=self.trainable, name=name
        )

    def _activation(self, name):
        return layers.LeakyReLU(LEAKY_SLOPE, dtype=self.dtype_policy, name=name)
