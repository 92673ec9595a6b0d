"""A fixed crop: for aligned images the simplest way to look at the middle."""

import keras
from keras import ops

from keras_resample.arguments import as_number, as_numbers
from keras_resample.layers.samplers.grid_sampler import GridSampler
from keras_resample.ops.grids import extent, uniform_grid_of

MARGIN = 0.1


@keras.saving.register_keras_serializable(package="keras_resample")
class CropDownsample(GridSampler):
    """Cuts one box out of all images and resizes it: the baseline for aligned images.

    Where all images show the same thing at the same place, the frame says little, and its pixels
    are better spent on the middle. Choose the box without the test set.

    Args:
        factor: side of the output over side of the input (not of the box), in (0, 1]. Give `factor`
            or `size`.
        size: `(height, width)` of the output.
        margin: what to leave out on each of the four sides, as a share of the side, in [0, 0.5);
            0.1 if neither `margin` nor `box` is given.
        box: instead of `margin`: relative `(x_min, y_min, x_max, y_max)`. Parts outside [0, 1] read
            the fill of `fill_mode`.
        antialias: whether each output averages its own cell of the box (cells at its frame reach a
            little beyond it).
        **kwargs: further arguments of `GridSampler`.

    Call arguments:
        images: `(batch, h, w, channels)` or `(batch, channels, h, w)`, any dtype.
        return_grid: whether to return `(images', grid)`.

    Output shape:
        `(batch, h', w', channels)` or `(batch, channels, h', w')`.

    Raises:
        ValueError: for the errors of `GridSampler`, both `margin` and `box`, a margin outside
            [0, 0.5), or a box without area.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> crop = kr.layers.CropDownsample(0.25, margin=0.2, antialias=True)
    >>> crop.box
    (0.2, 0.2, 0.8, 0.8)
    """

    def __init__(self, factor=None, size=None, margin=None, box=None, antialias=False, **kwargs):
        super().__init__(factor=factor, size=size, antialias=antialias, **kwargs)
        if margin is not None and box is not None:
            raise ValueError(
                f"Give either `margin` or `box`. Received: margin={margin!r}, box={box!r}"
            )
        self.margin = None
        if box is None:
            self.margin = as_number(MARGIN if margin is None else margin, "margin", "[0, 0.5)")
            box = self.margin, self.margin, 1.0 - self.margin, 1.0 - self.margin
        self.box = as_numbers(box, "box", length=4)
        x_min, y_min, x_max, y_max = self.box
        if not (x_min < x_max and y_min < y_max):
            raise ValueError(
                "`box` must be (x_min, y_min, x_max, y_max) with x_min < x_max and y_min < y_max. "
                f"Received: box={box!r}"
            )

    @property
    def shares_grid(self):
        """True: one box serves all images."""
        return True

    def displacement(self, images, training=None):
        x_min, y_min, x_max, y_max = self.box
        low = ops.convert_to_tensor([x_min, y_min], "float32")
        growth = ops.convert_to_tensor([x_max - x_min - 1.0, y_max - y_min - 1.0], "float32")
        rows, cols = self.output_size(images)
        return (low + growth * uniform_grid_of(rows, cols)) * extent(cols, rows)

    def get_config(self):
        box = self.box if self.margin is None else None
        return {**super().get_config(), "margin": self.margin, "box": box}
