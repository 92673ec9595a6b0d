"""The base of everything that decides where to look."""

import math

import keras
import numpy as np
from keras import ops

from keras_resample.ops.grids import check_size, uniform_grid_of
from keras_resample.ops.restoring.restoring import restore
from keras_resample.ops.sampling import (
    check_data_format,
    check_images,
    check_sampling,
    sample,
    sample_displaced,
)


@keras.saving.register_keras_serializable(package="keras_resample")
class GridSampler(keras.layers.Layer):
    """Samples images at a grid; this base at the uniform one, its subclasses where they decide.

    A subclass overrides `grid`. `call` reads the images there, `sample` reads anything else
    (labels, masks) at the same places, and `restore` is the way back.

    Args:
        factor: side of the output over side of the input, in (0, 1]; the output has
            `ceil(factor * side)` pixels. Give `factor` or `size`.
        size: `(height, width)` of the output; needed where the input's size is unknown.
        interpolation: `"bilinear"` or `"nearest"`.
        fill_mode: what lies outside the image: `"nearest"`, `"constant"`, `"reflect"` or `"mirror"`
            (see `keras_resample.ops.sample`).
        fill_value: number read outside the image under `fill_mode="constant"`.
        antialias: whether each output averages the input over its own grid cell.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.
        preserve_aspect_ratio: whether `size` is a box that the output has to fit into, with the
            aspect ratio of the input: of the two sizes that fill its height or its width, the one
            of fewer pixels. A batch of other images then has another output size.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        images: `(batch, h, w, channels)` (channels-last) or `(batch, channels, h, w)`, any dtype.
        return_grid: whether to return `(images', grid)`.

    Input shape:
        4D: `(batch, h, w, channels)` or `(batch, channels, h, w)`.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`, of the layer's compute dtype
        (under `"nearest"` of the input's).

    Raises:
        ValueError: for a factor outside (0, 1], both or none of `factor` and `size`, an unknown
            mode, an input that is not 4D, an input of unknown size without `size`, or
            `preserve_aspect_ratio` without `size`.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> sampler = kr.layers.GridSampler(0.5, data_format="channels_last")
    >>> sampler(np.ones((2, 112, 112, 3), "float32")).shape == (2, 56, 56, 3)
    True
    """

    def __init__(
        self,
        factor=None,
        size=None,
        interpolation="bilinear",
        fill_mode="nearest",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        preserve_aspect_ratio=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if (factor is None) == (size is None):
            raise ValueError(
                f"Give either `factor` or `size`. Received: factor={factor!r}, size={size!r}"
            )
        check_sampling(interpolation, fill_mode, fill_value, antialias)
        self.factor = None if factor is None else check_factor(factor)
        self.size = None if size is None else check_size(size)
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = antialias
        self.data_format = check_data_format(data_format)
        if not isinstance(preserve_aspect_ratio, (bool, np.bool_)):
            raise ValueError(
                "`preserve_aspect_ratio` must be True or False. "
                f"Received: preserve_aspect_ratio={preserve_aspect_ratio!r}"
            )
        if preserve_aspect_ratio and size is None:
            raise ValueError(
                "`preserve_aspect_ratio` needs `size`; a `factor` preserves it anyway. "
                f"Received: preserve_aspect_ratio=True, factor={factor}"
            )
        self.preserve_aspect_ratio = bool(preserve_aspect_ratio)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        self._static_size(input_shape)
        self.built = True

    def grid(self, images):
        """The sampling grid, float32 `(batch or 1, h', w', 2)`, relative (x, y).

        Args:
            images: as in `call`.
        """
        return uniform_grid_of(*self._output_size(images))

    def call(self, images, return_grid=False):
        grid = self.grid(images)
        outputs = self.sample(images, grid)
        return (outputs, grid) if return_grid else outputs

    def sample(self, x, grid, interpolation=None):
        """Reads `x` at `grid` with the modes of this layer.

        Args:
            x: `(batch, *, *, channels)` or `(batch, channels, *, *)`: images, features, labels or
                masks of any size that cover the same scene.
            grid: as returned by `grid`.
            interpolation: `None` for the layer's own; `"nearest"` for labels.

        Returns:
            Tensor of the grid's size; of the layer's compute dtype under `"bilinear"`, of the
            dtype of `x` under `"nearest"`.
        """
        interpolation = interpolation or self.interpolation
        outputs = sample(x, grid, **self._sampling_arguments(interpolation))
        return self._cast_samples(outputs, interpolation)

    def restore(self, x, grid, size, interpolation="nearest"):
        """Puts what was computed at the points of `grid` back into an image.

        Args:
            x: `(batch, h', w', channels)` or `(batch, channels, h', w')`: class maps, probabilities
                or logits at the points of the grid.
            grid: as returned by `grid`.
            size: `(height, width)` of the image.
            interpolation: `"nearest"` or `"bilinear"`, see `keras_resample.ops.restore`.

        Returns:
            `(batch, height, width, channels)` or `(batch, channels, height, width)`.
        """
        return restore(x, grid, size, interpolation, self.data_format)

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

    def compute_output_shape(self, input_shape):
        height, width = self._static_size(input_shape)
        if self.data_format == "channels_first":
            return (input_shape[0], input_shape[1], height, width)
        return (input_shape[0], height, width, input_shape[3])

    def compute_output_spec(self, images, return_grid=False, **kwargs):
        dtype = images.dtype if self.interpolation == "nearest" else self.compute_dtype
        shape = self.compute_output_shape(images.shape)
        outputs = keras.KerasTensor(shape, dtype=dtype)
        if not return_grid:
            return outputs
        size = self._static_size(images.shape)
        return outputs, keras.KerasTensor((self._grid_batch(images), *size, 2), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "size": self.size,
            "interpolation": self.interpolation,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
            "data_format": self.data_format,
            "preserve_aspect_ratio": self.preserve_aspect_ratio,
        }

    def _sample_displaced(self, images, flow):
        """`sample` at the uniform grid plus a flow in input pixels, without their addition."""
        check_images(images, flow, self.data_format)
        arguments = self._sampling_arguments(self.interpolation)
        outputs = sample_displaced(images, flow, **arguments)
        return self._cast_samples(outputs, self.interpolation)

    def _cast_samples(self, outputs, interpolation):
        return outputs if interpolation == "nearest" else ops.cast(outputs, self.compute_dtype)

    def _sampling_arguments(self, interpolation):
        return {
            "interpolation": interpolation,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias and interpolation == "bilinear",
            "data_format": self.data_format,
        }

    def _grid_batch(self, images):
        """First axis of the grid: 1 where all images share one."""
        return 1

    def _static_size(self, shape):
        """Size of the output for an input of `shape`; None where only the images can tell."""
        size = self._image_size(shape)
        if self.preserve_aspect_ratio and None in size:
            return None, None
        return self.target_size(*size)

    def _output_size(self, images):
        """Size of the output for `images`, as numbers where they are known."""
        size = self._image_size(images.shape)
        if self.preserve_aspect_ratio and None in size:
            size = self._image_size(ops.shape(images))
        return self.target_size(*size)

    def _image_size(self, shape):
        if len(shape) != 4:
            raise ValueError(
                f"`images` must be 4D, {self.data_format}. Received: images of shape {tuple(shape)}"
            )
        return tuple(shape[2:]) if self.data_format == "channels_first" else tuple(shape[1:3])


def check_factor(factor):
    """`factor` if it is a real number in (0, 1]."""
    is_number = isinstance(factor, (int, float, np.number)) and not isinstance(factor, bool)
    if not is_number or not 0.0 < factor <= 1.0:
        raise ValueError(f"`factor` must be a number in (0, 1]. Received: factor={factor!r}")
    return float(factor)


def scaled_length(length, factor):
    """`ceil(length * factor)`, immune to the rounding of the product (100 * 0.55 is 55, not 56)."""
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
