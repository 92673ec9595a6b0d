"""The baseline that every sampler has to beat."""

import keras
from keras import ops

from keras_resample.layers.samplers.grid_sampler import GridSampler


@keras.saving.register_keras_serializable(package="keras_resample")
class UniformDownsample(GridSampler):
    """Resizes images: the baseline of every comparison, `keras.ops.image.resize` as a sampler.

    It overrides `call`, as only `LearnedResizer` does beside it: the baseline is Keras's own
    resize, not this package's sampler at the same places.

    Args:
        factor: side of the output over side of the input, in (0, 1]. Give `factor` or `size`.
        size: `(height, width)` of the output.
        antialias: whether to low-pass filter before reading, wider than a cell of the output.
        **kwargs: further arguments of `GridSampler`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        return_grid: whether to return `(images', grid)`.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`.

    Raises:
        ValueError: for the errors of `GridSampler`, or an antialiased resize that preserves the
            aspect ratio of images of unknown size.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> resize = kr.layers.UniformDownsample(0.25, antialias=True, data_format="channels_last")
    >>> resize(np.ones((2, 112, 112, 3), "float32")).shape == (2, 28, 28, 3)
    True
    """

    def __init__(self, factor=None, size=None, antialias=False, **kwargs):
        super().__init__(factor=factor, size=size, antialias=antialias, **kwargs)

    def build(self, input_shape):
        super().build(input_shape)
        if self.antialias and None in self.static_size(input_shape):
            raise ValueError(
                "An antialiased resize that preserves the aspect ratio needs images of known "
                f"height and width. Received: images of shape {tuple(input_shape)}"
            )

    def call(self, images, return_grid=False):
        size = self.output_size(images)
        is_known = all(isinstance(n, int) for n in size)
        # The resize of Keras takes no unknown size, and the nearest pixels of a few dtypes only.
        if self.interpolation == "nearest" or not is_known:
            return super().call(images, return_grid)
        # TensorFlow differentiates its antialiased resize in float32 only.
        images = ops.cast(images, "float32" if self.antialias else self.compute_dtype)
        outputs = ops.image.resize(
            images, size, antialias=self.antialias, data_format=self.data_format
        )
        outputs = ops.cast(outputs, self.compute_dtype)
        return (outputs, self.grid(images)) if return_grid else outputs
