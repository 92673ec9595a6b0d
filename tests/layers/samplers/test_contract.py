"""A sampler says where to look and nothing else: what a subclass of `GridSampler` gets for that.

Two samplers as a user would write them, one by `grid`, one by `displacement`.
"""

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

IMAGES = np.random.default_rng(0).uniform(size=(3, 9, 12, 3)).astype("float32")


@keras.saving.register_keras_serializable(package="keras_resample_tests")
class Crop(kr.layers.GridSampler):
    """Looks at a box that starts where the first pixel of each image says."""

    def grid(self, images):
        axes = (1, 2, 3)
        low = 0.4 * ops.cast(ops.min(images, axis=axes), "float32")
        boxes = ops.stack([low, 0.5 * low, low + 0.5, 0.5 * low + 0.6], axis=-1)
        return kr.ops.grid_from_boxes(boxes, self.output_size(images))


@keras.saving.register_keras_serializable(package="keras_resample_tests")
class Shift(kr.layers.GridSampler):
    """Moves all samples together by a learned step, and pays for its square."""

    shares_grid = True

    def build(self, input_shape):
        super().build(input_shape)
        self.step = self.add_weight(name="step", shape=(2,), initializer="zeros")

    def displacement(self, images, training=None):
        return ops.broadcast_to(self.step, (1, *self.output_size(images), 2))

    def penalty(self, displacement):
        return 0.1 * ops.mean(ops.square(displacement))


@keras.saving.register_keras_serializable(package="keras_resample_tests")
class Twin(kr.layers.GridSampler):
    """Looks where `Shift` does, by the other method."""

    shares_grid = True

    def build(self, input_shape):
        super().build(input_shape)
        self.step = self.add_weight(name="step", shape=(2,), initializer="zeros")

    def grid(self, images):
        rows, cols = self.output_size(images)
        return kr.ops.uniform_grid((rows, cols)) + self.step / np.array([cols, rows], "float32")

    penalty = Shift.penalty


def moved(layer):
    layer.set_weights([np.array([0.3, -0.7], "float32")] * len(layer.weights))


def channels_last(layer_class, **options):
    layer = layer_class(0.5, data_format="channels_last", **options)
    layer.build(IMAGES.shape)
    moved(layer)
    return layer


# What it looks at is read as `ops.sample` reads it.


FULL, ANTIALIASED = {"size": (5, 6)}, {"factor": 0.5, "antialias": True}
VARIANT = ["symbolic_shape", "data_format", "half_precision", "keras_file"]
CASES = [(FULL, None), pytest.param(ANTIALIASED, VARIANT, marks=pytest.mark.in_turn)]


@pytest.mark.parametrize("arguments, only", CASES, ids=str)
def test_a_grid(arguments, only):
    check_layer(
        Crop,
        arguments,
        IMAGES,
        only=only,
        skip={"gradient": "the box follows one pixel, whose gradient is that of a minimum"},
    )


@pytest.mark.parametrize("arguments, only", CASES, ids=str)
def test_a_displacement(arguments, only):
    check_layer(Shift, arguments, IMAGES, prepare=moved, gradient={"entries": 6}, only=only)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_images_are_read_at_the_grid(interpolation):
    for layer_class in (Crop, Shift, Twin):
        layer = channels_last(layer_class, interpolation=interpolation)
        outputs, grid = layer(IMAGES, return_grid=True)
        assert_close(layer.grid(IMAGES), grid, 1e-6)
        expected = kr.ops.sample(IMAGES, grid, interpolation, data_format="channels_last")
        assert_close(outputs, expected, 1e-5)
        assert_close(layer.sample(IMAGES, grid), outputs, 1e-5)
    assert_close(channels_last(Twin)(IMAGES), channels_last(Shift)(IMAGES), 1e-5)


def test_a_displacement_is_in_cells_of_the_output():
    grid = channels_last(Shift).grid(IMAGES)
    step = np.array([0.3 / 6, -0.7 / 5], "float32")
    assert_close(grid, to_numpy(kr.ops.uniform_grid((5, 6))) + step, 1e-6)


def test_a_displacement_of_zero_is_exactly_a_resize():
    layer = Shift(0.5, data_format="channels_last")
    resize = kr.layers.UniformDownsample(0.5, data_format="channels_last")
    assert_close(layer(IMAGES), resize(IMAGES), 1e-6)
    assert np.array_equal(to_numpy(layer.grid(IMAGES)), to_numpy(resize.grid(IMAGES)))


def test_a_displacement_loses_no_digits_in_large_images():
    """A quarter of a cell is half a pixel; a grid in relative coordinates misses it by 1e-3."""
    images = np.random.default_rng(0).uniform(size=(1, 2, 16_384, 1)).astype("float32")
    layer = Shift(size=(2, 8_192), data_format="channels_last")
    layer.build(images.shape)
    layer.set_weights([np.array([0.25, 0.0], "float32")])
    assert_close(layer(images), images[:, :, 1::2], 1e-6)


def test_labels_and_the_way_back():
    labels = np.arange(3 * 9 * 12).reshape(3, 9, 12, 1).astype("int32")
    for layer_class in (Crop, Shift):
        layer = channels_last(layer_class)
        grid = layer.grid(IMAGES)
        sampled = layer.sample(labels, grid, interpolation="nearest")
        assert set(to_numpy(sampled).ravel()) <= set(labels.ravel())
        restored = to_numpy(layer.restore(sampled, grid, (9, 12)))
        expected = kr.ops.restore(sampled, grid, (9, 12), data_format="channels_last")
        assert np.array_equal(restored, to_numpy(expected))


