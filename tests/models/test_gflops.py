"""Operations of networks, counted by hand."""

import keras
import pytest
from keras import layers

import keras_resample as kr
from keras_resample.models import gflops

LAST = {"data_format": "channels_last"}


def operations(model):
    return pytest.approx(1e9 * gflops(model))


def model_of(layer, *shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs, layer(*inputs))


def test_convolutions_and_dense_layers_counted_by_hand():
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            # 8 x 6 places, 3 x 3 x 3 inputs, 5 filters, twice
            layers.Conv2D(5, 3, padding="same", **LAST),
            layers.BatchNormalization(),
            # 4 x 3 places, 2 x 2 inputs for each of 5 channels, twice
            layers.DepthwiseConv2D(2, strides=2, **LAST),
            layers.Flatten(),
            # 60 inputs, 7 outputs, twice
            layers.Dense(7),
        ]
    )
    assert operations(model) == 2 * (48 * 27 * 5 + 12 * 4 * 5 + 60 * 7)


@pytest.mark.parametrize(
    "layer, shape, macs",
    [
        (layers.Conv2D(6, 3, groups=2, data_format="channels_first"), (4, 8, 8), 36 * 9 * 2 * 6),
        (layers.Conv1D(6, 3), (8, 4), 6 * 3 * 4 * 6),
        # Each of 5 x 5 x 4 numbers is added to 3 x 3 places of 6 filters.
        (layers.Conv2DTranspose(6, 3, strides=2, **LAST), (5, 5, 4), 100 * 9 * 6),
        # 4 channels become 8 by nine taps each, and these 6.
        (layers.SeparableConv2D(6, 3, depth_multiplier=2, **LAST), (8, 8, 4), 36 * 8 * (9 + 6)),
        (layers.Dense(5), (7, 3), 7 * 3 * 5),
        (layers.EinsumDense("abc,cd->abd", (None, 5)), (7, 3), 7 * 3 * 5),
        (layers.EinsumDense("abc,bcd->ad", 5), (7, 3), 7 * 3 * 5),
        # Queries, keys, values and what joins the heads; two products of 9 tokens with 9.
        (kr.layers.RelativeAttention(2), (9, 8), 9 * 4 * 8 * 8 + 2 * 9 * 9 * 8),
        (kr.layers.RelativeAttention(2, key_dim=3), (9, 8), 9 * 4 * 8 * 6 + 2 * 9 * 9 * 6),
        # Four windows of 9 places, of which the map fills 25.
        (kr.layers.WindowAttention(2, 3), (5, 5, 8), 4 * (9 * 4 * 8 * 8 + 2 * 9 * 9 * 8)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_layers_by_hand(layer, shape, macs):
    assert 2 * macs == operations(model_of(layer, shape))


def test_attention_of_keras():
    attention = layers.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=5)
    projections = 7 * 8 * 6 + 9 * 4 * 6 + 9 * 4 * 10 + 7 * 10 * 8
    expected = 2 * (projections + 7 * 9 * (6 + 10))
    assert expected == operations(model_of(attention, (7, 8), (9, 4)))


def test_a_layer_counts_at_each_of_its_calls():
    dense = layers.Dense(10)
    first, second = keras.Input((10,)), keras.Input((3, 10))
    model = keras.Model([first, second], [dense(dense(first)), dense(second)])
    assert operations(model) == 2 * (2 + 3) * 100


def test_nested_models_count_at_each_of_their_calls():
    inner = keras.Sequential([keras.Input((10,)), layers.Dense(10)])
    images = keras.Input((10,))
    assert operations(keras.Model(images, inner(images))) == 200
    assert operations(keras.Model(images, inner(inner(images)))) == 400


def test_a_nested_model_of_a_dict_of_inputs():
    inputs = {"b": keras.Input((4,), name="b"), "a": keras.Input((6,), name="a")}
    inner = keras.Model(inputs, layers.Dense(2)(inputs["a"]) + layers.Dense(2)(inputs["b"]))
    outer = {"a": keras.Input((6,), name="a"), "b": keras.Input((4,), name="b")}
    assert 40 == operations(inner) == operations(keras.Model(outer, inner(outer)))


def test_counting_leaves_the_model_alone():
    images = keras.Input((6, 6, 3))
    convolution = layers.Conv2D(2, 3, **LAST)
    model = keras.Model(images, convolution(images))
    before = convolution.output
    gflops(model)
    assert convolution.output is before


@pytest.mark.in_turn
def test_a_quarter_of_the_side_costs_about_a_sixteenth():
    def of(side):
        options = {"input_shape": (side, side, 1), "embedding_dim": 128, **LAST}
        return gflops(kr.models.IResNet((1, 1, 1, 1), (16, 32, 64, 128), **options))

    assert 12 < of(64) / of(16) < 18


def test_what_cannot_be_counted():
    unknown = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 3, **LAST)])
    with pytest.raises(ValueError, match=r"known size: .* Received: .*None, None, None, 3"):
        gflops(unknown)
    for model in (keras.Sequential([layers.Dense(2)]), layers.Dense(2)):
        with pytest.raises(ValueError, match="`model` must be a built Functional"):
            gflops(model)
