"""FlowWarpDownsample: its flow, penalties, predicted flow, and every error it raises."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import FlowWarpDownsample
from keras_resample.layers.samplers.flow_gradient import FLOW_UNIT
from tests.layer_test_case import check_layer
from tests.layers.samplers.test_grid_sampler import FIXED, VARIANT
from tests.numerics import (
    assert_close,
    gradients,
    loss_gradients,
    project,
    to_numpy,
    with_values,
)

IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 12, 3)).astype("float32")
FLOW = np.random.default_rng(1).uniform(-1, 1, (5, 6, 2)).astype("float32")


def layer_of(*args, shape=(None, 9, 12, 3), flow=None, **options):
    """A built layer, channels-last."""
    layer = FlowWarpDownsample(*args, data_format="channels_last", **options)
    layer.build(shape)
    if flow is not None:
        layer.set_flow(flow)
    return layer


def random_flow(layer):
    """Moves the samples by up to a third of a cell, whatever size the layer knows."""
    if layer.flow_layer is None:
        shape = tuple(layer.weights[0].shape)
        moves = np.random.default_rng(3).uniform(-0.3, 0.3, shape)
        layer.set_weights([(moves / FLOW_UNIT).astype("float32")])


def predicted(channels=2, **options):
    """Arguments with a small network that predicts displacements of about a pixel."""
    kernel = keras.initializers.RandomNormal(stddev=0.3, seed=1)
    conv = keras.layers.Conv2D(
        channels, 3, strides=3, padding="same", kernel_initializer=kernel, bias_initializer=kernel
    )
    return {"flow": conv, **options}


# The promises of every layer.


@pytest.mark.parametrize("antialias", [False, True])
def test_learned_flow(antialias):
    arguments = {"size": (5, 6), "antialias": antialias}
    # A weight counts in units of 64 cells.
    gradient = {"entries": 8, "step": 2.0**-14}
    only = [*VARIANT, "unknown_size"] if antialias else None
    check_layer(
        FlowWarpDownsample, arguments, IMAGES, prepare=random_flow, gradient=gradient, only=only
    )


@pytest.mark.in_turn
def test_factor_and_bytes():
    images = (255 * IMAGES).astype("uint8")
    only = ["config", "build", "symbolic_shape", "data_format", "half_precision", "keras_file"]
    check_layer(FlowWarpDownsample, {"factor": 0.5}, images, prepare=random_flow, only=only)


def test_predicted_flow():
    check_layer(
        FlowWarpDownsample,
        lambda: predicted(factor=0.5, antialias=True),
        IMAGES,
        skip={
            **FIXED,
            "config": "`flow` is a tensor, which a predicted flow lacks: see test_predicted_config",
            "data_format": "the predicting convolution has a data format of its own",
            "gradient": "its pixel borders lie everywhere: see test_gradient_of_a_predicted_flow",
            "fit_without_jit": "once for each class: see test_learned_flow",
        },
    )


@pytest.mark.in_turn
def test_predicted_config():
    layer = FlowWarpDownsample(**predicted(factor=0.5))
    config = layer.get_config()
    again = FlowWarpDownsample.from_config(config)
    assert again.get_config() == config
    assert isinstance(again.flow_layer, keras.layers.Conv2D) and again.flow_layer.strides == (3, 3)


def test_gradient_of_the_flow():
    """Outside of training the weight has the sampler's own gradient, in units of the weight."""
    layer = layer_of(0.5, flow=FLOW)
    (found,) = loss_gradients(layer, IMAGES)
    unit = FLOW_UNIT * np.array([12 / 6, 9 / 5], "float32")

    def sampled(flow):
        grid = kr.ops.grid_from_flow(flow, (9, 12))
        return project(kr.ops.sample(IMAGES, grid, data_format="channels_last"))

    assert_close(found, gradients(sampled, FLOW)[0] * unit, 1e-4)


