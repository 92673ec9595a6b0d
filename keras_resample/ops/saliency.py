"""Grids that look more often where a saliency map is high."""

import functools
import math

import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_integer, as_integers, as_number, as_numbers
from keras_resample.backend.compiling import one_program
from keras_resample.ops.extremes import greatest, least
from keras_resample.ops.grids import uniform_grid_like

# Standard deviations that a window reaches to where no radius is given: the released saliency
# sampler has a radius of 30 at a standard deviation of 5.52.
REACH = 5.4
# A window whose saliency is below this part of the map's maximum counts as empty.
EMPTY = 1e-20

LISTS = (tuple, list, np.ndarray)


def saliency_grid(saliency, sigma, radius=None):
    """Grid that samples densely where a saliency map is high.

    Every point is drawn to the saliency around it (Eq. 2 of "Learning to Zoom"; Eq. 3 of "Learning
    to Downsample"):

        grid(i, j) = sum S(i', j') k((i, j), (i', j')) u(i', j') / sum S(i', j') k((i, j), (i', j'))

    with k a Gaussian window of `2 radius + 1` cells a side and u the centres of the cells. Beyond
    its border the map repeats its last cells and u goes on linearly; the grid is kept between the
    centres of the outermost cells. As the window is a product of one along each axis, the sums are
    three products of the map with two small matrices for each axis, instead of a convolution with
    the window. They are formed as displacements from u: a uniform map gives exactly the uniform
    grid, whose samples are exactly a resize.

    Another padding than the repeated border would pull the frame of the grid even where the map is
    uniform. A window without saliency leaves its point in its own place.

    Args:
        saliency: `(batch, h, w)`, nonnegative, of any scale.
        sigma: standard deviation of the Gaussian in cells of the map; a number, or two for
            (height, width).
        radius: cells to each side that the window reaches; an integer, or two for (height, width);
            `None` for `ceil(5.4 sigma)`.

    Returns:
        float32 grid `(batch, h, w, 2)`, relative (x, y).

    Raises:
        ValueError: if `saliency` is not 3D or has a side that is empty or unknown, `sigma` is not
            positive, or `radius` is no positive integer.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> saliency = np.random.rand(2, 31, 31)
    >>> kr.ops.saliency_grid(saliency, sigma=5.5).shape == (2, 31, 31, 2)
    True

    Reference:
        Recasens et al., "Learning to Zoom: a Saliency-Based Sampling Layer for Neural Networks",
        ECCV 2018. Jin et al., "Learning to Downsample for Segmentation of Ultra-High Resolution
        Images", ICLR 2022.
    """
    displacement = saliency_displacement(saliency, sigma, radius)
    return uniform_grid_like(displacement) + displacement


def saliency_displacement(saliency, sigma, radius=None):
    """Displacement of `saliency_grid` from the uniform grid, float32 (batch, h, w, 2)."""
    saliency = ops.cast(ops.convert_to_tensor(saliency), "float32")
    if len(saliency.shape) != 3 or not all(saliency.shape[1:]):
        raise ValueError(
            "`saliency` must have shape (batch, height, width), height and width known. "
            f"Received: saliency of shape {tuple(saliency.shape)}"
        )
    sigma = as_sigma(sigma)
    radius = default_radius(sigma) if radius is None else as_radius(radius)
    rows, cols = saliency.shape[1:]
    windows = [gaussian_window(s, r) for s, r in zip(sigma, radius, strict=True)]
    return collapsed_displacement(saliency, collapse(rows, windows[0]), collapse(cols, windows[1]))


@one_program
def collapsed_displacement(saliency, rows, cols):
    """`saliency_displacement` by the matrices of `collapse` of both axes."""
    height, width = rows.shape[1], cols.shape[1]
    left = ops.reshape(rows, (2 * height, height))
    right = ops.transpose(ops.reshape(cols, (2 * width, width)))
    peak = ops.stop_gradient(greatest(saliency))
    saliency = saliency / ops.where(peak > 0.0, peak, 1.0)
    # A constant moves no point: without the least value a uniform map is zero, not rounding errors.
    lowest = ops.stop_gradient(least(saliency))
    sums = ops.matmul(left, ops.matmul(saliency - lowest, right))
    total = sums[:, :height, :width] + lowest
    total = ops.where(total < EMPTY, math.inf, total)
    x = _inside(sums[:, :height, width:] / total, _room(width))
    y = _inside(sums[:, height:, :width] / total, _room(height)[..., None])
    return ops.stack([x, y], axis=-1)


def _inside(shift, room):
    """Keeps shifted cells between the first and the last one.

    By `where`, whose gradient on the bound is the same on every backend.
    """
    low, high = room[0], room[1]
    return ops.where(shift < low, low, ops.where(shift > high, high, shift))


@backend.constant
def _room(count):
    """The steps of each of `count` cells to the first and to the last one, relative, (2, count)."""
    place = np.arange(count) / count
    return np.stack([-place, place[-1] - place]).astype("float32")


@functools.lru_cache(maxsize=64)
def gaussian_window(sigma, radius):
    """Weights of a Gaussian at -radius, ..., radius, a tuple that sums to 1."""
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-radius, radius + 1)]
    total = math.fsum(weights)
    return tuple(weight / total for weight in weights)


@backend.constant
def collapse(count, window):
    """Padding, window and coordinates of one axis as two matrices, float32 (2, count, count).

    The first takes the weighted mean around each cell, the second the weighted sum of the relative
    steps to the cells around it, both with the border repeated.
    """
    radius = len(window) // 2
    mean, shift = np.zeros((count, count)), np.zeros((count, count))
    cells = np.arange(count)
    for step, weight in zip(range(-radius, radius + 1), window, strict=True):
        reached = np.clip(cells + step, 0, count - 1)
        mean[cells, reached] += weight
        shift[cells, reached] += weight * step / count
    return np.stack([mean, shift]).astype("float32")


def default_radius(sigma):
    """Radius of the window of each axis where none is given."""
    return tuple(max(1, math.ceil(REACH * s - 1e-6)) for s in sigma)


def as_sigma(sigma):
    """`sigma`, a positive number of cells or two for (height, width), as a pair."""
    if isinstance(sigma, LISTS):
        return as_numbers(sigma, "sigma", "(0, inf)", length=2)
    return (as_number(sigma, "sigma", "(0, inf)"),) * 2


def as_radius(radius):
    """`radius`, a positive integer of cells or two for (height, width), as a pair."""
    if isinstance(radius, LISTS):
        return as_integers(radius, "radius", length=2)
    return (as_integer(radius, "radius"),) * 2
