"""What is around keypoints, read from a feature map."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_data_format, as_integer, as_number
from keras_resample.ops.keypoints import as_keypoints, check_keypoints
from keras_resample.ops.regions import roi_align
from keras_resample.ops.sampling_arguments import check_images


@keras.saving.register_keras_serializable(package="keras_resample")
class KeypointPooling(keras.layers.Layer):
    """Reads a small grid around each keypoint: features of places, whatever the image's pose.

    The grid of a keypoint p is that of the box from `p - extent / 2` to `p + extent / 2`, one
    bilinear sample at the centre of each of its `size * size` bins: `keras_resample.ops.roi_align`
    of these boxes. Places beyond the frame read the nearest pixel. No weights; the gradient flows
    to the maps and to the keypoints, unless it is stopped.

    Args:
        size: bins along each side of the grid.
        extent: side of the box, relative: a share of the width along x, and the same share of the
            height along y, so that on maps that are not square its pixels are not either.
        average: whether the bins of a keypoint are averaged.
        antialias: whether a bin is the mean of its own pixels instead of one sample, for boxes of
            many more pixels than bins.
        stop_gradient: whether no gradient reaches the keypoints.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        x: feature maps `(batch, h, w, channels)` or `(batch, channels, h, w)`.
        keypoints: `(batch, n, 2)`, relative (x, y): 0 and 1 are the outer edges of the map. They
            stay in float32 under every dtype policy. Any place is taken, also outside of [0, 1];
            one with a NaN gives NaN, for itself alone, and has no gradient.

    Output shape:
        `(batch, n, size, size, channels)` or `(batch, n, channels, size, size)`; averaged
        `(batch, n, channels)`. Of the layer's compute dtype.

    Raises:
        ValueError: for a `size` that is no positive integer, an `extent` that is not positive, or
            maps or keypoints of another shape or of another batch.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> maps, keypoints = keras.Input((28, 28, 64)), keras.Input((5, 2))
    >>> pool = kr.layers.KeypointPooling(3, extent=0.2, data_format="channels_last")
    >>> pool(maps, keypoints).shape
    (None, 5, 3, 3, 64)
    """

    def __init__(
        self,
        size,
        extent,
        average=False,
        antialias=False,
        stop_gradient=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.size = as_integer(size, "size")
        self.extent = as_number(extent, "extent", "(0, inf)")
        self.average = as_bool(average, "average")
        self.antialias = as_bool(antialias, "antialias")
        self.stop_gradient = as_bool(stop_gradient, "stop_gradient")
        self.data_format = as_data_format(data_format)

    def build(self, x_shape, keypoints_shape):
        self.compute_output_shape(x_shape, keypoints_shape)
        self.built = True

    def call(self, x, keypoints):
        keypoints = as_keypoints(keypoints)
        if self.stop_gradient:
            keypoints = ops.stop_gradient(keypoints)
        missing = ops.any(ops.isnan(keypoints), axis=-1)
        keypoints = ops.where(missing[..., None], 0.5, keypoints)
        half = self.extent / 2
        boxes = ops.concatenate([keypoints - half, keypoints + half], axis=-1)
        outputs = roi_align(
            x,
            boxes,
            (self.size, self.size),
            antialias=self.antialias,
            data_format=self.data_format,
        )
        missing = ops.reshape(missing, (*ops.shape(missing), 1, 1, 1))
        outputs = ops.where(missing, ops.cast(float("nan"), outputs.dtype), outputs)
        if self.average:
            first = self.data_format == "channels_first"
            outputs = ops.mean(outputs, axis=(3, 4) if first else (2, 3))
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, x_shape, keypoints_shape):
        check_images(x_shape, self.data_format)
        check_keypoints(keypoints_shape, x_shape[0])
        first = self.data_format == "channels_first"
        channels = (x_shape[1 if first else 3],)
        bins = () if self.average else (self.size, self.size)
        return (x_shape[0], keypoints_shape[1], *(channels + bins if first else bins + channels))

    def compute_output_spec(self, x, keypoints):
        shape = self.compute_output_shape(x.shape, keypoints.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "extent": self.extent,
            "average": self.average,
            "antialias": self.antialias,
            "stop_gradient": self.stop_gradient,
            "data_format": self.data_format,
        }