def test_in_training_the_gradient_is_conditioned():
    layer = layer_of(0.5, flow=FLOW)
    plain, trained = (loss_gradients(layer, IMAGES, training=t)[0] for t in (False, True))
    assert np.all(np.isfinite(trained)) and np.any(trained != 0)
    assert np.abs(np.diff(trained, axis=0)).max() < np.abs(np.diff(plain, axis=0)).max()
    expected, actual = (layer(IMAGES, training=t) for t in (False, True))
    assert_close(actual, expected, 1e-6)


# The flow.


def test_set_flow_and_flow_are_in_input_pixels():
    layer = layer_of(0.5)
    assert not np.any(to_numpy(layer.flow))
    layer.set_flow(FLOW)
    assert_close(layer.flow, FLOW, 1e-6)
    assert_close(layer.grid(IMAGES), kr.ops.grid_from_flow(FLOW, (9, 12)), 1e-6)
    expected = kr.ops.sample(
        IMAGES, kr.ops.grid_from_flow(FLOW, (9, 12)), data_format="channels_last"
    )
    assert_close(layer(IMAGES), expected, 1e-5)


def test_a_flow_of_whole_pixels_shifts_the_image_before_the_resize():
    images = np.random.default_rng(0).uniform(size=(2, 16, 20, 3)).astype("float32")
    layer = layer_of(0.5, shape=images.shape, flow=np.full((8, 10, 2), [2, -4], "float32"))
    found = to_numpy(layer(images))[:, 2:, :-1]
    shifted = to_numpy(layer_of(0.5, shape=images.shape)(images))
    assert_close(found, shifted[:, :-2, 1:], 1e-5)


def test_jacobian_of_a_known_flow():
    layer = layer_of(0.5, shape=(None, 16, 20, 3))
    assert_close(layer.jacobian(), np.ones((8, 10)), 1e-5)
    x, y = np.meshgrid(np.arange(10.0), np.arange(8.0))
    # Samples 2 pixels apart move together by a tenth of that, and apart by a fifth.
    layer.set_flow(np.stack([-0.2 * x, 0.4 * y], axis=-1))
    assert_close(layer.jacobian(), np.full((8, 10), 0.9 * 1.2), 1e-5)


@pytest.mark.parametrize(
    "bad, message",
    [
        (
            np.zeros((5, 6)),
            r"`array` must have shape \(5, 6, 2\). Received: array of shape \(5, 6\)",
        ),
        (np.zeros((6, 5, 2)), r"Received: array of shape \(6, 5, 2\)$"),
        (np.full((5, 6, 2), np.nan), "`array` must be finite. Received: array with 60 NaN"),
        (np.full((5, 6, 2), np.inf), "`array` must be finite. Received: array with 60 NaN"),
    ],
)
def test_set_flow_refuses(bad, message):
    layer = layer_of(0.5, flow=FLOW)
    with pytest.raises(ValueError, match=message):
        layer.set_flow(bad)
    assert_close(layer.flow, FLOW, 1e-6)


def test_initializer_is_in_pixels():
    layer = layer_of(0.5, flow_initializer=keras.initializers.Constant(1.5))
    assert_close(layer.flow, np.full((5, 6, 2), 1.5), 1e-6)


def test_regularizer_is_in_pixels():
    layer = layer_of(0.5, flow=FLOW, flow_regularizer=keras.regularizers.L2(0.01))
    layer(IMAGES)
    assert_close(sum(layer.losses), 0.01 * np.sum(FLOW.astype("float64") ** 2), 1e-5)


def test_constraint_is_in_pixels():
    layer = layer_of(0.5, flow=FLOW, flow_constraint=lambda flow: keras.ops.clip(flow, -0.25, 0.5))
    (weight,) = layer.trainable_weights
    weight.assign(weight.constraint(weight))
    assert_close(layer.flow, np.clip(FLOW, -0.25, 0.5), 1e-6)


