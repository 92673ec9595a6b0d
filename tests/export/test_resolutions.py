"""One SavedModel for every resolution: the trunk is in it once, and finds the branch itself."""

import copy
import io
import json
import sys

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.export.small_models import NATIVE, load
from tests.numerics import to_numpy

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("tensorflow")

RESOLUTIONS = [(8, 6), (4, 3)]
ALL = [(16, 12), *RESOLUTIONS]
ENDPOINTS = ["serving_default", "embed_8x6", "embed_4x3", "embed_any_size"]
ENDPOINTS += ["serve_uint8", "serve_bytes", "serve_jpeg"]
# Between the resolutions, of other aspect ratios, above and below all of them.
SIZES = [(9, 6), (5, 6), (8, 7), (4, 4), (3, 1), (1, 1), (16, 5), (40, 11), (33, 57), *ALL]


def btnet(data_format="channels_last"):
    """A network whose branches give other embeddings than its trunk would."""
    keras.utils.set_random_seed(0)
    shape = (3, 16, 12) if data_format == "channels_first" else (16, 12, 3)
    trunk = kr.models.IResNet((1, 1), (4, 8), shape, 6, data_format=data_format)
    network = kr.models.BTNet(trunk, RESOLUTIONS, data_format=data_format)
    random = np.random.default_rng(0)
    for weight in network.weights:
        value = to_numpy(weight)
        weight.assign(value + random.uniform(-0.2, 0.2, value.shape))
    return network


def random_images(size, count=3, seed=0):
    return np.random.default_rng(seed).uniform(size=(count, *size, 3)).astype("float32")


def embedded(network, images, *rule):
    """What the network makes of images of any size, by the rule, without an export."""
    index = kr.ops.choose_resolution(images.shape[1:3], ALL, *rule)
    resize = kr.layers.UniformDownsample(
        size=ALL[int(index)], antialias=True, data_format="channels_last"
    )
    return to_numpy(network(resize(images), training=False))


