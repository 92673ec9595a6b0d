"""The one sampler as a layer of its own."""

import keras
from keras import ops

from keras_resample.arguments import as_data_format
from keras_resample.ops.sampling import sample
from keras_resample.ops.sampling_arguments import as_fill_value, check_sampling, check_shapes


@keras.saving.register_keras_serializable(package="keras_resample")
class SampleAt(keras.layers.Layer):
    """Reads images at a grid that a model computes: `keras_resample.ops.sample` as a layer.

    The grid stays in float32 under every dtype policy, as half precision has no places for it.

    Args:
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what lies outside the image: `"nearest"`, `"constant"`, `"reflect"` or `"mirror"`
            (see `keras_resample.ops.sample`).
        fill_value: number read outside the image under `fill_mode="constant"`.
        antialias: whether each output averages the input over its own grid cell.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        grid: `(batch, h', w', 2)`, or `(1, h', w', 2)` shared by the batch: relative (x, y), 0 and
            1 are the outer edges of the image.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`, of the layer's compute dtype
        (under `"nearest"` of the images').

    Raises:
        ValueError: for an unknown mode, or images or a grid of another shape.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> images, grid = keras.Input((112, 112, 3)), keras.Input((56, 56, 2))
    >>> kr.layers.SampleAt(data_format="channels_last")(images, grid).shape
    (None, 56, 56, 3)
    """

    def __init__(
        self,
        interpolation="bilinear",
        fill_mode="nearest",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        check_sampling(interpolation, fill_mode, fill_value, antialias)
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = as_fill_value(fill_value)
        self.antialias = bool(antialias)
        self.data_format = as_data_format(data_format)

    def build(self, images_shape, grid_shape):
        self.compute_output_shape(images_shape, grid_shape)
        self.built = True

    def call(self, images, grid):
        outputs = sample(
            images,
            grid,
            self.interpolation,
            self.fill_mode,
            self.fill_value,
            self.antialias,
            self.data_format,
        )
        return outputs if self.interpolation == "nearest" else ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, images_shape, grid_shape):
        check_shapes(images_shape, grid_shape, self.data_format)
        size = tuple(grid_shape[1:3])
        if self.data_format == "channels_first":
            return (*images_shape[:2], *size)
        return (images_shape[0], *size, images_shape[3])

    def compute_output_spec(self, images, grid):
        dtype = images.dtype if self.interpolation == "nearest" else self.compute_dtype
        shape = self.compute_output_shape(images.shape, grid.shape)
        return keras.KerasTensor(shape, dtype=keras.backend.standardize_dtype(dtype))

    def get_config(self):
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
            "data_format": self.data_format,
        }