# The penalties.


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("corners", [False, True])
def test_losses_are_the_penalties(reduction, corners):
    weights = {"smooth_weight": 0.3, "diffeo_weight": 2.0, "shrink_weight": 0.5}
    options = {"corner_penalty": corners, "reduction": reduction, **weights}
    layer = layer_of(0.5, flow=3 * FLOW, **options)
    assert not layer.losses
    layer(IMAGES, training=True)
    grid = kr.ops.grid_from_flow(3 * FLOW, (9, 12))
    in_cells = 3 * FLOW * np.array([6 / 12, 5 / 9], "float32")
    folds = kr.ops.fold_penalty(grid, corners, reduction)
    assert float(folds) > 0
    expected = (
        0.3 * float(kr.ops.smoothness_penalty(in_cells, reduction))
        + 2.0 * float(folds)
        + 0.5 * float(kr.ops.shrink_penalty(grid, reduction))
    )
    assert_close(sum(layer.losses), expected, 1e-5)
    layer(IMAGES)
    assert not layer.losses, "penalties belong to training"


def test_weights_of_zero_leave_no_penalty():
    layer = layer_of(0.5, flow=9 * FLOW, smooth_weight=0, diffeo_weight=0, shrink_weight=0)
    layer(IMAGES, training=True)
    assert to_numpy(sum(layer.losses)) == 0.0
    model = keras.Sequential([keras.Input(IMAGES.shape[1:]), layer])
    model.compile(optimizer=keras.optimizers.SGD(10.0), loss="mse")
    targets = np.zeros((len(IMAGES), *model.output_shape[1:]), "float32")
    model.fit(IMAGES, targets, verbose=0)
    moved = to_numpy(layer.flow) - 9 * FLOW
    assert np.isfinite(moved).all() and np.max(np.abs(moved)) > 1e-4


def test_frozen_it_adds_no_loss_and_unfrozen_again():
    layer = layer_of(0.5, flow=FLOW)
    layer.trainable = False
    layer(IMAGES, training=True)
    assert not layer.losses and not layer.trainable_weights
    layer.trainable = True
    layer(IMAGES, training=True)
    assert layer.losses and len(layer.trainable_weights) == 1


def test_one_layer_on_two_inputs():
    first, second = keras.Input((9, 12, 3)), keras.Input((9, 12, 3))
    layer = layer_of(0.5, flow=FLOW)
    model = keras.Model([first, second], [layer(first), layer(second)])
    assert len(model.weights) == 1
    a, b = model([IMAGES, IMAGES[::-1].copy()])
    assert_close(to_numpy(b)[::-1], a, 1e-6)


# Predicted flow.


@pytest.mark.parametrize("strides", [1, 2, 4])
def test_a_predicted_flow_of_another_size_is_resized(strides):
    conv = keras.layers.Conv2D(2, 3, strides=strides, padding="same", data_format="channels_last")
    layer = FlowWarpDownsample(0.5, flow=conv, data_format="channels_last")
    outputs, grid = layer(IMAGES, return_grid=True)
    flow = keras.ops.image.resize(
        conv(IMAGES), (5, 6), "bilinear", antialias=False, data_format="channels_last"
    )
    expected = kr.ops.grid_from_flow(flow, (9, 12))
    assert_close(grid, expected, 1e-5)
    assert_close(outputs, kr.ops.sample(IMAGES, expected, data_format="channels_last"), 1e-5)
    assert tuple(layer.jacobian(IMAGES).shape) == (2, 5, 6)


def test_gradient_of_a_predicted_flow():
    """It is the sampler's gradient through the network, with no conditioning."""
    conv = predicted()["flow"]
    layer = FlowWarpDownsample(size=(3, 4), flow=conv, data_format="channels_last")
    layer(IMAGES)
    found = loss_gradients(layer, IMAGES)

    def sampled(*values):
        flow = with_values(conv.trainable_variables, values, lambda: conv(IMAGES))
        grid = kr.ops.grid_from_flow(flow, (9, 12))
        return project(kr.ops.sample(IMAGES, grid, data_format="channels_last"))

    expected = gradients(sampled, *[to_numpy(v) for v in conv.trainable_variables])
    for actual, wanted in zip(found, expected, strict=True):
        assert_close(actual, wanted, 1e-4)


