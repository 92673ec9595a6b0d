"""The base of everything that decides where to look."""

import keras
from keras import ops

from keras_resample.layers.samplers.resizing_layer import ResizingLayer
from keras_resample.ops.grids import (
    as_pairs,
    cell_displacement,
    displaced_grid,
    extent,
    uniform_grid_of,
)
from keras_resample.ops.restoring.restoring import restore
from keras_resample.ops.sampling import image_extent, sample, sample_displaced
from keras_resample.ops.sampling_arguments import as_fill_value, check_sampling, check_shapes


@keras.saving.register_keras_serializable(package="keras_resample")
class GridSampler(ResizingLayer):
    """Samples images at a grid; this base at the uniform one, its subclasses where they decide.

    `call` reads the images at `grid`, `sample` reads anything else (labels, masks) at the same
    places, and `restore` is the way back. A subclass says where to look and nothing else:

    * `displacement(images, training=None)`, in cells of the output, where zero is exactly a resize;
      or `grid(images)`;
    * `shares_grid`, whether one grid serves the whole batch;
    * `penalty(displacement)`, what training adds to the loss, if anything.

    Two samplers look where a resize does, so they override `call` instead: `UniformDownsample` is
    the resize of Keras itself, and `LearnedResizer` changes what the pixels hold.

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
        training: whether the penalty joins the loss.

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
        super().__init__(factor, size, preserve_aspect_ratio, data_format, **kwargs)
        check_sampling(interpolation, fill_mode, fill_value, antialias)
        self.interpolation = interpolation
        self.fill_mode = fill_mode
        self.fill_value = as_fill_value(fill_value)
        self.antialias = bool(antialias)
        if interpolation == "nearest":
            self.autocast = False  # a class of a float map above 2048 is not one of half precision

    def add_weight(self, *args, autocast=False, **kwargs):
        """That of `keras.layers.Layer`, but half precision leaves a weight as it is.

        It says where to look, and half precision has no places for that.
        """
        return super().add_weight(*args, autocast=autocast, **kwargs)

    @property
    def shares_grid(self):
        """Whether one grid serves the whole batch, instead of one for each image.

        By default that of every subclass is for each image; one that does not look at the images
        says `shares_grid = True`.
        """
        base, own = GridSampler, type(self)
        return own.grid is base.grid and own.displacement is base.displacement

    def displacement(self, images, training=None):
        """How far each sample lies from where a resize reads, in cells of the output, (x, y).

        Args:
            images: as in `call`.
            training: as in `call`.

        Returns:
            `(batch, h', w', 2)`, of batch 1 under `shares_grid`; `None` of a sampler that gives
            its `grid` instead.
        """
        return None

    def grid(self, images, training=None):
        """The sampling grid, float32 `(batch, h', w', 2)`, relative (x, y).

        Args:
            images: as in `call`.
            training: as in `call`.

        Returns:
            The grid of the displacement, of batch 1 under `shares_grid`.
        """
        displacement = self.displacement(images, training)
        if displacement is None:
            return uniform_grid_of(*self.output_size(images))
        return displaced_grid(self._places(displacement, images, "displacement"))

    def penalty(self, displacement):
        """What training adds to the loss: a scalar, or `None` for nothing.

        Args:
            displacement: float32 `(batch or 1, h', w', 2)`, of the grid from the uniform one, in
                cells of the output.
        """
        return None

    def training_view(self, samples):
        """The samples as training shows them to what comes behind; a subclass may blur them."""
        return samples

    def call(self, images, return_grid=False, training=None):
        return self.read(images, self.displacement(images, training), return_grid, training)

    def read(self, images, displacement, return_grid=False, training=None):
        """What `call` returns once the displacement is known.

        Args:
            images: as in `call`.
            displacement: as returned by `displacement`.
            return_grid: as in `call`.
            training: as in `call`.
        """
        gives_grid = displacement is None
        if gives_grid:
            grid = self._places(self.grid(images), images, "grid")
            outputs = self.sample(images, grid)
        else:
            displacement = self._places(displacement, images, "displacement")
            outputs = self._sample_displaced(images, displacement)
        if training:
            self._add_penalty(cell_displacement(grid) if gives_grid else displacement)
            outputs = self.training_view(outputs)
        if not return_grid:
            return outputs
        return outputs, grid if gives_grid else displaced_grid(displacement)

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

    def compute_output_spec(self, images, return_grid=False, **kwargs):
        dtype = images.dtype if self.interpolation == "nearest" else self.compute_dtype
        shape = self.compute_output_shape(images.shape)
        outputs = keras.KerasTensor(shape, dtype=dtype)
        if not return_grid:
            return outputs
        batch = 1 if self.shares_grid else images.shape[0]
        size = self.static_size(images.shape)
        return outputs, keras.KerasTensor((batch, *size, 2), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }

    def _sample_displaced(self, images, displacement):
        """`sample` at a displacement, which enters the kernel in pixels and never as a grid."""
        check_shapes(images.shape, displacement.shape, self.data_format)
        _, rows, cols, _ = ops.shape(displacement)
        flow = displacement * (image_extent(images, self.data_format) / extent(cols, rows))
        outputs = sample_displaced(images, flow, **self._sampling_arguments(self.interpolation))
        return self._cast_samples(outputs, self.interpolation)

    def _add_penalty(self, displacement):
        penalty = self.penalty(displacement) if self.trainable else None
        if penalty is not None:
            self.add_loss(penalty)

    def _places(self, values, images, name):
        """What a subclass gave, float32, of the batch that it promised."""
        values = as_pairs(values, name, ranks=(4,))
        if not self.shares_grid and values.shape[0] == 1:
            return ops.broadcast_to(values, (ops.shape(images)[0], *ops.shape(values)[1:]))
        if self.shares_grid and values.shape[0] not in (1, None):
            raise ValueError(
                "A sampler of one grid for each image says `shares_grid = False`. "
                f"Received: shares_grid=True, {name} of shape {tuple(values.shape)}"
            )
        return values

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
