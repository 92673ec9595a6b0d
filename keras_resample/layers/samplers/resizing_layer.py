"""What samplers share that does not depend on where they look: the size of their output."""

import math

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_data_format, as_number, as_size


class ResizingLayer(keras.layers.Layer):
    """A layer from images to images of the size that `factor` or `size` says: see `GridSampler`."""

    def __init__(self, factor, size, preserve_aspect_ratio, data_format, **kwargs):
        super().__init__(**kwargs)
        if (factor is None) == (size is None):
            raise ValueError(
                f"Give either `factor` or `size`. Received: factor={factor!r}, size={size!r}"
            )
        self.factor = None if factor is None else as_number(factor, "factor", "(0, 1]")
        self.size = None if size is None else as_size(size)
        self.preserve_aspect_ratio = as_bool(preserve_aspect_ratio, "preserve_aspect_ratio")
        if self.preserve_aspect_ratio and size is None:
            raise ValueError(
                "`preserve_aspect_ratio` needs `size`; a `factor` preserves it anyway. "
                f"Received: preserve_aspect_ratio=True, factor={factor}"
            )
        self.data_format = as_data_format(data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        self.static_size(input_shape)
        self.built = True

    def target_size(self, height, width):
        """Size `(h', w')` of the output for an input of `height` x `width` pixels."""
        is_known = height is not None and width is not None
        if self.size is None:
            if not is_known:
                raise ValueError(
                    "An input of unknown height or width needs `size` instead of `factor`. "
                    f"Received: images of size ({height}, {width}), factor={self.factor}"
                )
            return scaled_length(height, self.factor), scaled_length(width, self.factor)
        size = self.size
        if self.preserve_aspect_ratio:
            if not is_known:
                raise ValueError(
                    "Images of unknown height or width have no known aspect ratio to preserve. "
                    f"Received: images of size ({height}, {width}), preserve_aspect_ratio=True"
                )
            size = fitting_size(height, width, size)
        return size

    def output_size(self, images):
        """Size `(h', w')` of the output for `images`, as numbers where they are known."""
        size = self.image_size(images.shape)
        if None in size and (self.size is None or self.preserve_aspect_ratio):
            size = self.image_size(ops.shape(images))
        return self.target_size(*size)

    def image_size(self, shape):
        """Height and width in the shape of images, which may be that of `keras.ops.shape`."""
        if len(shape) != 4:
            raise ValueError(
                f"`images` must be 4D, {self.data_format}. Received: images of shape {tuple(shape)}"
            )
        return tuple(shape[2:]) if self.data_format == "channels_first" else tuple(shape[1:3])

    def static_size(self, shape):
        """Size of the output for an input of `shape`; None where only the images can tell."""
        size = self.image_size(shape)
        if self.preserve_aspect_ratio and None in size:
            return None, None
        return self.target_size(*size)

    def compute_output_shape(self, input_shape):
        height, width = self.static_size(input_shape)
        if self.data_format == "channels_first":
            return (input_shape[0], input_shape[1], height, width)
        return (input_shape[0], height, width, input_shape[3])

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "size": self.size,
            "data_format": self.data_format,
            "preserve_aspect_ratio": self.preserve_aspect_ratio,
        }


def scaled_length(length, factor):
    """`ceil(length * factor)`, immune to the rounding of the product (100 * 0.55 is 55, not 56)."""
    if ops.is_tensor(length):  # a size that a graph of TensorFlow learns when it runs
        scaled = ops.ceil(ops.cast(length, "float64") * factor - 1e-6)
        return ops.maximum(1, ops.cast(scaled, "int32"))
    return max(1, math.ceil(length * factor - 1e-6))


def fitting_size(height, width, box):
    """Size of the aspect ratio of `height` x `width`, rounded, that fills one side of `box`."""
    rows, cols = box
    by_height = rows, (2 * width * rows + height) // (2 * height)
    by_width = (2 * height * cols + width) // (2 * width), cols
    if isinstance(height, int) and isinstance(width, int):
        size = by_height if rows * width <= cols * height else by_width
        return tuple(max(1, n) for n in size)
    is_high = ops.less_equal(rows * width, cols * height)
    sizes = zip(by_height, by_width, strict=True)
    return tuple(ops.maximum(1, ops.where(is_high, a, b)) for a, b in sizes)
