"""Operations of networks, counted by hand."""

import keras
import pytest

from keras_resample.compare.engine.flops import gflops
from keras_resample.compare.recognition.front_ends import SMALL
from keras_resample.models import IResNet


def test_convolutions_and_dense_layers_counted_by_hand():
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            # 8 x 6 places, 3 x 3 x 3 inputs, 5 filters, twice
            keras.layers.Conv2D(5, 3, padding="same", data_format="channels_last"),
            keras.layers.BatchNormalization(),
            # 4 x 3 places, 2 x 2 inputs for each of 5 channels, twice
            keras.layers.DepthwiseConv2D(2, strides=2, data_format="channels_last"),
            keras.layers.Flatten(),
            # 60 inputs, 7 outputs, twice
            keras.layers.Dense(7),
        ]
    )
    by_hand = 2 * (48 * 27 * 5 + 12 * 4 * 5 + 60 * 7)
    assert gflops(model) * 1e9 == pytest.approx(by_hand)


def test_groups_and_channels_first():
    images = keras.Input((4, 8, 8))
    layer = keras.layers.Conv2D(6, 3, groups=2, data_format="channels_first")
    model = keras.Model(images, layer(images))
    assert gflops(model) * 1e9 == pytest.approx(2 * 36 * (9 * 2) * 6)


def test_nested_models_count_once():
    inner = keras.Sequential([keras.Input((10,)), keras.layers.Dense(5)])
    images = keras.Input((10,))
    assert gflops(keras.Model(images, inner(images))) * 1e9 == pytest.approx(100)


def test_a_quarter_of_the_side_costs_about_a_sixteenth():
    large = gflops(IResNet(input_shape=(64, 64, 1), **SMALL))
    small = gflops(IResNet(input_shape=(16, 16, 1), **SMALL))
    assert 12 < large / small < 18
