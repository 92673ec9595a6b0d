"""PSPNet against torch, the published counts, and its promises for sizes and formats."""

import keras
import numpy as np
import pytest

from keras_resample.models import PSPNet
from tests.models.network_checks import check_network
from tests.models.segmentation_networks import Count, counts, images, randomise, run
from tests.numerics import assert_close, to_numpy
from tests.steps import STEP_BY_STEP

SIZE = (37, 50)  # of no power of two, nor 8 n + 1
SMALL = {"depth": (1, 1, 2, 2), "width": 4, "num_classes": 5, "include_preprocessing": False}


def small(**arguments):
    model = PSPNet(**{**SMALL, **arguments})
    randomise(model)
    return model


def published_count(blocks, stem=(64, 64, 128), auxiliary=False, classes=19):
    """The authors' configuration written down as a loop."""
    count = Count()
    x = 3
    for channels in stem:
        x = count.unit(x, channels, 3)
    for stage, repeats in enumerate(blocks):
        for i in range(repeats):
            x = count.bottleneck(x, 64 * 2**stage, changed_size=i == 0)
    pyramid = sum(count.unit(x, 512, 1) for _ in (1, 2, 3, 6))
    count.convolution(count.unit(x + pyramid, 512, 3), classes, 1, bias=True)
    if auxiliary:
        count.convolution(count.unit(1024, 256, 3), classes, 1, bias=True)
    return count.result


R50, R101, V1C = (3, 4, 6, 3), (3, 4, 23, 3), (32, 32, 64)


@pytest.mark.in_turn
@pytest.mark.backends("torch", reason="the same code counts on every backend, quickest here")
@pytest.mark.parametrize(
    ("depth", "expected", "published", "options"),
    [
        (50, published_count(R50), 46.7, {}),
        (101, published_count(R101), 65.7, {}),
        (101, published_count(R101, V1C, True), 68.0, {"auxiliary": True, "stem_filters": V1C}),
    ],
    ids=["50", "101", "101-v1c-auxiliary"],
)
def test_parameter_counts(depth, expected, published, options):
    assert counts(PSPNet, depth=depth, **options) == expected
    assert round(expected[0] / 1e6, 1) == published


@pytest.mark.in_turn
def test_counts_in_the_docstring():
    for blocks in (R50, R101):
        for stem in ((64, 64, 128), V1C):
            for auxiliary in (False, True):
                assert f"{published_count(blocks, stem, auxiliary)[0]:,}" in PSPNet.__doc__


def twin(bins=(1, 2, 3, 6), align_corners=True):
    torch_networks = pytest.importorskip("tests.models.torch_networks")
    return lambda model, x: torch_networks.pspnet(model, x, SMALL["depth"], bins, align_corners)


def test_promises(tmp_path):
    x = images(2, *SIZE, 3)
    check_network(
        lambda **shape: PSPNet(**SMALL, auxiliary=True, **shape),
        x,
        half_layer="cls_4",
        folder=tmp_path,
        twin=twin(),
    )
    keras.config.set_image_data_format("channels_first")
    softmax = small(classifier_activation="softmax")
    assert softmax.output_shape == (None, 5, None, None)
    assert_close(run(softmax, np.moveaxis(x, -1, 1).copy()).sum(1), np.ones((2, 5, 7)), 1e-5)


def test_another_one_equals_torch():
    changed = {"align_corners": False, "bins": (1, 4)}
    model = small(**changed, stem_filters=V1C, auxiliary=True, data_format="channels_last")
    x = images(2, *SIZE, 3)
    expected, used = twin(**changed)(model, x)
    assert used == {layer.name for layer in model.layers if layer.weights}
    for found, one in zip(run(model, x), expected, strict=True):
        assert_close(found, np.moveaxis(one, 1, -1), 1e-4)


