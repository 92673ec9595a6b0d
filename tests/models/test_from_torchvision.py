"""torchvision's ResNets in an MSGN: the same numbers, and what is refused."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_resample.models import MSGN
from keras_resample.models.convert import from_torch
from keras_resample.models.networks.resnet import BACKBONES
from tests.models.segmentation_networks import images, run
from tests.numerics import assert_close, to_numpy

BASIC = {"depths": (1, 2, 1, 1), "filters": 4, "block": "basic"}
BOTTLENECK = {"depths": (1, 2, 1, 1), "filters": 4}
GROUPS = {**BOTTLENECK, "groups": 2, "width_per_group": 32}
WIDE = {**BOTTLENECK, "width_per_group": 128}
LAST = {"data_format": "channels_last"}
RAW = {"include_preprocessing": False, **LAST}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
LEAVES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    "kernel": "weight",
    "bias": "bias",
}


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def state_dict(classes=5, filters=4, depths=(1, 2, 1, 1)):
    """Random tensors of a network of basic blocks, by the names that torchvision gives them."""
    shapes = {}

    def unit(inputs, outputs, size, convolution, normalization):
        shapes[f"{convolution}.weight"] = (outputs, inputs, size, size)
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{normalization}.{leaf}"] = (outputs,)
        shapes[f"{normalization}.num_batches_tracked"] = ()

    unit(3, filters, 7, "conv1", "bn1")
    inputs = filters
    for stage, depth in enumerate(depths, 1):
        width = filters * 2 ** (stage - 1)
        for i in range(depth):
            name = f"layer{stage}.{i}"
            unit(inputs, width, 3, f"{name}.conv1", f"{name}.bn1")
            unit(width, width, 3, f"{name}.conv2", f"{name}.bn2")
            if inputs != width:
                unit(inputs, width, 1, f"{name}.downsample.0", f"{name}.downsample.1")
            inputs = width
    shapes |= {"fc.weight": (classes, inputs), "fc.bias": (classes,)}
    rng = np.random.default_rng(0)
    return {name: np.asarray(rng.random(s, "float32")) for name, s in shapes.items()}


def network(**arguments):
    return MSGN(**{"backbone": BASIC, "num_classes": 5, **RAW, **arguments})


def plain(**arguments):
    return network(num_local_branches=0, conv3="stride", **arguments)


def assert_holds(model, weights):
    """Each layer has the tensors of the module whose name has "." for "_"."""
    left = {name for name in weights if not name.endswith("num_batches_tracked")}
    modules = {name.rpartition(".")[0].replace(".", "_") for name in left}
    for layer in model.layers:
        for variable in layer.weights if layer.name in modules else ():
            module = layer.name.replace("_", ".")
            name = f"{module}.{LEAVES[variable.name]}"
            tensor = weights[name]
            if tensor.ndim == 4:
                tensor = np.moveaxis(tensor, (2, 3, 1, 0), (0, 1, 2, 3))
            tensor = tensor.T if tensor.ndim == 2 else tensor
            np.testing.assert_array_equal(to_numpy(variable), tensor)
            left.remove(name)
    assert not left


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_every_tensor_of_a_file_has_its_place(suffix, tmp_path):
    path, weights = tmp_path / f"resnet{suffix}", state_dict()
    if suffix == ".safetensors":
        pytest.importorskip("safetensors.numpy").save_file(weights, path)
    else:
        torch = pytest.importorskip("torch")
        torch.save({name: torch.from_numpy(v) for name, v in weights.items()}, path)
    model = plain()
    assert from_torch(path, "torchvision", model) is model
    assert_holds(model, weights)
    wrapped = {f"module.{name}": tensor for name, tensor in weights.items()}
    built = from_torch({"state_dict": wrapped}, "torchvision")
    assert (built.name, built.input_shape) == ("resnet", (None, None, None, 3))
    assert_holds(built, weights)


@pytest.mark.every_backend
@pytest.mark.parametrize("measures", [BASIC, BOTTLENECK, GROUPS, WIDE])
def test_the_same_numbers_as_torch(measures):
    torch = pytest.importorskip("torch")
    twin = pytest.importorskip("tests.models.torchvision_resnet").filled(**measures, classes=5)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 37, 50, 3)).astype("float32")
    ready = ((pixels / 255 - MEAN) / DEVIATION).astype("float32")
    with torch.no_grad():
        expected = twin(torch.from_numpy(np.moveaxis(ready, -1, 1).copy())).numpy()
    model = from_torch(twin.state_dict(), "torchvision")
    assert_close(run(model, pixels), expected, 1e-5)
    raw = from_torch(twin.state_dict(), "torchvision", plain(backbone=measures))
    assert_close(run(raw, ready), expected, 1e-5)


@pytest.mark.backends("torch", reason="names and shapes are the same on every backend")
@pytest.mark.parametrize("name", list(BACKBONES))
def test_the_networks_of_torchvision_are_recognised(name):
    from keras_resample.models.convert.build import build
    from keras_resample.models.convert.layouts import recognise
    from keras_resample.models.convert.variables import slots

    torch = pytest.importorskip("torch")
    from tests.models.torchvision_resnet import ResNet

    measures = dataclasses.asdict(BACKBONES[name])
    del measures["small_stem"]
    with torch.device("meta"):
        tensors = ResNet(**measures).state_dict()
    tensors = {k: v for k, v in tensors.items() if not k.endswith("num_batches_tracked")}
    layout, prefix = recognise(tensors)
    assert (layout.title, prefix) == ("ResNet", "")
    with keras.StatelessScope():
        model = build(layout, "torchvision", tensors)
    places = slots(model, layout)
    assert model.name == name
    assert {key: place.torch_shape for key, place in places.items()} == {
        key: tuple(tensor.shape) for key, tensor in tensors.items()
    }


def test_branches_begin_as_copies_and_another_classifier_stays():
    inner = network(num_local_branches=2, num_classes=7, include_preprocessing=True)
    outer = keras.Sequential([keras.layers.RandomFlip("horizontal"), inner])
    before = inner.get_layer("fc").get_weights()
    weights = state_dict()
    assert from_torch(weights, "torchvision", outer) is outer
    for a, b in zip(inner.get_layer("fc").get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert_holds(inner, {k: v for k, v in weights.items() if not k.startswith("fc.")})
    copies = 0
    for layer in inner.layers:
        if layer.name.startswith("local") and layer.weights:
            same = inner.get_layer(layer.name.partition("_")[2])
            for a, b in zip(layer.get_weights(), same.get_weights(), strict=True):
                np.testing.assert_array_equal(a, b)
            copies += 1
    assert copies == 2 * 2 * 6


def test_without_a_classifier():
    weights = state_dict()
    bare = {k: v for k, v in weights.items() if not k.startswith("fc.")}
    assert_holds(from_torch(weights, "torchvision", plain(num_classes=None)), bare)
    built = from_torch(bare, "torchvision")
    assert built.output_shape == (None, 32)
    assert_holds(built, bare)


def test_flipped_channels():
    weights = state_dict()
    x = images(1, 33, 32, 3)
    flipped = from_torch(weights, "torchvision", plain(), flip_channels=True)
    expected = run(from_torch(weights, "torchvision", plain()), x[..., ::-1].copy())
    assert_close(run(flipped, x), expected, 1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"include_preprocessing": "caffe"}, "include_preprocessing=True or False.*variance 1.0"),
        ({"backbone": {**BASIC, "depths": (1, 1, 1, 1)}}, "unexpected: 'layer2.1.conv1.weight'"),
        ({"backbone": {**BASIC, "depths": (1, 2, 2, 1)}}, "missing: 'layer3.1.conv1.weight'"),
        ({"backbone": {**BASIC, "filters": 8}}, r"conv1.weight \(4, 3, 7, 7\).*of \(8, 3, 7, 7\)"),
        ({"backbone": {**BASIC, "small_stem": True}}, r"misshapen: .conv1.weight.*\(4, 3, 3, 3\)"),
        ({"backbone": BOTTLENECK}, "missing: .*'layer1.0.conv3.weight'"),
    ],
)
def test_models_that_do_not_fit_stay_as_they_are(arguments, message):
    model = network(**arguments)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"(?s)`(model|path_or_state_dict)`.*{message}"):
        from_torch(state_dict(), "torchvision", model)
    for a, b in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_place_of_the_stride_and_other_models_are_named():
    weights = state_dict()
    with pytest.raises(ValueError, match="stride_in='3x3'.*Received.*conv1"):
        from_torch(weights, "torchvision", network(backbone=BOTTLENECK, stride_in="1x1"))
    with pytest.raises(ValueError, match="exactly one `MSGN`.*with 0"):
        from_torch(weights, "torchvision", keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(ValueError, match="kind ResNet of torchvision.*family='insightface'"):
        from_torch(weights, "insightface")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layer4.0.conv1.weight", None, "1 missing: 'layer4.0.conv1.weight'"),
        ("layer3.0.bn2.bias", None, "1 missing: 'layer3.0.bn2.bias'"),
        ("fc.bias", None, "1 missing: 'fc.bias'"),
        ("fc.weight", np.zeros((5, 8), "float32"), r"misshapen: .fc.weight \(5, 8\).*of \(5, 32\)"),
        ("layer1.0.conv3.weight", np.zeros((4, 4, 1, 1), "float32"), "misshapen: .*conv1.weight"),
        ("layer5.0.conv1.weight", np.zeros((4, 4, 3, 3), "float32"), "1 unexpected: 'layer5"),
        ("layer1.0.se.fc1.weight", np.zeros((4, 4, 1, 1), "float32"), "1 unexpected: .*se.fc1"),
        ("conv1.weight", np.zeros((4, 1, 7, 7), "float32"), r"conv1.weight \(4, 1, 7, 7\)"),
    ],
)
def test_files_that_no_network_fits(name, value, message):
    weights = {**state_dict(), name: value}
    weights = {key: tensor for key, tensor in weights.items() if tensor is not None}
    with pytest.raises(ValueError, match=f"(?s)`path_or_state_dict`.*{message}"):
        from_torch(weights, "torchvision")
