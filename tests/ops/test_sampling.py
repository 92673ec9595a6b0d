"""The values of `ops.sample`: against a loop, against resize, goldens and known relations."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_resample as kr
from tests.numerics import assert_close, gradients, to_numpy
from tests.ops.sampling_loop import antialias_loop, centres, sample_loop

FOLDER = Path(__file__).parents[1] / "goldens"
FILL_MODES = ["nearest", "constant", "reflect", "mirror"]
# JAX compiles every operation anew for every size.
EXAMPLES = 2 if keras.backend.backend() == "jax" else 8
few = settings(max_examples=EXAMPLES, deadline=None, derandomize=True)


def sample(images, grid, **options):
    return kr.ops.sample(images, grid, data_format="channels_last", **options)


def random_images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype("float32")


def random_grid(batch, rows, cols, beyond=0.4, seed=1):
    """Places up to `beyond` image sides outside the image."""
    shape = (batch, rows, cols, 2)
    return np.random.default_rng(seed).uniform(-beyond, 1 + beyond, shape).astype("float32")


def displaced(batch, rows, cols, cells=0.8, seed=1):
    """A uniform grid whose samples moved by up to `cells` cells."""
    moves = np.random.default_rng(seed).uniform(-cells, cells, (batch, rows, cols, 2))
    return (centres(rows, cols) + moves / np.array([cols, rows])).astype("float32")


def resize(images, size, **options):
    return keras.ops.image.resize(
        images, size, interpolation="bilinear", data_format="channels_last", **options
    )


# Against the loop.


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("grid_batch", [1, 2])
def test_sample_equals_the_loop(fill_mode, interpolation, grid_batch):
    images, grid = random_images(2, 5, 7, 3), random_grid(grid_batch, 6, 4)
    options = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": 0.7}
    assert_close(sample(images, grid, **options), sample_loop(images, grid, **options), 1e-5)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("shape", [(2, 1, 6, 2), (2, 6, 1, 2), (1, 1, 1, 3), (1, 2, 2, 1)])
def test_sides_of_one_pixel(fill_mode, interpolation, shape):
    images, grid = random_images(*shape), random_grid(shape[0], 4, 3, beyond=2.0)
    options = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": -0.5}
    assert_close(sample(images, grid, **options), sample_loop(images, grid, **options), 1e-5)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_far_outside(fill_mode, interpolation):
    """At 30 widths the float32 coordinate itself is good to 30 w eps, and so the values."""
    images, grid = random_images(2, 5, 7, 3), random_grid(2, 6, 4, beyond=30.0)
    options = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": 0.25}
    tolerance = 2 * 30 * 7 * np.finfo("float32").eps
    expected = sample_loop(images, grid, **options)
    assert_close(sample(images, grid, **options), expected, tolerance)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("shape, size", [((2, 8, 9, 2), (4, 3)), ((1, 7, 5, 3), (3, 4))])
@pytest.mark.parametrize("shared", [True, False])
def test_antialias_is_the_mean_over_each_cell(fill_mode, shape, size, shared):
    images = random_images(*shape)
    grid = displaced(1 if shared else shape[0], *size)
    options = {"fill_mode": fill_mode, "fill_value": 0.7}
    expected = antialias_loop(images, grid, **options)
    assert_close(sample(images, grid, antialias=True, **options), expected, 1e-5)


def test_antialias_of_an_enlargement_changes_nothing():
    images, grid = random_images(2, 5, 7, 3), random_grid(2, 9, 8)
    assert_close(sample(images, grid, antialias=True), sample(images, grid), 1e-6)


@given(*[st.integers(1, 9)] * 4, st.sampled_from(FILL_MODES), st.booleans())
@few
def test_any_size(height, width, rows, cols, fill_mode, antialias):
    images, grid = random_images(2, height, width, 2), displaced(1, rows, cols)
    loop = antialias_loop if antialias else sample_loop
    found = sample(images, grid, fill_mode=fill_mode, antialias=antialias)
    assert_close(found, loop(images, grid, fill_mode=fill_mode), 1e-5)


# Zero flow is a resize.

RESIZES = [
    ((112, 112), (56, 56)),
    ((112, 112), (84, 84)),
    ((112, 112), (96, 96)),
    ((13, 17), (7, 9)),
    ((101, 67), (33, 50)),
    ((37, 640), (31, 480)),
    ((1000, 5), (333, 3)),
    ((7, 9), (15, 20)),
    ((6, 5), (1, 1)),
]


@pytest.mark.parametrize("source, size", RESIZES)
def test_a_uniform_grid_is_a_resize(source, size):
    images = random_images(2, *source, 3)
    expected = resize(images, size, antialias=False)
    assert_close(sample(images, kr.ops.uniform_grid(size)), expected, 1e-5)


@given(*[st.integers(1, 40)] * 4)
@few
def test_a_uniform_grid_is_a_resize_at_any_size(height, width, rows, cols):
    images = random_images(1, height, width, 2)
    expected = resize(images, (rows, cols), antialias=False)
    assert_close(sample(images, kr.ops.uniform_grid((rows, cols))), expected, 1e-5)


@pytest.mark.parametrize("ratio_y, ratio_x", [(2, 2), (4, 4), (3, 5), (1, 4)])
def test_antialias_at_an_integer_ratio_is_average_pooling(ratio_y, ratio_x):
    images = random_images(2, 6 * ratio_y, 7 * ratio_x, 3)
    grid = kr.ops.uniform_grid((6, 7))
    pooled = images.reshape(2, 6, ratio_y, 7, ratio_x, 3).astype("float64").mean(axis=(2, 4))
    for fill_mode in ("nearest", "constant"):
        found = sample(images, grid, antialias=True, fill_mode=fill_mode, fill_value=9.0)
        assert_close(found, pooled, 1e-5)


# Goldens.


@pytest.mark.parametrize("name", ["even", "odd", "face", "x084", "up"])
def test_flow_warp_goldens(name):
    with np.load(FOLDER / "flow_warp.npz") as golden:
        values = {k.removeprefix(f"{name}_"): golden[k] for k in golden if k.startswith(name)}
    images = values["image"][None].astype("float32")
    size, flow_size = images.shape[1:3], values["flow0"].shape[:2]
    resized = sample(images, kr.ops.grid_from_flow(np.zeros((*flow_size, 2)), size))[0]
    assert_close(resized, values["resize"], 1e-5)
    for i in "01":
        flow, upstream = (values[k + i].astype("float32") for k in ("flow", "ct"))

        def warp(flow, upstream=upstream):
            warped = sample(images, kr.ops.grid_from_flow(flow, size))[0]
            return keras.ops.multiply(warped, upstream)

        assert_close(warp(flow, np.float32(1.0)), values[f"warp{i}"], 1e-5)
        assert_close(gradients(warp, flow)[0], values[f"grad{i}"], 1e-5)


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding", ["border", "zeros", "reflection"])
def test_torch_grid_sample_goldens(align_corners, interpolation, padding):
    golden = np.load(FOLDER / "torch_grid_sample.npz")
    key = f"{interpolation}_{padding}_ac{align_corners}"
    if key not in golden:
        pytest.skip("torch has its nearest with reflection on GPU only to a looser definition")
    images = golden["image"].astype("float32")
    height, width = images.shape[1:3]
    grid = (golden["grid"] + 1) / 2
    if align_corners:  # -1 and 1 are the centres of the outer pixels
        sides = np.array([width, height])
        grid = (grid * (sides - 1) + 0.5) / sides
    reflect = "mirror" if align_corners else "reflect"
    fill_mode = {"border": "nearest", "zeros": "constant", "reflection": reflect}[padding]
    found = to_numpy(sample(images, grid, interpolation=interpolation, fill_mode=fill_mode))
    position = grid * np.array([width, height]) - 0.5
    off_ties = np.ones(grid.shape[:3], "bool")
    if interpolation == "nearest":  # torch rounds half to even, this package half up
        off_ties = np.all(np.abs(position - np.floor(position) - 0.5) > 1e-4, axis=-1)
    assert off_ties.mean() > 0.9
    assert_close(found[off_ties], golden[key][off_ties], 1e-5)


def test_dense_image_warp_subtracts_a_flow_of_rows_and_columns():
    golden = np.load(FOLDER / "tfa_warp.npz")
    images = golden["image"].astype("float32")
    grid = kr.ops.grid_from_flow(-golden["flow_yx"][..., ::-1], images.shape[1:3])
    assert_close(sample(images, grid), golden["warp"], 1e-5)


@pytest.mark.parametrize("size", [(7, 9), (5, 5)])
@pytest.mark.parametrize("convention", ["resize", "resize_asym", "resize_ac"])
def test_the_three_conventions_of_tensorflow_1_are_grids(size, convention):
    golden = np.load(FOLDER / "tfa_warp.npz")
    images = golden["image"].astype("float32")
    axes = []
    for side, count in zip(images.shape[1:3], size, strict=True):
        index = np.arange(count)
        pixel = {
            "resize": (index + 0.5) * side / count - 0.5,
            "resize_asym": index * side / count,
            "resize_ac": index * (side - 1) / (count - 1),
        }[convention]
        axes.append((pixel + 0.5) / side)
    grid = np.stack(np.meshgrid(axes[1], axes[0]), axis=-1)[None]
    expected = golden[f"{convention}_{size[0]}x{size[1]}"]
    assert_close(sample(images, grid), expected, 1e-5)


# Relations between results.

EVERY_WAY = [
    {"fill_mode": mode, "antialias": antialias}
    for mode in FILL_MODES
    for antialias in (False, True)
]
every_way = pytest.mark.parametrize(
    "options", EVERY_WAY, ids=lambda o: "-".join(map(str, o.values()))
)


@every_way
def test_flip(options):
    """Flipping images and flow (its x negated) flips the result."""
    images = random_images(2, 8, 10, 3)
    flow = np.random.default_rng(2).normal(0, 3, (4, 5, 2)).astype("float32")
    flipped_flow = flow[:, ::-1] * np.array([-1, 1], "float32")
    grids = [kr.ops.grid_from_flow(f, (8, 10)) for f in (flow, flipped_flow)]
    flipped = sample(np.ascontiguousarray(images[:, :, ::-1]), grids[1], **options)
    assert_close(flipped, to_numpy(sample(images, grids[0], **options))[:, :, ::-1], 1e-5)


@every_way
def test_transpose(options):
    images, grid = random_images(2, 8, 10, 3), displaced(2, 4, 5)
    turned = sample(
        np.ascontiguousarray(images.transpose(0, 2, 1, 3)),
        np.ascontiguousarray(grid.transpose(0, 2, 1, 3)[..., ::-1]),
        **options,
    )
    expected = to_numpy(sample(images, grid, **options)).transpose(0, 2, 1, 3)
    assert_close(turned, expected, 1e-5)


@every_way
def test_brightness_contrast_and_channels(options):
    """Linear in the images, channel by channel; no relation mixes channels."""
    images, grid = random_images(2, 8, 10, 3), displaced(2, 4, 5)
    result = to_numpy(sample(images, grid, **options))
    assert_close(sample(3 * images, grid, **options), 3 * result, 1e-5)
    swapped = sample(np.ascontiguousarray(images[..., [2, 0, 1]]), grid, **options)
    assert_close(swapped, result[..., [2, 0, 1]], 1e-6)


@every_way
def test_a_constant_image_stays_constant(options):
    images = np.full((2, 8, 10, 2), 0.625, "float32")
    found = sample(images, random_grid(2, 4, 5, beyond=2.0), fill_value=0.625, **options)
    assert_close(found, np.full((2, 4, 5, 2), 0.625), 1e-6)


def test_translation_by_whole_pixels():
    images = random_images(2, 8, 10, 3)
    flow = np.zeros((8, 10, 2), "float32") + np.array([2, -1], "float32")
    grid = kr.ops.grid_from_flow(flow, (8, 10))
    found = to_numpy(sample(images, grid, fill_mode="constant"))
    assert_close(found[:, 1:, :-2], images[:, :-1, 2:], 1e-5)
    assert not found[:, 0].any() and not found[:, :, -2:].any()


@every_way
@pytest.mark.parametrize("channels", [1, 3, 32])
def test_a_shared_grid_is_its_copies(options, channels):
    images, grid = random_images(3, 8, 10, channels), displaced(1, 4, 5)
    tiled = np.repeat(grid, 3, axis=0)
    assert_close(sample(images, grid, **options), sample(images, tiled, **options), 1e-6)


def test_values_stay_within_those_of_the_image():
    images = random_images(2, 8, 10, 3)
    for fill_mode in ("nearest", "reflect", "mirror"):
        found = to_numpy(sample(images, random_grid(2, 9, 9, beyond=3.0), fill_mode=fill_mode))
        assert images.min() - 1e-6 <= found.min() and found.max() <= images.max() + 1e-6


def test_nearest_returns_only_values_of_the_image():
    labels = np.random.default_rng(0).integers(0, 255, (2, 8, 10, 1)).astype("uint8")
    found = to_numpy(sample(labels, random_grid(2, 9, 9), interpolation="nearest"))
    assert set(found.ravel()) <= set(labels.ravel())
