"""Vision transformers with and without keypoints, against the authors' code."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.models.network_checks import check_network
from tests.numerics import assert_close, to_numpy

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "kprpe_vit.npz")
WEIGHTS = {name[2:]: GOLDENS[name] for name in GOLDENS.files if name.startswith("P/")}
MEASURES = {"width": 24, "depth": 2, "num_heads": 3, "mlp_ratio": 3}
TINY = {"size": {"width": 16, "depth": 2, "num_heads": 2}, "input_shape": (14, 21, 1)}
TINY |= {"patch_size": 7, "embedding_dim": 8}
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(3, 14, 21, 1)).astype("float32")
POINTS = RANDOM.uniform(0, 1, (3, 5, 2)).astype("float32")
INPUTS = {"images": IMAGES, "keypoints": POINTS}
# In the paths of the weights that tell attention of places.
ENCODINGS = "keypoint_linear", "relative_bias", "relative_position", "rotary_position"


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def randomize(model, scale=0.3):
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, scale, weight.shape).astype("float32"))
    return model


@pytest.fixture(scope="module")
def published():
    """The network of the golden run, from its torch weights."""
    keras.config.set_image_data_format("channels_last")
    model = kr.models.KeypointViT(MEASURES, (32, 32, 3), embedding_dim=12)
    return kr.models.convert.from_torch(WEIGHTS, "cvlface", model)


@pytest.fixture(scope="module")
def inputs():
    images, points = GOLDENS["img"].transpose(0, 2, 3, 1), GOLDENS["kp"]
    return {"images": images.astype("float32"), "keypoints": points.astype("float32")}


def test_a_whole_network_is_that_of_the_authors(published, inputs):
    assert_close(published.predict(inputs, verbose=0), GOLDENS["out"])


def test_one_attention_is_that_of_the_authors(published, inputs):
    bias = published.get_layer("keypoint_linear")(inputs["keypoints"], index=0)
    attention = published.get_layer("blocks_0_attn")
    tokens = GOLDENS["attn_in"].astype("float32")
    assert_close(attention(tokens, bias=bias), GOLDENS["attn_out"])


def test_weights_do_not_say_how_many_heads_a_plain_network_has():
    plain = {name: w for name, w in WEIGHTS.items() if not name.startswith("keypoint")}
    with pytest.raises(ValueError, match="`model` must be given for a transformer"):
        kr.models.convert.from_torch(plain, "cvlface")
    model = kr.models.ViT(MEASURES, (32, 32, 3), embedding_dim=12)
    prefixed = {f"net.{name}": w for name, w in plain.items()}
    prefixed["net.mask_token"] = np.zeros((1, 1, 24), "float32")
    kr.models.convert.from_torch(prefixed, "cvlface", model)
    assert_close(model.get_layer("pos_embed").embedding, WEIGHTS["pos_embed"])
    with pytest.raises(ValueError, match="must contain exactly one `ViT` or `KeypointViT`"):
        kr.models.convert.from_torch(WEIGHTS, "cvlface", kr.models.MobileFaceNet())


def test_channels_may_be_reversed(published, inputs):
    flipped = kr.models.KeypointViT(MEASURES, (32, 32, 3), embedding_dim=12)
    kr.models.convert.from_torch(WEIGHTS, "cvlface", flipped, flip_channels=True)
    turned = {**inputs, "images": inputs["images"][..., ::-1]}
    assert_close(flipped.predict(turned, verbose=0), published.predict(inputs, verbose=0))


@pytest.mark.in_turn
@pytest.mark.backends("torch", reason="numbers of weights")
def test_what_encodings_add_to_the_parameters():
    """Those of the published sizes are in test_published_weights."""
    plain = kr.models.ViT(**TINY).count_params()
    assert kr.models.KeypointViT(**TINY).count_params() - plain == (2 * 5 + 1) * 49 * 2 * 2
    assert kr.models.ViT(**TINY, position="irpe").count_params() - plain == 3 * 49 * 8 * 2


def test_zero_weights_are_the_plain_network():
    model, plain = kr.models.KeypointViT(**TINY), kr.models.ViT(**TINY)
    for layer in plain.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights()) if layer.weights else None
    found = model.predict(INPUTS, verbose=0)
    assert_close(found, plain.predict(IMAGES, verbose=0), 1e-6)
    randomize(model)
    before = model.predict(INPUTS, verbose=0)
    other = model.predict({**INPUTS, "keypoints": POINTS[::-1]}, verbose=0)
    assert np.abs(before - other).max() > 1e-3


@pytest.mark.parametrize("position", ["relative", "irpe", "rotary"])
def test_every_position_builds_and_keeps_its_numbers(position, tmp_path):
    model = randomize(kr.models.ViT(**TINY, position=position, mask_ratio=0.3))
    expected = model.predict(IMAGES, verbose=0)
    assert expected.shape == (3, 8) and np.isfinite(expected).all()
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(again.predict(IMAGES, verbose=0), expected)


@pytest.mark.in_turn
@pytest.mark.parametrize("position", ["relative", "irpe", "rotary", "keypoint"])
def test_without_vectors_of_places_the_encoding_alone_tells_the_order(position):
    """Patches in another order give the mean of the last tokens only where nothing tells it."""

    def means(model):
        tokens = keras.Model(model.input, model.get_layer("norm").output)
        orders = IMAGES, np.roll(IMAGES, 7, axis=2)
        given = ({**INPUTS, "images": i} if position == "keypoint" else i for i in orders)
        return [tokens.predict(inputs, verbose=0).mean(1) for inputs in given]

    options = {} if position == "keypoint" else {"position": position}
    network = kr.models.KeypointViT if position == "keypoint" else kr.models.ViT
    model = randomize(network(**TINY, **options, absolute=False))
    assert network(**TINY, **options).count_params() - model.count_params() == 6 * 16
    first, other = means(model)
    assert np.abs(first - other).max() > 1e-3
    for weight in model.trainable_weights:
        if any(name in weight.path for name in ENCODINGS):
            weight.assign(np.zeros(weight.shape))
    assert_close(*means(model), 1e-5)


@pytest.mark.parametrize("name", ["ViT", "KeypointViT"])
def test_promises(name, tmp_path):
    def build(**arguments):
        return getattr(kr.models, name)(**{**TINY, **arguments})

    inputs = INPUTS if name == "KeypointViT" else IMAGES
    check_network(build, inputs, half_layer="blocks_1_2_add", folder=tmp_path)


def test_a_missing_keypoint_is_nan_or_infinite():
    model = randomize(kr.models.KeypointViT(**TINY, missing_keypoints=True))
    whole = randomize(kr.models.KeypointViT(**TINY))
    assert_close(model.predict(INPUTS, verbose=0), whole.predict(INPUTS, verbose=0))
    broken = POINTS.copy()
    broken[0, 1], broken[0, 2, 0], broken[0, 3, 1] = np.nan, np.inf, -np.inf
    found = model.predict({**INPUTS, "keypoints": broken}, verbose=0)
    assert np.isfinite(found).all()
    assert_close(found[1:], model.predict(INPUTS, verbose=0)[1:])
    spread = whole.predict({**INPUTS, "keypoints": broken}, verbose=0)
    assert np.isnan(spread[0]).all() and np.isfinite(spread[1:]).all()


@pytest.mark.in_turn
def test_it_learns_where_keypoints_are():
    keras.utils.set_random_seed(0)
    model = kr.models.KeypointViT(**{**TINY, "embedding_dim": 2}, drop_path=0.2, mask_ratio=0.2)
    model.compile(keras.optimizers.AdamW(1e-2), "mse")
    before = [to_numpy(weight) for weight in model.trainable_weights]
    model.fit(INPUTS, POINTS[:, 0], epochs=3, verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.any(to_numpy(weight) != old), weight.path


@pytest.mark.in_turn
@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": "large"}, "`size` must be one of"),
        ({"size": {"width": 16}}, "`size` must be one of"),
        ({"size": {"width": 10, "depth": 1, "num_heads": 3}}, "`width` must be a multiple"),
        ({"patch_size": 15}, "`patch_size` must be at most"),
        ({"input_shape": (None, 21, 1)}, "`input_shape` must be"),
        ({"drop_path": 1.0}, "`drop_path` must be a number"),
        ({"mask_ratio": -0.1}, "`mask_ratio` must be a number"),
        ({"position": "rope"}, "`position` must be one of"),
        ({"absolute": False}, "`absolute` must be True where `position` is 'absolute'"),
        ({"position": "rotary", "absolute": 1}, "`absolute` must be"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        kr.models.ViT(**{**TINY, **wrong})


@pytest.mark.backends("tensorflow", "jax", reason="Keras writes no SavedModel from PyTorch")
def test_a_saved_model_has_both_inputs_by_name(tmp_path):
    tensorflow = pytest.importorskip("tensorflow")
    model = randomize(kr.models.KeypointViT(**TINY))
    model.export(tmp_path / "served", verbose=False)
    served = tensorflow.saved_model.load(tmp_path / "served")
    _, named = served.signatures["serving_default"].structured_input_signature
    assert set(named) == {"images", "keypoints"}
    expected = model.predict(INPUTS, verbose=0)
    assert_close(served.serve(INPUTS).numpy(), expected)
    other = served.serve({**INPUTS, "keypoints": POINTS[::-1]}).numpy()
    assert np.abs(other - expected).max() > 1e-3
