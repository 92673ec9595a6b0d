"""The way back, against brute force, a k-d tree, resize and known relations."""

import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.numerics import assert_close, gradients, to_numpy

GOLDENS = Path(__file__).parents[1] / "goldens" / "jin_reverse.npz"
NAN = float("nan")
TIE = 1e-3  # pixels
SHAPE, SIZE = (9, 12), (41, 37)  # of most tests: JAX compiles for every other one


def restore(values, grid, size, interpolation="nearest"):
    return kr.ops.restore(values, grid, size, interpolation, data_format="channels_last")


def centres(rows, cols):
    x, y = np.meshgrid((np.arange(cols) + 0.5) / cols, (np.arange(rows) + 0.5) / rows)
    return np.stack([x, y], axis=-1)


def moved(rows, cols, cells=0.7, seed=0):
    moves = np.random.default_rng(seed).uniform(-cells, cells, (rows, cols, 2))
    return centres(rows, cols) + moves / np.array([cols, rows])


def zoomed(rows, cols, strength=0.12):
    """Smooth, denser at one place and free of folds."""
    u = centres(rows, cols)
    return u + strength * np.sin(2 * np.pi * u) / 2 + 0.02 * np.sin(2 * np.pi * u[..., ::-1])


def one_hot(rows, cols):
    saliency = np.zeros((1, rows, cols), "float32")
    saliency[0, rows // 3, cols // 2] = 1.0
    return to_numpy(kr.ops.saliency_grid(saliency, sigma=2.0))[0]


def with_nan(rows, cols):
    grid = moved(rows, cols)
    grid[np.random.default_rng(1).uniform(size=(rows, cols)) < 0.3] = NAN
    grid[0, 0, 0], grid[-1, -1] = NAN, 0.5
    return grid


def every_other_at(place, rows, cols):
    return np.where(np.arange(cols)[:, None] % 2, place, moved(rows, cols))


GRIDS = {
    "uniform": centres,
    "moved": moved,
    "zoomed": zoomed,
    "dense": lambda rows, cols: 0.4 + 0.1 * moved(rows, cols),
    "random": lambda rows, cols: moved(rows, cols, cells=9.0),
    "folded": lambda rows, cols: np.abs(3 * moved(rows, cols) - 1.3) / 2,
    "a point": lambda rows, cols: np.full((rows, cols, 2), 0.3),
    "a line": lambda rows, cols: centres(rows, cols) * [1, 0] + [0, 0.6],
    "outside": lambda rows, cols: 3 * moved(rows, cols) + 1.5,
    "frame": lambda rows, cols: np.clip(3 * moved(rows, cols) - 1, 0.02, 0.98),
    "far": lambda rows, cols: every_other_at(1e6, rows, cols),
    "infinite": lambda rows, cols: every_other_at(-np.inf, rows, cols),
    "one-hot": one_hot,
    "with NaN": with_nan,
}


def found_and_least(grid, size):
    """Distances in pixels from each pixel to the point found and to the nearest of all."""
    rows, cols, _ = grid.shape
    grid = grid.astype("float32")
    numbers = np.arange(rows * cols, dtype="int32").reshape(1, rows, cols, 1)
    index = to_numpy(restore(numbers, grid[None], size))[0, :, :, 0]
    points = (grid * np.array(size[::-1], "float32")).reshape(-1, 2).astype("float64")
    pixels = centres(*size) * size[::-1]
    distances = np.linalg.norm(pixels[:, :, None] - points, axis=-1)
    distances[np.isnan(distances)] = np.inf
    return np.take_along_axis(distances, index[..., None], -1)[..., 0], distances.min(-1)


@pytest.mark.parametrize("name", GRIDS)
def test_every_pixel_finds_a_nearest_point(name):
    found, least = found_and_least(GRIDS[name](*SHAPE), SIZE)
    assert np.max(found - least) < TIE


@pytest.mark.parametrize("shape, size", [((1, 7), (13, 10)), ((6, 2), (1, 9))])
def test_grids_smaller_than_a_neighbourhood_and_images_than_a_tile(shape, size):
    for name in ("moved", "random"):
        found, least = found_and_least(GRIDS[name](*shape), size)
        assert np.max(found - least) < TIE


@pytest.mark.parametrize("name", ["zoomed", "frame", "random"])
def test_more_points_than_one_tree_holds(name):
    grid = GRIDS[name](80, 90)
    size, rng = (150, 170), np.random.default_rng(0)
    numbers = np.arange(7200, dtype="int32").reshape(1, 80, 90, 1)
    index = to_numpy(restore(numbers, grid[None].astype("float32"), size))[0, :, :, 0]
    points = (grid.astype("float32") * np.array(size[::-1], "float32")).reshape(-1, 2)
    for i, j in zip(rng.integers(0, 150, 300), rng.integers(0, 170, 300), strict=True):
        distances = np.linalg.norm(points.astype("float64") - [j + 0.5, i + 0.5], axis=1)
        assert distances[index[i, j]] - distances.min() < TIE


@pytest.mark.parametrize("name", ["sq", "wide"])
def test_k_d_tree_goldens(name):
    """Their -1 and 1 are the centres of the outer pixels."""
    with np.load(GOLDENS) as golden:
        values, expected, index, corners = (
            golden[f"{name}_{key}"] for key in ("values", "out", "idx", "grid")
        )
    size = expected.shape[:2]
    sides = np.array(size[::-1])
    grid = ((corners + 1) / 2 * (sides - 1) + 0.5) / sides
    found = to_numpy(restore(values[None].astype("float32"), grid[None], size))[0]
    points, pixels = (grid * sides).reshape(-1, 2), centres(*size) * sides
    distances = np.linalg.norm(pixels[:, :, None] - points, axis=-1)
    nearest_two = np.sort(distances, axis=-1)[..., :2]
    off_ties = nearest_two[..., 1] - nearest_two[..., 0] > TIE
    assert np.array_equal(distances.argmin(-1)[off_ties], index[off_ties])
    assert off_ties.mean() > 0.95
    assert_close(found[off_ties], expected[off_ties], 1e-6)


@pytest.mark.parametrize("shape, size", [((5, 7), (15, 35))])
def test_a_uniform_grid_is_a_nearest_resize(shape, size):
    values = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype("float32")
    expected = ops.image.resize(values, size, "nearest", data_format="channels_last")
    assert_close(restore(values, kr.ops.uniform_grid(shape), size), expected, 1e-6)


def test_sampling_what_was_restored_gives_the_values_back():
    values = np.random.default_rng(0).normal(size=(1, *SHAPE, 3)).astype("float32")
    grid = zoomed(*SHAPE)[None].astype("float32")
    image = restore(values, grid, SIZE)
    again = kr.ops.sample(image, grid, "nearest", data_format="channels_last")
    assert_close(again, values, 1e-6)


def test_of_points_at_one_place_every_backend_takes_the_same():
    grid = np.round(centres(30, 40) * 4)[None] / 4  # exact distances
    index = restore(np.arange(1200, dtype="int32").reshape(1, 30, 40, 1), grid, (64, 128))
    assert zlib.crc32(to_numpy(index).tobytes()) == 1779242362


def test_no_class_is_invented():
    classes = np.array([0, 7, 200, 255], "uint8")
    labels = classes[np.random.default_rng(0).integers(0, 4, (2, *SHAPE, 1))]
    found = restore(labels, GRIDS["folded"](*SHAPE)[None], SIZE)
    assert keras.backend.standardize_dtype(found.dtype) == "uint8"
    assert set(np.unique(to_numpy(found))) <= set(classes)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_flips_and_transposes_with_the_grid(interpolation):
    values = np.random.default_rng(0).normal(size=(1, *SHAPE, 2)).astype("float32")
    grid = (zoomed(*SHAPE) + 0.003 * moved(*SHAPE, seed=1))[None]  # off ties
    grid = 1.4 * grid - 0.2  # reaches every pixel: from outside two places may be as near
    expected = to_numpy(restore(values, grid, SIZE, interpolation))
    mirrored = (grid * [-1, 1] + [1, 0])[:, :, ::-1]
    found = restore(values[:, :, ::-1].copy(), mirrored, SIZE, interpolation)
    assert_close(found, expected[:, :, ::-1], 1e-3)
    turned = grid.transpose(0, 2, 1, 3)[..., ::-1]
    found = restore(values.transpose(0, 2, 1, 3).copy(), turned, SIZE[::-1], interpolation)
    assert_close(found, expected.transpose(0, 2, 1, 3), 1e-3)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_grid_of_each_image_or_one_of_all(interpolation):
    values = np.random.default_rng(0).normal(size=(2, *SHAPE, 2)).astype("float32")
    grids = np.stack([zoomed(*SHAPE), GRIDS["random"](*SHAPE)]).astype("float32")
    found = to_numpy(restore(values, grids, SIZE, interpolation))
    for n in range(2):
        alone = restore(values[n : n + 1], grids[n : n + 1], SIZE, interpolation)
        assert_close(found[n : n + 1], alone, 1e-5)
        shared = to_numpy(restore(values, grids[n : n + 1], SIZE, interpolation))
        assert_close(shared[n : n + 1], alone, 1e-5)
    for count in (0, 1):
        empty = restore(values[:0], grids[:count], SIZE, interpolation)
        assert tuple(empty.shape) == (0, *SIZE, 2)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_channels_first(interpolation):
    values = np.random.default_rng(0).normal(size=(2, *SHAPE, 3)).astype("float32")
    grid = zoomed(*SHAPE)[None]
    expected = to_numpy(restore(values, grid, SIZE, interpolation)).transpose(0, 3, 1, 2)
    first = values.transpose(0, 3, 1, 2).copy()
    found = kr.ops.restore(first, grid, SIZE, interpolation, data_format="channels_first")
    assert_close(found, expected, 1e-6)
    keras.config.set_image_data_format("channels_first")
    assert_close(kr.ops.restore(first, grid, SIZE, interpolation), expected, 1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "bfloat16", "float32"])
