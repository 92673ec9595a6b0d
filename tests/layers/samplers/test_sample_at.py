"""SampleAt: the one sampler in functional models, at a grid that they compute."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import SampleAt
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(2, 9, 12, 3)).astype("float32")
GRID = RNG.uniform(-0.1, 1.1, size=(2, 4, 5, 2)).astype("float32")
INPUTS = {"images": IMAGES, "grid": GRID}
LAST = {"data_format": "channels_last"}
MODES = [
    {},
    {"antialias": True},
    {"fill_mode": "constant", "fill_value": 0.5},
    {"interpolation": "nearest", "fill_mode": "mirror"},
]


def test_promises():
    grids_stay = "a grid has no channels to move: see test_channels_first"
    unknown = "images and grid of one unknown size: see test_unknown_height_and_width"
    skip = {"data_format": grids_stay, "unknown_size": unknown}
    check_layer(SampleAt, {}, INPUTS, gradient={"entries": 6}, skip=skip)


@pytest.mark.parametrize("options", MODES, ids=str)
@pytest.mark.parametrize("batch", [1, 2])
def test_it_is_ops_sample(options, batch):
    layer = SampleAt(**options, **LAST)
    found = layer(IMAGES, GRID[:batch])
    assert_close(found, kr.ops.sample(IMAGES, GRID[:batch], **options, **LAST), 1e-6)
    symbol = layer(keras.KerasTensor(IMAGES.shape), keras.KerasTensor((batch, 4, 5, 2)))
    assert tuple(symbol.shape) == tuple(found.shape)


@pytest.mark.parametrize("interpolation, kind", [("bilinear", "float32"), ("nearest", "uint8")])
def test_bytes(interpolation, kind):
    images = (255 * IMAGES).astype("uint8")
    layer = SampleAt(interpolation, **LAST)
    found = layer(images, GRID)
    assert keras.backend.standardize_dtype(found.dtype) == kind
    assert_close(found, kr.ops.sample(images, GRID, interpolation, **LAST), 1e-5)
    symbol = layer(keras.KerasTensor(images.shape, "uint8"), keras.KerasTensor(GRID.shape))
    assert symbol.dtype == kind


def test_channels_first():
    swapped = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    layer = SampleAt(data_format="channels_first")
    found = layer(swapped, GRID)
    assert tuple(layer(keras.KerasTensor(swapped.shape), keras.KerasTensor(GRID.shape)).shape) == (
        2, 3, 4, 5,
    )  # fmt: skip
    assert_close(to_numpy(found).transpose(0, 2, 3, 1), SampleAt(**LAST)(IMAGES, GRID), 1e-6)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_moves_no_sample(dtype):
    """A grid in half precision would be off by four pixels in the middle of this ramp."""
    ramp = np.linspace(0, 1, 8192, dtype="float32").reshape(1, 1, -1, 1)
    grid = kr.ops.grid_from_boxes([[0.7, 0.0, 0.71, 1.0]], (1, 40))
    full = to_numpy(SampleAt(**LAST)(ramp, grid))
    half = SampleAt(**LAST, dtype=dtype)(ramp, grid)
    assert keras.backend.standardize_dtype(half.dtype) == dtype.removeprefix("mixed_")
    assert np.array_equal(to_numpy(half), to_numpy(keras.ops.cast(full, half.dtype)))


@keras.saving.register_keras_serializable(package="keras_resample_tests")
class Centred(keras.layers.Layer):
    """A grid about a point (x, y) for each image."""

    def call(self, points):
        points = keras.ops.reshape(points, (-1, 1, 1, 2))
        return points + 0.3 * (kr.ops.uniform_grid((4, 5)) - 0.5)

    def compute_output_shape(self, shape):
        return (shape[0], 4, 5, 2)


def looking():
    """A model that decides by a dense layer where to look."""
    images = keras.Input(IMAGES.shape[1:])
    pooled = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(images)
    grid = Centred()(keras.layers.Dense(2, activation="sigmoid")(pooled))
    return keras.Model(images, SampleAt(**LAST)(images, grid))


def test_a_functional_model_reads_where_it_decides(tmp_path):
    model = looking()
    assert model.output_shape == (None, 4, 5, 3)
    expected = to_numpy(model(IMAGES))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_close(loaded(IMAGES), expected, 1e-6)
    before = to_numpy(model.weights[0])
    model.compile("sgd", "mse")
    model.fit(IMAGES, np.zeros_like(expected), verbose=0)
    assert not np.array_equal(to_numpy(model.weights[0]), before)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("antialias", [False, True])
def test_unknown_height_and_width(antialias):
    import tensorflow as tf

    layer = SampleAt(antialias=antialias, **LAST)
    symbols = keras.Input((None, None, 3)), keras.Input((None, None, 2))
    assert layer(*symbols).shape == (None, None, None, 3)
    shapes = [tf.TensorSpec([None, None, None, n]) for n in (3, 2)]
    traced = tf.function(layer, input_signature=shapes)
    assert_close(traced(IMAGES, GRID), layer(IMAGES, GRID), 1e-5)


def test_symbols_are_for_the_layer():
    symbols = keras.KerasTensor(IMAGES.shape), keras.KerasTensor(GRID.shape)
    for images, grid in ((symbols[0], GRID), (IMAGES, symbols[1])):
        with pytest.raises(ValueError, match="`keras_resample.layers.SampleAt`. Received: "):
            kr.ops.sample(images, grid)


@pytest.mark.parametrize(
    "images, grid, message",
    [
        (
            (9, 12, 3),
            (2, 4, 5, 2),
            "`images` must have shape .*Received: images of shape",
        ),
        ((2, 0, 12, 3), (2, 4, 5, 2), r"no empty side. Received: images of shape \(2, 0, 12, 3\)"),
        ((2, 9, 12, 3), (4, 5, 2), r"`grid` must have shape .*Received: grid of shape \(4, 5, 2\)"),
        ((2, 9, 12, 3), (2, 4, 5, 3), r"`grid` must have .*Received: grid of shape \(2, 4, 5, 3\)"),
        ((2, 9, 12, 3), (2, 4, 0, 2), r"no empty side. Received: grid of shape \(2, 4, 0, 2\)"),
        (
            (2, 9, 12, 3),
            (3, 4, 5, 2),
            r"batch of 1 .*, 2. Received: grid of shape \(3, 4, 5, 2\)",
        ),
    ],
    ids=str,
)
def test_bad_shapes(images, grid, message):
    with pytest.raises(ValueError, match=message):
        SampleAt(**LAST)(np.zeros(images, "float32"), np.zeros(grid, "float32"))
    with pytest.raises(ValueError, match=message):
        SampleAt(**LAST)(keras.KerasTensor(images), keras.KerasTensor(grid))


@pytest.mark.parametrize(
    "options",
    [
        {"interpolation": "cubic"},
        {"fill_mode": "wrap"},
        {"fill_value": "0"},
        {"antialias": 1},
        {"data_format": "last"},
    ],
    ids=str,
)
def test_bad_options(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"`{name}` must .*Received: {name}={value!r}$"):
        SampleAt(**options)


def test_an_average_of_nearest_pixels():
    with pytest.raises(ValueError, match="`antialias=True` averages.*Received: interpolation='ne"):
        SampleAt(antialias=True, interpolation="nearest")
