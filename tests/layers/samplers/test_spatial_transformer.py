"""SpatialTransformer: starts as a resize, and turns, scales and shifts as its numbers say."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample.layers import GridSampler, SpatialTransformer
from tests.layer_test_case import check_layer
from tests.numerics import assert_close

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.uniform(size=(2, 9, 12, 3)).astype("float32")
TRANSFORMS = pytest.mark.parametrize("transform", ["affine", "similarity", "translation"])


def random_weights(layer):
    """Weights that move samples by a fraction of a cell."""
    rng = np.random.default_rng(1)
    for weight in layer.trainable_weights:
        most = 0.03 if "parameters" in weight.path else 0.2
        weight.assign(rng.uniform(-most, most, weight.shape))


def with_numbers(numbers, **arguments):
    """A layer that gives every image the same map: the identity and these numbers."""
    layer = SpatialTransformer(**{"factor": 1.0, "data_format": "channels_last", **arguments})
    layer.build(IMAGES.shape)
    layer.parameters_layer.bias.assign(numbers)
    return layer


def test_default_network():
    only = ["build", "symbolic_shape", "unknown_size", "data_format", "half_precision"]
    only += ["keras_file", "exchange", "freezing"]
    options = {"prepare": random_weights, "only": only, "half_tolerance": 2e-2}
    check_layer(SpatialTransformer, {"size": (4, 5)}, IMAGES, **options)


def test_a_network_of_ones_own():
    def arguments():
        pool = keras.layers.AveragePooling2D(3, data_format="channels_last")
        return {"factor": 0.5, "localization": pool, "transform": "similarity"}

    why = "the features of this network are in another order there"
    skip = {"data_format": why, "unknown_size": "its number of features is that of a size"}
    skip["half_precision"] = "of the default network"
    options = {"prepare": random_weights, "gradient": {"entries": 4, "step": 2.0**-13}}
    check_layer(SpatialTransformer, arguments, IMAGES, skip=skip, **options)


@TRANSFORMS
def test_it_starts_as_exactly_a_resize(transform):
    layer = SpatialTransformer(0.5, transform=transform, data_format="channels_last")
    outputs, grid = layer(IMAGES, return_grid=True)
    resized = GridSampler(0.5, data_format="channels_last")(IMAGES)
    assert_close(outputs, resized, 1e-6)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.displacement(IMAGES)), 0.0)
    assert_close(grid, np.repeat(kr.ops.uniform_grid((5, 6)), 2, 0), 1e-7)
    assert_close(layer.matrix(IMAGES), [np.eye(2, 3)] * 2, 0.0)


@TRANSFORMS
def test_the_grid_is_that_of_the_matrix(transform):
    layer = SpatialTransformer(size=(4, 5), transform=transform, data_format="channels_last")
    layer.build(IMAGES.shape)
    random_weights(layer)
    matrix, grid = layer.matrix(IMAGES), layer.grid(IMAGES)
    assert_close(grid, kr.ops.grid_from_affine(matrix, (4, 5)), 2e-6)
    free = np.ptp(ops.convert_to_numpy(matrix), axis=0) > 1e-4  # of each image its own
    expected = np.ones((2, 3)) if transform != "translation" else [[0, 0, 1], [0, 0, 1]]
    np.testing.assert_array_equal(free, expected)


def test_a_similarity_turns_pixels():
    quarter = [-1.0, 1.0, 0.0, 0.0]
    square = IMAGES[:, :, :9]
    turned = with_numbers(quarter, transform="similarity")(square)
    assert_close(turned, np.rot90(square, axes=(1, 2)), 1e-5)
    grid = ops.convert_to_numpy(with_numbers(quarter, transform="similarity").grid(IMAGES))
    column, row = (grid[0, 0, 1] - grid[0, 0, 0]), (grid[0, 1, 0] - grid[0, 0, 0])
    assert_close(column * [12, 9], [0.0, 1.0], 1e-5)  # one pixel in x is one pixel in y
    assert_close(row * [12, 9], [-1.0, 0.0], 1e-5)


def test_a_translation_in_relative_coordinates():
    layer = with_numbers([2 / 12, -3 / 9], transform="translation")
    assert_close(layer(IMAGES)[:, 3:, :-2], IMAGES[:, :-3, 2:], 1e-5)


def test_it_learns_where_an_object_is():
    """The gradient reaches the network: a shift that is asked for is found."""
    images = np.zeros((160, 12, 12, 1), "float32")
    y, x = np.mgrid[:12, :12]
    images[..., 0] = np.exp(-((x - 7.0) ** 2 + (y - 5.5) ** 2) / 8.0)
    target = np.exp(-((x - 5.5) ** 2 + (y - 5.5) ** 2) / 8.0)[None, ..., None].repeat(160, 0)
    layer = SpatialTransformer(1.0, transform="translation", data_format="channels_last")
    model = keras.Sequential([keras.Input((12, 12, 1)), layer])
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    model.fit(images, target, batch_size=4, verbose=0)
    assert_close(layer.matrix(images[:1])[0, :, 2], [1.5 / 12, 0.0], 0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"transform": "projective"}, "`transform` must be one of 'affine', 'similarity'"),
        ({"localization": "small"}, "`localization` must be None or a Keras layer"),
        ({"size": (3, 4)}, "Give either `factor` or `size`"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpatialTransformer(0.5, **arguments)


@pytest.mark.backends("torch", reason="shapes are checked in Python")
def test_features_of_unknown_size():
    pool = keras.layers.AveragePooling2D(3, data_format="channels_last")
    layer = SpatialTransformer(size=(3, 4), localization=pool, data_format="channels_last")
    with pytest.raises(ValueError, match="`localization` layer must return features of known"):
        layer.build((None, None, None, 3))


@pytest.mark.backends("torch", reason="shapes are checked in Python")
def test_features_of_several_outputs():
    images = keras.Input((6, 6, 3))
    several = keras.Model(images, [images, keras.layers.Flatten()(images)])
    layer = SpatialTransformer(size=(3, 4), localization=several, data_format="channels_last")
    with pytest.raises(ValueError, match="`localization` layer must .*Received: localization with"):
        layer.build((None, 6, 6, 3))
