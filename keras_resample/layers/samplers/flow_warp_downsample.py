"""A learned, input-independent sampling flow for aligned images."""

import warnings

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_bool, as_number, check_choice
from keras_resample.layers.samplers.flow_gradient import FLOW_UNIT, with_conditioned_gradient
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.ops.grids import extent, resize_displacement, resize_field
from keras_resample.ops.jacobian import REDUCTIONS, flow_penalty, jacobian_determinant


@keras.saving.register_keras_serializable(package="keras_resample")
class FlowWarpDownsample(GridSampler):
    """Downsamples aligned images along a flow learned with the network.

    Implements Eq. 1 of "Beyond Predictive Resampling": `out(u) = images(u / s + flow(u))`, read
    bilinearly with half-pixel centres, so that the zero flow it starts from is exactly a resize.
    The flow is one trainable weight for all images: it costs no more than a resize and keeps
    aligned images aligned. It has the size of the output it was built for; for images of another
    size it is resized to theirs. Its penalties (Eqs. 3-5) join the loss in training, by `add_loss`:

        smooth_weight * (|grad f|^2 + |laplacian f|^2)
        + diffeo_weight * max(0, -J) + shrink_weight * J

    with f in cells of the output grid and J the area a sample stands for over a uniform sample's.

    Antialias where the input has detail finer than the output can hold: at a quarter of the side
    and below it is worth more than any choice of samples.

    Args:
        factor: side of the output over side of the input, in (0, 1]. Give `factor` or `size`.
        size: `(height, width)` of the output; needed where the input's size is unknown.
        flow: `"learned"`, or a layer or model that predicts `(batch, *, *, 2)` from the images
            (channels where `data_format` has them): displacement (x, y) in input pixels.
        antialias: whether each output averages the input over its own grid cell.
        smooth_weight: weight of the smoothness penalty.
        diffeo_weight: weight of the penalty on folds; should exceed `shrink_weight`, or the two
            cancel where the grid folds (as with the equal weights of the paper), which warns.
        shrink_weight: weight of the mean J; pulls the frame of the grid inwards.
        corner_penalty: whether the fold penalty looks at all four corners of each cell (no fold
            escapes) or at one (the paper).
        reduction: `"mean"` of the penalties over the grid, or `"sum"`, as in the paper.
        flow_initializer: initializer of the learned flow, in input pixels.
        flow_regularizer: further regularizer of the learned flow, in input pixels.
        flow_constraint: constraint of the learned flow, in input pixels.
        **kwargs: further arguments of `GridSampler`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        return_grid: whether to return `(images', grid)`.
        training: whether to add the penalties to the loss.

    Input shape:
        4D: `(batch, h, w, channels)` or `(batch, channels, h, w)`.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`, `h' = ceil(factor * h)`.

    Raises:
        ValueError: for the errors of `GridSampler`, a negative weight, a `flow` that is neither
            `"learned"` nor a layer with two output channels, or a learned one with
            `preserve_aspect_ratio`.

    Example:

    >>> import keras
    >>> import keras_resample as kr
    >>> images = keras.Input((112, 112, 3))
    >>> warp = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")
    >>> warp(images).shape
    (None, 56, 56, 3)
    >>> warp.flow.shape == (56, 56, 2)
    True

    Reference:
        Zhao et al., "Beyond Predictive Resampling: Learning Input-Agnostic Downsampling for Aligned
        Vision Recognition", AAAI 2026.
    """

    def __init__(
        self,
        factor=None,
        size=None,
        flow="learned",
        antialias=False,
        smooth_weight=0.1,
        diffeo_weight=10.0,
        shrink_weight=0.05,
        corner_penalty=True,
        reduction="mean",
        flow_initializer="zeros",
        flow_regularizer=None,
        flow_constraint=None,
        **kwargs,
    ):
        super().__init__(factor=factor, size=size, antialias=antialias, **kwargs)
        if flow != "learned" and not isinstance(flow, keras.Layer):
            raise ValueError(
                f'`flow` must be "learned" or a Keras layer or model. Received: flow={flow!r}'
            )
        if flow == "learned" and self.preserve_aspect_ratio:
            raise ValueError(
                "A learned flow has one size for all images. Received: preserve_aspect_ratio=True"
            )
        self.smooth_weight = as_number(smooth_weight, "smooth_weight", "[0, inf)")
        self.diffeo_weight = as_number(diffeo_weight, "diffeo_weight", "[0, inf)")
        self.shrink_weight = as_number(shrink_weight, "shrink_weight", "[0, inf)")
        if 0.0 < shrink_weight >= diffeo_weight:
            warnings.warn(
                "A fold feels no gradient unless `diffeo_weight` exceeds `shrink_weight`. "
                f"Received: diffeo_weight={diffeo_weight}, shrink_weight={shrink_weight}",
                stacklevel=2,
            )
        self.flow_layer = None if flow == "learned" else flow
        if self.flow_layer is not None and not self.trainable:
            self.flow_layer.trainable = False  # Keras hands it on only when it is set later
        self.corner_penalty = as_bool(corner_penalty, "corner_penalty")
        check_choice(reduction, "reduction", REDUCTIONS)
        self.reduction = reduction
        self.flow_initializer = keras.initializers.get(flow_initializer)
        self.flow_regularizer = keras.regularizers.get(flow_regularizer)
        self.flow_constraint = keras.constraints.get(flow_constraint)

    def build(self, input_shape):
        super().build(input_shape)
        if self.flow_layer is None:
            self._build_flow(*self.image_size(input_shape))
        else:
            self._build_flow_layer(input_shape)
        self.built = True

    @property
    def flow(self):
        """The learned flow, float32 `(h', w', 2)`: displacement (x, y) in input pixels.

        Both sizes are those that the layer was built for.
        """
        self._check_learned("flow")
        return ops.convert_to_tensor(self._flow) * self._unit()

    def set_flow(self, array):
        """Sets the learned flow.

        Args:
            array: `(h', w', 2)`, finite: displacement (x, y) in input pixels, both of the size that
                the layer was built for.
        """
        self._check_learned("set_flow")
        values = ops.convert_to_numpy(array)
        if values.shape != tuple(self._flow.shape):
            raise ValueError(
                f"`array` must have shape {tuple(self._flow.shape)}. "
                f"Received: array of shape {values.shape}"
            )
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise ValueError(
                f"`array` must be finite. Received: array with {bad} NaN or infinities"
            )
        self._flow.assign(values.astype("float32") / ops.convert_to_numpy(self._unit()))

    @property
    def shares_grid(self):
        """Whether one flow serves the whole batch: a learned one."""
        return self.flow_layer is None

    def displacement(self, images, training=None):
        if not self.shares_grid:
            return self._predicted_displacement(images)
        weights = ops.convert_to_tensor(self._flow)
        if training and self.trainable:
            weights, loss_probe = with_conditioned_gradient(weights)
            self.add_loss(loss_probe)
        displacement = weights[None] * FLOW_UNIT
        if images is None:
            return displacement
        return resize_displacement(displacement, *self.output_size(images))

    def penalty(self, displacement):
        weights = self.smooth_weight, self.diffeo_weight, self.shrink_weight
        if not any(weights):
            return None
        return flow_penalty(displacement, *weights, self.corner_penalty, self.reduction)

    def jacobian(self, images=None):
        """Area that each sample stands for over a uniform sample's; below 0 where the grid folds.

        Args:
            images: the images of a predicted flow. A learned one needs none; with images, of which
                the size is used, it is that of their samples.

        Returns:
            float32 `(h', w')` of a learned flow, `(batch, h', w')` of a predicted one.
        """
        if not self.shares_grid and images is None:
            raise ValueError(
                "A predicted flow needs images: `jacobian(images)`. Received: images=None"
            )
        determinants = jacobian_determinant(self.grid(images))
        return determinants[0] if self.shares_grid else determinants

    def get_config(self):
        flow = "learned"
        if self.flow_layer is not None:
            flow = keras.saving.serialize_keras_object(self.flow_layer)
        return {
            **super().get_config(),
            "flow": flow,
            "smooth_weight": self.smooth_weight,
            "diffeo_weight": self.diffeo_weight,
            "shrink_weight": self.shrink_weight,
            "corner_penalty": self.corner_penalty,
            "reduction": self.reduction,
            "flow_initializer": keras.initializers.serialize(self.flow_initializer),
            "flow_regularizer": keras.regularizers.serialize(self.flow_regularizer),
            "flow_constraint": keras.constraints.serialize(self.flow_constraint),
        }

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("flow"), dict):
            flow = keras.saving.deserialize_keras_object(config["flow"])
            config = {**config, "flow": flow}
        return cls(**config)

    def _predicted_displacement(self, images):
        """In cells of the output."""
        rows, cols = self.output_size(images)
        if images.shape[0] == 0:  # of which TensorFlow has no convolution
            return ops.zeros((0, rows, cols, 2), "float32")
        height, width = self.image_size(ops.shape(images))
        flow = ops.cast(self.flow_layer(images), "float32")
        if self.data_format == "channels_first":
            flow = ops.transpose(flow, (0, 2, 3, 1))
        flow = resize_field(flow, rows, cols)
        return flow * (extent(cols, rows) / extent(width, height))

    def _build_flow(self, height, width):
        rows, cols = self.target_size(height, width)
        self._pixels_per_unit = None
        if height is not None and width is not None:
            self._pixels_per_unit = FLOW_UNIT * width / cols, FLOW_UNIT * height / rows
        self._flow = self.add_weight(
            name="flow",
            shape=(rows, cols, 2),
            initializer=self._initial_weights,
            regularizer=self.flow_regularizer and self._regularize,
            constraint=self.flow_constraint and self._constrain,
            dtype="float32",
        )

    def _build_flow_layer(self, input_shape):
        if not self.flow_layer.built:
            self.flow_layer.build(input_shape)
        shape = tuple(self.flow_layer.compute_output_shape(input_shape))
        axis = 1 if self.data_format == "channels_first" else 3
        if len(shape) != 4 or shape[axis] != 2:
            raise ValueError(
                f"The `flow` layer must return two channels per place, 4D, {self.data_format}. "
                f"Received: flow with output shape {shape}"
            )

    def _check_learned(self, name):
        if self.flow_layer is not None:
            raise ValueError(
                f"`{name}` belongs to a learned flow. Received: flow={self.flow_layer!r}"
            )
        if not self.built:
            raise ValueError(f"Build the layer before `{name}`. Received: an unbuilt {self.name!r}")

    def _unit(self):
        """Input pixels (x, y) per unit of weight."""
        if self._pixels_per_unit is None:
            raise ValueError(
                "A flow in input pixels needs the size of the input, unknown when the layer was "
                "built; use `grid(images)`. Received: an input of unknown height or width"
            )
        return ops.convert_to_tensor(self._pixels_per_unit, "float32")

    def _initial_weights(self, shape, dtype):
        values = self.flow_initializer(shape, dtype=dtype)
        is_zero = isinstance(self.flow_initializer, keras.initializers.Zeros)
        return values if is_zero else values / self._unit()

    def _regularize(self, weights):
        return self.flow_regularizer(weights * self._unit())

    def _constrain(self, weights):
        return self.flow_constraint(weights * self._unit()) / self._unit()
