"""Attention with a bias by keypoints, and the encodings it is set against."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample.ops.relative_position import bucket_ids, offset_ids
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, in_one_piece, to_numpy

RANDOM = np.random.default_rng(0)
TOKENS = RANDOM.normal(size=(3, 6, 8)).astype("float32")
POINTS = RANDOM.uniform(0, 1, (3, 5, 2)).astype("float32")
SKIP = {"data_format": "it has no images", "unknown_size": "the grid is fixed"}
GRID = {"grid_size": (2, 3)}
POSITIONS = {
    "relative": lambda: kr.layers.RelativeBias(2, **GRID),
    "contextual": lambda: kr.layers.ImageRelativePosition(2, 4, on="qk", **GRID),
    "values": lambda: kr.layers.ImageRelativePosition(2, 4, on="qkv", share_heads=False, **GRID),
    "bias": lambda: kr.layers.ImageRelativePosition(2, 4, mode="bias", on="qk", **GRID),
    "rotary": lambda: kr.layers.RotaryPosition2D(2, 4, seed=0, **GRID),
}


def randomize(layer):
    """Every weight random, and large enough for the softmax to matter."""
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.normal(0, 0.5, weight.shape).astype("float32"))
    return layer


def attention_of(attention="einsum", **arguments):
    layer = kr.layers.KeypointRelativeAttention(2, attention=attention, **GRID, **arguments)
    return layer


def built(layer):
    layer.build((None, 6, 8), (None, 5, 2))
    return layer


def test_keypoints():
    present = np.array([[True] * 5, [True, False, True, True, False], [True] * 5])
    inputs = {"tokens": TOKENS, "keypoints": POINTS, "present": present}
    arguments = {"num_heads": 2, "stop_gradient": False, **GRID}
    check_layer(
        kr.layers.KeypointRelativeAttention, arguments, inputs, prepare=randomize, skip=SKIP
    )


def test_the_two_kernels_start_with_other_numbers():
    layers = attention_of(), kr.layers.WindowAttention(2, window_size=2)
    for layer, shape in zip(layers, ((None, 6, 8), (None, 2, 3, 8)), strict=True):
        layer.build(shape)
        first, second = (
            to_numpy(part.kernel).ravel()[:9] for part in (layer.qkv, layer.projection)
        )
        assert np.abs(first - second).min() > 0


@pytest.mark.parametrize("attention", ["einsum", "fused"])
def test_no_image(attention):
    layer = built(attention_of(attention, position=POSITIONS["contextual"]()))
    assert in_one_piece(layer, TOKENS[:0], POINTS[:0]).shape == (0, 6, 8)


@pytest.mark.parametrize("name", ["values", "rotary"])
def test_a_bias_and_a_position_of_another_precision(name):
    inputs = TOKENS, POINTS, RANDOM.normal(size=(1, 2, 6, 6)).astype("float32")
    exact = randomize(built(attention_of(position=POSITIONS[name](), dtype="float32")))
    expected = in_one_piece(exact, *inputs)
    for own, policy in (("mixed_float16", "float32"), ("float32", "mixed_float16")):
        keras.config.set_dtype_policy(policy)
        layer = built(attention_of(position=POSITIONS[name](), dtype=own))
        layer.set_weights(exact.get_weights())
        found = in_one_piece(layer, *map(ops.convert_to_tensor, inputs))
        assert keras.backend.standardize_dtype(found.dtype) == layer.compute_dtype
        assert_close(found, expected, 1e-2)


@pytest.mark.parametrize("name", POSITIONS)
def test_positions(name):
    def arguments():
        return {"num_heads": 2, "position": POSITIONS[name](), "qkv_bias": True}

    only = ["config", "gradient", "keras_file", "exchange"]
    only += ["symbolic_shape", "half_precision", "fit"] if name == "values" else []
    inputs = {"tokens": TOKENS}
    check_layer(kr.layers.RelativeAttention, arguments, inputs, prepare=randomize, only=only)


def expected_attention(layer, tokens, bias=0.0, of_keys=None, on_values=None):
    """The formula, in float64."""
    dense = layer.qkv.kernel, layer.projection.kernel, layer.projection.bias
    kernel, projection, offset = (to_numpy(weight).astype("float64") for weight in dense)
    batch, count, _ = tokens.shape
    queries, keys, values = np.moveaxis((tokens @ kernel).reshape(batch, count, 3, 2, 4), 2, 0)
    logits = np.einsum("bqhd,bkhd->bhqk", queries, keys) / 2
    if of_keys is not None:
        bias = of_keys(queries / 2, keys / 2)
    weights = np.exp(logits + bias - (logits + bias).max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    read = np.einsum("bhqk,bkhd->bqhd", weights, values)
    if on_values is not None:
        read += on_values(weights)
    return read.reshape(batch, count, 8) @ projection + offset


@pytest.mark.parametrize("attention", ["einsum", "fused"])
def test_zero_weights_are_plain_attention(attention):
    with_points, plain = attention_of(attention), attention_of(attention)
    with_points(TOKENS, POINTS)
    plain(TOKENS)
    for layer in (with_points.qkv, with_points.projection):
        randomize(layer)
    plain.qkv.set_weights(with_points.qkv.get_weights())
    plain.projection.set_weights(with_points.projection.get_weights())
    found, expected = with_points(TOKENS, POINTS), plain(TOKENS)
    assert_close(expected, expected_attention(plain, TOKENS))
    if attention == "einsum":
        np.testing.assert_array_equal(to_numpy(found), to_numpy(expected))
    else:
        assert_close(found, expected, 1e-6)


@pytest.mark.parametrize("attention", ["einsum", "fused"])
def test_the_bias_is_added_to_the_logits(attention):
    layer = randomize(built(attention_of(attention)))

    def all_ways(points):
        bias = layer.keypoint_bias(points, index=0)
        own, given = layer(TOKENS, points), layer(TOKENS, bias=bias)
        return bias, own, given, layer(TOKENS, points, bias=bias)

    bias, found, given, both = map(to_numpy, in_one_piece(all_ways, POINTS))
    assert_close(found, expected_attention(layer, TOKENS, bias))
    assert_close(given, found)
    assert_close(both, expected_attention(layer, TOKENS, 2 * bias))
    other = in_one_piece(all_ways, POINTS + np.float32(0.1))[1]
    assert np.abs(found - to_numpy(other)).max() > 1e-3


def test_a_constant_for_all_buckets_changes_nothing():
    layer = attention_of()
    layer(TOKENS, POINTS)
    randomize(layer)
    before = layer(TOKENS, POINTS)
    layer.keypoint_bias.bias.assign_add(ops.full(layer.keypoint_bias.bias.shape, 3.0))
    assert_close(layer(TOKENS, POINTS), before)


def test_relative_bias_by_its_formula():
    layer = kr.layers.RelativeAttention(2, position=kr.layers.RelativeBias(2, **GRID))
    layer(TOKENS)
    randomize(layer)
    bias = to_numpy(layer.position.table)[:, offset_ids((2, 3))[0]]
    assert_close(layer(TOKENS), expected_attention(layer, TOKENS, bias))


@pytest.mark.parametrize("share_heads", [True, False])
@pytest.mark.parametrize("on", ["k", "qk", "qkv"])
def test_image_relative_position_by_its_formula(on, share_heads):
    position = kr.layers.ImageRelativePosition(2, 4, on=on, share_heads=share_heads, **GRID)
    layer = kr.layers.RelativeAttention(2, position=position)
    layer(TOKENS)
    randomize(layer)
    ids = bucket_ids((2, 3), "product", 1.9, 3.8, 15.2, 0)
    tables = {place: to_numpy(table).astype("float64") for place, table in position.tables.items()}
    tables = {place: np.broadcast_to(table, (2, 4, 49)) for place, table in tables.items()}

    def bias(queries, keys):
        found = np.zeros((3, 2, 6, 6))
        for b, h, i, j in np.ndindex(found.shape):
            found[b, h, i, j] = queries[b, i, h] @ tables["k"][h, :, ids[i, j]]
            if "q" in tables:
                found[b, h, i, j] += keys[b, j, h] @ tables["q"][h, :, ids[j, i]]
        return found

    def on_values(weights):
        return np.einsum("bhqk,hdqk->bqhd", weights, tables["v"][:, :, ids])

    values = on_values if "v" in tables else None
    assert_close(layer(TOKENS), expected_attention(layer, TOKENS, of_keys=bias, on_values=values))


def test_turned_logits_depend_on_the_offset_alone():
    position = kr.layers.RotaryPosition2D(2, 8, grid_size=(3, 4), num_class_tokens=1, seed=3)
    same = np.broadcast_to(RANDOM.normal(size=(1, 1, 2, 8)), (1, 13, 2, 8)).astype("float32")
    queries, keys, bias = position(same, same)
    assert bias is None
    logits = np.einsum("qhd,khd->hqk", to_numpy(queries)[0], to_numpy(keys)[0])
    ids, count = offset_ids((3, 4), skip=1)
    for bucket in range(count - 1):
        assert np.ptp(logits[:, ids == bucket], axis=1).max() < 1e-4
    assert np.std([logits[0, ids == bucket].mean() for bucket in range(count - 1)]) > 0.1
    np.testing.assert_array_equal(to_numpy(queries)[:, 0], same[:, 0])
    assert_close(np.linalg.norm(to_numpy(queries), axis=-1), np.linalg.norm(same, axis=-1))


def test_first_frequencies_are_at_right_angles():
    position = kr.layers.RotaryPosition2D(3, 16, grid_size=2, seed=0)
    position.build((None, 4, 3, 16), (None, 4, 3, 16))
    x, y = to_numpy(position.frequencies).reshape(2, 3, 2, 4)
    lengths = np.broadcast_to(10.0 ** (-np.arange(4) / 4), (3, 2, 4))
    assert_close(np.hypot(x, y), lengths)
    assert_close(x[:, 0] * x[:, 1] + y[:, 0] * y[:, 1], np.zeros((3, 4)))


def test_absolute_position():
    check_layer(kr.layers.AbsolutePosition, GRID, {"tokens": TOKENS}, prepare=randomize, skip=SKIP)
    layer = kr.layers.AbsolutePosition(**GRID)
    layer(TOKENS)
    randomize(layer)
    assert_close(layer(TOKENS), TOKENS + to_numpy(layer.embedding))


def test_lora_and_quantization_reach_the_projections():
    tokens, points = keras.Input((6, 8)), keras.Input((5, 2))
    layer = attention_of()
    model = keras.Model((tokens, points), layer(tokens, points))
    before = model.predict((TOKENS, POINTS), verbose=0)
    model.quantize("int8")
    assert keras.backend.standardize_dtype(layer.qkv.kernel.dtype) == "int8"
    assert_close(model.predict((TOKENS, POINTS), verbose=0), before, 0.05)
    layer = attention_of()
    layer(TOKENS, POINTS)
    layer.qkv.enable_lora(2)
    names = [weight.name for weight in layer.qkv.trainable_weights]
    assert names == ["lora_kernel_a", "lora_kernel_b"]


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("make", "inputs", "message"),
    [
        (lambda: attention_of(key_dim=0), {}, "`key_dim` must be"),
        (lambda: attention_of("flash"), {}, "`attention` must be one of"),
        (lambda: attention_of(position=3), {}, "`position` must be a Keras layer"),
        (lambda: attention_of("fused", position=POSITIONS["values"]()), {}, "`attention` must be"),
        (attention_of, {"tokens": TOKENS[0]}, "`tokens` must have shape"),
        (attention_of, {"tokens": TOKENS[:, :, :7]}, "`num_heads` must divide the 7"),
        (attention_of, {"tokens": TOKENS[:, :5], "keypoints": POINTS}, "`tokens` must have 6"),
        (attention_of, {"tokens": TOKENS, "present": np.ones((3, 5), bool)}, "`present` must come"),
        (attention_of, {"tokens": TOKENS, "bias": np.ones((2, 6, 6))}, "`bias` must have shape"),
        (attention_of, {"tokens": TOKENS, "bias": np.ones((1, 3, 2, 6, 6))}, "`bias` must have"),
        (attention_of, {"tokens": TOKENS, "bias": np.ones((2, 2, 6, 6))}, "`bias` must have"),
        (attention_of, {"tokens": TOKENS, "bias": np.ones((3, 2, 5, 5))}, "`bias` must have"),
        (lambda: kr.layers.RotaryPosition2D(2, 6), {}, "`key_dim` must be a multiple of 4"),
        (lambda: kr.layers.ImageRelativePosition(2, 4, mode="bias", on="qkv"), {}, "`on` must be"),
    ],
)
def test_bad_arguments(make, inputs, message):
    with pytest.raises(ValueError, match=message):
        make()(**inputs)


OTHER_HEADS = {
    "heads": lambda position: position(np.zeros((2, 6, 3, 4)), np.zeros((2, 6, 3, 4))),
    "heads of keys": lambda position: position(np.zeros((2, 6, 2, 4)), np.zeros((2, 6, 3, 4))),
    "length": lambda position: position(np.zeros((2, 6, 2, 8)), np.zeros((2, 6, 2, 8))),
    "rank": lambda position: position(np.zeros((2, 6, 8)), np.zeros((2, 6, 8))),
    "symbolic": lambda position: position(keras.Input((6, 3, 4)), keras.Input((6, 3, 4))),
    "an attention": lambda position: kr.layers.RelativeAttention(4, position=position)(TOKENS),
    "key_dim": lambda position: kr.layers.RelativeAttention(2, 8, position)(TOKENS),
}


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize("what", OTHER_HEADS)
@pytest.mark.parametrize("name", POSITIONS)
def test_heads_of_another_number_or_length_are_refused(name, what):
    if name == "relative" and what in ("length", "key_dim"):
        return  # it reads no tokens
    for is_built in (False, True):
        position = POSITIONS[name]()
        if is_built:
            position.build((None, 6, 2, 4), (None, 6, 2, 4))
        with pytest.raises(ValueError, match=r"`(queries|keys)` must have shape \(batch, n, 2, "):
            OTHER_HEADS[what](position)


@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_keypoints_come_with_the_first_call():
    layer = attention_of()
    layer(TOKENS)
    with pytest.raises(ValueError, match="`keypoints` must be given from the first call on"):
        layer(TOKENS, POINTS)
