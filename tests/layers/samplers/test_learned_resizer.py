"""Talebi's resizer: its numbers, its size, and that it is a sampler at uniform places."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import LearnedResizer, UniformDownsample
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, random_like, to_numpy

GOLDEN = Path(__file__).parents[2] / "goldens" / "learned_resizer.npz"
IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 12, 3)).astype("float32")
VARIANT = ["config", "symbolic_shape", "data_format", "keras_file"]
# Convolutions of 7x7 and four normalizations accumulate rounding.
ROUNDING = {"half_tolerance": 3e-2}


def randomise(layer):
    """Statistics and scales that are not one, so that every weight shows in the output."""
    for i, weight in enumerate(layer.weights):
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(np.exp(0.3 * random_like(weight, seed=i)))
        elif weight.name != "kernel":
            weight.assign(0.1 * random_like(weight, seed=i))


def test_size():
    check_layer(
        LearnedResizer,
        {"size": (4, 5), "filters": 4},
        IMAGES,
        prepare=randomise,
        gradient={"entries": 6, "step": 2.0**-11},
        **ROUNDING,
    )


@pytest.mark.in_turn
@pytest.mark.parametrize(
    "arguments",
    [
        {"factor": 0.5, "filters": 5, "num_blocks": 2, "antialias": True},
        {"size": (12, 20), "filters": 3, "interpolation": "nearest"},
    ],
    ids=["factor", "larger"],
)
def test_variants(arguments):
    check_layer(LearnedResizer, arguments, IMAGES, prepare=randomise, only=VARIANT)


@pytest.mark.in_turn
def test_bytes():
    images = (255 * IMAGES).astype("uint8")
    only = ["build", "symbolic_shape", "unknown_size", "data_format", "reuse"]
    arguments = {"size": (5, 6), "filters": 4}
    check_layer(LearnedResizer, arguments, images, prepare=randomise, only=only)
    layer = LearnedResizer(**arguments, data_format="channels_last")
    assert_close(layer(images), layer(images.astype("float32")), 1e-6)


# Where the golden keeps the weights of each sublayer.
NAMES = {
    "features/conv1": "c1",
    "features/conv2": "c2",
    "features/bn2": "bn2",
    "last/conv3": "c3",
    "last/bn3": "bn3",
    "conv4": "c4",
}
LEAVES = {
    "kernel": "_k",
    "bias": "_b",
    "gamma": ".gamma",
    "beta": ".beta",
    "moving_mean": ".mean",
    "moving_variance": ".var",
}


def golden_weight(golden, case, path):
    """Array of a weight of the layer, by its path below the layer's name."""
    stem, _, leaf = path.partition("/")[2].rpartition("/")
    if stem.startswith("block"):
        block, _, part = stem.partition("/")
        key = f"res{block.removeprefix('block')}.{part.replace('conv', 'k')}"
        return golden[f"{case}_w.{key}{'' if leaf == 'kernel' else LEAVES[leaf]}"]
    return golden[f"{case}_w.{NAMES[stem]}{LEAVES[leaf]}"]


