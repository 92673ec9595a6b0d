"""A branch trains alone, is a file of its own, and leaves everything else as it was."""

import hashlib
import shutil

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.models import BranchTrainer, BTNet
from tests.models.network_checks import check_network
from tests.models.small_branches import (
    IMAGES,
    LABELS,
    RANDOM,
    RESOLUTIONS,
    influence,
    make,
    trained,
    values_of,
)
from tests.numerics import assert_close, to_numpy
from tests.steps import STEP_BY_STEP


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def flags(layer):
    inside = [(one.name, one.trainable) for one in layer._flatten_layers()]
    return inside, [weight.trainable for weight in layer.weights]


def test_training_moves_one_branch_and_nothing_else():
    network = make()
    own = network.parts.own_weights((4, 4))
    others = [weight for weight in network.weights if all(weight is not one for one in own)]
    before, mine, trainable = values_of(others), values_of(own), flags(network)
    trained(network)
    for old, weight in zip(before, others, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), old)
    frozen = [weight for weight in own if not weight.trainable and "moving" not in weight.name]
    for old, weight in zip(mine, own, strict=True):
        stays = any(weight is one for one in frozen)
        assert np.array_equal(to_numpy(weight), old) == stays, weight.path
    assert flags(network) == trainable


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_loss_is_that_of_the_embeddings_and_of_the_maps(weight):
    network = make()
    small = to_numpy(kr.layers.UniformDownsample(size=(4, 4), antialias=True)(IMAGES[:6]))
    parts = network.parts
    maps = parts.branches[1](small, training=True)
    embeddings = parts.rests[1](maps, training=True)
    target = to_numpy(parts.uppers[1](IMAGES[:6]))
    expected = float(to_numpy(influence()(LABELS[:6], embeddings)))
    expected += weight * np.mean((to_numpy(maps) - target) ** 2)
    trainer = BranchTrainer(network, (4, 4), weight)
    trainer.compile(keras.optimizers.SGD(0.0), influence(), **STEP_BY_STEP)
    assert_close(trainer.train_on_batch(IMAGES[:6], LABELS[:6]), expected, 1e-5)


def test_it_learns():
    losses = trained(make(), epochs=12)
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.in_turn
def test_without_distillation_the_trunk_is_not_run():
    network = make()
    network.parts.uppers[1].call = lambda *args, **kwargs: pytest.fail("the trunk was run")
    trained(network, weight=0.0, run_eagerly=True)


def test_a_branch_is_a_file_of_its_own(tmp_path):
    network, path = make(), tmp_path / "branch.npz"
    trained(network)
    network.save_branch(path, (4, 4))
    other = make(resolutions=[(4, 4)])
    small = RANDOM.normal(size=(2, 4, 4, 1)).astype("float32")
    assert np.abs(to_numpy(other(small)) - to_numpy(network(small))).max() > 1e-3
    other.load_branch(path)
    assert_close(other(small), network(small), 1e-6)
    added = sum(to_numpy(weight).nbytes for weight in network.parts.own_weights((4, 4)))
    assert path.stat().st_size < added + 400 * len(network.parts.own_weights((4, 4))) + 2000


def test_promises(tmp_path):
    """Of the trunk and its branches at once."""

    def build(input_shape, **arguments):
        trunk = kr.models.IResNet((1, 1), (4, 8), input_shape, 6, **arguments)
        return BTNet(trunk, RESOLUTIONS, **arguments)

    def half_layer(network):
        return network.trunk.get_layer("layer2_0_conv2")

    images = {
        f"{side}x{side}": RANDOM.normal(size=(2, side, side, 1)).astype("float32")
        for side in (16, 8, 4)
    }
    check_network(build, images, half_layer=half_layer, half=None, folder=tmp_path)


def test_the_whole_network_is_a_file(tmp_path):
    network, path = make(), tmp_path / "network.keras"
    trained(network)
    network.save(path)
    again = keras.saving.load_model(path)
    for side in (16, 8, 4):
        images = RANDOM.normal(size=(2, side, side, 1)).astype("float32")
        assert_close(again(images), network(images), 1e-6)
    assert again.parts.entries == network.parts.entries
    trained(again, resolution=(8, 8))


@pytest.mark.parametrize("resolution", [(16, 16), (4, 4)])
def test_a_separate_network_shares_nothing(resolution):
    network = make()
    trained(network)
    own = network.separate(resolution)
    shared = {id(weight) for weight in network.weights}
    assert not shared & {id(weight) for weight in own.weights}
    images = RANDOM.normal(size=(12, *resolution, 1)).astype("float32")
    first = to_numpy(network(images))
    assert_close(own(images), first, 1e-5)
    before = values_of(network.weights)
    own.compile(keras.optimizers.SGD(0.1), influence())
    own.fit(images, LABELS, batch_size=6, verbose=0)
    for old, weight in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), old)
    assert np.abs(to_numpy(own(images)) - first).max() > 1e-3
    assert_close(network(images), first, 0)


