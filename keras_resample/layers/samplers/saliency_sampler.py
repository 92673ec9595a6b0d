"""Sampling that looks more often where a saliency map is high."""

import keras
from keras import ops

from keras_resample.arguments import as_integer, as_seed, as_size
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.layers.samplers.saliency_network import default_network, low_resolution
from keras_resample.layers.samplers.warm_up_blur import SMALLEST, pooled_and_back
from keras_resample.ops.extremes import greatest
from keras_resample.ops.grids import displaced_grid, extent, resize_field
from keras_resample.ops.jacobian import jacobian_determinant
from keras_resample.ops.saliency import as_radius, as_sigma, saliency_displacement

# Standard deviation of the window over the side of the map: the released saliency sampler has a
# full width at half maximum of 13 in a map of 31.
RELATIVE_SIGMA = 13 / 2.3548200450309493 / 31


@keras.saving.register_keras_serializable(package="keras_resample")
class SaliencySampler(GridSampler):
    """Samples images densely where a small network, or a learned map, says they matter.

    Implements "Learning to Zoom" and the deformed sampler of "Learning to Downsample". A network
    looks at the image at low resolution; its logits, resized to `grid_size`, become a map that sums
    to 1 by softmax; every point of the grid is drawn to the saliency around it
    (`keras_resample.ops.saliency_grid`); the displacement is resized to the output. A uniform map
    is exactly a resize, and that is where the default network and a learned map begin.

    The full image is only gathered from, at the grid and for the network's input: a batch of bytes
    is never copied to floats.

    The defaults are the window of "Learning to Zoom". For that of "Learning to Downsample", whose
    kernel has a radius of R cells and a full width at half maximum of R, give `radius=R,
    sigma=R / 2.355`, and `saliency=DeformationModule()`.

    Args:
        factor: side of the output over side of the input, in (0, 1]. Give `factor` or `size`.
        size: `(height, width)` of the output, not larger than the images.
        saliency: `None` for a small network; `"learned"` for one trainable map for all images; or a
            layer or model from images `(batch, *, *, channels)` to logits `(batch, *, *, 1)`
            (channels where `data_format` has them).
        grid_size: `(height, width)` of the saliency map.
        saliency_input_size: `(height, width)` of the network's input; `None` for twice
            `grid_size`. Its pixels are means of up to 2 x 2 bilinear reads.
        sigma: standard deviation of the window in cells of the map, a number or two for (height,
            width); `None` for 0.178 of the map's sides.
        radius: cells to each side that the window reaches; `None` for `ceil(5.4 sigma)`.
        antialias: whether each output averages the input over its own grid cell.
        blur_steps: training steps at the start in which the sampled images are blurred, so that the
            network behind does not fit details while the map is still arbitrary: pooled to a random
            size, between 2/7 of theirs and their own, and resized back. For N epochs,
            `N * steps_per_epoch`.
        seed: seed of these sizes.
        **kwargs: further arguments of `GridSampler`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        return_grid: whether to return `(images', grid)`.
        training: whether the network is in training, and the blur on.

    Input shape:
        4D: `(batch, h, w, channels)` or `(batch, channels, h, w)`.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`.

    Raises:
        ValueError: for the errors of `GridSampler` and `saliency_grid`, a `saliency` that is none
            of the above or returns another rank or number of channels, a `saliency_input_size`
            without a network, or a blur of `"nearest"` samples.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.random.rand(2, 112, 112, 3).astype("float32")
    >>> zoom = kr.layers.SaliencySampler(0.5, data_format="channels_last")
    >>> zoom(images).shape == (2, 56, 56, 3)
    True
    >>> zoom.saliency_map(images).shape == (2, 31, 31)
    True

    Reference:
        Recasens et al., "Learning to Zoom: a Saliency-Based Sampling Layer for Neural Networks",
        ECCV 2018. Jin et al., "Learning to Downsample for Segmentation of Ultra-High Resolution
        Images", ICLR 2022.
    """

    def __init__(
        self,
        factor=None,
        size=None,
        saliency=None,
        grid_size=(31, 31),
        saliency_input_size=None,
        sigma=None,
        radius=None,
        antialias=False,
        blur_steps=0,
        seed=None,
        **kwargs,
    ):
        super().__init__(factor=factor, size=size, antialias=antialias, **kwargs)
        is_layer = isinstance(saliency, keras.Layer)
        if saliency is not None and saliency != "learned" and not is_layer:
            raise ValueError(
                '`saliency` must be None, "learned" or a Keras layer or model. '
                f"Received: saliency={saliency!r}"
            )
        if saliency == "learned" and saliency_input_size is not None:
            raise ValueError(
                "A learned map has no network for `saliency_input_size`. "
                f"Received: saliency_input_size={saliency_input_size!r}"
            )
        blur_steps = as_integer(blur_steps, "blur_steps", minimum=0)
        if blur_steps and self.interpolation == "nearest":
            raise ValueError(
                'A blur needs `interpolation="bilinear"`. '
                f"Received: {blur_steps=}, interpolation='nearest'"
            )
        self.grid_size = as_size(grid_size, "grid_size")
        self.saliency_input_size = saliency_input_size
        if saliency_input_size is not None:
            self.saliency_input_size = as_size(saliency_input_size, "saliency_input_size")
        self.sigma = None if sigma is None else as_sigma(sigma)
        self.radius = None if radius is None else as_radius(radius)
        self.blur_steps = blur_steps
        self.seed = as_seed(seed)
        self.saliency = saliency
        self.saliency_layer = default_network() if saliency is None else saliency
        if saliency != "learned" and not self.trainable:
            self.saliency_layer.trainable = False  # Keras hands it on only when it is set later
        self.seed_generator = keras.random.SeedGenerator(self.seed) if blur_steps else None

    def build(self, input_shape):
        super().build(input_shape)
        if self.saliency == "learned":
            self._logits = self.add_weight(
                name="saliency_logits",
                shape=self.grid_size,
                initializer="zeros",
                dtype="float32",
            )
        else:
            self._build_network(input_shape)
        if self.blur_steps:
            self._step = self.add_weight(
                name="blur_step",
                shape=(),
                initializer="zeros",
                dtype="int32",
                trainable=False,
                aggregation="only_first_replica",
            )
        self.built = True

    @property
    def shares_grid(self):
        """Whether one map serves the whole batch: a learned one."""
        return self.saliency == "learned"

    def displacement(self, images, training=None):
        return self.displacement_from_saliency(self.saliency_map(images, training), images)

    def saliency_map(self, images=None, training=None):
        """What the grid is made from: nonnegative, its cells sum to 1.

        Args:
            images: as in `call`; a learned map needs none.
            training: whether the network is in training.

        Returns:
            float32 `(batch, grid height, grid width)`; of batch 1 where the map is learned.
        """
        logits = self._logits if self.saliency == "learned" else self._predicted(images, training)
        rows, cols = self.grid_size
        logits = ops.reshape(ops.convert_to_tensor(logits), (-1, rows * cols))
        return ops.reshape(ops.softmax(logits), (-1, rows, cols))

    def grid_from_saliency(self, saliency, images):
        """The sampling grid of a saliency map, float32 `(batch, h', w', 2)`, relative (x, y).

        Args:
            saliency: `(batch or 1, *, *)`, nonnegative, such as `saliency_map` returns.
            images: the images to sample, of which the size is used.
        """
        return displaced_grid(self.displacement_from_saliency(saliency, images))

    def displacement_from_saliency(self, saliency, images):
        """The `displacement` of a saliency map: see `grid_from_saliency`."""
        sigma = self.sigma
        if sigma is None:
            sigma = tuple(RELATIVE_SIGMA * n for n in saliency.shape[1:])
        rows, cols = self.output_size(images)
        displacement = saliency_displacement(saliency, sigma, self.radius) * extent(cols, rows)
        return resize_field(displacement, rows, cols)

    def jacobian(self, images, training=None):
        """Area that each sample stands for over a uniform sample's, float32 `(batch, h', w')`."""
        return jacobian_determinant(self.grid(images, training))

    def density(self, images, training=None):
        """Samples per sample of a resize around each, 1 over `jacobian`: float32 `(batch, h', w')`.

        At most the number of all samples, where samples coincide.
        """
        jacobian = self.jacobian(images, training)
        _, rows, cols = ops.shape(jacobian)
        most = ops.cast(rows * cols, "float32")
        return 1.0 / ops.maximum(jacobian, 1.0 / most)

    def target_size(self, height, width):
        """Size `(h', w')` of the output for an input of `height` x `width` pixels."""
        size = super().target_size(height, width)
        for side, limit in zip(size, (height, width), strict=True):
            if isinstance(side, int) and isinstance(limit, int) and side > limit:
                raise ValueError(
                    "`size` must not exceed the size of the images. "
                    f"Received: size={self.size}, images of size ({height}, {width})"
                )
        return size

    def training_view(self, samples):
        return self.warm_up_blur(samples)

    def warm_up_blur(self, x):
        """Samples `x` as training sees them: blurred in the first `blur_steps` calls of this."""
        if not self.blur_steps or not self.trainable:
            return x
        fraction = keras.random.uniform((), SMALLEST, 1.0, seed=self.seed_generator)
        step = ops.convert_to_tensor(self._step)
        self._step.assign(ops.minimum(step + 1, self.blur_steps))
        return ops.cond(
            step < self.blur_steps,
            lambda: pooled_and_back(x, fraction, self.data_format),
            lambda: x,
        )

    def get_config(self):
        saliency = self.saliency
        if isinstance(saliency, keras.Layer):
            saliency = keras.saving.serialize_keras_object(saliency)
        return {
            **super().get_config(),
            "saliency": saliency,
            "grid_size": self.grid_size,
            "saliency_input_size": self.saliency_input_size,
            "sigma": self.sigma,
            "radius": self.radius,
            "blur_steps": self.blur_steps,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):
        if isinstance(config.get("saliency"), dict):
            saliency = keras.saving.deserialize_keras_object(config["saliency"])
            config = {**config, "saliency": saliency}
        return cls(**config)

    def _predicted(self, images, training):
        """Logits of the network for each cell of the map, float32 (batch, h, w, 1)."""
        if images.shape[0] == 0:  # of which TensorFlow has no convolution
            return ops.zeros((0, *self.grid_size, 1), "float32")
        options = {} if training is None else {"training": training}
        images = low_resolution(images, self._network_size, self.data_format)
        if self._network_format != self.data_format:
            images = ops.transpose(images, (0, 2, 3, 1))
        logits = self.saliency_layer(images, **options)
        logits = ops.cast(logits, "float32")
        if self._network_format == "channels_first":
            logits = ops.transpose(logits, (0, 2, 3, 1))
        # Softmax does not see it, and a resize keeps a zero exactly, where logits are equal.
        logits = logits - ops.stop_gradient(greatest(logits))
        return resize_field(logits, *self.grid_size)

    @property
    def _network_size(self):
        return self.saliency_input_size or tuple(2 * n for n in self.grid_size)

    @property
    def _network_format(self):
        """The default network is channels-last, as every device computes it."""
        return "channels_last" if self.saliency is None else self.data_format

    def _build_network(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else 3]
        axis = 1 if self._network_format == "channels_first" else 3
        shape = [None, *self._network_size]
        shape.insert(axis, channels)
        if not self.saliency_layer.built:
            self.saliency_layer.build(tuple(shape))
        found = self.saliency_layer.compute_output_spec(keras.KerasTensor(shape)).shape
        if len(found) != 4 or found[axis] != 1:
            raise ValueError(
                "The `saliency` layer must return one channel per place, 4D, "
                f"{self._network_format}. Received: saliency with output shape {found}"
            )
