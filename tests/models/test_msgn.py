"""MSGN and its ResNets against torch, the published counts, and what replaces a stride."""

import re

import keras
import numpy as np
import pytest

from keras_resample.layers import AdaptiveRegionPooling, CropDownsample, RegionPooling
from keras_resample.models import MSGN, gflops
from tests.models.network_checks import check_network
from tests.models.segmentation_networks import images, randomise, run
from tests.numerics import assert_close, to_numpy
from tests.steps import STEP_BY_STEP

BASIC = {"depths": (1, 1, 1, 1), "filters": 4, "block": "basic"}
GROUPS = {"depths": (1, 2, 1, 1), "filters": 4, "groups": 2, "width_per_group": 32}
SMALL = {**BASIC, "small_stem": True}
PLAIN = {"backbone": SMALL, "num_classes": 5, "include_preprocessing": False}
NO_BRANCH = {"num_local_branches": 0, "conv3": "stride"}


def small(**arguments):
    model = MSGN(**{**PLAIN, "data_format": "channels_last", **arguments})
    randomise(model)
    return model


def twin(**options):
    torch_networks = pytest.importorskip("tests.models.torch_networks")
    return lambda model, x: torch_networks.msgn(model, x, **options)


@pytest.mark.parametrize("stride_in", ["3x3", "1x1"])
def test_the_plain_network_equals_torch(stride_in):
    model = small(backbone=GROUPS, stride_in=stride_in, **NO_BRANCH)
    x = images(2, 37, 50, 3)
    expected, used = twin(stride_in=stride_in)(model, x)
    assert used == {layer.name for layer in model.layers if layer.weights}
    assert_close(run(model, x), expected, 1e-4)


def test_branches_equal_torch_and_promises_hold(tmp_path):
    """Behind average pooling, which torch has as well."""

    def build(**shape):
        pool = keras.layers.AveragePooling2D(2, data_format=shape.get("data_format"), name="pool")
        return MSGN(**PLAIN, conv3=pool, local_conv4=pool, num_local_branches=2, **shape)

    options = {"half_layer": "fc", "folder": tmp_path}
    check_network(build, images(2, 32, 48, 3), twin=twin(branches=2, pools=True), **options)


def test_the_default_pools_regions(tmp_path):
    model = MSGN(**PLAIN, input_shape=(64, 48, 3), data_format="channels_last")
    pools = {
        layer.name: layer for layer in model.layers if isinstance(layer, AdaptiveRegionPooling)
    }
    assert {name: (pool.rate, pool.k) for name, pool in pools.items()} == {
        "conv3_pool": (0.5, 1.0),
        "local1_conv4_pool": (0.5, 0.7),
    }
    randomise(model)
    x = images(2, 64, 48, 3)
    model.save(tmp_path / "msgn.keras")
    assert_close(run(keras.saving.load_model(tmp_path / "msgn.keras"), x), run(model, x), 1e-5)
    sizes = {"layer1": (32, 24), "layer2": (16, 12), "layer3": (8, 6), "layer4": (4, 3)}
    sizes |= {"local1_layer3": (8, 6), "local1_layer4": (8, 6)}
    for name, size in sizes.items():
        assert model.get_layer(f"{name}_0_relu").output.shape[1:3] == size
    more = MSGN(**PLAIN, num_local_branches=3)
    assert [more.get_layer(f"local{i}_conv4_pool").k for i in (1, 2, 3)] == [0.5] * 3


def test_the_whole_network_is_its_parts():
    """Branches composed by hand of the layers of one model, each region read by the layer alone."""
    model = small(num_local_branches=1, num_classes=None)
    x = images(2, 48, 48, 3)

    def part(first, last):
        return keras.Model(model.get_layer(first).input, model.get_layer(last).output)

    shared = run(keras.Model(model.input, model.get_layer("layer1_0_relu").output), x)
    conv3 = AdaptiveRegionPooling(0.5, 1.0, data_format="channels_last")(shared)
    shared = run(part("conv3_pool", "layer2_0_relu"), shared)
    assert conv3.shape[1:3] == shared.shape[1:3] == (12, 12)
    local = AdaptiveRegionPooling(0.5, 0.7, data_format="channels_last")(shared)
    local = run(part("local1_layer3_0_conv1", "local1_layer3_0_bn1"), to_numpy(local))
    between = keras.Model(model.input, model.get_layer("local1_layer3_0_bn1").output)
    assert_close(local, run(between, x), 1e-5)
    last = [model.get_layer(f"{prefix}layer4_0_relu").output for prefix in ("", "local1_")]
    maps = run(keras.Model(model.input, last), x)
    means = [m.mean((1, 2)) for m in maps]
    assert means[0].shape == means[1].shape == (2, 32)
    assert_close(run(model, x), np.concatenate(means, 1), 1e-5)