@pytest.mark.in_turn
@pytest.mark.parametrize("full_resolution", [False, True])
def test_output_shape(full_resolution):
    arguments = {"full_resolution": full_resolution, "data_format": "channels_last"}
    known = PSPNet(**SMALL, input_shape=(*SIZE, 3), auxiliary=True, **arguments)
    size = SIZE if full_resolution else (5, 7)  # an eighth, rounded up at each halving
    assert known.output_shape == [(None, *size, 5)] * 2
    assert PSPNet(**SMALL, **arguments).output_shape == (None, None, None, 5)


@pytest.mark.backends("tensorflow", reason="only TensorFlow traces unknown sizes")
def test_unknown_sizes_in_a_graph():
    import tensorflow as tf

    model = small(full_resolution=True, data_format="channels_last")
    signature = [tf.TensorSpec((None, None, None, 3), "float32")]
    traced = tf.function(lambda x: model(x), input_signature=signature)
    for x in (images(2, *SIZE, 3), images(1, 96, 64, 3)):
        assert_close(traced(tf.convert_to_tensor(x)), model(x), 1e-4)


def test_the_auxiliary_head_changes_nothing_else():
    with_head = small(auxiliary=True, data_format="channels_last")
    without = small(data_format="channels_last")
    head = [v for layer in with_head.layers if layer.name.startswith("aux") for v in layer.weights]
    kept = [v for v in with_head.weights if all(v is not w for w in head)]
    for mine, theirs in zip(without.weights, kept, strict=True):
        mine.assign(theirs)
    x = images(2, *SIZE, 3)
    assert_close(run(without, x), run(with_head, x)[0], 1e-5)


@pytest.mark.in_turn
def test_hyperparameters_of_the_original():
    model = PSPNet(**SMALL, auxiliary=True)
    dilations = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            assert (layer.epsilon, layer.momentum) == (1e-5, 0.9)
        if isinstance(layer, keras.layers.SpatialDropout2D):
            assert layer.rate == 0.1
        if layer.name.endswith("conv2"):
            dilations.setdefault(layer.name[:6], set()).add((layer.dilation_rate, layer.strides))
    one, two, four = (1, 1), (2, 2), (4, 4)
    assert dilations == {
        "layer1": {(one, one)},
        "layer2": {(one, two)},
        "layer3": {(two, one)},
        "layer4": {(four, one)},
    }
    kernel = to_numpy(PSPNet(**{**SMALL, "width": 32}).get_layer("layer0_3").kernel)
    np.testing.assert_allclose(kernel.std(), (2 / (9 * 32)) ** 0.5, rtol=0.05)


@pytest.mark.in_turn
def test_training_with_the_auxiliary_loss():
    arguments = {"input_shape": (*SIZE, 3), "dropout": 0.0, "data_format": "channels_last"}
    model = PSPNet(**SMALL, **arguments, auxiliary=True)
    x = images(4, *SIZE, 3)
    y = np.arange(4 * 5 * 7).reshape(4, 5, 7) // 7 % 5
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), [loss, loss], [1.0, 0.4], **STEP_BY_STEP)
    history = model.fit(x, [y, y], epochs=5, batch_size=4, verbose=0).history["loss"]
    assert history[-1] < 0.9 * history[0]


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"depth": 18}, "depth"),
        ({"depth": (1, 1, 1)}, "depth"),
        ({"depth": (1, 1, 1, 0)}, "depth"),
        ({"width": 0}, "width"),
        ({"num_classes": 0}, "num_classes"),
        ({"stem_filters": (8, 8)}, "stem_filters"),
        ({"stem_filters": (8, 8, 0)}, "stem_filters"),
        ({"bins": ()}, "bins"),
        ({"bins": (1, 2.5)}, "bins"),
        ({"input_shape": (32, 32)}, "input_shape"),
        ({"include_preprocessing": True, "input_shape": (32, 32, 4)}, "include_preprocessing"),
        ({"include_preprocessing": None}, "include_preprocessing"),
        ({"full_resolution": 1}, "full_resolution"),
        ({"auxiliary": 0.4}, "auxiliary"),
        ({"align_corners": 1}, "align_corners"),
        ({"data_format": "NCHW"}, "data_format"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}.*Received"):
        PSPNet(**{**SMALL, **arguments})
