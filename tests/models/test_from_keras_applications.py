"""The weights of `keras.applications` in an MSGN: the same numbers, and what is refused."""

import keras
import numpy as np
import pytest

from keras_resample.models import MSGN
from keras_resample.models.convert import from_keras_applications
from tests.models.segmentation_networks import images, randomise, run
from tests.numerics import assert_close, to_numpy

NO_BRANCH = {"num_local_branches": 0, "conv3": "stride"}
TINY = {"depths": (1, 2, 1, 1), "filters": 8}
CHANNELS_LAST = {"stride_in": "1x1", "data_format": "channels_last"}


def source(classes=None, filters=8):
    """A thin network of the functions that `keras.applications` is made of."""
    x = inputs = keras.Input((None, None, 3))
    x = keras.layers.ZeroPadding2D(3)(x)
    x = unit(x, filters, 7, "conv1", strides=2, padding="valid")
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.MaxPooling2D(3, 2)(x)
    for stage, depth in enumerate(TINY["depths"], 2):
        for block in range(1, depth + 1):
            width, strides = filters * 2 ** (stage - 2), 2 if block == 1 and stage > 2 else 1
            name, shortcut = f"conv{stage}_block{block}", x
            if block == 1:
                shortcut = unit(x, 4 * width, 1, f"{name}_0", strides, relu=False)
            y = unit(x, width, 1, f"{name}_1", strides)
            y = unit(y, width, 3, f"{name}_2")
            y = unit(y, 4 * width, 1, f"{name}_3", relu=False)
            x = keras.layers.ReLU()(keras.layers.Add()([shortcut, y]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    if classes:
        x = keras.layers.Dense(classes, name="predictions")(x)
    model = keras.Model(inputs, x)
    randomise(model)
    return model


def unit(x, filters, size, name, strides=1, padding="same", relu=True):
    x = keras.layers.Conv2D(filters, size, strides, padding, name=f"{name}_conv")(x)
    x = keras.layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)
    return keras.layers.ReLU()(x) if relu else x


@pytest.mark.every_backend
def test_the_same_numbers():
    keras.config.set_image_data_format("channels_last")
    given = source(classes=5)
    model = MSGN(TINY, num_classes=5, include_preprocessing=False, **NO_BRANCH, **CHANNELS_LAST)
    assert from_keras_applications(given, model) is model
    x = images(2, 37, 50, 3)
    assert_close(run(model, x), run(given, x), 1e-4)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 33, 32, 3)).astype("float32")
    caffe = MSGN(TINY, num_classes=5, include_preprocessing="caffe", **NO_BRANCH, **CHANNELS_LAST)
    from_keras_applications(given, caffe)
    ready = keras.applications.resnet.preprocess_input(pixels.copy())
    expected = run(given, ready)
    assert_close(
        run(caffe, pixels) / np.abs(expected).max(), expected / np.abs(expected).max(), 1e-4
    )


@pytest.mark.backends(
    "torch", reason="the whole network is slow to make; the thin one is everywhere"
)
def test_resnet50_of_keras():
    keras.config.set_image_data_format("channels_last")
    given = keras.applications.ResNet50(weights=None, classifier_activation=None)
    for layer in given.layers:  # of zeros and ones nothing would be seen
        if isinstance(layer, keras.layers.BatchNormalization):
            rng = np.random.default_rng(len(layer.name))
            layer.set_weights([w + rng.uniform(0, 0.2, w.shape) for w in layer.get_weights()])
        elif getattr(layer, "bias", None) is not None:
            layer.bias.assign(np.random.default_rng(1).uniform(0, 0.2, layer.bias.shape))
    model = MSGN(include_preprocessing=False, **NO_BRANCH, **CHANNELS_LAST)
    from_keras_applications(given, model)
    x = images(1, 224, 224, 3)
    expected = run(given, x)
    scale = np.abs(expected).max()
    assert_close(run(model, x) / scale, expected / scale, 1e-4)


def test_branches_begin_as_copies_and_another_classifier_stays():
    keras.config.set_image_data_format("channels_last")
    inner = MSGN(TINY, 2, 7, include_preprocessing=False, **CHANNELS_LAST)
    before = to_numpy(inner.get_layer("fc").kernel)
    outer = keras.Sequential([keras.layers.Rescaling(2.0), inner])
    from_keras_applications(source(classes=5), outer)
    np.testing.assert_array_equal(to_numpy(inner.get_layer("fc").kernel), before)
    copies = 0
    for layer in inner.layers:
        if layer.name.startswith("local") and layer.weights:
            same = inner.get_layer(layer.name.partition("_")[2])
            for a, b in zip(layer.get_weights(), same.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            copies += 1
    assert copies == 2 * 2 * 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"stride_in": "3x3"}, "`model` must be built with stride_in='1x1'.*Received.*conv2"),
        ({"include_preprocessing": True}, "`model`.*include_preprocessing='caffe'.*Received"),
        ({"backbone": {**TINY, "depths": (1, 1, 1, 1)}}, "Received: 6 that differ: layer2_1_bn1"),
        ({"backbone": {**TINY, "filters": 4}}, "`model` must have the layers.*that differ: bn1"),
    ],
)
def test_models_that_do_not_fit_stay_as_they_are(arguments, message):
    keras.config.set_image_data_format("channels_last")
    model = MSGN(**{"backbone": TINY, "include_preprocessing": False, **CHANNELS_LAST, **arguments})
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        from_keras_applications(source(), model)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("value", [None, "resnet50"])
def test_other_models_are_named(value):
    with pytest.raises(ValueError, match="`source` must be a ResNet.*Received"):
        from_keras_applications(value, MSGN("resnet18"))
    keras.config.set_image_data_format("channels_last")
    with pytest.raises(ValueError, match="exactly one `MSGN`.*with 0"):
        from_keras_applications(source(), value)