def test_dtypes(dtype):
    values = ops.cast(np.random.default_rng(0).integers(0, 99, (1, *SHAPE, 2)), dtype)
    grid = zoomed(*SHAPE)[None]
    exact = to_numpy(values).astype("float32")
    found = restore(values, grid, SIZE)
    assert keras.backend.standardize_dtype(found.dtype) == dtype
    assert_close(to_numpy(found).astype("float32"), restore(exact, grid, SIZE), 1e-6)
    found = restore(values, grid, SIZE, "bilinear")
    expected = dtype if "float" in dtype else "float32"
    assert keras.backend.standardize_dtype(found.dtype) == expected
    tolerance = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 1e-6)
    exact = restore(exact, grid, SIZE, "bilinear")
    assert_close(to_numpy(found).astype("float32"), exact, tolerance)


@pytest.mark.parametrize("shared", [True, False])
def test_gradients_go_to_the_values_only(shared):
    values = np.random.default_rng(0).normal(size=(2, *SHAPE, 2)).astype("float32")
    grid = np.stack([zoomed(*SHAPE), moved(*SHAPE)])[: 1 if shared else 2].astype("float32")
    to_values, to_grid = gradients(lambda v, g: restore(v, g, SIZE), values, grid)
    numbers = np.arange(108, dtype="int32").reshape(1, *SHAPE, 1).repeat(2, axis=0)
    index = to_numpy(restore(numbers, grid, SIZE))
    expected = np.stack([np.bincount(i.ravel(), minlength=108) for i in index])
    assert_close(to_values, np.repeat(expected.reshape(2, *SHAPE, 1), 2, axis=-1), 1e-6)
    assert not np.any(to_grid)


