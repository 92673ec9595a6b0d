"""Branches are the trunk without strides, and what follows is the trunk itself."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import BranchToTrunk
from keras_resample.layers.trunk.branching import Branching
from tests import numerics
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

RESOLUTIONS = [(14, 14), (7, 7)]
RANDOM = np.random.default_rng(0)
SMALL, MIDDLE, LARGE = (
    RANDOM.normal(size=(3, side, side, 3)).astype("float32") for side in (7, 14, 28)
)


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def randomise(model):
    """Weights and statistics that all show in the output, as those of a trained network do."""
    random = np.random.default_rng(1)
    for weight in model.weights:
        change = random.uniform(0.5, 1.5, weight.shape)
        weight.assign(to_numpy(weight) * change + 0.1 * (change - 1))


@pytest.fixture(scope="module")
def network_of_mistakes():
    """It is asked for what it refuses: one for all tests."""
    return make(data_format="channels_last")


def make_trunk(data_format="channels_last"):
    keras.utils.set_random_seed(3)
    shape = (28, 28, 3) if data_format == "channels_last" else (3, 28, 28)
    options = {"embedding_dim": 12, "data_format": data_format}
    trunk = kr.models.IResNet((1, 2), (8, 16), input_shape=shape, **options)
    randomise(trunk)
    return trunk


def make(resolutions=RESOLUTIONS, trunk=None, **arguments):
    return BranchToTrunk(trunk or make_trunk(), resolutions, **arguments)


def embed(network, images):
    return to_numpy(numerics.in_one_piece(network, images))


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_contract():
    check_layer(
        BranchToTrunk,
        lambda: {"trunk": make_trunk(), "resolutions": RESOLUTIONS},
        SMALL,
        only=["config", "build", "symbolic_shape", "keras_file", "exchange", "reuse"],
    )


def test_maps_of_the_trunk_itself_give_its_embedding():
    network = make()
    expected = embed(network.trunk, LARGE)
    for upper, rest in zip(network.uppers, network.rests, strict=True):
        np.testing.assert_array_equal(embed(rest, embed(upper, LARGE)), expected)
    np.testing.assert_array_equal(embed(network, LARGE), expected)


def test_a_branch_is_the_trunk_without_strides():
    network = make()
    for branch, upper, resolution in zip(
        network.branches, network.uppers, RESOLUTIONS, strict=True
    ):
        assert branch.output_shape[1:3] == branch.input_shape[1:3] == resolution
        for layer in branch.layers:
            config = layer.get_config()
            assert config.get("strides", (1, 1)) == (1, 1)
        for weight, own in zip(upper.weights, branch.weights, strict=True):
            assert weight is not own
            np.testing.assert_array_equal(to_numpy(weight), to_numpy(own))


def in_front(*front):
    """A trunk of `make_trunk` behind other layers."""
    images = keras.Input((28, 28, 3))
    return keras.Model(images, make_trunk()(keras.Sequential(list(front))(images)))


def random_resolution():
    return [kr.layers.RandomResolution(seed=0)]


def scaled_and_mirrored():
    return [keras.layers.Rescaling(0.5), keras.layers.RandomFlip(seed=0)]


def normalised_and_noisy():
    return [keras.layers.Normalization(mean=0.0, variance=4.0), keras.layers.GaussianNoise(1.0)]


def shifted_and_erased():
    shift = keras.layers.RandomTranslation(0.5, 0.5, seed=0)
    return [keras.layers.Pipeline([shift]), keras.layers.RandomErasing(1.0, seed=0)]


@pytest.mark.parametrize(
    "front, scale",
    [
        (random_resolution, 1.0),
        (scaled_and_mirrored, 0.5),
        (normalised_and_noisy, 0.5),
        (shifted_and_erased, 1.0),
    ],
)
def test_a_branch_sees_its_images_unchanged_in_training(front, scale):
    plain, network = make(), make(trunk=in_front(*front()))
    for images, branch, expected in zip(
        (MIDDLE, SMALL), network.branches, plain.branches, strict=True
    ):
        for training in (False, True):
            wanted = to_numpy(expected(scale * images, training=training))
            assert_close(branch(images, training=training), wanted, 1e-6)


def test_outside_of_training_random_layers_of_the_trunk_do_nothing():
    network = make(trunk=in_front(*scaled_and_mirrored()))
    before = [to_numpy(weight).copy() for weight in network.weights]
    assert_close(network(LARGE), make()(0.5 * LARGE), 1e-6)
    for weight, old in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), old)


def test_images_of_any_sizes_keep_their_order():
    network = make()
    each = {
        batch.shape[1:3]: embed(network, batch) for batch in (SMALL, MIDDLE, LARGE)
    }  # fmt: skip
    places = [(MIDDLE, 0), (LARGE, 2), (SMALL, 1), (MIDDLE, 2), (SMALL, 0), (LARGE, 0)]
    found = to_numpy(network([batch[row] for batch, row in places]))
    for embedding, (batch, row) in zip(found, places, strict=True):
        assert_close(embedding, each[batch.shape[1:3]][row], 1e-5)
    by_size = network({batch.shape[1:3]: batch for batch in (LARGE, SMALL)})
    assert set(by_size) == {(28, 28), (7, 7)}
    for size, embeddings in by_size.items():
        assert_close(embeddings, each[size], 1e-5)


def test_resolutions_by_their_words_are_inputs_of_a_model(tmp_path):
    network = make()
    sizes = {"14x14": (14, 14, 3), "7x7": (7, 7, 3)}
    inputs = {word: keras.Input(shape, name=word) for word, shape in sizes.items()}
    model = keras.Model(inputs, network(inputs))
    model.save(tmp_path / "model.keras")
    images = {"14x14": MIDDLE, "7x7": SMALL}
    found = keras.saving.load_model(tmp_path / "model.keras").predict(images, verbose=0)
    assert set(found) == set(images)
    for word, batch in images.items():
        assert_close(found[word], embed(network, batch), 1e-5)


def test_weights_are_shared_and_normalizations_are_not():
    network = make()
    trunk = {id(weight) for weight in network.trunk.weights}
    own = [network.added_weights(resolution) for resolution in RESOLUTIONS]
    statistics = [
        weight
        for part in (*network.branches, *network.rests)
        for weight in part.non_trainable_weights
    ]
    parts = [trunk, *({id(weight) for weight in weights} for weights in own)]
    parts.append({id(weight) for weight in statistics} - set.union(*parts))
    assert sum(map(len, parts)) == len(set.union(*parts)) == len(network.weights)
    before = embed(network, SMALL)
    kernel = network.trunk.get_layer("fc").kernel
    kernel.assign(2 * to_numpy(kernel))
    assert np.abs(embed(network, SMALL) - before).max() > 1e-2


@pytest.mark.parametrize("images", [SMALL, MIDDLE, LARGE], ids=["7", "14", "28"])
def test_training_moves_the_statistics_of_one_resolution(images):
    network = make()
    before = [to_numpy(weight).copy() for weight in network.weights]
    network(images, training=True)
    moved = {
        id(weight)
        for weight, old in zip(network.weights, before, strict=True)
        if not np.array_equal(to_numpy(weight), old)
    }
    if images is LARGE:
        parts = [network.trunk]
    else:
        place = RESOLUTIONS.index(images.shape[1:3])
        parts = [network.branches[place], network.rests[place]]
    statistics = [
        weight
        for part in parts
        for layer in part.layers
        if isinstance(layer, keras.layers.BatchNormalization)
        for weight in (layer.moving_mean, layer.moving_variance)
    ]
    assert moved == {id(weight) for weight in statistics}


def test_channels_first_is_the_same():
    last = make()
    trunk = make_trunk("channels_first")
    weights = last.trunk.get_weights()  # the slopes of PReLU have the axes of the images
    trunk.set_weights([np.moveaxis(w, -1, 0) if w.ndim == 3 else w for w in weights])
    first = make(trunk=trunk, data_format="channels_first")
    assert_close(embed(first, np.moveaxis(SMALL, -1, 1)), embed(last, SMALL), 1e-5)


def test_a_branch_may_begin_elsewhere():
    deeper = make([(7, 7)], entries=["layer2_1_add"])
    assert deeper.entries == ("layer2_1_add",)
    assert count(deeper.added_weights((7, 7))) > count(make([(7, 7)]).added_weights((7, 7)))
    assert embed(deeper, SMALL).shape == (3, 12)


def in_another_model():
    inputs, inner = keras.Input((32, 32, 3)), kr.models.IResNet((1, 1), (8, 16), (32, 32, 3))
    return keras.Model(inputs, inner(keras.layers.Rescaling(1 / 255)(inputs)))


def chain():
    pools = [keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dense(4)]
    convolutions = [keras.layers.Conv2D(4, 3, 2, padding="same"), keras.layers.ReLU()]
    return keras.Sequential([keras.Input((32, 32, 3)), *convolutions, *pools])


def mobile_net():
    return keras.applications.MobileNetV2((32, 32, 3), 0.35, False, None, pooling="avg")


def residual():
    return keras.applications.ResNet50V2(False, None, input_shape=(32, 32, 3), pooling="avg")


@pytest.mark.in_turn
@pytest.mark.parametrize(
    "trunk, entries",
    [
        (in_another_model, ("layer1_0_add", "layer2_0_add")),
        (chain, ("conv2d", "max_pooling2d")),
        (mobile_net, ("Conv1", "block_1_project_BN")),
        (residual, ("conv1_conv", "conv2_block1_out")),
    ],
)
def test_any_functional_model_is_a_trunk(trunk, entries):
    keras.backend.clear_session()  # names of layers begin anew
    network = make([(16, 16), (8, 8)], trunk())
    assert network.entries == entries
    for side in (16, 8):
        images = RANDOM.normal(size=(2, side, side, 3)).astype("float32")
        assert np.isfinite(embed(network, images)).all()


@pytest.mark.in_turn
@pytest.mark.parametrize(
    "network, entries",
    [
        ("ResNet50", ("conv1_conv", "conv2_block1_add", "conv3_block1_add", "conv4_block1_add")),
        ("ResNet50V2", ("conv1_conv", "conv2_block1_out", "conv2_block3_out", "conv3_block4_out")),
        ("MobileFaceNet", ("conv1", "down1_project_bn", "down2_project_bn", "down3_project_bn")),
    ],
)
def test_a_branch_enters_where_the_first_unit_of_its_size_ends(network, entries):
    """The sum of a residual unit; in MobileFaceNet the unit that halves the size has none."""
    if network == "MobileFaceNet":
        trunk = kr.models.MobileFaceNet((64, 64, 3), 4, (1, 1, 1, 1), 64)
    else:
        build = getattr(keras.applications, network)
        trunk = build(False, None, input_shape=(64, 64, 3), pooling="avg")
    parts = Branching(trunk, "channels_last")
    found = [parts.entry((side, side)).layer.name for side in (32, 16, 8, 4)]
    assert tuple(found) == entries


def normalized():
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.normalization = keras.layers.BatchNormalization()

        def call(self, x):
            return self.normalization(x)[:, ::2, ::2]

    return keras.Sequential([keras.Input((28, 28, 3)), Block(), keras.layers.Flatten()])


def unsized():
    layers = [keras.layers.Conv2D(4, 3, 2), keras.layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((None, None, 3)), *layers])


def cropped():
    layers = [keras.layers.Conv2D(4, 3, 2), keras.layers.Flatten(), keras.layers.Dense(4)]
    return keras.Sequential([keras.Input((29, 29, 3)), *layers])


@pytest.mark.parametrize(
    "trunk, arguments, message",
    [
        (keras.Sequential, {}, "`trunk` must be a Functional"),
        (normalized, {}, "`trunk` must have its batch normalizations"),
        (unsized, {}, r"`trunk` must have images of known height .* \(None, None, None, 3\)"),
        (cropped, {"resolutions": [(14, 14)]}, "`trunk` must keep the size"),
        (make_trunk, {"resolutions": []}, "`resolutions` must be a list"),
        (make_trunk, {"resolutions": [14]}, "`resolutions` must be two positive integers"),
        (make_trunk, {"resolutions": [(14, 7)]}, "aspect ratio. Received: .14, 7"),
        (make_trunk, {"resolutions": [(28, 28)]}, "must be smaller than the trunk's"),
        (make_trunk, {"resolutions": [(7, 7), (7, 7)]}, "must be different"),
        (make_trunk, {"resolutions": [(4, 4)]}, r"maps, which are \[\(28, 28\), .* \(4, 4\)"),
        (make_trunk, {"entries": ["layer1_0_add"]}, "`entries` must name 2 layers"),
        (make_trunk, {"entries": ["conv1", "layer2_0_add"]}, "`entries` must name layers whose"),
        (make_trunk, {"data_format": "last"}, "`data_format` must be"),
    ],
)
def test_bad_arguments(trunk, arguments, message):
    with pytest.raises(ValueError, match=message):
        BranchToTrunk(trunk(), **{"resolutions": RESOLUTIONS, **arguments})


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((2, 9, 9, 3)), r"of the trunk, \(28, 28\), .* Received: \(9, 9\)"),
        ([np.zeros((7, 7, 3)), np.zeros((9, 9, 3))], r"Received: \(9, 9\)"),
        ({(7, 7): np.zeros((2, 14, 14, 3))}, "the size of their key"),
        ({"7x7": np.zeros((2, 14, 14, 3))}, "the size of their key"),
        (np.zeros((7, 7)), "must be a batch"),
        ([np.zeros((2, 7, 7, 3))], "must be a batch"),
        ([], "must be at least one image"),
        (np.zeros((2, 7, 7, 1)), r"the 3 channels of the trunk's, .* Received: shape \(2, 7, 7, 1"),
        ([np.zeros((7, 7, 1))], "the 3 channels"),
        ({(7, 7): np.zeros((2, 7, 7, 3)), "14x14": np.zeros((2, 14, 14, 3))}, "keys of one kind"),
    ],
)
def test_bad_images(images, message, network_of_mistakes):
    with pytest.raises(ValueError, match=message):
        network_of_mistakes(images)
