"""What region pooling and its adaptive form share: all but how much of a map they keep."""

import math

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_data_format, as_number, check_choice
from keras_resample.ops.confidence import best_windows, confidence_map, relative_boxes
from keras_resample.ops.regions import read_boxes
from keras_resample.ops.sampling_arguments import check_images

KERNELS = ("gaussian", "box")


class RegionLayer(keras.layers.Layer):
    """Reads the most confident region of each feature map; a subclass gives `region_rates`."""

    def __init__(self, rate, kernel, data_format, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.rate = as_number(rate, "rate", "(0, 1]")
        check_choice(kernel, "kernel", KERNELS)
        self.kernel = kernel
        self.data_format = as_data_format(data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        self.compute_output_shape(input_shape)
        self.built = True

    def region_rates(self, confidence):
        """Share of the height and width that a region has, float32 (batch or 1, 2).

        Args:
            confidence: float32 (batch, h, w).
        """
        raise NotImplementedError

    def call(self, x, return_regions=False):
        return_regions = as_bool(return_regions, "return_regions")
        maps = ops.convert_to_tensor(x)
        check_images(maps.shape, self.data_format)
        if self.data_format == "channels_first":
            maps = ops.transpose(maps, (0, 2, 3, 1))
        batch, height, width, _ = ops.shape(maps)
        size = pooled_length(height, self.rate), pooled_length(width, self.rate)
        # Which region it is has no derivative: the gradient is that of the values.
        confidence = confidence_map(ops.stop_gradient(maps))
        rates = self.region_rates(confidence)
        lengths = self._lengths(rates, (height, width), size)
        boxes = best_windows(confidence, lengths, kernel=self.kernel)
        outputs = ops.cast(read_boxes(maps, boxes[:, None], size=size)[:, 0], self.compute_dtype)
        if self.data_format == "channels_first":
            outputs = ops.transpose(outputs, (0, 3, 1, 2))
        if not return_regions:
            return outputs
        boxes = relative_boxes(boxes, height, width)
        rates = ops.broadcast_to(rates, (batch, 2))
        return outputs, {"boxes": boxes, "rates": rates, "confidence": confidence}

    def compute_output_shape(self, input_shape):
        check_images(input_shape, self.data_format)
        first = self.data_format == "channels_first"
        sides = input_shape[2:] if first else input_shape[1:3]
        sides = tuple(None if side is None else pooled_length(side, self.rate) for side in sides)
        if first:
            return (*input_shape[:2], *sides)
        return (input_shape[0], *sides, input_shape[3])

    def compute_output_spec(self, x, return_regions=False):
        outputs = keras.KerasTensor(self.compute_output_shape(x.shape), dtype=self.compute_dtype)
        if not as_bool(return_regions, "return_regions"):
            return outputs
        batch, *sides = x.shape
        sides = sides[1:] if self.data_format == "channels_first" else sides[:2]
        shapes = {"boxes": (batch, 4), "rates": (batch, 2), "confidence": (batch, *sides)}
        regions = {name: keras.KerasTensor(s, dtype="float32") for name, s in shapes.items()}
        return outputs, regions

    def get_config(self):
        return {
            **super().get_config(),
            "rate": self.rate,
            "kernel": self.kernel,
            "data_format": self.data_format,
        }

    def _lengths(self, rates, sides, size):
        """Height and width of the regions in whole pixels, float32, at least the output's.

        At `rate` they are the output's: float32 would round some of them to another pixel.
        """
        sides, least = (ops.cast(ops.stack(pair), "float32") for pair in (sides, size))
        is_least = rates <= ops.cast(self.rate, "float32")
        lengths = ops.where(is_least, least, ops.floor(rates * sides + 0.5))
        return ops.minimum(ops.maximum(lengths, least), sides)


def pooled_length(length, rate):
    """`floor(length * rate + 0.5)`, at least 1; `length` may be a tensor of TensorFlow's graph."""
    if ops.is_tensor(length):
        pooled = ops.floor(ops.cast(length, "float64") * rate + 0.5)
        return ops.maximum(1, ops.cast(pooled, "int32"))
    return max(1, math.floor(length * rate + 0.5))
