"""A branch is trained as it is said, or not at all."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.models import BranchTrainer, BTNet
from tests.models.small_branches import (
    IMAGES,
    LABELS,
    RESOLUTIONS,
    influence,
    make,
    trained,
    trunk_of,
    values_of,
)
from tests.numerics import to_numpy


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def frozen_trunk(freezes):
    trunk = trunk_of()
    for layer in trunk.layers:
        layer.trainable = not freezes(layer)
    return trunk


@pytest.mark.in_turn
@pytest.mark.parametrize(
    "freezes, name",
    [
        (lambda layer: True, "conv1/kernel"),
        (lambda layer: isinstance(layer, keras.layers.Conv2D), "conv1/kernel"),
        (lambda layer: layer.name == "layer1_0_bn3", "layer1_0_bn3"),
        (lambda layer: layer.name == "bn2", "bn2"),
        (lambda layer: layer.name == "features", "features"),
    ],
)
def test_a_frozen_branch_is_refused(freezes, name):
    with pytest.raises(ValueError, match=f"weights and batch norm.* Received: '{name}' with"):
        BranchTrainer(BTNet(frozen_trunk(freezes), RESOLUTIONS), (4, 4))


@pytest.mark.in_turn
def test_a_branch_that_was_frozen_later_is_refused():
    network = make()
    trainer = BranchTrainer(network, (4, 4))
    trainer.compile("sgd", influence())
    for part, train in [
        (network, lambda: trainer.fit(IMAGES, LABELS, verbose=0)),
        (network.parts.branches[1], lambda: trainer.train_on_batch(IMAGES, LABELS)),
    ]:
        part.trainable = False
        with pytest.raises(ValueError, match="`network` must have a branch whose weights"):
            train()
        part.trainable = True
    network.parts.branches[1].get_layer("conv1").kernel.trainable = False
    with pytest.raises(ValueError, match="Received: 'conv1/kernel' .* one of 1"):
        trainer.fit(IMAGES, LABELS, verbose=0)
    network.parts.branches[1].get_layer("conv1").kernel.trainable = True
    network.trunk.trainable = False  # whose shared weights are not the branch's
    trainer.fit(IMAGES, LABELS, verbose=0)


@pytest.mark.every_backend
def test_labels_of_no_class_are_refused_before_a_step():
    network = make()
    before = values_of(network.weights)
    trainer = BranchTrainer(network, (4, 4), 0)
    trainer.compile(keras.optimizers.SGD(0.05), influence())
    wrong = np.where(LABELS == 2, 7, LABELS)
    for call in (
        lambda: trainer.fit(IMAGES, wrong, verbose=0),
        lambda: trainer.fit(IMAGES, LABELS, validation_data=(IMAGES, wrong), verbose=0),
        lambda: trainer.train_on_batch(IMAGES, wrong),
        lambda: trainer.evaluate(IMAGES, wrong, verbose=0),
        lambda: trainer.test_on_batch(IMAGES, -1 - LABELS),
    ):
        with pytest.raises(ValueError, match=r"`labels` must be in \[0, num_classes\)"):
            call()
    for old, weight in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), old)


@pytest.mark.in_turn
@pytest.mark.parametrize("weight", [0.0, 0.5])
@pytest.mark.parametrize("side", [4, 8, 20])
def test_images_of_another_size_than_the_trunks_are_refused(weight, side):
    trainer = BranchTrainer(make(), (4, 4), weight)
    trainer.compile("sgd", influence())
    images = np.zeros((12, side, side, 1), "float32")
    for call in (
        lambda: trainer.fit(images, LABELS, verbose=0),
        lambda: trainer.predict(images, verbose=0),
    ):
        with pytest.raises(ValueError, match=rf"`images` must have the size .*{side}, {side}"):
            call()


def random_encoder():
    """The encoder of docs/training.md: the trunk of `make` behind layers that change images."""
    images = keras.Input((16, 16, 1))
    x = kr.layers.RandomResolution(seed=0)(keras.layers.RandomFlip(seed=0)(images))
    return keras.Model(images, trunk_of()(x))


@pytest.mark.parametrize("weight", [0.5, 50.0])
def test_a_branch_of_an_encoder_with_random_layers_trains_as_without(weight):
    losses = []
    for trunk in (random_encoder(), trunk_of()):
        network = BTNet(trunk, RESOLUTIONS)
        losses.append(trained(network, epochs=2, weight=weight))
        if weight == 0.5:
            random = [layer for layer in network.separate((4, 4)).layers if not layer.weights]
            assert not any(layer.variables for layer in random)
    np.testing.assert_allclose(*losses, rtol=1e-4)
