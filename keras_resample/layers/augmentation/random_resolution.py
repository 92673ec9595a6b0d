"""Images of random resolutions, all of one size."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_data_format, as_numbers, as_seed
from keras_resample.ops.reduction import reduced_and_back
from keras_resample.ops.sampling_arguments import check_images

HALVINGS = (1.0, 0.5, 0.25, 0.125, 0.0625)


@keras.saving.register_keras_serializable(package="keras_resample")
class RandomResolution(keras.layers.Layer):
    """Reduces each image to a resolution drawn at random in training, and brings it back.

    A network so trained has seen images of few pixels that were enlarged to its input. For an image
    one of `factors` is drawn; its height and its width are reduced by it, antialiased, and brought
    back by bilinear interpolation: `keras.ops.image.resize`, there with `antialias=True`, as
    `UniformDownsample(antialias=True)` and the readers of `keras_resample.datasets` reduce. Outside
    of training, and for the factor 1, images are what they were, exactly.

    The three schemes of the reference, for images of 112 pixels a side:

    | reduced to | arguments |
    |---|---|
    | 112, 56, 28, 14 or 7, equally often | none |
    | the same, larger ones more often | `probabilities=(0.3, 0.25, 0.2, 0.15, 0.1)` |
    | any size from 4 to 112 | `factors=np.arange(4, 113) / 112` |

    While it is reduced, an image takes h^2 + w^2 numbers a few times, however many factors there
    are. On PyTorch 128 images of 112 pixels a side took 0.15 GB beside themselves, and 8 images of
    1024 pixels 0.7 GB.

    Args:
        factors: side of the reduced image over side of the image, numbers in (0, 1]. A side of n
            pixels is reduced to `max(1, floor(factor * n + 0.5))`.
        probabilities: how often each factor is drawn, numbers in [0, 1] with the sum 1; None for
            equally often.
        seed: integer, or None for a random one.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        training: whether to reduce; `fit` says so by itself.

    Output shape:
        That of the images, of the layer's compute dtype.

    Raises:
        ValueError: for factors outside of (0, 1], probabilities that are none or too many or too
            few, or images of another shape.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> resolution = kr.layers.RandomResolution(seed=0, data_format="channels_last")
    >>> faces = resolution(np.random.rand(8, 112, 112, 3), training=True)
    >>> faces.shape == (8, 112, 112, 3)
    True

    Reference:
        "Learning Unified Representations for Multi-Resolution Face Recognition", section 4, the
        networks phi_mr.
    """

    def __init__(self, factors=HALVINGS, probabilities=None, seed=None, data_format=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.factors = as_numbers(factors, "factors", "(0, 1]")
        self.probabilities = _as_probabilities(probabilities, len(self.factors))
        self.seed = as_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.data_format = as_data_format(data_format)
        shares = self.probabilities or (1.0,) * len(self.factors)
        self._bounds = (np.cumsum(shares) / np.sum(shares))[:-1].astype("float32")

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, images, training=None):
        images = ops.convert_to_tensor(images)
        if training:
            drawn = self._draw(ops.shape(images)[0])
            images = reduced_and_back(images, drawn, data_format=self.data_format)
        return ops.cast(images, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        check_images(input_shape, self.data_format)
        return tuple(input_shape)

    def compute_output_spec(self, images, training=None):
        return keras.KerasTensor(self.compute_output_shape(images.shape), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "factors": self.factors,
            "probabilities": self.probabilities,
            "seed": self.seed,
            "data_format": self.data_format,
        }

    def _draw(self, batch):
        """A factor for each image, float32 (batch,)."""
        drawn = keras.random.uniform((batch, 1), dtype="float32", seed=self.seed_generator)
        which = ops.sum(ops.cast(ops.greater_equal(drawn, self._bounds), "int32"), axis=-1)
        return ops.take(ops.convert_to_tensor(self.factors, "float32"), which)


def _as_probabilities(probabilities, count):
    if probabilities is None:
        return None
    numbers = as_numbers(probabilities, "probabilities", "[0, 1]", count)
    if abs(sum(numbers) - 1.0) > 1e-6:
        raise ValueError(
            f"`probabilities` must have the sum 1. Received: probabilities={probabilities!r}"
        )
    return numbers
