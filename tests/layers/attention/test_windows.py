"""Attention in windows, and its bias by keypoints."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers.blocks.patch_merging import PatchMerging
from keras_resample.ops.windows import places_in_windows, shift_mask
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, in_one_piece, to_numpy

GOLDENS = np.load(Path(__file__).parents[2] / "goldens" / "kprpe_swin.npz")
CASES = ("s10_w5_h0", "s10_w5_h2", "s7_w5_h2", "s5_w5_h2")
RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(2, 3, 5, 8)).astype("float32")
POINTS = RANDOM.uniform(0, 1, (2, 5, 2)).astype("float32")
SKIP = {"data_format": "its maps are tokens", "unknown_size": "the grid is fixed"}


def randomize(layer):
    random = np.random.default_rng(1)
    for weight in layer.weights:
        value = 0.5 * random.normal(size=weight.shape)
        weight.assign((value + 1 if weight.name == "logit_scale" else value).astype("float32"))
    return layer


@pytest.mark.parametrize("name", CASES)
def test_biases_of_windows_are_those_of_the_authors(name):
    side, window, shift, heads = (int(number) for number in GOLDENS[f"{name}/cfg"])
    points = GOLDENS["kp"].astype("float32")
    layer = kr.layers.KeypointWindowBias(heads, grid_size=side, window_size=window)
    layer.build(points.shape)
    layer.kernel.assign(GOLDENS[f"{name}/W"].reshape(layer.kernel.shape))
    layer.bias.assign(GOLDENS[f"{name}/b"].reshape(layer.bias.shape))
    found = in_one_piece(lambda given: layer(given, shift=shift), points)
    assert found.shape == layer.compute_output_shape(points.shape, shift=shift)
    assert_close(found, GOLDENS[f"{name}/bias"].reshape(found.shape))


@pytest.mark.parametrize("mode", ["multihead", "absolute"])
def test_one_window_is_the_whole_map(mode):
    arguments = {"num_heads": 2, "grid_size": 4, "mode": mode}
    whole = randomize(built(kr.layers.KeypointRelativeBias(**arguments)))
    window = built(kr.layers.KeypointWindowBias(**arguments, window_size=4))
    window.set_weights(whole.get_weights())
    present = np.array([[True] * 5, [True, False, True, True, False]])
    found = in_one_piece(lambda points: window(points, present, shift=1)[:, 0], POINTS)
    assert_close(found, in_one_piece(lambda points: whole(points, present, index=0), POINTS))


def built(layer):
    layer.build(POINTS.shape)
    return layer


def test_window_bias_contract():
    arguments = {"num_heads": 2, "depth": 2, "grid_size": (3, 5), "window_size": 3}
    skip = {**SKIP, "half_precision": "coordinates stay float32, as of KeypointRelativeBias"}
    skip |= dict.fromkeys(("export", "fit"), "as of KeypointRelativeBias")
    skip["symbolic_shape"] = "it depends on the index: see below"
    arguments["stop_gradient"] = False
    options = {"prepare": randomize, "skip": skip, "call_arguments": {"index": 1, "shift": 1}}
    check_layer(kr.layers.KeypointWindowBias, arguments, {"keypoints": POINTS}, **options)


def test_contract():
    arguments = {"num_heads": 2, "window_size": 3, "shift": 1}
    bias = RANDOM.normal(size=(2, 2, 2, 9, 9)).astype("float32")
    inputs = {"maps": MAPS, "bias": bias}
    check_layer(kr.layers.WindowAttention, arguments, inputs, prepare=randomize, skip=SKIP)


def test_one_bias_for_all_windows_and_heads():
    layer = kr.layers.WindowAttention(2, window_size=3, shift=1)
    layer.build(MAPS.shape)
    randomize(layer)
    bias = RANDOM.normal(size=(1, 1, 1, 9, 9)).astype("float32")
    each = np.broadcast_to(bias, (2, 2, 2, 9, 9))
    assert_close(in_one_piece(layer, MAPS, bias), in_one_piece(layer, MAPS, each))


def unit(vectors):
    """Of length 1; a zero, as keys of padding are, stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


