"""The saliency grid: against the convolution it collapses, the released code, known relations."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.ops import saliency as module
from tests import numerics
from tests.numerics import assert_close, check_gradients, gradients, project, to_numpy

FOLDER = Path(__file__).parents[1] / "goldens"
RECASENS = {"sigma": 13 / (8 * np.log(2)) ** 0.5, "radius": 30}
CASES = [
    ((31, 31), 5.52, 30),
    ((31, 31), 2.0, 4),
    ((6, 11), (1.0, 2.5), (3, 7)),
    ((12, 5), (0.7, 4.0), (2, 9)),
    ((1, 8), 2.0, 3),
    ((1, 1), 1.0, 1),
]


def maps(batch, height, width, seed=0):
    """Saliency that differs by a factor of thousands from cell to cell."""
    draw = np.random.default_rng(seed).uniform(-4, 4, (batch, height, width))
    return np.exp(draw).astype("float32")


def convolution(saliency, window_y, window_x, padding="edge"):
    """The grid by its definition in float64: padded map and coordinates, one window at a time."""
    batch, rows, cols = saliency.shape
    ry, rx = len(window_y) // 2, len(window_x) // 2
    padded = np.pad(saliency.astype("float64"), ((0, 0), (ry, ry), (rx, rx)), padding)
    x = (np.arange(-rx, cols + rx) + 0.5) / cols
    y = (np.arange(-ry, rows + ry) + 0.5) / rows
    kernel = np.outer(window_y, window_x)
    grid = np.zeros((batch, rows, cols, 2))
    for b, i, j in np.ndindex(batch, rows, cols):
        rows_seen, cols_seen = slice(i, i + 2 * ry + 1), slice(j, j + 2 * rx + 1)
        weight = padded[b, rows_seen, cols_seen] * kernel
        grid[b, i, j, 0] = np.sum(weight * x[None, cols_seen]) / np.sum(weight)
        grid[b, i, j, 1] = np.sum(weight * y[rows_seen, None]) / np.sum(weight)
    half = 0.5 / np.array([cols, rows])
    return np.clip(grid, half, 1 - half)


def gaussian(sigma, radius):
    return np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


@pytest.mark.parametrize("size, sigma, radius", CASES, ids=str)
def test_it_is_the_convolution(size, sigma, radius):
    saliency = maps(2, *size)
    windows = [gaussian(s, r) for s, r in zip(pair(sigma), pair(radius), strict=True)]
    found = kr.ops.saliency_grid(saliency, sigma, radius)
    assert_close(found, convolution(saliency, *windows), 1e-5)


@pytest.mark.parametrize("sigma, radius", [(5.5207, 30), (1.0, 6), ((0.1, 3.0), (1, 17))])
def test_the_radius_follows_sigma(sigma, radius):
    saliency = maps(2, 9, 14)
    expected = kr.ops.saliency_grid(saliency, sigma, radius)
    assert_close(kr.ops.saliency_grid(saliency, sigma), expected, 1e-7)


# The released code. Its grids are corner-aligned in [-1, 1]: u = 0 and 1 are the outer centres.


def from_corner_aligned(grid):
    """Relative coordinates of a released grid (h, w, 2)."""
    height, width, _ = grid.shape
    cells = np.array([width, height])
    return ((cells - 1) * (grid + 1) / 2 + 0.5) / cells


@pytest.mark.parametrize("name", ["smooth14", "peaky14", "uniform14", "hot14", "corner14",
                                  "noise31"])  # fmt: skip
def test_recasens(name):
    goldens = np.load(FOLDER / "recasens_grid.npz")
    found = kr.ops.saliency_grid(goldens[f"{name}_saliency"][None], **RECASENS)
    assert_close(found[0], from_corner_aligned(goldens[f"{name}_grid31"]), 1e-5)


def test_jin():
    """A kernel of side `2 radius + 1` whose full width at half maximum is the radius."""
    goldens = np.load(FOLDER / "jin_grid.npz")
    radius = int(goldens["sq_meta"][2])
    sigma = radius / (8 * np.log(2)) ** 0.5
    found = kr.ops.saliency_grid(goldens["sq_d"][None], sigma, radius)
    assert_close(found[0], from_corner_aligned(goldens["sq_grid"]), 1e-5)


def released_windows(kernel):
    """The kernel (h, w) of rank 1 as one window for each axis."""
    rows, cols = kernel[:, kernel.shape[1] // 2], kernel[kernel.shape[0] // 2]
    return tuple(rows / rows.sum()), tuple(cols / cols.sum())


def test_jin_of_a_wide_map():
    """The released kernel is a square Gaussian stretched bilinearly, near that of twice sigma."""
    goldens = np.load(FOLDER / "jin_grid.npz")
    saliency, expected = goldens["wide_d"][None], from_corner_aligned(goldens["wide_grid"])
    windows = released_windows(goldens["wide_kernel"])
    axes = (module.collapse(n, w) for n, w in zip(saliency.shape[1:], windows, strict=True))
    moves = to_numpy(module.collapsed_displacement(saliency.astype("float32"), *axes))
    assert_close(moves + to_numpy(kr.ops.uniform_grid(saliency.shape[1:])), expected[None], 1e-5)
    radius = int(goldens["wide_meta"][2])
    sigma = radius / (8 * np.log(2)) ** 0.5
    found = kr.ops.saliency_grid(saliency, (sigma, 2 * sigma), (radius, 2 * radius))
    assert_close(found[0], expected, 0.01)


@pytest.mark.parametrize("name, padding", [("sq", "edge"), ("zero", "constant"),
                                           ("refl", "reflect")])  # fmt: skip
def test_the_convolution_is_the_released_one(name, padding):
    """The other paddings too, which are not offered: a grid under them is not that of the map."""
    goldens = np.load(FOLDER / "jin_grid.npz")
    windows = released_windows(goldens[f"{name}_kernel"])
    found = convolution(goldens[f"{name}_d"][None], *windows, padding)
    assert_close(found[0], from_corner_aligned(goldens[f"{name}_grid"]), 1e-9)


# Known relations.


@pytest.mark.parametrize("value", [1.0, 1 / 961, 0.1, 3e7, 1e-30])
@pytest.mark.parametrize("size", [(31, 31), (7, 20)])
def test_uniform_saliency_is_exactly_the_uniform_grid(size, value):
    found = kr.ops.saliency_grid(np.full((2, *size), value, "float32"), sigma=3.3)
    expected = np.repeat(to_numpy(kr.ops.uniform_grid(size)), 2, axis=0)
    assert np.array_equal(to_numpy(found), expected)


@pytest.mark.parametrize("scale", [1e-25, 1e-3, 255.0, 1e25])
def test_scale_does_not_matter(scale):
    saliency = maps(2, 9, 12)
    expected = kr.ops.saliency_grid(saliency, 2.0)
    assert_close(kr.ops.saliency_grid(scale * saliency, 2.0), expected, 1e-6)


def test_a_mirrored_map_gives_the_mirrored_grid():
    saliency, sigma = maps(2, 9, 12), (2.0, 3.0)
    grid = to_numpy(kr.ops.saliency_grid(saliency, sigma))
    found = to_numpy(kr.ops.saliency_grid(saliency[:, :, ::-1], sigma))
    assert_close(found, grid[:, :, ::-1] * [-1, 1] + [1, 0], 1e-6)
    found = to_numpy(kr.ops.saliency_grid(saliency[:, ::-1], sigma))
    assert_close(found, grid[:, ::-1] * [1, -1] + [0, 1], 1e-6)


def test_a_transposed_map_gives_the_transposed_grid():
    saliency = maps(2, 9, 12)
    grid = to_numpy(kr.ops.saliency_grid(saliency, (2.0, 3.0), (5, 7)))
    found = kr.ops.saliency_grid(saliency.transpose(0, 2, 1), (3.0, 2.0), (7, 5))
    assert_close(found, grid.transpose(0, 2, 1, 3)[..., ::-1], 1e-6)


def test_samples_crowd_where_the_map_is_high():
    saliency = np.ones((1, 31, 31), "float32")
    saliency[:, 12:19, 12:19] = 10
    density = 1 / to_numpy(kr.ops.jacobian_determinant(kr.ops.saliency_grid(saliency, 3.0)))[0]
    assert density[15, 15] > 1.5 and density[8, 8] < 1
    assert density[0, 0] == pytest.approx(1.0, abs=1e-3)


def test_images_of_a_batch_do_not_mix():
    saliency = maps(3, 9, 12)
    saliency[1] = np.nan
    found = to_numpy(kr.ops.saliency_grid(saliency, 2.0))
    assert np.isnan(found[1]).all()
    assert_close(found[[0, 2]], kr.ops.saliency_grid(saliency[[0, 2]], 2.0), 1e-6)


# Empty windows.


def one_hot(height=9, width=12, place=(2, 3)):
    saliency = np.zeros((1, height, width), "float32")
    saliency[0][place] = 1.0
    return saliency


def test_a_map_of_zeros_is_the_uniform_grid():
    found, (gradient,) = both(np.zeros((1, 9, 12), "float32"))
    assert np.array_equal(found, to_numpy(kr.ops.uniform_grid((9, 12))))
    assert np.isfinite(gradient).all()


def test_one_hot_draws_what_its_window_reaches_and_nothing_else():
    found, (gradient,) = both(one_hot())
    reached = np.zeros((9, 12), bool)
    reached[0:6, 0:7] = True
    target = np.array([(3 + 0.5) / 12, (2 + 0.5) / 9])
    assert_close(found[0][reached], np.broadcast_to(target, (42, 2)), 1e-6)
    uniform = to_numpy(kr.ops.uniform_grid((9, 12)))[0]
    assert np.array_equal(found[0][~reached], uniform[~reached])
    assert np.isfinite(gradient).all()


def both(saliency):
    """The grid of a window of radius 3, and the gradient."""
    found = to_numpy(kr.ops.saliency_grid(saliency, 2.0, 3))
    return found, gradients(lambda s: project(kr.ops.saliency_grid(s, 2.0, 3)), saliency)


def test_the_window_of_recasens_reaches_everywhere():
    """A peak in one corner draws the other one, where the Gaussian has fallen to 1e-15."""
    found = to_numpy(kr.ops.saliency_grid(one_hot(31, 31, (0, 0)), **RECASENS))
    assert_close(found, np.full((1, 31, 31, 2), 0.5 / 31), 1e-6)


@pytest.mark.parametrize("span", [30.0, 1e4])
def test_logits_of_any_size(span):
    logits = np.random.default_rng(0).choice([-span, 0, span], (2, 81)).astype("float32")

    def grid(logits):
        saliency = keras.ops.reshape(keras.ops.softmax(logits), (2, 9, 9))
        return kr.ops.saliency_grid(saliency, 1.0, 2)

    found = to_numpy(grid(keras.ops.convert_to_tensor(logits)))
    assert np.isfinite(found).all() and found.min() > 0 and found.max() < 1
    (gradient,) = gradients(lambda x: project(grid(x)), logits)
    assert np.isfinite(gradient).all()


# Derivatives, dtypes, tracing.


@pytest.mark.parametrize("size, sigma, radius", [((7, 9), (1.5, 2.0), (2, 4)), ((5, 5), 3.0, None)])
def test_gradient(size, sigma, radius):
    saliency = 0.2 * np.log1p(maps(2, *size)) + 0.2
    check_gradients(
        lambda s: project(kr.ops.saliency_grid(s, sigma, radius)), saliency.astype("float32")
    )


def test_the_gradient_at_the_uniform_map_is_that_of_the_convolution():
    """There the outermost points lie on their bound; each pulls as if there were none."""
    saliency = np.ones((1, 5, 6), "float32")
    weights = numerics.random_like(np.empty((1, 5, 6, 2)))
    windows = [gaussian(1.0, 3), gaussian(1.0, 3)]
    (found,) = gradients(lambda s: project(kr.ops.saliency_grid(s, 1.0, 3)), saliency)
    expected, step = np.zeros((5, 6)), 1e-4
    for i, j in np.ndindex(5, 6):
        moved = np.repeat(saliency.astype("float64"), 2, axis=0)
        moved[:, i, j] += [step, -step]
        above, below = unbounded(moved, *windows)
        expected[i, j] = np.sum(weights[0] * (above - below)) / (2 * step)
    assert_close(found[0], expected, 1e-4)


def unbounded(saliency, window_y, window_x):
    """`convolution` of a map in the middle of its own repetition, so that no bound is near."""
    wide = np.pad(saliency, ((0, 0), (9, 9), (9, 9)), "edge")
    cells = np.array(wide.shape[:0:-1])
    grid = convolution(wide, window_y, window_x)[:, 9:-9, 9:-9]
    return (grid * cells - 9) / (cells - 18)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32", "uint8"])
def test_the_grid_is_float32(dtype):
    saliency = keras.ops.cast(np.arange(12).reshape(1, 3, 4), dtype)
    found = kr.ops.saliency_grid(saliency, 1.0)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert_close(found, kr.ops.saliency_grid(np.arange(12).reshape(1, 3, 4), 1.0), 1e-6)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_unknown_batch(jit_compile):
    import tensorflow as tf

    traced = tf.function(
        lambda s: kr.ops.saliency_grid(s, 2.0),
        input_signature=[tf.TensorSpec([None, 9, 12])],
        jit_compile=jit_compile,
    )
    for batch in (1, 3):
        saliency = maps(batch, 9, 12)
        assert_close(traced(saliency), kr.ops.saliency_grid(saliency, 2.0), 1e-6)


# Bad input.


@pytest.mark.parametrize("shape", [(3, 4), (1, 3, 4, 1), (1, 0, 4), (4,)])
def test_bad_saliency(shape):
    with pytest.raises(ValueError, match="`saliency` must have shape.*Received: saliency of shape"):
        kr.ops.saliency_grid(np.ones(shape), 1.0)


@pytest.mark.parametrize(
    "sigma", [0, -1.0, float("nan"), float("inf"), "1", None, True, (1.0,), (1, 2, 3), (1, 0), 1j]
)
def test_bad_sigma(sigma):
    with pytest.raises(ValueError, match=r"`sigma` must be .*numbers? in \(0, .* Received: sigma="):
        kr.ops.saliency_grid(maps(1, 3, 4), sigma)


@pytest.mark.parametrize("radius", [0, -1, 1.5, "1", True, (1,), (1, 2, 3), (1, 0), (1, None)])
def test_bad_radius(radius):
    with pytest.raises(ValueError, match="`radius` must be .*positive integer.*Received: radius="):
        kr.ops.saliency_grid(maps(1, 3, 4), 1.0, radius)


def test_no_map_has_no_grid():
    found = kr.ops.saliency_grid(np.zeros((0, 5, 7), "float32"), sigma=1.0)
    assert tuple(found.shape) == (0, 5, 7, 2)
