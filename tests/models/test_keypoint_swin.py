"""Swin with keypoints: its sizes, what keypoints change, and its files."""

import math

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.models.network_checks import check_network
from tests.numerics import assert_close, to_numpy

TINY = {"size": {"width": 8, "depths": (1, 2), "num_heads": (1, 2)}, "input_shape": (20, 23, 1)}
TINY |= {"embedding_dim": 6, "window_size": 3}
RANDOM = np.random.default_rng(0)
INPUTS = {
    "images": RANDOM.normal(size=(3, 20, 23, 1)).astype("float32"),
    "keypoints": RANDOM.uniform(0, 1, (3, 5, 2)).astype("float32"),
}


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def randomize(model):
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign_add(random.normal(0, 0.2, weight.shape).astype("float32"))
    return model


@pytest.mark.backends("torch", reason="numbers of weights")
def test_sides_and_weights_of_the_paper():
    model = kr.models.KeypointSwin(
        size={"width": 32, "depths": (2, 2, 12, 2), "num_heads": (4, 8, 16, 32)}
    )
    sides = [model.get_layer(f"layers_{stage}_0_attn").output.shape[1:3] for stage in range(4)]
    assert sides == [(37, 37), (19, 19), (10, 10), (5, 5)]
    tables = [model.get_layer(f"keypoint_linear_{stage}") for stage in range(4)]
    assert [table.count_params() for table in tables] == [
        11 * 49 * heads * depth for heads, depth in ((4, 2), (8, 2), (16, 12), (32, 2))
    ]
    assert [model.get_layer(f"layers_2_{index}_attn").shift for index in range(3)] == [0, 2, 0]


@pytest.mark.backends("torch", reason="numbers of weights")
def test_parameters_of_the_small_one():
    statistics = 2 * (512 + 512)
    assert kr.models.KeypointSwin("small").count_params() == 81_272_736 + statistics


def test_keypoints_matter_once_they_are_learned():
    model = kr.models.KeypointSwin(**TINY)
    first = model.predict(INPUTS, verbose=0)
    other = {**INPUTS, "keypoints": INPUTS["keypoints"][::-1]}
    assert_close(model.predict(other, verbose=0), first, 1e-6)
    randomize(model)
    before = model.predict(INPUTS, verbose=0)
    assert np.abs(model.predict(other, verbose=0) - before).max() > 1e-3


def test_promises(tmp_path):
    def build(**arguments):
        return kr.models.KeypointSwin(**{**TINY, **arguments})

    check_network(build, INPUTS, half_layer="layers_1_1_2_add", folder=tmp_path)


@pytest.mark.in_turn
def test_it_learns():
    keras.utils.set_random_seed(0)
    model = kr.models.KeypointSwin(**TINY, missing_keypoints=True)
    model.compile(keras.optimizers.AdamW(1e-2), "mse")
    before = [to_numpy(weight) for weight in model.trainable_weights]
    model.fit(INPUTS, RANDOM.normal(size=(3, 6)), epochs=2, verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.any(to_numpy(weight) != old), weight.path


@pytest.mark.in_turn
@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": "large"}, "`size` must be one of"),
        ({"size": {"width": 8, "depths": (1, 2), "num_heads": (1,)}}, "`num_heads` must be"),
        ({"window_size": 0}, "`window_size` must be"),
        ({"patch_size": 21}, "`patch_size` must be at most"),
        ({"missing_keypoints": 1}, "`missing_keypoints` must be"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        kr.models.KeypointSwin(**{**TINY, **wrong})


@pytest.mark.backends("tensorflow", "jax", reason="Keras writes no SavedModel from PyTorch")
def test_a_saved_model_has_both_inputs_by_name(tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    model = randomize(kr.models.KeypointSwin(**TINY))
    model.export(tmp_path / "served", verbose=False)
    served = tensorflow.saved_model.load(tmp_path / "served")
    _, named = served.signatures["serving_default"].structured_input_signature
    assert set(named) == {"images", "keypoints"}
    expected = model.predict(INPUTS, verbose=0)
    assert_close(served.serve(INPUTS).numpy(), expected)
    other = {**INPUTS, "keypoints": INPUTS["keypoints"][::-1]}
    assert np.abs(served.serve(other).numpy() - expected).max() > 1e-3


@pytest.mark.in_turn
def test_masked_tokens():
    """In training a learned token is put for some; embeddings are as without otherwise."""
    masked, whole = (kr.models.KeypointSwin(**TINY, mask_ratio=rate) for rate in (0.5, 0.0))
    randomize(masked)
    assert masked.get_layer("mask_token").rate == 0.5
    assert masked.count_params() - whole.count_params() == 8
    others = [w for w in masked.weights if "mask_token" not in w.path]
    whole.set_weights([to_numpy(weight) for weight in others])
    assert_close(masked.predict(INPUTS, verbose=0), whole.predict(INPUTS, verbose=0))
    maps = [
        keras.Model(model.input, model.get_layer("layers_0_0_attn").input[0])
        for model in (masked, whole)
    ]
    seen, expected = (to_numpy(model(INPUTS, training=True)) for model in maps)
    assert seen.shape == (3, 6, 7, 8)
    token = to_numpy(masked.get_layer("mask_token").token)[0, 0]
    is_masked = np.all(seen == token, axis=-1)
    assert np.array_equal(is_masked.sum((1, 2)), [21] * 3)
    assert_close(seen[~is_masked], expected[~is_masked])
    with pytest.raises(ValueError, match="`mask_ratio` must be"):
        kr.models.KeypointSwin(**TINY, mask_ratio=1.0)


@pytest.mark.in_turn
def test_its_gelu_is_the_exact_one(tmp_path):
    model = randomize(kr.models.KeypointSwin(**TINY))
    activation = model.get_layer("layers_1_1_mlp_act").activation
    x = np.linspace(-9, 9, 1001).astype("float32")
    expected = [value * (1 + math.erf(value / math.sqrt(2))) / 2 for value in x.astype("float64")]
    assert_close(activation(keras.ops.convert_to_tensor(x)), expected, 1e-6 / 9)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.get_layer("layers_1_1_mlp_act").activation is activation