@pytest.mark.in_turn
def test_a_separate_network_of_fresh_weights():
    network = make()
    copied, fresh = network.separate((4, 4)), network.separate((4, 4), pretrained=False)
    kernels = [
        (to_numpy(old), to_numpy(new))
        for old, new in zip(copied.weights, fresh.weights, strict=True)
        if old.name == "kernel"
    ]
    assert kernels and all(old.shape == new.shape for old, new in kernels)
    assert all(np.abs(old - new).max() > 1e-3 for old, new in kernels)
    recognizer = kr.models.Recognizer(fresh, kr.heads.ArcFace(3))
    recognizer.compile("adam")
    recognizer.fit(np.zeros((6, 4, 4, 1)), LABELS[:6], verbose=0)


def changed(path, name):
    with np.load(path) as file:
        arrays = dict(file)
    arrays["3"] = {
        None: np.zeros(()),
        "shape": np.zeros((2, 2), "float32"),
        "object": np.array([object()]),
        "large": np.zeros(10**6),
    }[name]
    np.savez_compressed(path, **{key: a for key, a in arrays.items() if name or key != "3"})


@pytest.mark.parametrize(
    "break_it, message",
    [
        (lambda path: changed(path, None), "file of `save_branch`"),
        (lambda path: changed(path, "shape"), "shapes of other weights"),
        (lambda path: changed(path, "object"), "file of `save_branch` .Object arrays"),
        (lambda path: changed(path, "large"), "more than [0-9]+ bytes in '3'"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "file of `save_branch`"),
        (lambda path: path.write_text("a branch"), "file of `save_branch`"),
        (lambda path: shutil.move(path, path.with_name("moved.npz")), "file of `save_branch`"),
        (lambda path: make(seed=5).save_branch(path, (4, 4)), "of the trunk with the hash"),
        (
            lambda path: make(entries=["layer1_0_add", "bn2"]).save_branch(path, (4, 4)),
            "that enters at",
        ),
    ],
)
@pytest.mark.in_turn
def test_files_of_something_else(break_it, message, tmp_path):
    network, path = make(), tmp_path / "branch.npz"
    network.save_branch(path, (4, 4))
    before = hashlib.sha256(b"".join(v.tobytes() for v in values_of(network.weights))).digest()
    break_it(path)
    with pytest.raises(ValueError, match=message):
        network.load_branch(path)
    after = hashlib.sha256(b"".join(v.tobytes() for v in values_of(network.weights))).digest()
    assert before == after


@pytest.mark.in_turn
def test_a_branch_is_added_to_those_that_are_there(tmp_path):
    path = tmp_path / "branch.npz"
    first = make(resolutions=[(8, 8)])
    trained(first, (8, 8))
    first.save_branch(path, (8, 8))
    more = BTNet(first.trunk, [*first.resolutions, (4, 4)])
    more.load_branch(path)
    trained(more, (4, 4))
    assert_close(more(IMAGES[:, :8, :8]), first(IMAGES[:, :8, :8]), 0)
    assert more.trunk is first.trunk


@pytest.mark.in_turn
def test_mistakes_are_named(tmp_path):
    network = make()
    for resolution in ((16, 16), (5, 5)):
        with pytest.raises(ValueError, match=r"of a branch, .* Received"):
            BranchTrainer(network, resolution)
    with pytest.raises(ValueError, match="`network` must be a BTNet"):
        BranchTrainer(network.trunk, (4, 4))
    with pytest.raises(ValueError, match="`distillation_weight` must be"):
        BranchTrainer(network, (4, 4), -1)
    with pytest.raises(ValueError, match="`path` must end with .npz"):
        network.save_branch(tmp_path / "branch.h5", (4, 4))
    one = make(resolutions=[(8, 8)])
    network.save_branch(tmp_path / "branch.npz", (4, 4))
    message = r"a branch of \[\(8, 8\)\]; .* BTNet\(network.trunk, \[\(8, 8\), \(4, 4\)\]\)"
    with pytest.raises(ValueError, match=message):
        one.load_branch(tmp_path / "branch.npz")
    with pytest.raises(ValueError, match="`images` must have keys of one kind"):
        network({(8, 8): IMAGES[:, :8, :8], "4x4": IMAGES[:, :4, :4]})


def test_predict_takes_one_resolution_after_another():
    """TensorFlow traces the third for images of unknown size."""
    network = make()
    for side in (8, 4, 16, 8):
        images = kr.layers.UniformDownsample(size=(side, side))(IMAGES)
        assert_close(network.predict(to_numpy(images), verbose=0), to_numpy(network(images)), 1e-5)


@pytest.mark.parametrize("size", [(5, 5), (2, 8), (8, 4)], ids=["fewer", "as_many", "one_side"])
def test_predict_refuses_another_size(size):
    """Fewer pixels than a branch, as many, and one side of a branch.

    After an error in `predict` on JAX, Keras leaves the model without its weights: one error each.
    """
    network = make()
    network.predict(to_numpy(IMAGES), verbose=0)
    with pytest.raises(Exception, match=r"(?s)`images` must have the size of the trunk"):
        network.predict(to_numpy(IMAGES[:, : size[0], : size[1]]), verbose=0)
