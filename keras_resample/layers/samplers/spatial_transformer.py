"""An affine view of each image, predicted by a network."""

import math

import keras
from keras import layers, ops

from keras_resample.arguments import check_choice
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.layers.samplers.saliency_network import low_resolution
from keras_resample.ops.grids import extent, uniform_grid_of

NUM_PARAMETERS = {"affine": 6, "similarity": 4, "translation": 2}
# Of what the default network sees: enough to find an object by, at any size of the images.
NETWORK_SIZE = (32, 32)


@keras.saving.register_keras_serializable(package="keras_resample")
class SpatialTransformer(GridSampler):
    """Samples each image through an affine map that a network reads off the image.

    Implements Eq. 1 of "Spatial Transformer Networks" in relative coordinates about the image
    centre, `g = A (u - 0.5) + t + 0.5`: see `keras_resample.ops.grid_from_affine`. A dense layer of
    zeros turns the features of the network into `A - I` and `t`, so it starts as exactly a resize.
    It has no penalty: train it at a tenth of the rate of the rest, as the paper does.

    Args:
        factor: side of the output over side of the input, in (0, 1]. Give `factor` or `size`.
        size: `(height, width)` of the output; needed where the input's size is unknown.
        localization: `None` for a small network of two convolutions, which sees images of 32 x 32
            pixels; or any layer or model from the images to features of known size, flattened.
        transform: `"affine"` (6 numbers), `"similarity"` (rotation and one scale in pixels,
            translation: 4) or `"translation"` (2).
        **kwargs: further arguments of `GridSampler`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        return_grid: whether to return `(images', grid)`.
        training: whether the network is in training.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`, `h' = ceil(factor * h)`.

    Raises:
        ValueError: for the errors of `GridSampler`, an unknown `transform`, or a `localization`
            that is no layer or gives features of unknown size.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> layer = kr.layers.SpatialTransformer(0.5, data_format="channels_last")
    >>> images = np.random.rand(2, 28, 28, 3).astype("float32")
    >>> layer.matrix(images).shape == (2, 2, 3)
    True

    Reference:
        Jaderberg et al., "Spatial Transformer Networks", NeurIPS 2015.
    """

    def __init__(self, factor=None, size=None, localization=None, transform="affine", **kwargs):
        super().__init__(factor=factor, size=size, **kwargs)
        check_choice(transform, "transform", tuple(NUM_PARAMETERS))
        if localization is not None and not isinstance(localization, keras.Layer):
            raise ValueError(
                "`localization` must be None or a Keras layer or model. "
                f"Received: localization={localization!r}"
            )
        self.transform = transform
        self.localization = localization
        self.localization_layer = default_network() if localization is None else localization
        if not self.trainable:
            self.localization_layer.trainable = False  # Keras hands it on only when it is set later
        # In float32 under every policy: its outputs are coordinates.
        self.parameters_layer = layers.Dense(
            NUM_PARAMETERS[transform],
            kernel_initializer="zeros",
            dtype="float32",
            trainable=self.trainable,
            name="parameters",
        )

    def build(self, input_shape):
        super().build(input_shape)
        shape = tuple(input_shape)
        if self.localization is None:
            channels = shape[1 if self.data_format == "channels_first" else 3]
            shape = (None, *NETWORK_SIZE, channels)
        if not self.localization_layer.built:
            self.localization_layer.build(shape)
        features = self.localization_layer.compute_output_spec(keras.KerasTensor(shape))
        found = getattr(features, "shape", ())
        if len(found) < 2 or None in found[1:]:
            raise ValueError(
                "The `localization` layer must return features of known size, such as "
                f"(batch, features). Received: localization with the outputs {features}"
            )
        self.parameters_layer.build((None, math.prod(found[1:])))
        self.built = True

    def matrix(self, images, training=None):
        """The affine maps, float32 `(batch, 2, 3)`, about the image centre.

        Args:
            images: as in `call`.
            training: as in `call`.
        """
        return self._offset(images, training) + ops.eye(2, 3, dtype="float32")

    def displacement(self, images, training=None):
        rows, cols = self.output_size(images)
        offset = self._offset(images, training)[:, None, None]
        centered = uniform_grid_of(rows, cols) - 0.5
        x, y = centered[..., 0:1], centered[..., 1:2]
        moved = offset[..., 0] * x + offset[..., 1] * y + offset[..., 2]
        return moved * extent(cols, rows)

    def get_config(self):
        localization = self.localization
        if localization is not None:
            localization = keras.saving.serialize_keras_object(localization)
        return {
            **super().get_config(),
            "localization": localization,
            "transform": self.transform,
        }

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("localization"), dict):
            localization = keras.saving.deserialize_keras_object(config["localization"])
            config = {**config, "localization": localization}
        return cls(**config)

    def _offset(self, images, training):
        """The maps less the identity, (batch, 2, 3)."""
        values = self._numbers(images, training)
        zeros = ops.zeros_like(values[:, 0])
        if self.transform == "translation":
            rows = [[zeros, zeros, values[:, 0]], [zeros, zeros, values[:, 1]]]
        elif self.transform == "similarity":
            # A turn of pixels, of which an image has more along one side than along the other.
            height, width = self.image_size(ops.shape(images))
            aspect = ops.cast(height, "float32") / ops.cast(width, "float32")
            scale, turn, *shift = (values[:, i] for i in range(4))
            rows = [[scale, -turn * aspect, shift[0]], [turn / aspect, scale, shift[1]]]
        else:
            rows = [[values[:, i] for i in range(3)], [values[:, i] for i in range(3, 6)]]
        return ops.stack([ops.stack(row, axis=1) for row in rows], axis=1)

    def _numbers(self, images, training):
        if images.shape[0] == 0:  # of which TensorFlow has no convolution
            return ops.zeros((0, NUM_PARAMETERS[self.transform]), "float32")
        if self.localization is None:
            images = low_resolution(images, NETWORK_SIZE, self.data_format)
            if self.data_format == "channels_first":
                images = ops.transpose(images, (0, 2, 3, 1))
        options = {} if training is None else {"training": training}
        features = ops.cast(self.localization_layer(images, **options), "float32")
        features = ops.reshape(features, (-1, math.prod(features.shape[1:])))
        return self.parameters_layer(features)


def default_network():
    """Two convolutions and a dense layer, channels-last, in float32 under every policy."""
    options = {"activation": "relu", "dtype": "float32"}
    convolution = {"strides": 2, "padding": "same", "data_format": "channels_last", **options}
    network = [
        # Images may come in bytes or in [-1, 1].
        layers.GroupNormalization(
            groups=1, center=False, scale=False, dtype="float32", name="norm"
        ),
        layers.Conv2D(16, 3, name="conv1", **convolution),
        layers.Conv2D(16, 3, name="conv2", **convolution),
        layers.Flatten(data_format="channels_last", dtype="float32", name="flatten"),
        layers.Dense(32, name="features", **options),
    ]
    return keras.Sequential(network, name="localization_network")