def test_branches_share_no_weights_after_conv3():
    pool = RegionPooling(0.5, data_format="channels_last", name="mine")
    localization = keras.Sequential([keras.layers.Conv2D(8, 2, 2, data_format="channels_last")])
    for layer, pooled in ((pool, 0), (localization, 2)):
        model = MSGN(**PLAIN, num_local_branches=2, local_conv4=layer, data_format="channels_last")
        own = [
            [layer for layer in model.layers if layer.name.startswith(f"local{i}_")] for i in (1, 2)
        ]
        assert own[0][0].name == "local1_conv4_pool" and layer not in model.layers
        variables = [[id(v) for layer in layers for v in layer.variables] for layers in own]
        # a basic block has 3 units of 5 variables, where its channels change
        assert [len(set(v)) for v in variables] == [2 * 15 + pooled] * 2
        assert not set(variables[0]) & set(variables[1])
        for layers in own:
            for layer in layers:
                assert getattr(layer, "strides", (1, 1)) == (1, 1)


@pytest.mark.parametrize("place", ["conv3", "conv4", "local_conv4"])
def test_a_layer_takes_the_place_of_a_stride(place):
    stride = {"conv3": "stride", "conv4": "stride", "local_conv4": "stride"}
    crop = CropDownsample(0.5, margin=0.25, data_format="channels_last", name="crop")
    arguments = {"input_shape": (64, 64, 3), "data_format": "channels_last"}
    model = MSGN(**PLAIN, **{**stride, place: crop}, **arguments)
    strided = MSGN(**PLAIN, **stride, **arguments)
    name = "local1_conv4_pool" if place == "local_conv4" else "crop"
    assert isinstance(model.get_layer(name), CropDownsample)
    assert model.count_params() == strided.count_params()
    first = {"conv3": "layer2", "conv4": "layer3", "local_conv4": "local1_layer3"}[place]
    for part in ("conv1", "downsample_0"):
        assert strided.get_layer(f"{first}_0_{part}").strides == (2, 2)
        assert model.get_layer(f"{first}_0_{part}").strides == (1, 1)
        before = keras.Model(
            model.get_layer(name).output, model.get_layer(f"{first}_0_relu").output
        )
        assert before.output_shape[1:3] == before.input_shape[1:3]


COUNTS = {  # of torchvision, and of timm for 32x4d, which torchvision has not
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnext101_32x4d": 44_177_704,
    "resnext101_32x8d": 88_791_336,
}
FLOPS = {
    "resnet50": 16.65,
    "resnet101": 31.50,
    "resnext101_32x4d": 31.54,
    "resnext101_32x8d": 65.03,
}


def counts(**arguments):
    """Trainable parameters and GFLOPs at 224. Only shapes are made."""
    with keras.StatelessScope():
        model = MSGN(input_shape=(224, 224, 3), data_format="channels_last", **arguments)
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights), gflops(model)


@pytest.mark.in_turn
@pytest.mark.backends("torch", reason="the same code counts on every backend, quickest here")
@pytest.mark.parametrize("backbone", list(COUNTS))
def test_parameters_and_gflops(backbone):
    row = re.search(rf'`"{backbone}"` \| ([\d,]+), ([\d.]+) \| ([\d,]+), ([\d.]+)', MSGN.__doc__)
    documented = [float(number.replace(",", "")) for number in row.groups()]
    # The classifier reads one vector of the ResNet and two of the MSGN.
    classifier = 512 if backbone in ("resnet18", "resnet34") else 2048
    plain, local = (
        counts(backbone=backbone, num_classes=None, **NO_BRANCH),
        counts(backbone=backbone, num_classes=None),
    )
    found = [plain[0] + 1000 * (classifier + 1), plain[1], local[0] + 1000 * (2 * classifier + 1)]
    np.testing.assert_allclose([*found, local[1]], documented, rtol=0, atol=0.00501)
    assert found[0] == COUNTS[backbone]
    assert backbone not in FLOPS or round(local[1], 2) == FLOPS[backbone]


