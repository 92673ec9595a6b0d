"""Alignment by keypoints as a layer, so that a served model aligns by itself."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_data_format, as_number, as_size
from keras_resample.ops.alignment import align, as_template, check_count
from keras_resample.ops.keypoints import check_keypoints
from keras_resample.ops.sampling_arguments import as_fill_value, check_images, check_sampling


@keras.saving.register_keras_serializable(package="keras_resample")
class KeypointAlignment(keras.layers.Layer):
    """Brings images by their keypoints to a template: `keras_resample.ops.align` as a layer.

    In front of a network that is trained on aligned images it is the simple thing to do with
    keypoints, which any other use of them has to beat.

    Args:
        size: `(height, width)` of the aligned images.
        template: `"face"`, or relative (x, y) of the result, `(n, 2)`.
        alpha: how far to go, from 0, exactly a resize, to 1, aligned.
        interpolation, fill_mode, fill_value, antialias: as in `keras_resample.ops.sample`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        keypoints: `(batch, n, 2)`, relative (x, y), those of the template. One with NaN is left
            out; where fewer than two different ones are left the image is resized.

    Output shape:
        `(images, keypoints)`: `(batch, *size, channels)` or `(batch, channels, *size)`, of the
        layer's compute dtype (under `"nearest"` of their own), and `(batch, n, 2)`, float32 under
        every dtype policy.

    Raises:
        ValueError: for a `size` or `template` that is none, an `alpha` outside of [0, 1], an
            unknown mode, or images or keypoints of another shape.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> photographs, points = keras.Input((250, 250, 3)), keras.Input((5, 2))
    >>> alignment = kr.layers.KeypointAlignment(antialias=True, data_format="channels_last")
    >>> faces, points = alignment(photographs, points)
    >>> faces.shape, points.shape
    ((None, 112, 112, 3), (None, 5, 2))
    """

    def __init__(
        self,
        size=(112, 112),
        template="face",
        alpha=1.0,
        interpolation="bilinear",
        fill_mode="nearest",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.size = as_size(size)
        self._points = as_template(template)
        self.template = template if isinstance(template, str) else self._points.tolist()
        self.alpha = as_number(alpha, "alpha", "[0, 1]")
        check_sampling(interpolation, fill_mode, fill_value, antialias)
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = as_fill_value(fill_value)
        self.antialias = as_bool(antialias, "antialias")
        self.data_format = as_data_format(data_format)

    def build(self, images_shape, keypoints_shape):
        self.compute_output_shape(images_shape, keypoints_shape)
        self.built = True

    def call(self, images, keypoints):
        images = ops.convert_to_tensor(images)
        aligned, keypoints = align(
            images,
            keypoints,
            self.size,
            self._points,
            self.alpha,
            self.interpolation,
            self.fill_mode,
            self.fill_value,
            self.antialias,
            self.data_format,
        )
        return ops.cast(aligned, self._images_dtype(images)), keypoints

    def compute_output_shape(self, images_shape, keypoints_shape):
        check_images(images_shape, self.data_format)
        check_keypoints(keypoints_shape, images_shape[0])
        check_count(keypoints_shape, self._points)
        if self.data_format == "channels_first":
            shape = (*images_shape[:2], *self.size)
        else:
            shape = (images_shape[0], *self.size, images_shape[3])
        return shape, tuple(keypoints_shape)

    def compute_output_spec(self, images, keypoints):
        shapes = self.compute_output_shape(images.shape, keypoints.shape)
        dtypes = self._images_dtype(images), "float32"
        return tuple(map(keras.KerasTensor, shapes, dtypes))

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "template": self.template,
            "alpha": self.alpha,
            "interpolation": self.interpolation,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
            "data_format": self.data_format,
        }

    def _images_dtype(self, images):
        dtype = images.dtype if self.interpolation == "nearest" else self.compute_dtype
        return keras.backend.standardize_dtype(dtype)
