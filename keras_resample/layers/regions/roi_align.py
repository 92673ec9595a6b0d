"""Boxes of images at one size, as a layer of functional models."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_data_format, as_size
from keras_resample.ops.regions import check_boxes, roi_align
from keras_resample.ops.sampling_arguments import check_images


@keras.saving.register_keras_serializable(package="keras_resample")
class RoIAlign(keras.layers.Layer):
    """Reads boxes of images at one size: `keras_resample.ops.roi_align` as a layer.

    Every image has as many boxes: fill up with boxes of zeros what has fewer, and leave out what
    comes of them. The boxes stay in float32 under every dtype policy.

    Args:
        size: `(height, width)` of each result.
        antialias: whether a bin is the mean of its own pixels instead of one bilinear sample.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        boxes: `(batch, n, 4)`, n for each image, or `(batch, 4)`, one for each: relative
            `(x_min, y_min, x_max, y_max)`, 0 and 1 are the outer edges of the image.

    Output shape:
        `(batch, n, h', w', channels)` or `(batch, n, channels, h', w')`, without n for boxes
        `(batch, 4)`; of the layer's compute dtype. `keras.layers.TimeDistributed` applies a layer
        to each box.

    Raises:
        ValueError: if `size` is no size, or images or boxes have another shape.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> features, boxes = keras.Input((56, 56, 64)), keras.Input((10, 4))
    >>> kr.layers.RoIAlign((7, 7), data_format="channels_last")(features, boxes).shape
    (None, 10, 7, 7, 64)

    Reference:
        He et al., "Mask R-CNN", ICCV 2017.
    """

    def __init__(self, size, antialias=False, data_format=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.size = as_size(size)
        self.antialias = as_bool(antialias, "antialias")
        self.data_format = as_data_format(data_format)

    def build(self, images_shape, boxes_shape):
        self.compute_output_shape(images_shape, boxes_shape)
        self.built = True

    def call(self, images, boxes):
        outputs = roi_align(
            images, boxes, self.size, antialias=self.antialias, data_format=self.data_format
        )
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, images_shape, boxes_shape):
        check_images(images_shape, self.data_format)
        check_boxes(images_shape, boxes_shape)
        outer = images_shape[0], *boxes_shape[1:-1]
        if self.data_format == "channels_first":
            return (*outer, images_shape[1], *self.size)
        return (*outer, *self.size, images_shape[3])

    def compute_output_spec(self, images, boxes):
        shape = self.compute_output_shape(images.shape, boxes.shape)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "antialias": self.antialias,
            "data_format": self.data_format,
        }
