"""HRNetV2 against torch, the published counts, and its promises for sizes and formats."""

import keras
import numpy as np
import pytest

from keras_resample.models import HRNetV2
from tests.models.network_checks import check_network
from tests.models.segmentation_networks import Count, counts, images, randomise, run
from tests.numerics import assert_close, to_numpy
from tests.steps import STEP_BY_STEP

SMALL = {"num_bottlenecks": 1, "num_modules": (1, 1, 1), "num_blocks": 1}
SIZE = (37, 50)  # of no power of two
PLAIN = {**SMALL, "width": np.int64(3), "num_classes": 5, "include_preprocessing": False}


def small(**arguments):
    model = HRNetV2(**{**PLAIN, **arguments})
    randomise(model)
    return model


def published_count(width, classes=19, bottlenecks=4, modules=(1, 4, 3), blocks=4):
    """The authors' configuration written down as a loop."""
    count = Count()
    x = count.unit(count.unit(3, 64, 3), 64, 3)
    for _ in range(bottlenecks):
        x = count.bottleneck(x, 64)
    previous = [x]
    for stage, repeats in zip((2, 3, 4), modules, strict=True):
        widths = [width * 2**i for i in range(stage)]
        if stage == 2:
            count.unit(previous[0], widths[0], 3)
        count.unit(previous[-1], widths[-1], 3)
        for _ in range(repeats):
            for c in widths:
                for _ in range(2 * blocks):
                    count.unit(c, c, 3)
            for i, to in enumerate(widths):
                for j, of in enumerate(widths):
                    if j > i:
                        count.unit(of, to, 1)
                    if j < i:
                        for _ in range(i - j - 1):
                            count.unit(of, of, 3)
                        count.unit(of, to, 3)
        previous = widths
    x = count.unit(sum(previous), sum(previous), 1, bias=True)
    count.convolution(x, classes, 1, bias=True)
    return count.result


@pytest.mark.in_turn
@pytest.mark.backends("torch", reason="the same code counts on every backend, quickest here")
@pytest.mark.parametrize(
    ("width", "published", "options"),
    [
        (48, 65.8, {}),
        (18, 9.6, {}),
        (18, 3.9, {"bottlenecks": 2, "modules": (1, 3, 2), "blocks": 2}),
    ],
    ids=["w48", "w18", "w18-small-v2"],
)
def test_parameter_counts(width, published, options):
    expected = published_count(width, **options)
    arguments = {f"num_{name}": value for name, value in options.items()}
    assert counts(HRNetV2, width=width, **arguments) == expected
    # Published in millions, cut off after one digit.
    assert int(expected[0] / 1e5) / 10 == published


@pytest.mark.in_turn
def test_counts_in_the_docstring():
    assert f"{published_count(48)[0]:,}" in HRNetV2.__doc__
    assert f"{published_count(18)[0]:,}" in HRNetV2.__doc__
    small_v2 = published_count(18, bottlenecks=2, modules=(1, 3, 2), blocks=2)
    assert f"{small_v2[0]:,}" in HRNetV2.__doc__


def twin(**options):
    torch_networks = pytest.importorskip("tests.models.torch_networks")
    options = {**SMALL, "align_corners": False, **options}
    return lambda model, x: torch_networks.hrnet_v2(model, x, **options)


def test_promises(tmp_path):
    x = images(2, *SIZE, 3)
    options = {"half_layer": "last_layer_3", "folder": tmp_path}
    check_network(
        lambda **shape: HRNetV2(**PLAIN, align_corners=True, **shape),
        x,
        twin=twin(align_corners=True),
        **options,
    )
    keras.config.set_image_data_format("channels_first")
    softmax = small(classifier_activation="softmax")
    assert softmax.input_shape == (None, 3, None, None)
    assert_close(run(softmax, np.moveaxis(x, -1, 1).copy()).sum(1), np.ones((2, 10, 13)), 1e-5)