def test_predicted_flow_channels_first():
    """A network of dense layers works where convolutions lack channels-first."""
    last, first = ({"flow": ImageMean(f)} for f in ("channels_last", "channels_first"))
    expected = FlowWarpDownsample(0.5, data_format="channels_last", **last)(IMAGES)
    swapped = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    found = FlowWarpDownsample(0.5, data_format="channels_first", **first)(swapped)
    assert_close(to_numpy(found).transpose(0, 2, 3, 1), expected, 1e-6)


class ImageMean(keras.layers.Layer):
    """Predicts a displacement from the mean over the channels."""

    def __init__(self, data_format):
        super().__init__()
        self.axis = 3 if data_format == "channels_last" else 1

    def call(self, images):
        mean = keras.ops.mean(images, axis=self.axis, keepdims=True)
        return keras.ops.concatenate([mean, -mean], axis=self.axis)

    def compute_output_shape(self, shape):
        return tuple(2 if i == self.axis else n for i, n in enumerate(shape))


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("kind", ["learned", "predicted"])
def test_unknown_height_and_width(kind, antialias):
    import tensorflow as tf

    flow = "learned" if kind == "learned" else predicted()["flow"]
    layer = FlowWarpDownsample(
        size=(4, 5), flow=flow, antialias=antialias, data_format="channels_last"
    )
    layer.build((None, None, None, 3))
    random_flow(layer)
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 3])])
    for height, width in ((9, 12), (4, 5), (13, 7)):
        images = np.random.default_rng(0).uniform(size=(2, height, width, 3)).astype("float32")
        assert_close(traced(images), layer(images), 1e-5)


# Bad input.


@pytest.mark.parametrize("name", ["smooth_weight", "diffeo_weight", "shrink_weight"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", None, True], ids=repr)
def test_bad_weights(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be a number in \[0, .*Received: {name}="):
        FlowWarpDownsample(0.5, **{name: value})


def test_bad_reduction():
    with pytest.raises(ValueError, match="`reduction` must .*Received: reduction='max'$"):
        FlowWarpDownsample(0.5, reduction="max")


@pytest.mark.parametrize("flow", ["predicted", None, 3, np.zeros], ids=str)
def test_bad_flow(flow):
    with pytest.raises(
        ValueError, match='`flow` must be "learned" or a Keras layer.*Received: flow='
    ):
        FlowWarpDownsample(0.5, flow=flow)


def test_a_learned_flow_preserves_no_aspect_ratio():
    with pytest.raises(ValueError, match="one size.*Received: preserve_aspect_ratio=True$"):
        FlowWarpDownsample(size=(8, 8), preserve_aspect_ratio=True)


def test_a_flow_layer_needs_two_channels():
    layer = FlowWarpDownsample(0.5, **predicted(channels=3), data_format="channels_last")
    with pytest.raises(ValueError, match="two channels.*Received: flow with output shape"):
        layer(IMAGES)


def test_what_a_predicted_flow_lacks():
    layer = FlowWarpDownsample(0.5, **predicted(), data_format="channels_last")
    layer(IMAGES)
    with pytest.raises(ValueError, match="`set_flow` belongs to a learned flow. Received: flow="):
        layer.set_flow(FLOW)
    with pytest.raises(ValueError, match="Received: images=None$"):
        layer.jacobian()


def test_what_needs_a_build_or_a_known_size():
    with pytest.raises(ValueError, match="Build the layer before `set_flow`. Received: an unbuilt"):
        FlowWarpDownsample(0.5).set_flow(FLOW)
    unknown = layer_of(size=(5, 6), shape=(None, None, None, 3))
    with pytest.raises(ValueError, match="needs the size of the input.*Received: an input of unkn"):
        unknown.set_flow(FLOW)
    assert_close(unknown.jacobian(), np.ones((5, 6)), 1e-5)
