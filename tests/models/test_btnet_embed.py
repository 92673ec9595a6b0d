"""Images of any sizes: each by the resolution that serves it, in the order they came."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.models.steps.native_images import batches_of, resized
from tests.numerics import assert_close, to_numpy

RESOLUTIONS = [(8, 8), (4, 4)]
RANDOM = np.random.default_rng(0)
SIZES = [(3, 4), (16, 16), (9, 5), (8, 8), (40, 21), (4, 4), (5, 2), (7, 8), (1, 1)]
IMAGES = [RANDOM.random((*size, 3)).astype("float32") for size in SIZES]


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def make(data_format="channels_last"):
    keras.utils.set_random_seed(0)
    shape = (16, 16, 3) if data_format == "channels_last" else (3, 16, 16)
    trunk = kr.models.IResNet((1, 1), (4, 8), shape, 6, data_format=data_format)
    return kr.models.BTNet(trunk, RESOLUTIONS, data_format=data_format)


def one_by_one(network, images, indicator, rounding, flip=False):
    sizes = [(16, 16), *RESOLUTIONS]
    found = []
    for image in images:
        index = int(kr.ops.choose_resolution(image.shape[:2], sizes, indicator, rounding))
        resize = kr.layers.UniformDownsample(size=sizes[index], antialias=True)
        small = to_numpy(resize(image[None]))
        vector = to_numpy(network(small))[0]
        if flip:
            vector = vector + to_numpy(network(small[:, :, ::-1]))[0]
        found.append(vector / np.linalg.norm(vector))
    return np.stack(found)


@pytest.mark.parametrize(
    "indicator, rounding, flip", [("max", "ceil", False), ("average", "floor", True)]
)
def test_embeddings_are_those_of_each_image_alone(indicator, rounding, flip):
    network = make()
    expected = one_by_one(network, IMAGES, indicator, rounding, flip)
    options = {"indicator": indicator, "rounding": rounding, "flip": flip}
    for batch_size in (3, 32):
        found = network.embed(IMAGES, batch_size, **options)
        assert found.dtype == "float32" and found.shape == (len(IMAGES), 6)
        assert_close(found, expected, 2e-5)


def test_a_batch_of_one_size_and_bytes():
    network = make()
    images = RANDOM.integers(0, 256, (5, 9, 11, 3)).astype("uint8")
    expected = network.embed([image.astype("float32") for image in images])
    assert_close(network.embed(images), expected, 1e-6)


def test_channels_first_is_the_same():
    last, first = make(), make("channels_first")
    for old, new in zip(last.weights, first.weights, strict=True):
        value = to_numpy(old)
        new.assign(np.moveaxis(value, -1, 0) if value.ndim == 3 else value)
    images = [np.moveaxis(image, -1, 0) for image in IMAGES]
    assert_close(first.embed(images, flip=True), last.embed(IMAGES, flip=True), 2e-5)


def test_training_a_branch_changes_its_embeddings():
    network = make()
    before = network.embed(IMAGES)
    for weight in network.added_weights((4, 4)):
        weight.assign(1.5 * to_numpy(weight) + 0.1)
    chosen = kr.ops.choose_resolution(SIZES, [(16, 16), *RESOLUTIONS])
    moved = np.abs(network.embed(IMAGES) - before).max(axis=1) > 1e-4
    assert moved.tolist() == (chosen == 2).tolist()


@pytest.mark.in_turn
@pytest.mark.parametrize("size", [(4, 4), (20, 30), (5, 30), (16, 3), (1, 1)])
def test_resizing_is_that_of_keras(size):
    resize = kr.layers.UniformDownsample(size=size, antialias=True)
    for image in IMAGES:
        assert_close(resized(image, size), resize(image[None])[0], 1e-5)


@pytest.mark.in_turn
@pytest.mark.parametrize("count", range(1, 14))
def test_batches_have_few_lengths(count):
    parts = list(batches_of(list(range(count)), 5))
    assert sum((part for part, _ in parts), []) == list(range(count))
    for part, length in parts:
        assert len(part) <= length and length in (1, 2, 4, 5)


@pytest.mark.in_turn
def test_mistakes_are_named():
    network = make()
    good = IMAGES[0]
    for images, message in [
        ([], "a list of images, or a batch of at least one"),
        (np.zeros((4, 4, 3)), "a list of images, or a batch"),
        ([good, np.zeros((4, 4))], "Received: image 1 of shape"),
        ([good, good, np.zeros((4, 4, 1))], "numbers of 3 channels.*Received: image 2"),
        ([np.zeros((0, 4, 3))], "Received: image 0"),
        (["face.png"], "Received: image 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            network.embed(images)
    for name, value in [
        *(("batch_size", 0), ("flip", 1), ("verbose", 7)),
        *(("indicator", "mean"), ("rounding", "up")),
    ]:
        with pytest.raises(ValueError, match=f"`{name}` must be"):
            network.embed([good], **{name: value})
