"""The two layers that change the size of feature maps to what another map or the user has."""

import keras
import numpy as np
import pytest

from keras_resample.layers.blocks.adaptive_pooling import AdaptivePooling
from keras_resample.layers.blocks.resize_like import ResizeLike
from tests.layer_test_case import check_layer
from tests.numerics import assert_close

MAPS = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("float32")
LIKE = np.random.default_rng(1).normal(size=(2, 7, 12, 2)).astype("float32")
NO_WEIGHTS = {"entries": 4}


@pytest.mark.parametrize("align_corners", [False, True])
def test_resize_like(align_corners):
    check_layer(
        ResizeLike,
        {"align_corners": align_corners},
        {"x": MAPS, "like": LIKE},
        gradient=NO_WEIGHTS,
        skip={"fit_without_jit": "once for each class"} if align_corners else None,
    )


@pytest.mark.parametrize("size", [(7, 12), (4, 5), (2, 3), (1, 1), (1, 9)])
def test_resize_like_is_the_resize_of_keras(size):
    layer = ResizeLike(data_format="channels_last")
    expected = keras.ops.image.resize(
        MAPS, size, "bilinear", antialias=False, data_format="channels_last"
    )
    like = np.zeros((2, *size, 1), "float32")
    assert_close(layer(MAPS, like), expected, 1e-6)
    values = keras.ops.convert_to_tensor(MAPS)  # the form for sizes that are tensors
    for axis, count in zip((1, 2), size, strict=True):
        values = layer._resize_axis(values, count, axis)
    assert_close(values, expected, 1e-5)


@pytest.mark.parametrize("source, count", [(4, 7), (4, 1), (1, 3), (5, 5), (6, 61)])
def test_aligned_corners_interpolate_between_the_ends(source, count):
    values = np.random.default_rng(2).normal(size=source).astype("float32")
    layer = ResizeLike(align_corners=True, data_format="channels_last")
    found = layer(values[None, :, None, None], np.zeros((1, count, 1, 1), "float32"))
    places = np.linspace(0, source - 1, count)
    expected = np.interp(places, np.arange(source), values)
    assert_close(found, expected[None, :, None, None], 1e-5)


@pytest.mark.parametrize("value", [None, 1, "yes"], ids=repr)
def test_bad_align_corners(value):
    with pytest.raises(ValueError, match="`align_corners` must be True or False.*Received"):
        ResizeLike(value)


def test_adaptive_pooling():
    check_layer(AdaptivePooling, {"bins": 3}, MAPS, gradient=NO_WEIGHTS)


def windows(values, bins):
    """Mean of each window, as a loop."""
    batch, height, width, channels = values.shape
    result = np.zeros((batch, bins, bins, channels))
    for i in range(bins):
        for j in range(bins):
            rows = slice(i * height // bins, -(-(i + 1) * height // bins))
            columns = slice(j * width // bins, -(-(j + 1) * width // bins))
            result[:, i, j] = values[:, rows, columns].mean((1, 2))
    return result


@pytest.mark.parametrize("bins", [1, 2, 3, 6])
def test_adaptive_pooling_is_the_mean_of_its_windows(bins):
    values = np.random.default_rng(3).normal(size=(2, 7, 13, 3)).astype("float32")
    found = AdaptivePooling(bins, data_format="channels_last")(values)
    assert_close(found, windows(values, bins), 1e-5)
    of_keras = keras.layers.AdaptiveAveragePooling2D(bins, data_format="channels_last")
    assert_close(found, of_keras(values), 1e-5)


def test_more_windows_than_pixels():
    values = MAPS[:, :2, :1]
    found = AdaptivePooling(5, data_format="channels_last")(values)
    assert_close(found, windows(values, 5), 1e-5)


@pytest.mark.parametrize("value", [0, 2.0, None, True], ids=repr)
def test_bad_bins(value):
    with pytest.raises(ValueError, match=f"`bins` must be a positive integer.*bins={value!r}$"):
        AdaptivePooling(value)