@pytest.mark.parametrize("shared", [True, False])
def test_the_bilinear_gradient_is_the_adjoint(shared):
    """What is restored is linear in the values: (restore(v), u) = (v, gradient), for all v."""
    rng = np.random.default_rng(0)
    grid = np.stack([zoomed(*SHAPE), moved(*SHAPE)])[: 1 if shared else 2].astype("float32")
    upstream = rng.normal(size=(2, *SIZE, 2)).astype("float32")
    values = rng.normal(size=(3, 2, *SHAPE, 2)).astype("float32")

    def product(values, grid):
        return restore(values, grid, SIZE, "bilinear") * ops.convert_to_tensor(upstream)

    to_values, to_grid = gradients(product, values[0], grid)
    for other in values:
        restored = to_numpy(restore(other, grid, SIZE, "bilinear"))
        assert_close(np.vdot(upstream, restored), np.vdot(to_values, other), 1e-4)
    assert not np.any(to_grid)


# Bilinear.


@pytest.mark.parametrize(
    "shape, size",
    [(SHAPE, SIZE), ((6, 1), (20, 3))],
)
def test_bilinear_at_a_uniform_grid_is_a_resize(shape, size):
    values = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype("float32")
    expected = ops.image.resize(
        values, size, "bilinear", antialias=False, data_format="channels_last"
    )
    assert_close(restore(values, kr.ops.uniform_grid(shape), size, "bilinear"), expected, 1e-5)