def png(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def network():
    return btnet()


@pytest.fixture(scope="module")
def path(network, tmp_path_factory):
    """The SavedModel; written once, because PyTorch needs a process for it."""
    return kr.export.saved_model(network, tmp_path_factory.mktemp("served") / "1", check=False)


@pytest.fixture(scope="module")
def served(path):
    import tensorflow as tf

    model = load(path)

    def call(endpoint, images):
        (outputs,) = model.signatures[endpoint](images=tf.constant(images)).values()
        return outputs.numpy()

    call.model = model
    return call


@pytest.fixture(scope="module")
def checked(network, path):
    """The report of a check, and what the process that ran the SavedModel answered."""
    module = sys.modules["keras_resample.export.check"]
    answers = []
    with pytest.MonkeyPatch.context() as patch:
        run = module._run
        patch.setattr(module, "_run", lambda *a: answers.append(run(*a)) or answers[0])
        return kr.export.check(path, network, tolerance=1e-5), copy.deepcopy(answers[0])


def test_every_endpoint_checks(checked):
    endpoints = checked[0]["endpoints"]
    assert set(endpoints) == set(ENDPOINTS)
    shapes = {name: one["inputs"]["images"]["shape"] for name, one in endpoints.items()}
    assert shapes == {
        "serving_default": [None, 16, 12, 3],
        "embed_8x6": [None, 8, 6, 3],
        "embed_4x3": [None, 4, 3, 3],
        "embed_any_size": [None, None, None, 3],
        "serve_uint8": [None, None, None, 3],
        "serve_bytes": [None],
        "serve_jpeg": [None],
    }
    for endpoint in endpoints.values():
        assert endpoint["outputs"] == {"embedding": {"dtype": "float32", "shape": [None, 6]}}


def test_check_fails_for_another_branch(path, checked, monkeypatch):
    module = sys.modules["keras_resample.export.check"]
    monkeypatch.setattr(module, "_run", lambda *a: copy.deepcopy(checked[1]))
    other = btnet()
    weight = other.parts.own_weights((4, 3))[0]
    weight.assign(to_numpy(weight) + 0.1)
    with pytest.raises(ValueError, match='"embed_4x3" differs from the model by'):
        kr.export.check(path, other)


def test_the_embeddings_of_the_resolutions_differ(network):
    """Or no test here would see a wrong branch."""
    images = random_images((16, 12))
    ways = [embedded(network, images)]
    for size in RESOLUTIONS:
        resize = kr.layers.UniformDownsample(size=size, data_format="channels_last")
        ways.append(to_numpy(network(resize(images))))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.max(np.abs(ways[one] - ways[other])) > 1e-2


@pytest.mark.parametrize("size", SIZES)
def test_images_of_any_size(network, served, size):
    images = random_images(size)
    expected = embedded(network, images)
    np.testing.assert_allclose(served("embed_any_size", images), expected, rtol=0, atol=1e-5)
    one = served("embed_any_size", images[:1])
    np.testing.assert_allclose(one, expected[:1], rtol=0, atol=1e-5)


def test_images_of_a_resolution_are_not_resized(served):
    for size, endpoint in zip(ALL, ENDPOINTS, strict=False):
        images = random_images(size)
        own = served(endpoint, images)
        np.testing.assert_array_equal(served("embed_any_size", images), own)


@pytest.mark.parametrize("order", [range(len(SIZES)), [3, 0, 8, 3, 11], [4], [0, 1], []])
def test_files_of_any_sizes_keep_their_order(network, served, order):
    random = np.random.default_rng(1)
    values = [random.integers(0, 256, (*SIZES[i], 3), dtype="uint8") for i in order]
    outputs = served("serve_bytes", np.array([png(image) for image in values], dtype=object))
    assert outputs.shape == (len(values), 6)
    for output, image in zip(outputs, values, strict=True):
        expected = embedded(network, image[None].astype("float32") / 255)[0]
        np.testing.assert_allclose(output, expected, rtol=0, atol=1e-5)


def count(weights):
    return sum(int(np.prod(tuple(weight.shape))) for weight in weights)


def stored(path):
    """Numbers in the variables of a SavedModel."""
    import tensorflow as tf

    variables = tf.train.list_variables(str(path / "variables" / "variables"))
    return sum(int(np.prod(shape)) for name, shape in variables if name.endswith("VARIABLE_VALUE"))


def test_the_trunk_is_stored_and_loaded_once(network, path, served):
    branches = [weight for size in RESOLUTIONS for weight in network.parts.own_weights(size)]
    once = count(network.trunk.weights) + count(branches)
    assert count(network.weights) == once
    assert stored(path) == once
    assert count(served.model._all_variables) == once


def test_the_contract_tells_the_resolutions(path):
    contract = json.loads((path / "assets.extra" / "keras_resample.json").read_text())
    assert contract["resolutions"] == [list(size) for size in ALL]
    assert contract["endpoints"] == ENDPOINTS


def test_channels_first(tmp_path):
    network = btnet("channels_first")
    path = kr.export.saved_model(network, tmp_path / "1", check=False)
    report = kr.export.check(path, network, tolerance=1e-5)
    shape = report["endpoints"]["embed_any_size"]["inputs"]["images"]["shape"]
    assert shape == [None, 3, None, None]


@NATIVE
def test_chosen_endpoints(network, tmp_path):
    endpoints = ("serving_default", "embed_4x3")
    path = kr.export.saved_model(network, tmp_path / "1", endpoints=endpoints, check=False)
    assert sorted(load(path).signatures) == sorted(endpoints)


@NATIVE
@pytest.mark.parametrize("rule", [("min", "near"), ("average", "floor")])
def test_another_rule(network, tmp_path, rule):
    """Both endpoints choose by it, the file says so, and the check knows it."""
    import tensorflow as tf

    options = dict(zip(("indicator", "rounding"), rule, strict=True))
    path = kr.export.saved_model(network, tmp_path / "1", **options, check=False)
    contract = json.loads((path / "assets.extra" / "keras_resample.json").read_text())
    assert {name: contract[name] for name in options} == options
    endpoints = load(path).signatures
    chosen = [int(kr.ops.choose_resolution(size, ALL, *rule)) for size in SIZES]
    assert chosen != [int(kr.ops.choose_resolution(size, ALL)) for size in SIZES]
    for size in SIZES:
        values = (255 * random_images(size)).round().astype("uint8")
        images = values.astype("float32") / 255
        expected = embedded(network, images, *rule)
        files = tf.constant([png(image) for image in values])
        for endpoint, sent in (("embed_any_size", tf.constant(images)), ("serve_bytes", files)):
            (found,) = endpoints[endpoint](images=sent).values()
            np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-5)
    kr.export.check(path, network)


@NATIVE
def test_bytes_of_any_size(tmp_path):
    """A network that scales bytes itself."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 3, 2, padding="same", data_format="channels_last")(x)
    x = keras.layers.Conv2D(4, 3, 2, padding="same", data_format="channels_last")(x)
    trunk = keras.Model(inputs, keras.layers.Flatten()(x))
    network = kr.models.BTNet(trunk, [(4, 4)], data_format="channels_last")
    with pytest.raises(ValueError, match="needs scale=1"):
        kr.export.saved_model(network, tmp_path / "1")
    path = kr.export.saved_model(network, tmp_path / "1", scale=1, check=False)
    report = kr.export.check(path, network)
    assert report["endpoints"]["embed_any_size"]["inputs"]["images"]["dtype"] == "uint8"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"endpoints": ("serving_default", "embed_14x14")}, '`endpoints`.*"embed_4x3"'),
        ({"endpoints": "embed_8x6"}, "`endpoints`"),
        ({"data_format": "channels_first"}, "`data_format`"),
        ({"image_size": (8, 6)}, "`image_size`"),
        ({"indicator": "largest"}, "`indicator`"),
        ({"rounding": "up"}, "`rounding`"),
    ],
)
def test_bad_arguments(network, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        kr.export.saved_model(network, tmp_path / "1", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_rule_is_of_several_resolutions(network, tmp_path):
    with pytest.raises(ValueError, match="`indicator` and `rounding` choose .*Received: .*'min'"):
        kr.export.saved_model(network.trunk, tmp_path / "1", indicator="min")


def test_check_refuses_images_of_a_branch(network, path):
    with pytest.raises(ValueError, match="`images` must be at least one image"):
        kr.export.check(path, network, images=random_images((8, 6)))