@pytest.mark.parametrize("attention", ["einsum", "fused"])
def test_by_a_loop(attention):
    layer = kr.layers.WindowAttention(2, window_size=3, shift=1, attention=attention)
    bias = RANDOM.normal(size=(2, 2, 2, 9, 9)).astype("float32")
    layer.build(MAPS.shape)
    randomize(layer)
    kernel, out, offset, query_bias, value_bias, scale = (
        to_numpy(weight).astype("float64")
        for weight in (layer.qkv.kernel, layer.projection.kernel, layer.projection.bias,
                       layer.query_bias, layer.value_bias, layer.logit_scale)
    )  # fmt: skip
    shift = (0, 1)  # three rows are one window
    places, mask = places_in_windows((3, 5), 3, shift), shift_mask((3, 5), 3, shift)
    tokens = np.concatenate([MAPS.reshape(2, 15, 8), np.zeros((2, 1, 8))], axis=1)
    expected = np.zeros((2, 16, 8))
    for image, window in np.ndindex(2, 2):
        given = tokens[image, places[window]] @ kernel
        given += np.concatenate([query_bias, np.zeros(8), value_bias])
        queries, keys, values = given.reshape(9, 3, 2, 4).transpose(1, 2, 0, 3)
        read = np.zeros((9, 2, 4))
        for head in range(2):
            q, k = (unit(x[head]) for x in (queries, keys))
            logits = np.exp(scale[head]) * q @ k.T + bias[image, window, head] + mask[window]
            weights = np.exp(logits - logits.max(1, keepdims=True))
            read[:, head] = weights / weights.sum(1, keepdims=True) @ values[head]
        expected[image, places[window]] = read.reshape(9, 8) @ out + offset
    found = in_one_piece(layer, MAPS, bias)
    assert_close(found, expected[:, :15].reshape(MAPS.shape))


def test_the_scale_has_an_end():
    layer = kr.layers.WindowAttention(2, window_size=3)
    layer(MAPS)
    randomize(layer)
    layer.logit_scale.assign(np.full(2, np.log(100.0), "float32"))
    expected = layer(MAPS)
    layer.logit_scale.assign(np.full(2, 9.0, "float32"))
    assert_close(layer(MAPS), expected)


def test_merged_patches_are_in_the_order_of_swin():
    maps = RANDOM.normal(size=(2, 3, 4, 2)).astype("float32")
    padded = np.pad(maps, ((0, 0), (0, 1), (0, 0), (0, 0)))
    parts = [padded[:, row::2, col::2] for row, col in ((0, 0), (1, 0), (0, 1), (1, 1))]
    expected = np.concatenate(parts, axis=-1)
    layer = PatchMerging()
    np.testing.assert_array_equal(to_numpy(layer(maps)), expected)
    assert layer.compute_output_shape(maps.shape) == expected.shape


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: kr.layers.WindowAttention(2, 3, 3), (2, 3, 5, 8), "`shift` must be below"),
        (lambda: kr.layers.WindowAttention(2, 0), (2, 3, 5, 8), "`window_size` must be"),
        (lambda: kr.layers.WindowAttention(3, 3), (2, 3, 5, 8), "`num_heads` must divide the 8"),
        (lambda: kr.layers.WindowAttention(2, 3), (2, 15, 8), "`maps` must have shape"),
    ],
)
def test_bad_arguments(make, shape, message):
    with pytest.raises(ValueError, match=message):
        make()(np.zeros(shape, "float32"))


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize("shape", [(2, 2, 9, 9), (2, 4, 2, 9, 9), (2, 2, 2, 4, 4), (3, 2, 2, 9, 9)])
def test_a_bias_of_another_shape_is_refused(shape):
    layer = kr.layers.WindowAttention(2, 3)
    with pytest.raises(ValueError, match=r"`bias` must have shape \(batch, 2, 2, 9, 9\)"):
        layer(MAPS, np.zeros(shape, "float32"))
    with pytest.raises(ValueError, match="`bias` must have shape"):
        layer(
            keras.Input(MAPS.shape[1:], batch_size=2), keras.Input(shape[1:], batch_size=shape[0])
        )


@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_a_bias_of_several_depths_wants_an_index():
    layer = kr.layers.KeypointWindowBias(2, depth=2, grid_size=4, window_size=2)
    for points in (POINTS, keras.Input((5, 2))):
        with pytest.raises(ValueError, match="`index` must say which of depth=2"):
            layer(points, shift=1)
    assert layer(keras.Input((5, 2)), index=1, shift=1).shape == (None, 4, 2, 4, 4)


@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_maps_of_unknown_size_are_refused():
    with pytest.raises(ValueError, match="all but the batch known"):
        kr.layers.WindowAttention(2, 3)(keras.Input((None, 5, 8)))