def distances(grid, size, interpolation):
    """How far, in pixels, each pixel is from where the grid was read."""
    grid = grid[None].astype("float32")
    places = to_numpy(restore(grid, grid, size, interpolation))[0]
    return np.linalg.norm((places - centres(*size)) * np.array(size[::-1]), axis=-1)


def test_bilinear_inverts_the_grid_where_it_reaches():
    """The values are the grid's own coordinates: a pixel reads its own."""
    found = distances(zoomed(20, 25), (160, 210), "bilinear")
    assert np.max(found[12:-12, 12:-12]) < 2e-3


@pytest.mark.parametrize("name", [name for name in GRIDS if name not in ("with NaN", "infinite")])
def test_bilinear_reads_no_further_away_than_nearest(name):
    grid, size = GRIDS[name](*SHAPE), SIZE
    farthest = max(1.0, np.abs(grid).max())
    slack = TIE * farthest
    assert np.all(distances(grid, size, "bilinear") <= distances(grid, size, "nearest") + slack)


def test_bilinear_beyond_the_grid_reads_its_frame():
    values = np.random.default_rng(0).normal(size=(1, 5, 6, 1)).astype("float32")
    grid = (0.25 + 0.5 * centres(5, 6))[None]
    found = to_numpy(restore(values, grid, (80, 96), "bilinear"))[0, ..., 0]
    assert_close(found[:20], found[23:24].repeat(20, axis=0), 1e-4)
    assert_close(found[:20, :24], np.full((20, 24), values[0, 0, 0, 0]), 1e-5)


@pytest.mark.parametrize("name", ["with NaN", "infinite"])
def test_bilinear_next_to_points_that_are_nowhere(name):
    values = np.random.default_rng(0).uniform(size=(1, *SHAPE, 2)).astype("float32")
    found = to_numpy(restore(values, GRIDS[name](*SHAPE)[None], SIZE, "bilinear"))
    assert np.all((found > -1e-6) & (found < 1 + 1e-6))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_grid_of_nan_only_reads_some_value(interpolation):
    values = np.random.default_rng(0).uniform(size=(1, *SHAPE, 1)).astype("float32")
    found = to_numpy(restore(values, np.full((1, *SHAPE, 2), NAN), SIZE, interpolation))
    assert set(found.ravel()) <= set(values.ravel())