# Shapes and dtypes.


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
@pytest.mark.parametrize("layer_class, batch", [(Crop, 3), (Shift, 1), (kr.layers.GridSampler, 1)])
def test_the_symbolic_grid_is_the_eager_grid(layer_class, batch, dtype):
    """With one box per image too: the symbolic grid of three was once (1, 5, 6, 2)."""
    layer = channels_last(layer_class, dtype=dtype)
    eager = layer(IMAGES, return_grid=True)
    assert tuple(eager[1].shape) == (batch, 5, 6, 2)
    for known in (3, None):
        symbols = layer(keras.KerasTensor((known, *IMAGES.shape[1:])), return_grid=True)
        for tensor, symbol in zip(eager, symbols, strict=True):
            assert keras.backend.standardize_dtype(tensor.dtype) == symbol.dtype
            assert tuple(tensor.shape)[1:] == tuple(symbol.shape)[1:]
        assert symbols[0].shape[0] == known and symbols[1].dtype == "float32"
        assert symbols[1].shape[0] == (1 if batch == 1 else known)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("layer_class", [Shift, Twin])
def test_half_precision_moves_no_sample(layer_class, dtype):
    expected = channels_last(layer_class)(IMAGES, return_grid=True)[1]
    outputs, grid = channels_last(layer_class, dtype=dtype)(IMAGES, return_grid=True)
    assert np.array_equal(to_numpy(grid), to_numpy(expected))
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype.removeprefix("mixed_")


@pytest.mark.parametrize("layer_class", [Crop, Shift])
def test_the_aspect_ratio(layer_class):
    layer = layer_class(size=(4, 9), preserve_aspect_ratio=True, data_format="channels_last")
    for size, expected in (((9, 12), (4, 5)), ((6, 30), (2, 9))):
        images = np.random.default_rng(0).uniform(size=(2, *size, 3)).astype("float32")
        outputs, grid = layer(images, return_grid=True)
        assert tuple(outputs.shape) == (2, *expected, 3) and tuple(grid.shape[1:3]) == expected


def test_one_grid_where_each_image_may_have_its_own():
    """It is that of each image: what is returned has the shape that was promised."""

    class Same(kr.layers.GridSampler):
        def grid(self, images):
            return kr.ops.grid_from_boxes([[0.1, 0.2, 0.8, 0.7]], self.output_size(images))

    outputs, grid = Same(0.5, data_format="channels_last")(IMAGES, return_grid=True)
    assert tuple(grid.shape) == (3, 5, 6, 2)
    assert_close(outputs, kr.ops.sample(IMAGES, grid, data_format="channels_last"), 1e-5)


def test_a_grid_for_each_image_is_no_shared_one():
    class Mistaken(Crop):
        shares_grid = True

    message = r"`shares_grid = False`. Received: shares_grid=True, grid of shape \(3, 5, 6, 2\)"
    with pytest.raises(ValueError, match=message):
        Mistaken(0.5, data_format="channels_last")(IMAGES)


@pytest.mark.parametrize("name", ["grid", "displacement"])
def test_what_is_no_grid(name):
    def places(self, images, *_):
        return keras.ops.zeros((3, 5, 6))

    layer_class = type("Flat", (kr.layers.GridSampler,), {name: places})
    with pytest.raises(ValueError, match=rf"`{name}` must have shape.*Received: {name} of shape"):
        layer_class(0.5, data_format="channels_last")(IMAGES)


# The penalty.


@pytest.mark.parametrize("layer_class", [Shift, Twin])
def test_training_adds_the_penalty(layer_class):
    layer = channels_last(layer_class)
    layer(IMAGES)
    assert not layer.losses, "a penalty belongs to training"
    layer(IMAGES, training=True)
    assert_close(sum(layer.losses), 0.1 * (0.3**2 + 0.7**2) / 2, 1e-5)
    free = channels_last(type("Free", (layer_class,), {"penalty": kr.layers.GridSampler.penalty}))
    free(IMAGES, training=True)
    assert not free.losses


def test_a_frozen_sampler_has_no_penalty():
    layer = channels_last(Shift, trainable=False)
    layer(IMAGES, training=True)
    assert not layer.losses
    layer.trainable = True
    layer(IMAGES, training=True)
    assert len(layer.losses) == 1


def test_the_penalty_alone_moves_the_samples_back():
    inputs = keras.Input(IMAGES.shape[1:])
    layer = channels_last(Shift)
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(5.0), loss=lambda y, x: 0.0 * keras.ops.mean(x))
    model.fit(IMAGES, np.zeros((3, 5, 6, 3), "float32"), epochs=4, verbose=0)
    assert np.all(np.abs(to_numpy(layer.step)) < 0.5 * np.array([0.3, 0.7]))


def test_what_training_shows():
    class Dimmed(Shift):
        def training_view(self, samples):
            return 0.5 * samples

    layer = channels_last(Dimmed)
    assert_close(layer(IMAGES, training=True), 0.5 * to_numpy(layer(IMAGES)), 1e-6)


@pytest.mark.in_turn
def test_a_segmenter_trains_with_the_penalty():
    """Also where it reads the saliency map of the sampler on the way."""

    class Costly(kr.layers.SaliencySampler):
        def penalty(self, displacement):
            return 3.0 + 0.0 * ops.mean(displacement)

    options = {"size": (4, 4), "data_format": "channels_last"}
    for sampler in (Costly(**options, grid_size=(3, 3)), Shift(**options)):
        network = keras.Sequential([keras.layers.Conv2D(2, 1, data_format="channels_last")])
        model = kr.models.Segmenter(sampler, network, from_logits=True)
        model.build((None, 8, 8, 3))
        model(IMAGES[:, :8, :8], training=True)
        assert len(model.losses) == 1
