"""The base of the samplers: its promises, sizes, and every error it raises."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import (
    FlowWarpDownsample,
    GridSampler,
    SaliencySampler,
    UniformDownsample,
)
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 12, 3)).astype("float32")
FIXED = {"unknown_size": "a factor needs the size of the input"}
# For variants of a layer whose other promises are checked in full above.
VARIANT = ["config", "symbolic_shape", "data_format", "half_precision", "gradient", "keras_file"]
LAYERS = [GridSampler, UniformDownsample, FlowWarpDownsample]


def test_size():
    check_layer(GridSampler, {"size": (4, 5)}, IMAGES, gradient={"entries": 6})


@pytest.mark.in_turn
@pytest.mark.parametrize(
    "arguments",
    [
        {"factor": 0.5},
        {"factor": 0.5, "antialias": True},
        {"factor": 0.5, "fill_mode": "constant", "fill_value": 0.5},
    ],
    ids=["factor", "antialias", "constant"],
)
def test_variants(arguments):
    check_layer(GridSampler, arguments, IMAGES, only=VARIANT, gradient={"entries": 6})


def test_antialias_at_unknown_size():
    arguments = {"size": (5, 6), "antialias": True}
    check_layer(GridSampler, arguments, IMAGES, only=["unknown_size", "export"])


@pytest.mark.in_turn
@pytest.mark.parametrize("antialias", [False, True])
def test_bytes(antialias):
    images = (255 * IMAGES).astype("uint8")
    arguments = {"size": (5, 6), "antialias": antialias}
    only = ["build", "symbolic_shape", "unknown_size", "data_format", "half_precision", "reuse"]
    check_layer(GridSampler, arguments, images, only=only)


@pytest.mark.parametrize("layer_class", [*LAYERS, SaliencySampler])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int32"])
def test_nearest_reads_class_maps_whole_under_half_precision(layer_class, dtype):
    """Half precision has no odd number above 2048."""
    maps = np.full((1, 8, 8, 1), 2047 if dtype == "float16" else 2049, dtype)
    options = {"interpolation": "nearest", "data_format": "channels_last"}
    layer = layer_class(0.5, dtype="mixed_float16", **options)
    found = layer(maps)
    symbolic = layer(keras.KerasTensor(maps.shape, dtype=dtype))
    assert keras.backend.standardize_dtype(found.dtype) == symbolic.dtype == dtype
    assert np.array_equal(to_numpy(found), maps[:, ::2, ::2])


def test_nearest_keeps_the_dtype_of_labels():
    labels = (255 * IMAGES).astype("int32")
    layer = GridSampler(0.5, interpolation="nearest", data_format="channels_last")
    result = layer(labels)
    assert keras.backend.standardize_dtype(result.dtype) == "int32"
    assert layer(keras.KerasTensor(labels.shape, dtype="int32")).dtype == "int32"
    assert set(to_numpy(result).ravel()) <= set(labels.ravel())


@pytest.mark.parametrize("layer_class", LAYERS)
def test_the_start_is_a_resize(layer_class):
    layer = layer_class(0.5, data_format="channels_last")
    expected = keras.ops.image.resize(
        IMAGES, (5, 6), "bilinear", antialias=False, data_format="channels_last"
    )
    assert_close(layer(IMAGES), expected, 1e-5)


@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_the_grid_is_float32_and_the_outputs_of_the_compute_dtype(layer_class, dtype):
    layer = layer_class(0.5, dtype=dtype, data_format="channels_last")
    outputs, grid = layer(IMAGES, return_grid=True)
    assert_close(grid, kr.ops.uniform_grid((5, 6)), 1e-6)
    symbols = layer(keras.KerasTensor((None, 9, 12, 3)), return_grid=True)
    for tensor, symbol in zip((outputs, grid), symbols, strict=True):
        assert keras.backend.standardize_dtype(tensor.dtype) == symbol.dtype
        assert tuple(tensor.shape)[1:] == tuple(symbol.shape)[1:]
    assert symbols[1].dtype == "float32" and symbols[0].dtype == layer.compute_dtype
    assert_close(layer.grid(IMAGES), grid, 1e-6)


def test_labels_are_read_at_the_same_places():
    layer = GridSampler(0.5, antialias=True, data_format="channels_last")
    _, grid = layer(IMAGES, return_grid=True)
    labels = np.arange(4 * 18 * 24).reshape(4, 18, 24, 1).astype("int32")
    found = to_numpy(layer.sample(labels, grid, interpolation="nearest"))
    assert found.shape == (4, 5, 6, 1) and found.dtype == np.int32
    expected = kr.ops.sample(labels, grid, interpolation="nearest", data_format="channels_last")
    assert np.array_equal(found, to_numpy(expected))


@pytest.mark.parametrize(
    "side, factor, expected",
    [(100, 0.55, 55), (224, 29 / 224, 29), (13, 0.5, 7), (112, 0.75, 84), (5, 0.01, 1), (7, 1, 7)],
)
def test_length_of_the_output(side, factor, expected):
    layer = GridSampler(factor, data_format="channels_last")
    assert layer.target_size(side, side) == (expected, expected)
    assert layer.compute_output_shape((None, side, 2 * side, 3))[1] == expected


def test_an_empty_batch():
    for layer_class in LAYERS:
        layer = layer_class(0.5, antialias=True, data_format="channels_last")
        assert tuple(layer(IMAGES[:0]).shape) == (0, 5, 6, 3)


@pytest.mark.backends("tensorflow", "torch", reason="JAX has no float64 unless switched on")
@pytest.mark.parametrize("layer_class", LAYERS)
def test_float64(layer_class):
    layer = layer_class(0.5, dtype="float64", data_format="channels_last")
    result = layer(IMAGES.astype("float64"))
    assert keras.backend.standardize_dtype(result.dtype) == "float64"
    assert_close(result, layer_class(0.5, data_format="channels_last")(IMAGES), 1e-6)


# Bad input.


@pytest.mark.in_turn
@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize("factor", [0, 0.0, -0.5, 1.5, 2, float("nan"), float("inf"), "0.5", True,
                                    [0.5], 0.5j], ids=repr)  # fmt: skip
def test_bad_factor(layer_class, factor):
    with pytest.raises(
        ValueError, match=r"`factor` must be a number in \(0, 1\]. Received: factor"
    ):
        layer_class(factor)


@pytest.mark.in_turn
@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize(
    "size",
    [0.5, 7, "77", (7,), (7, 7, 3), (7.0, 7), (0, 7), (-1, 7), (True, 7), (None, 7)],
    ids=repr,
)
def test_bad_size(layer_class, size):
    with pytest.raises(ValueError, match="`size` must be two positive integers.*Received: size="):
        layer_class(size=size)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_factor_or_size(layer_class):
    with pytest.raises(ValueError, match="Received: factor=None, size=None$"):
        layer_class()
    with pytest.raises(ValueError, match=r"Received: factor=0.5, size=\(7, 7\)$"):
        layer_class(0.5, size=(7, 7))


@pytest.mark.in_turn
@pytest.mark.parametrize("layer_class", LAYERS)
@pytest.mark.parametrize(
    "options",
    [
        {"interpolation": "cubic"},
        {"fill_mode": "wrap"},
        {"fill_value": "0"},
        {"antialias": "yes"},
        {"data_format": "last"},
    ],
    ids=str,
)
def test_bad_options(layer_class, options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"`{name}` must .*Received: {name}={value!r}$"):
        layer_class(0.5, **options)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_unknown_height_needs_size(layer_class):
    layer = layer_class(0.5, data_format="channels_last")
    with pytest.raises(ValueError, match=r"needs `size`.*Received: images of size \(None, 12\)"):
        layer(keras.Input((None, 12, 3)))
    assert layer_class(size=(5, 6))(keras.Input((None, None, 3))).shape == (None, 5, 6, 3)


@pytest.mark.parametrize("layer_class", LAYERS)
def test_images_of_another_rank(layer_class):
    with pytest.raises(ValueError, match="4"):
        layer_class(0.5)(IMAGES[0])


# The aspect ratio.


@pytest.mark.parametrize("layer_class", [GridSampler, UniformDownsample])
@pytest.mark.parametrize(
    "image_size, expected",
    [
        ((368, 7986), (37, 800)),
        ((200, 900), (80, 360)),
        ((900, 900), (80, 80)),
        ((80, 800), (80, 800)),
        ((2000, 3386), (80, 135)),
        ((5, 9000), (1, 800)),
    ],
)
def test_the_largest_size_of_the_aspect_ratio_that_fits(layer_class, image_size, expected):
    """Of the two candidates, 80 rows or 800 columns, the one of fewer pixels."""
    layer = layer_class(size=(80, 800), preserve_aspect_ratio=True, data_format="channels_last")
    assert layer.target_size(*image_size) == expected
    assert layer.compute_output_shape((None, *image_size, 3)) == (None, *expected, 3)
    assert layer.compute_output_shape((2, None, 9, 3)) == (2, None, None, 3)
    assert layer_class.from_config(layer.get_config()).preserve_aspect_ratio


@pytest.mark.in_turn
@pytest.mark.parametrize("layer_class", [GridSampler, UniformDownsample, SaliencySampler])
def test_images_of_any_aspect_ratio(layer_class):
    layer = layer_class(size=(4, 9), preserve_aspect_ratio=True, data_format="channels_last")
    symbol = layer(keras.Input((None, None, 3)), return_grid=True)
    assert symbol[0].shape == (None, None, None, 3) and symbol[1].shape[1:] == (None, None, 2)
    for size, expected in (((9, 12), (4, 5)), ((6, 30), (2, 9)), ((40, 41), (4, 4))):
        images = np.random.default_rng(0).uniform(size=(2, *size, 3)).astype("float32")
        outputs, grid = layer(images, return_grid=True)
        assert tuple(outputs.shape) == (2, *expected, 3) and tuple(grid.shape[1:3]) == expected
        resized = keras.ops.image.resize(
            images, expected, "bilinear", antialias=False, data_format="channels_last"
        )
        assert_close(outputs, resized, 1e-5)


@pytest.mark.in_turn
@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("layer_class", [GridSampler, UniformDownsample, SaliencySampler])
def test_unknown_aspect_ratio(layer_class):
    import tensorflow as tf

    layer = layer_class(size=(4, 9), preserve_aspect_ratio=True, data_format="channels_last")
    layer.build((None, None, None, 3))
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 3])])
    for size in ((9, 12), (6, 30), (40, 41)):
        images = np.random.default_rng(0).uniform(size=(2, *size, 3)).astype("float32")
        assert_close(traced(images), layer(images), 1e-5)


def test_the_way_back_knows_the_data_format():
    labels = np.arange(2 * 4 * 5).reshape(2, 4, 5, 1).astype("int32")
    grid = GridSampler(size=(4, 5)).grid(keras.ops.zeros((2, 8, 10, 3)))
    last = GridSampler(size=(4, 5), data_format="channels_last")
    expected = np.repeat(np.repeat(labels, 2, axis=1), 2, axis=2)
    assert np.array_equal(to_numpy(last.restore(labels, grid, (8, 10))), expected)
    first = GridSampler(size=(4, 5), data_format="channels_first")
    found = to_numpy(first.restore(labels.transpose(0, 3, 1, 2), grid, (8, 10)))
    assert np.array_equal(found, expected.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("layer_class", LAYERS)
def test_what_cannot_preserve_the_aspect_ratio(layer_class):
    with pytest.raises(ValueError, match="`preserve_aspect_ratio` needs `size`.*Received: prese"):
        layer_class(0.5, preserve_aspect_ratio=True)
    with pytest.raises(ValueError, match="`preserve_aspect_ratio` must be True.*Received: prese"):
        layer_class(size=(4, 5), preserve_aspect_ratio="yes")


def test_an_antialiased_resize_needs_a_known_aspect_ratio():
    options = {"size": (4, 9), "preserve_aspect_ratio": True, "antialias": True}
    layer = UniformDownsample(**options, data_format="channels_last")
    with pytest.raises(ValueError, match="known height and width. Received: images of shape"):
        layer(keras.Input((None, None, 3)))
    assert tuple(UniformDownsample(**options, data_format="channels_last")(IMAGES).shape) == (
        2, 4, 5, 3,
    )  # fmt: skip