# Tracing.


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_everything_unknown(interpolation):
    import tensorflow as tf

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 2]),
            tf.TensorSpec([None, None, None, 2]),
            tf.TensorSpec([None, None, None]),
        ]
    )
    def traced(values, grid, image):
        size = tf.shape(image)
        return restore(values, grid, (size[1], size[2]), interpolation)

    for batch, rows, cols, height, width in [(2, 6, 5, 21, 26), (1, 1, 3, 5, 1), (0, 6, 5, 9, 8)]:
        values = np.random.default_rng(0).normal(size=(batch, rows, cols, 2)).astype("float32")
        grid = np.repeat(GRIDS["random"](rows, cols)[None], batch, axis=0).astype("float32")
        found = traced(values, grid, np.zeros((batch, height, width), "float32"))
        assert_close(found, restore(values, grid, (height, width), interpolation), 1e-5)


@pytest.mark.backends("tensorflow")
def test_xla_and_a_size_that_is_one_tensor():
    import tensorflow as tf

    values, grid = np.ones((2, 6, 5, 2), "float32"), moved(6, 5, 9.0)[None].astype("float32")
    values[0, 2, 2] = 7.0
    compiled = tf.function(lambda v, g: restore(v, g, (21, 26)), jit_compile=True)
    expected = restore(values, grid, (21, 26))
    assert_close(compiled(values, grid), expected, 1e-6)
    assert_close(restore(values, grid, tf.constant([21, 26])), expected, 1e-6)


@pytest.mark.backends("jax")
@pytest.mark.parametrize(
    ("interpolation", "other"),
    # Where a grid folds, Newton's steps multiply the rounding, which a compiler may change.
    [("nearest", GRIDS["random"](*SHAPE)), ("bilinear", zoomed(*SHAPE, strength=0.05))],
    ids=["nearest", "bilinear"],
)
def test_jit(interpolation, other):
    import jax

    values = np.random.default_rng(0).normal(size=(2, *SHAPE, 2)).astype("float32")
    grid = np.stack([other, zoomed(*SHAPE)]).astype("float32")
    found = jax.jit(lambda v, g: restore(v, g, SIZE, interpolation))(values, grid)
    assert_close(found, restore(values, grid, SIZE, interpolation), 1e-5)


# Bad input.

VALUES, GRID = np.zeros((2, 4, 5, 3), "float32"), np.zeros((2, 4, 5, 2), "float32")


@pytest.mark.parametrize(
    "values, grid, message",
    [
        (VALUES[0], GRID, r"`values` must .*Received: values of shape \(4, 5, 3\)$"),
        (VALUES[:, :0], GRID[:, :0], r"`values` .*no empty side.*shape \(2, 0, 5, 3\)$"),
        (VALUES, GRID[0], r"`grid` must .*Received: grid of shape \(4, 5, 2\)$"),
        (VALUES, GRID[..., :1], r"`grid` must .*Received: grid of shape \(2, 4, 5, 1\)$"),
        (VALUES, GRID[:, :3], r"`grid` .*size of the values, \(4, 5\)\. .*\(2, 3, 5, 2\)$"),
        (VALUES, np.repeat(GRID, 2, axis=0), r"`grid` .*values, 2\. .*\(4, 4, 5, 2\)$"),
        (VALUES[:1], GRID, r"`grid` .*batch of 1.*values, 1\. .*\(2, 4, 5, 2\)$"),
    ],
)
def test_bad_shapes(values, grid, message):
    with pytest.raises(ValueError, match=message):
        restore(values, grid, (8, 8))


@pytest.mark.parametrize("size", [8, (8,), (8, 0), (8.0, 8), (8, True), None, (8, 8, 3)])
def test_bad_size(size):
    with pytest.raises(ValueError, match="`size` must be two positive integers .*Received: size="):
        restore(VALUES, GRID, size)


def test_bad_options():
    with pytest.raises(ValueError, match="`interpolation` must .*Received: interpolation='cubic'$"):
        restore(VALUES, GRID, (8, 8), "cubic")
    with pytest.raises(ValueError, match="`data_format` must .*Received: data_format='last'$"):
        kr.ops.restore(VALUES, GRID, (8, 8), data_format="last")


def test_symbolic_tensors_need_a_layer():
    with pytest.raises(ValueError, match="`values` must .*GridSampler.*Received: .*KerasTensor"):
        restore(keras.Input((4, 5, 3)), GRID, (8, 8))
