"""What `sample` is asked for: modes, shapes, and a fill that the dtype holds."""

import math
import sys

import numpy as np
from keras import backend as keras_backend

from keras_resample.arguments import as_bool, as_number, check_choice

INTERPOLATIONS = ("bilinear", "nearest")
FILL_MODES = ("nearest", "constant", "reflect", "mirror")
LARGEST = {
    "float16": (2 - 2.0**-10) * 2.0**15,
    "bfloat16": (2 - 2.0**-7) * 2.0**127,
    "float32": (2 - 2.0**-23) * 2.0**127,
    "float64": sys.float_info.max,
}


def check_concrete(layer, **values):
    """Raises for values of a functional model, which take the layer of that name."""
    for name, value in values.items():
        if keras_backend.is_keras_tensor(value):
            raise ValueError(
                f"`{name}` must be a tensor; a functional model samples by "
                f"`keras_resample.layers.{layer}`. Received: {name}={value}"
            )


def check_sampling(interpolation, fill_mode, fill_value, antialias):
    """Raises unless the sampling arguments are known and fit together."""
    check_choice(interpolation, "interpolation", INTERPOLATIONS)
    check_choice(fill_mode, "fill_mode", FILL_MODES)
    as_fill_value(fill_value)
    as_bool(antialias, "antialias")
    if antialias and interpolation != "bilinear":
        raise ValueError(
            '`antialias=True` averages, so it needs interpolation="bilinear". '
            f"Received: interpolation={interpolation!r}"
        )


def as_fill_value(fill_value):
    """`fill_value` as a Python number; an int stays one, as integer images are filled with it."""
    as_number(fill_value, "fill_value")
    return fill_value.item() if isinstance(fill_value, np.generic) else fill_value


def sampled_dtype(dtype, interpolation):
    """Dtype of the samples of images of `dtype`."""
    dtype = keras_backend.standardize_dtype(dtype)
    is_kept = interpolation == "nearest" or keras_backend.is_float_dtype(dtype)
    return dtype if is_kept else "float32"


def check_fill(fill_value, dtype, interpolation):
    """Raises unless samples of images of `dtype` can hold the fill."""
    dtype = sampled_dtype(dtype, interpolation)
    if keras_backend.is_float_dtype(dtype):
        fits, kind = abs(fill_value) <= LARGEST.get(dtype, math.inf), "a number"
    else:
        low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        fits, kind = low <= fill_value <= high, f"an integer from {low} to {high}"
        fits = fits and fill_value == int(fill_value)
    if not fits:
        raise ValueError(
            f"`fill_value` must be {kind} that the samples can hold, which are {dtype}. "
            f"Received: fill_value={fill_value}"
        )


def check_shapes(images, grid, data_format):
    """Raises unless shapes of images and of a grid are 4D, have no empty side, and fit."""
    images, grid = tuple(images), tuple(grid)
    check_images(images, data_format)
    if len(grid) != 4 or 0 in grid[1:] or grid[-1] != 2:
        raise ValueError(
            "`grid` must have shape (batch, h', w', 2) with no empty side. "
            f"Received: grid of shape {grid}"
        )
    if None not in (images[0], grid[0]) and grid[0] not in (1, images[0]):
        raise ValueError(
            f"`grid` must have a batch of 1 (shared) or that of the images, {images[0]}. "
            f"Received: grid of shape {grid}"
        )


def check_images(images, data_format):
    """Raises unless the shape of images is 4D and has no empty side."""
    images = tuple(images)
    axes = (
        "height, width, channels" if data_format == "channels_last" else "channels, height, width"
    )
    if len(images) != 4 or 0 in images[1:]:
        raise ValueError(
            f"`images` must have shape (batch, {axes}) with no empty side. "
            f"Received: images of shape {images}"
        )