@pytest.mark.parametrize("case", ["n4r1", "n6r2"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_golden(case, data_format):
    with np.load(GOLDEN) as golden:
        filters, num_blocks, *size = golden[f"{case}_meta"].tolist()
        layer = LearnedResizer(size, filters, num_blocks, data_format=data_format)
        images, expected = (golden[f"{case}_{k}"][None].astype("float32") for k in "xy")
        if data_format == "channels_first":
            images, expected = images.transpose(0, 3, 1, 2), expected.transpose(0, 3, 1, 2)
        layer.build(images.shape)
        for weight in layer.weights:
            weight.assign(golden_weight(golden, case, weight.path))
        count = sum(golden[k].size for k in golden.files if k.startswith(f"{case}_w."))
    assert layer.count_params() == count
    assert_close(layer(images), expected, 1e-4)


def parameters(n, r, c=3):
    """Kernels, biases, and four numbers for each channel of a normalization."""
    first = (7 * 7 * c * n + n) + (n * n + n) + 4 * n
    blocks = r * 2 * (3 * 3 * n * n + 4 * n)
    return first + blocks + (3 * 3 * n * n + 4 * n) + (7 * 7 * n * c + c)


@pytest.mark.in_turn
@pytest.mark.parametrize("n, r", [(16, 1), (16, 4), (32, 1), (32, 2), (8, 3)])
def test_parameters_follow_filters_and_blocks(n, r):
    layer = LearnedResizer((8, 8), filters=n, num_blocks=r, data_format="channels_last")
    layer.build((None, 16, 16, 3))
    assert layer.count_params() == parameters(n, r)


@pytest.mark.in_turn
def test_the_published_count():
    assert parameters(16, 1) == 12_163


@pytest.mark.parametrize("antialias", [False, True])
def test_without_its_last_convolution_it_is_a_resize(antialias):
    options = {"size": (4, 5), "antialias": antialias, "data_format": "channels_last"}
    layer = LearnedResizer(**options)
    layer.build(IMAGES.shape)
    (kernel,) = [w for w in layer.weights if w.path.endswith("conv4/kernel")]
    kernel.assign(np.zeros(kernel.shape))
    assert_close(layer(IMAGES), UniformDownsample(**options)(IMAGES), 1e-6)


def test_labels_are_sampled_and_restored_as_under_a_resize():
    layer = LearnedResizer((3, 4), filters=4, data_format="channels_last")
    outputs, grid = layer(IMAGES, return_grid=True)
    assert tuple(outputs.shape) == (2, 3, 4, 3)
    assert_close(grid, kr.ops.uniform_grid((3, 4)), 1e-7)
    labels = np.random.default_rng(1).integers(0, 9, (2, 9, 12, 1)).astype("uint8")
    found = to_numpy(layer.sample(labels, grid, interpolation="nearest"))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, labels[:, 1::3, 1::3])


def test_the_aspect_ratio_is_kept():
    arguments = {"size": (6, 6), "filters": 4, "preserve_aspect_ratio": True}
    check_layer(LearnedResizer, arguments, IMAGES, only=["config", "symbolic_shape"])
    layer = LearnedResizer(**arguments, data_format="channels_last")
    outputs, grid = layer(IMAGES, return_grid=True)
    assert tuple(outputs.shape) == (2, 5, 6, 3) and tuple(grid.shape) == (1, 5, 6, 2)
    assert layer(keras.Input((None, None, 3))).shape == (None, None, None, 3)


def test_training_uses_the_statistics_of_the_batch():
    layer = LearnedResizer((4, 5), filters=4, data_format="channels_last")
    still = to_numpy(layer(IMAGES))
    before = [to_numpy(w) for w in layer.non_trainable_weights]
    trained = to_numpy(layer(IMAGES, training=True))
    after = [to_numpy(w) for w in layer.non_trainable_weights]
    assert np.abs(still - trained).max() > 1e-3
    assert all(np.any(a != b) for a, b in zip(after, before, strict=True))


@pytest.mark.in_turn
def test_it_learns_what_a_resize_cannot():
    """The target is the negative of the image: of the resize nothing is right."""
    images = np.random.default_rng(2).uniform(-1, 1, size=(16, 8, 8, 1)).astype("float32")
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, LearnedResizer((4, 4), 4, data_format="channels_last")(inputs))
    model.compile(keras.optimizers.Adam(0.02), "mse")
    target = -images.reshape(16, 4, 2, 4, 2, 1).mean((2, 4))
    history = model.fit(images, target, epochs=30, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 0.5 * history[0]


@pytest.mark.parametrize("name", ["filters", "num_blocks"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "16", None], ids=repr)
def test_bad_counts(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer.*{name}={value!r}$"):
        LearnedResizer((4, 4), **{name: value})


def test_factor_or_size():
    with pytest.raises(ValueError, match="`factor` or `size`"):
        LearnedResizer()
    with pytest.raises(ValueError, match="`factor` or `size`"):
        LearnedResizer((4, 4), factor=0.5)


def test_unknown_channels():
    with pytest.raises(ValueError, match=r"channels of `images`.*\(None, 8, 8, None\)$"):
        LearnedResizer((4, 4), data_format="channels_last").build((None, 8, 8, None))
