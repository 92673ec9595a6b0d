"""IResNet against the counts and the embeddings of the original."""

import zlib
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_resample.models import IResNet, IResNet18, IResNet34, IResNet50, IResNet100
from tests.numerics import to_numpy

GOLDENS = Path(__file__).parents[1] / "goldens"


def small(**kwargs):
    arguments = {"input_shape": (16, 16, 3), "embedding_dim": 8, **kwargs}
    return IResNet((1, 2), (4, 6), **arguments)


def fill(name, shape, names, seed):
    """The fixed weights of the golden embeddings: any tensor from its torch name and shape."""
    generator = np.random.RandomState(zlib.crc32(name.encode()) ^ int(seed))
    n = generator.standard_normal(shape)
    stem, _, leaf = name.rpartition(".")
    if leaf == "running_mean" or leaf == "bias":
        n = 0.05 * n
    elif leaf == "running_var":
        n = 1 + 0.2 * np.abs(n)
    elif len(shape) > 1:
        n = n / np.sqrt(np.prod(shape[1:]))
    else:
        n = 1 + 0.1 * n if f"{stem}.bias" in names else 0.25 + 0.05 * n
    return n.astype("float32")


def load(model, keys, seed):
    """Give every variable of the model the weights of its torch name; none is left over."""
    shapes = {}
    for key in keys:
        name, _, shape = key.split("|")
        if not name.endswith("num_batches_tracked"):
            shapes[name] = tuple(int(n) for n in shape.split(","))
    torch_leaf = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
                  "moving_variance": "running_var", "kernel": "weight", "alpha": "weight",
                  "bias": "bias"}  # fmt: skip
    layers = {stem.replace(".", "_"): stem for stem in (n.rpartition(".")[0] for n in shapes)}
    loaded = set()
    for layer in model.layers:
        for variable in layer.weights:
            name = f"{layers[layer.name]}.{torch_leaf[variable.name]}"
            value = fill(name, shapes[name], shapes, seed)
            if value.ndim == 4:
                value = value.transpose(2, 3, 1, 0)
            elif value.ndim == 2:
                height, width, channels = model.get_layer("flatten").input.shape[1:]
                value = value.reshape(-1, channels, height, width).transpose(2, 3, 1, 0)
            variable.assign(value.reshape(variable.shape))
            loaded.add(name)
    assert loaded == set(shapes)


def test_embeddings_of_the_original():
    with np.load(GOLDENS / "iresnet18.npz") as golden:
        model = IResNet18()
        load(model, golden["keys"], golden["seed"])
        images = np.random.RandomState(golden["seed"] + 1).uniform(-1, 1, (2, 3, 112, 112))
        found = model.predict(images.transpose(0, 2, 3, 1).astype("float32"), verbose=0)
        expected = golden["emb"]
    assert np.abs(found - expected).max() < 2e-5 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("build", "key"),
    [(IResNet18, "ir18"), (IResNet34, "ir34"), (IResNet50, "ir50"), (IResNet100, "ir100")],
)
def test_parameter_counts(build, key):
    """Total with the frozen scale, trainable, and running statistics. Only shapes are made."""
    with np.load(GOLDENS / "param_counts.npz") as golden:
        total, trainable, statistics = golden[key]
    with keras.StatelessScope():
        model = build()
    count = {name: 0 for name in ("all", "trainable", "moving")}
    for variable in model.variables:
        size = int(np.prod(variable.shape))
        count["moving" if variable.name.startswith("moving") else "all"] += size
        count["trainable"] += size if variable.trainable else 0
    assert (count["all"], count["trainable"], count["moving"]) == (total, trainable, statistics)


def test_sizes_round_up_and_channels_last_is_kept():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 15, 18, 2)).astype("float32")
    model = small(input_shape=(15, 18, 2))
    assert model.get_layer("bn2").output.shape == (None, 4, 5, 6)
    keras.config.set_image_data_format("channels_first")
    copy = small(input_shape=(15, 18, 2))
    copy.set_weights(model.get_weights())
    np.testing.assert_allclose(
        copy.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-5
    )


def test_hyperparameters_of_the_original():
    model = small()
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum, layer.axis) == (1e-5, 0.9, -1)
        if isinstance(layer, keras.layers.PReLU):
            assert layer.alpha.shape == (1, 1, layer.input.shape[-1])
            assert np.all(to_numpy(layer.alpha) == np.float32(0.25))


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
    images = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype("float32")
    np.testing.assert_allclose(
        copy.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-5
    )


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_embeds_in_float32(policy):
    keras.config.set_dtype_policy(policy)
    model = small()
    assert model.output.dtype == "float32"
    assert model.get_layer("layer2_1_conv2").output.dtype == policy.removeprefix("mixed_")


def test_training_lowers_the_loss():
    rng = np.random.default_rng(0)
    images, targets = rng.normal(size=(8, 16, 16, 3)), rng.normal(size=(8, 8))
    model = small(dropout=0.1)
    model.compile(keras.optimizers.Adam(0.01), "mse")
    history = model.fit(images, targets, epochs=6, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"depths": (1, 2, 3)}, "depths"),
        ({"depths": (1, 0)}, "depths"),
        ({"filters": (4, -1)}, "filters"),
        ({"input_shape": (None, None, 3)}, "input_shape"),
        ({"input_shape": (16, 16)}, "input_shape"),
        ({"embedding_dim": 0}, "embedding_dim"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        IResNet(**{"depths": (1, 2), "filters": (4, 6), **arguments})