def test_a_deeper_one_equals_torch():
    arguments = {"num_modules": (2, 1, 1), "num_bottlenecks": 2, "num_blocks": 2}
    model = small(**arguments, data_format="channels_last")
    assert model.output_shape == (None, None, None, 5)
    x = images(2, *SIZE, 3)
    expected, used = twin(**arguments)(model, x)
    assert used == {layer.name for layer in model.layers if layer.weights}
    assert_close(run(model, x), np.moveaxis(expected, 1, -1), 1e-4)


@pytest.mark.in_turn
@pytest.mark.parametrize("full_resolution", [False, True])
def test_output_shape(full_resolution):
    arguments = {"full_resolution": full_resolution, "data_format": "channels_last"}
    known = HRNetV2(**PLAIN, input_shape=(*SIZE, 3), **arguments)
    size = SIZE if full_resolution else (10, 13)  # a quarter, rounded up twice
    assert known.output_shape == (None, *size, 5)


@pytest.mark.backends("tensorflow", reason="only TensorFlow traces unknown sizes")
def test_unknown_sizes_in_a_graph():
    import tensorflow as tf

    model = small(full_resolution=True, data_format="channels_last")
    signature = [tf.TensorSpec((None, None, None, 3), "float32")]
    traced = tf.function(lambda x: model(x), input_signature=signature)
    for x in (images(2, *SIZE, 3), images(1, 64, 33, 3)):
        assert_close(traced(tf.convert_to_tensor(x)), model(x), 1e-4)


def test_full_resolution_is_the_resized_logits():
    model = small(full_resolution=True, data_format="channels_last")
    assert model.output_shape == (None, None, None, 5)
    both = keras.Model(model.input, [model.get_layer("last_layer_3").output, model.output])
    logits, found = run(both, images(2, *SIZE, 3))
    expected = keras.ops.image.resize(logits, SIZE, "bilinear", data_format="channels_last")
    assert_close(found, expected, 1e-4)


def test_preprocessing_is_imagenets():
    model = HRNetV2(**{**PLAIN, "include_preprocessing": True}, data_format="channels_last")
    assert model.name == "hrnet_v2_w3"
    assert model.get_layer("conv1_pad").input is model.get_layer("preprocessing").output
    first = keras.Model(model.input, model.get_layer("preprocessing").output)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3)).astype("uint8")
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    assert_close(run(first, pixels), (pixels / 255 - mean) / deviation, 1e-5)


@pytest.mark.in_turn
def test_hyperparameters_of_the_original():
    model = HRNetV2(**PLAIN, name="a")
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)
    kernel = to_numpy(model.get_layer("conv2").kernel)
    np.testing.assert_allclose(kernel.std(), (2 / (9 * 64)) ** 0.5, rtol=0.05)
    assert model.name == "a"


@pytest.mark.in_turn
def test_training_lowers_the_loss():
    model = HRNetV2(**PLAIN, input_shape=(32, 32, 3), data_format="channels_last")
    x = images(4, 32, 32, 3)
    y = (x.reshape(4, 8, 4, 8, 4, 3).mean((2, 4)).argmax(-1)).astype("int32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss, **STEP_BY_STEP)
    history = model.fit(x, y, epochs=4, batch_size=4, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"width": 0}, "width"),
        ({"width": 4.0}, "width"),
        ({"num_classes": None}, "num_classes"),
        ({"num_bottlenecks": 0}, "num_bottlenecks"),
        ({"num_blocks": True}, "num_blocks"),
        ({"num_modules": (1, 4)}, "num_modules"),
        ({"num_modules": (1, 0, 1)}, "num_modules"),
        ({"input_shape": (32, 32)}, "input_shape"),
        ({"input_shape": (32, 32, None), "data_format": "channels_last"}, "input_shape"),
        ({"include_preprocessing": True, "input_shape": (32, 32, 4)}, "include_preprocessing"),
        ({"include_preprocessing": "caffe"}, "include_preprocessing"),
        ({"full_resolution": 1}, "full_resolution"),
        ({"align_corners": "yes"}, "align_corners"),
        ({"data_format": "NCHW"}, "data_format"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}.*Received"):
        HRNetV2(**{**PLAIN, **arguments})