@pytest.mark.backends("tensorflow", reason="only TensorFlow traces unknown sizes")
def test_unknown_sizes_in_a_graph():
    import tensorflow as tf

    model = small(num_local_branches=2)
    signature = [tf.TensorSpec((None, None, None, 3), "float32")]
    traced = tf.function(lambda x: model(x), input_signature=signature)
    for x in (images(2, 37, 50, 3), images(1, 64, 33, 3)):
        assert_close(traced(tf.convert_to_tensor(x)), model(x), 1e-4)


def test_preprocessing():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 6, 3)).astype("float32")
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    caffe = keras.applications.resnet.preprocess_input(pixels.copy(), data_format="channels_last")
    for value, expected in ((True, (pixels / 255 - mean) / deviation), ("caffe", caffe)):
        for data_format in ("channels_last", "channels_first"):
            model = MSGN(SMALL, include_preprocessing=value, data_format=data_format)
            first = keras.Model(model.input, model.get_layer("preprocessing").output)
            last = data_format == "channels_last"
            found = run(first, pixels if last else np.moveaxis(pixels, -1, 1).copy())
            assert_close(found if last else np.moveaxis(found, 1, -1), expected, 1e-4)


@pytest.mark.in_turn
def test_training_lowers_the_loss_and_reaches_every_branch():
    model = MSGN(
        **PLAIN, num_local_branches=2, dropout=0.1, input_shape=(32, 32, 3),
        data_format="channels_last",
    )  # fmt: skip
    x = images(8, 32, 32, 3)
    y = np.arange(8) % 5
    before = [to_numpy(v) for v in model.trainable_variables]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, **STEP_BY_STEP)
    history = model.fit(x, y, epochs=5, batch_size=8, verbose=0).history["loss"]
    assert history[-1] < 0.8 * history[0]
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.any(to_numpy(variable) != value), variable.path


def test_outputs():
    softmax = small(classifier_activation="softmax", num_local_branches=0)
    x = images(2, 32, 32, 3)
    assert_close(run(softmax, x).sum(1), np.ones(2), 1e-5)
    assert (softmax.name, MSGN(SMALL, name="a").name) == ("msgn", "a")
    assert small(num_classes=None, num_local_branches=3).output_shape == (None, 4 * 32)
    assert small(backbone=GROUPS, num_classes=None).output_shape == (None, 2 * 128)
    assert small(dropout=0.3).get_layer("dropout").rate == 0.3
    stem = small(backbone=BASIC, input_shape=(64, 64, 3))
    assert stem.get_layer("layer1_0_relu").output.shape[1:3] == (16, 16)


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"backbone": "resnet51"}, "backbone"),
        ({"backbone": 50}, "backbone"),
        ({"backbone": {"filters": 8}}, "backbone"),
        ({"backbone": {**BASIC, "width": 8}}, "backbone"),
        ({"backbone": {**BASIC, "depths": (1, 1, 1)}}, "depths"),
        ({"backbone": {**BASIC, "filters": 0}}, "filters"),
        ({"backbone": {**BASIC, "block": "wide"}}, "block"),
        ({"backbone": {**BASIC, "groups": 2}}, "groups"),
        ({"backbone": {**GROUPS, "width_per_group": 8}}, "filters"),
        ({"backbone": {**BASIC, "small_stem": 1}}, "small_stem"),
        ({"num_local_branches": -1}, "num_local_branches"),
        ({"num_local_branches": True}, "num_local_branches"),
        ({"num_classes": 0}, "num_classes"),
        ({"input_shape": (32, 32)}, "input_shape"),
        ({"conv3": "strides"}, "conv3"),
        ({"conv3": 0.5}, "conv3"),
        ({"conv4": None}, "conv4"),
        ({"local_conv4": AdaptiveRegionPooling}, "local_conv4"),
        ({"local_conv4": "stride", "num_local_branches": 0}, "local_conv4"),
        ({"dropout": 1.0}, "dropout"),
        ({"include_preprocessing": "torch"}, "include_preprocessing"),
        ({"include_preprocessing": True, "input_shape": (32, 32, 4)}, "include_preprocessing"),
        ({"stride_in": "first"}, "stride_in"),
        ({"stride_in": "1x1"}, "stride_in"),
        ({"data_format": "NCHW"}, "data_format"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}.*Received"):
        MSGN(**{**PLAIN, "data_format": "channels_last", **arguments})
