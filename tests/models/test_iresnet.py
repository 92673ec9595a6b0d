"""IResNet against the counts and the constants of the originals."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_resample.layers import FlowWarpDownsample
from keras_resample.models import (
    IResNet,
    IResNet18,
    IResNet34,
    IResNet50,
    IResNet100,
    IResNet200,
)
from keras_resample.models.networks.families import FAMILIES
from tests.models.network_checks import check_network
from tests.models.segmentation_networks import images, run
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP

GOLDENS = Path(__file__).parents[1] / "goldens"
ONCE = pytest.mark.backends("torch", reason="the same code counts on every backend, quickest here")


def small(**kwargs):
    arguments = {"input_shape": (16, 16, 3), "embedding_dim": 8, **kwargs}
    return IResNet((1, 2), (4, 6), **arguments)


def counts(build, **kwargs):
    """Parameters in all, trainable ones, running statistics. Only shapes are made."""
    with keras.StatelessScope():
        model = build(**kwargs)
    sizes = [(v, int(np.prod(v.shape))) for v in model.weights]
    moving = sum(n for v, n in sizes if v.name.startswith("moving"))
    return sum(n for _, n in sizes) - moving, sum(n for v, n in sizes if v.trainable), moving


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("build", "key"),
    [(IResNet18, "ir18"), (IResNet34, "ir34"), (IResNet50, "ir50"), (IResNet100, "ir100")],
)
@ONCE
def test_parameter_counts(build, key):
    with np.load(GOLDENS / "param_counts.npz") as golden:
        assert counts(build) == tuple(golden[key])


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("build", "family", "parameters", "statistics"),
    [
        (IResNet200, "insightface", 118_833_920, None),
        (IResNet18, "magface", 24_025_600, 14_720),
        (IResNet18, "adaface", 24_020_352, 14_592),
        (IResNet34, "cvlface", 34_134_080, None),
        (IResNet50, "curricularface", 43_573_952, None),
        (IResNet100, "curricularface", 65_128_768, 47_360),
    ],
)
@ONCE
def test_parameter_counts_of_the_families(build, family, parameters, statistics):
    total, trainable, moving = counts(build, family=family)
    assert total == parameters
    assert trainable == parameters - (512 if family == "insightface" else 0)
    assert statistics in (None, moving)


def test_promises(tmp_path):
    check_network(
        small, images(2, 15, 18, 2), half_layer="layer2_1_conv2", half=None, folder=tmp_path
    )


def test_shapes_in_both_data_formats():
    assert small(input_shape=(15, 18, 2)).get_layer("bn2").output.shape == (None, 4, 5, 6)
    keras.config.set_image_data_format("channels_first")
    first = small(input_shape=(2, 15, 18))
    assert first.get_layer("bn2").output.shape == (None, 6, 4, 5)
    last = small(input_shape=(15, 18, 2), data_format="channels_last")
    assert last.get_layer("bn2").output.shape == (None, 4, 5, 6)
    assert IResNet((1,), (2,), embedding_dim=2).input_shape == (None, 3, 112, 112)


def test_a_sampler_in_front():
    inputs = keras.Input((40, 32, 3))
    x = FlowWarpDownsample(0.5)(inputs)
    model = keras.Model(inputs, small(input_shape=x.shape[1:])(x))
    model.compile("adam", "mse", **STEP_BY_STEP)
    x = images(4, 40, 32, 3)
    history = model.fit(x, np.zeros((4, 8)), epochs=3, verbose=0).history["loss"]
    assert model.output_shape == (None, 8) and history[-1] < history[0]


@pytest.mark.in_turn
@pytest.mark.parametrize("family", FAMILIES)
def test_hyperparameters_of_the_originals(family):
    model = IResNet((1, 2), (4, 4), (16, 16, 3), embedding_dim=8, family=family)
    expected = (2e-5, 0.1) if family == "magface" else (1e-5, 0.9)
    normalizations = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    for layer in normalizations:
        assert (layer.epsilon, layer.momentum) == expected
    names = {layer.name for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, keras.layers.PReLU):
            assert layer.alpha.shape == (1, 1, layer.input.shape[-1])
            assert np.all(to_numpy(layer.alpha) == np.float32(0.25))
    projected = family in ("insightface", "magface")
    assert ("layer1_0_downsample_0" in names) == ("layer2_0_downsample_0" in names) == projected
    assert ("layer1_0_bn2" in names) == (family != "curricularface")
    leaves = {v.name for v in model.get_layer("features").variables}
    assert ("gamma" in leaves) == projected
    dropout = model.get_layer("dropout")
    assert dropout.rate == (0.0 if family == "insightface" else 0.4)
    assert isinstance(dropout, keras.layers.SpatialDropout2D) == (family == "magface")
    assert small(family=family, dropout=0.2).get_layer("dropout").rate == 0.2


@pytest.mark.in_turn
@pytest.mark.parametrize("family", ["insightface", "adaface"])
def test_initial_weights_of_the_originals(family):
    model = IResNet((1,), (32,), input_shape=(32, 32, 3), embedding_dim=64, family=family)
    conv = to_numpy(model.get_layer("layer1_0_conv1").kernel)
    expected = 0.1 if family == "insightface" else (2 / (32 * 9)) ** 0.5
    np.testing.assert_allclose(conv.std(), expected, rtol=0.05)
    fc = model.get_layer("fc")
    rows = fc.kernel.shape[0]
    deviation = (3 * rows) ** -0.5 if family == "insightface" else (2 / 64) ** 0.5
    np.testing.assert_allclose(to_numpy(fc.kernel).std(), deviation, rtol=0.05)
    assert to_numpy(fc.bias).any() == (family == "insightface")


def test_a_shortcut_without_weights_keeps_every_second_pixel():
    model = IResNet((1, 2), (4, 4), (7, 8, 3), embedding_dim=8, family="adaface")
    for layer in model.layers:
        if layer.name.endswith("bn3"):  # the branch adds nothing
            layer.gamma.assign(np.zeros(4))
    inner = keras.Model(model.input, [model.get_layer(n).output for n in ("prelu", "layer2_1_add")])
    stem, last = run(inner, images(2, 7, 8, 3))
    np.testing.assert_array_equal(last, stem[:, ::4, ::4])


def test_last_scale_stays_frozen(tmp_path):
    model = small()
    model.trainable = False
    model.trainable = True
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, copy):
        features = one.get_layer("features")
        assert [v.name for v in features.trainable_variables] == ["beta"]
        assert to_numpy(features.gamma).tolist() == [1] * 8


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_embeds_in_float32(policy):
    keras.config.set_dtype_policy(policy)
    model = small()
    assert model.output.dtype == "float32"
    assert model.get_layer("layer2_1_conv2").output.dtype == policy.removeprefix("mixed_")


@pytest.mark.in_turn
def test_training_lowers_the_loss():
    x, targets = images(8, 16, 16, 3), images(8, 8, seed=1)
    model = small(dropout=0.1)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    history = model.fit(x, targets, epochs=6, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"depths": (1, 2, 3)}, "depths"),
        ({"depths": (1, 0)}, "depths"),
        ({"filters": (4, -1)}, "filters"),
        ({"input_shape": (None, None, 3)}, "input_shape"),
        ({"input_shape": (16, 16)}, "input_shape"),
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"embedding_dim": 2.5}, "embedding_dim"),
        ({"dropout": 1.0}, "dropout"),
        ({"family": "arcface"}, "family"),
        ({"data_format": "NCHW"}, "data_format"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        IResNet(**{"depths": (1, 2), "filters": (4, 6), **arguments})
