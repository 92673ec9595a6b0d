"""What `convert.from_torch` reads, where it puts it, and what it refuses."""

import argparse
import sys

import keras
import numpy as np
import pytest

from keras_resample.heads import ArcFace
from keras_resample.layers import FlowWarpDownsample
from keras_resample.models import IResNet, MobileFaceNet, Recognizer
from keras_resample.models.convert import from_torch
from tests.models.published import images, state_dict
from tests.numerics import to_numpy

THIN = (4, 8, 16, 32)
IRESNET, IR, PLAIN = "insightface_iresnet18", "adaface_ir_18", "curricularface_ir_101"
FACES = images(1).transpose(0, 2, 3, 1)


def thin(architecture=IRESNET):
    return state_dict(architecture, thinner=16)


def network(depths=(2, 2, 2, 2), **kwargs):
    return IResNet(depths, THIN, embedding_dim=32, **kwargs)


def embed(model, faces=FACES):
    return to_numpy(model(faces, training=False))


@pytest.fixture(scope="module")
def expected():
    """Embeddings of the thin insightface network."""
    return embed(from_torch(thin(), "insightface"))


def test_architecture_is_found_in_the_tensors():
    model = from_torch(thin(), "insightface")
    assert (model.name, model.output_shape) == ("iresnet18", (None, 32))
    assert model.get_layer("layer4_1_conv2").kernel.shape == (3, 3, 32, 32)
    weights = {**thin(IR), "input_layer.0.weight": np.zeros((4, 1, 3, 3), "float32")}
    weights["output_layer.3.weight"] = np.zeros((32, 32 * 14 * 14), "float32")
    assert from_torch(weights, "cvlface").input_shape == (None, 224, 224, 1)


@pytest.mark.parametrize(
    ("depths", "filters"), [((1, 2, 1, 1), 64), ((2, 1, 1, 1), 128), ((1, 1, 3, 2), 128)]
)
def test_mobilefacenet_of_other_depths_and_widths(depths, filters):
    """The names are those of the original; the tensors come from a model of the package."""
    from keras_resample.models.convert.layouts import MOBILEFACENET
    from keras_resample.models.convert.variables import slots

    rng = np.random.default_rng(0)
    model = MobileFaceNet(embedding_dim=8, depths=depths, filters=filters)
    places = slots(model, MOBILEFACENET)
    assert len(places) == len(model.variables)
    weights = {key: rng.random(p.torch_shape, "float32") for key, p in places.items()}
    model, copy = from_torch(weights, "insightface", model), from_torch(weights, "insightface")
    for a, b in zip(model.weights, copy.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(a), to_numpy(b))


@pytest.mark.parametrize(
    ("architecture", "family", "prefix", "others"),
    [
        (IRESNET, "insightface", "", ()),
        (IRESNET, "insightface", "module.", ()),
        (IRESNET, "insightface", "_orig_mod.", ()),
        (IRESNET, "insightface", "backbone.", ()),
        (IRESNET, "magface", "module.features.", ("module.fc.weight",)),
        (IRESNET, "magface", "features.module.", ("parallel_fc.weight", "parallel_fc.bias")),
        (IRESNET, "cvlface", "net.", ()),
        (IR, "adaface", "model.", ("head.kernel", "head.t", "head.batch_mean", "head.batch_std")),
        (IR, "adaface", "", ("head.kernel",)),
        (IR, "cvlface", "net.", ()),
        (IR, "cvlface", "model.net.", ()),
    ],
)
def test_wrappers_and_heads_of_the_training_scripts(architecture, family, prefix, others):
    weights = thin(architecture)
    plain = {k: v for k, v in weights.items() if not k.endswith("num_batches_tracked")}
    wrapped = {prefix + key: value for key, value in weights.items()}
    wrapped.update({key: np.ones((512, 9), "float32") for key in others})
    container = {"epoch": 3, "state_dict": wrapped, "optimizer": {"state": {}}}
    model = from_torch(container, family)
    found = [to_numpy(v) for v in model.weights]
    for variable in model.weights:
        variable.assign(0 * variable)
    from_torch(plain, family, model)
    for variable, value in zip(model.weights, found, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), value)


def test_resume_file_of_insightface(expected):
    container = {"epoch": 1, "state_dict_backbone": thin(), "state_dict_softmax_fc": {"weight": 0}}
    np.testing.assert_array_equal(embed(from_torch(container, "insightface")), expected)


def test_prefix_is_stripped_once_and_only_at_the_start():
    weights = {f"module.features.{k}": v for k, v in thin().items()}
    model = from_torch(weights, "magface")
    np.testing.assert_array_equal(
        to_numpy(model.get_layer("features").gamma), thin()["features.weight"]
    )
    twice = {f"module.{k}": v for k, v in weights.items()}
    with pytest.raises(ValueError, match="looks like none of those known"):
        from_torch(twice, "magface")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".ckpt"])
def test_files(suffix, tmp_path, expected):
    path = tmp_path / f"backbone{suffix}"
    weights = thin()
    if suffix == ".safetensors":
        numpy = pytest.importorskip("safetensors.numpy")
        numpy.save_file(weights, path)
    else:
        torch = pytest.importorskip("torch")
        tensors = {k: torch.from_numpy(v) for k, v in weights.items()}
        torch.save({"state_dict": tensors} if suffix == ".ckpt" else tensors, path)
    for given in (path, str(path)):
        np.testing.assert_array_equal(embed(from_torch(given, "insightface")), expected)


def test_torch_tensors_and_half_precision():
    torch = pytest.importorskip("torch")
    weights = thin()
    tensors = {k: torch.tensor(v, requires_grad=v.dtype.kind == "f") for k, v in weights.items()}
    halves = {k: t.bfloat16() if t.is_floating_point() else t for k, t in tensors.items()}
    for given in (tensors, halves):
        kernel = to_numpy(from_torch(given, "insightface").get_layer("fc").bias)
        np.testing.assert_array_equal(kernel, given["fc.bias"].detach().float().numpy())


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_files_with_more_than_tensors_are_refused_and_not_run(tmp_path):
    torch = pytest.importorskip("torch")
    path, trace = tmp_path / "face.ckpt", tmp_path / "trace"
    for extra in (argparse.Namespace(lr=0.1), Malicious(trace)):
        torch.save({"state_dict": {}, "hyper_parameters": extra}, path)
        with pytest.raises(ValueError, match="more than tensors.*weights_only=False.*Received"):
            from_torch(path, "adaface")
    assert not trace.exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_damaged_files_are_named(suffix, tmp_path):
    path = tmp_path / f"face{suffix}"
    path.write_bytes(b"no weights at all")
    pytest.importorskip("torch" if suffix == ".pt" else "safetensors")
    with pytest.raises(ValueError, match=f"`path_or_state_dict`.*Received.*face{suffix}"):
        from_torch(path, "insightface")


@pytest.mark.parametrize(("module", "suffix"), [("torch", ".pth"), ("safetensors", ".safetensors")])
def test_a_missing_reader_says_what_to_install(module, suffix, tmp_path, monkeypatch):
    path = tmp_path / f"face{suffix}"
    path.touch()
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"pip install {module}"):
        from_torch(path, "insightface")


@pytest.mark.every_backend
def test_network_behind_a_sampler_and_in_a_recognizer(expected):
    inputs = keras.Input((224, 224, 3))
    sampler = FlowWarpDownsample(0.5)
    backbone = network()
    encoder = keras.Model(inputs, backbone(sampler(inputs)))
    flow = np.full((112, 112, 2), 0.25, "float32")
    sampler.set_flow(flow)
    recognizer = Recognizer(encoder, ArcFace(3))
    recognizer.build((None, 224, 224, 3))
    for model in (backbone, encoder, recognizer, keras.Sequential([sampler, network()])):
        assert from_torch(thin(), "insightface", model) is model
    np.testing.assert_array_equal(embed(backbone), expected)
    np.testing.assert_allclose(to_numpy(sampler.flow), flow, atol=1e-6)
    np.testing.assert_array_equal(
        embed(encoder, np.ones((1, 224, 224, 3))), embed(backbone, np.ones((1, 112, 112, 3)))
    )


def test_flipped_channels_take_rgb_where_bgr_was_trained(expected):
    model = from_torch(thin(), "insightface", flip_channels=True)
    np.testing.assert_allclose(embed(model, FACES[..., ::-1]), expected, rtol=1e-3, atol=1e-5)
    assert np.abs(embed(model) - expected).max() > 0.1
    mobile = state_dict("insightface_mobilefacenet")
    kernels = [
        to_numpy(from_torch(mobile, "insightface", flip_channels=f).get_layer("conv1").kernel)
        for f in (False, True)
    ]
    np.testing.assert_array_equal(kernels[0][:, :, ::-1], kernels[1])


@pytest.mark.parametrize(
    ("architecture", "prefix", "family", "guess"),
    [
        (IRESNET, "", "adaface", "IResNet of insightface or magface or cvlface"),
        (IRESNET, "module.features.", "insightface", "IResNet of magface"),
        (IR, "", "insightface", "IR of adaface or cvlface"),
        (IR, "", "curricularface", "IR of adaface or cvlface"),
        (IR, "model.net.", "adaface", "IR of cvlface"),
        (PLAIN, "", "adaface", "IR of curricularface"),
        ("insightface_mobilefacenet", "", "magface", "MobileFaceNet of insightface"),
    ],
)
def test_a_file_of_another_family_is_recognised(architecture, prefix, family, guess):
    weights = {prefix + key: value for key, value in thin(architecture).items()}
    first = next(iter(weights))
    with pytest.raises(ValueError, match=f"{guess}.*family='{family}'.* keys: '{first}'"):
        from_torch(weights, family)


def test_other_networks_are_recognised_as_such():
    weights = {"patch_embed.proj.weight": np.zeros((4, 3, 8, 8)), "blocks.0.norm1.bias": FACES}
    with pytest.raises(ValueError, match="vision transformer of cvlface"):
        from_torch(weights, "insightface")
    with pytest.raises(ValueError, match="none of those known.*1 keys: 'stem.weight'"):
        from_torch({"stem.weight": np.zeros(3)}, "insightface")


def damaged(kind):
    weights = {k: v for k, v in thin().items() if not k.endswith("num_batches_tracked")}
    if kind == "missing":
        del weights["layer2.1.bn3.running_var"], weights["features.weight"]
    elif kind == "unexpected":
        weights["layer2.1.se.fc1.weight"] = np.zeros((4, 4, 1, 1), "float32")
        weights["head.kernel"] = np.zeros((4, 4), "float32")
    elif kind == "shape":
        weights["layer3.0.conv1.weight"] = np.zeros((16, 8, 1, 1), "float32")
    else:
        weights["prelu.weight"] = np.ones(4, "int8")
    return weights


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "2 missing: 'layer2.1.bn3.running_var', 'features.weight'"),
        ("unexpected", "2 unexpected: 'layer2.1.se.fc1.weight', 'head.kernel'"),
        ("shape", r"1 misshapen: .layer3.0.conv1.weight \(16, 8, 1, 1\).*of \(16, 8, 3, 3\)"),
        ("type", r"1 misshapen: .prelu.weight \(4,\) int8"),
    ],
)
def test_damage_is_listed_and_the_model_left_as_it_was(kind, message):
    model = network()
    before = [to_numpy(v) for v in model.weights]
    for given in (model, None):
        with pytest.raises(ValueError, match=f"`path_or_state_dict`.*insightface.*{message}"):
            from_torch(damaged(kind), "insightface", given)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(to_numpy(variable), value)


@pytest.mark.parametrize(
    "key", ["conv1.weight", "bn2.weight", "fc.weight", "layer2.0.conv1.weight"]
)
def test_tensors_that_the_network_is_inferred_from(key):
    weights = thin()
    tensor = weights.pop(key)
    with pytest.raises(ValueError, match=f"missing: '{key}'"):
        from_torch(weights, "insightface")
    with pytest.raises(ValueError, match=f"misshapen: .{key}"):
        from_torch({**weights, key: tensor[..., None]}, "insightface")


def test_long_lists_are_counted_and_cut():
    with pytest.raises(ValueError, match=r"15 unexpected: ('[^']+', ){8}\.\.\.$"):
        from_torch(thin(), "insightface", network((2, 2, 2, 1)))


def two_networks():
    inputs = [keras.Input((112, 112, 3)) for _ in range(2)]
    outputs = [network(name=name)(x) for name, x in zip("ab", inputs, strict=True)]
    return keras.Model(inputs, keras.layers.Add()(outputs))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: keras.Sequential([keras.layers.Dense(3)]), "exactly one `IResNet`.*with 0"),
        (lambda: MobileFaceNet(depths=(1, 1, 1, 1)), "exactly one `IResNet`.*with 0"),
        (two_networks, "exactly one.*with 2"),
        (lambda: network(family="magface"), "family='insightface'.*epsilon=2e-05"),
        (lambda: network(family="adaface"), "unexpected: 'layer1.0.downsample.0.weight'"),
        (lambda: network(input_shape=(64, 112, 3)), r"fc.weight \(32, 1568\).*of \(32, 896\)"),
        (lambda: "model", "`model` must be a keras.Model"),
    ],
)
def test_models_that_do_not_fit(model, message):
    with pytest.raises(ValueError, match=f"{message}"):
        from_torch(thin(), "insightface", model())


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (3, "path or a mapping.*Received: int"),
        ({"state_dict": {"a": 1}}, "named tensors.*Received: 'a': int"),
        ({1: FACES}, "named tensors.*Received: 1"),
        ({}, "none of those known.*0 keys"),
    ],
)
def test_sources_that_are_no_weights(source, message):
    with pytest.raises(ValueError, match=message):
        from_torch(source, "insightface")


def test_paths_are_checked(tmp_path):
    with pytest.raises(FileNotFoundError, match="Received.*nothing.pt"):
        from_torch(tmp_path / "nothing.pt", "insightface")
    (tmp_path / "face.onnx").touch()
    with pytest.raises(ValueError, match="must end in .safetensors.*Received"):
        from_torch(tmp_path / "face.onnx", "insightface")
    with pytest.raises(ValueError, match="`family` must be one of.*Received: family='arcface'"):
        from_torch({}, "arcface")
    with pytest.raises(ValueError, match="`flip_channels` must be True or False.*Received"):
        from_torch(thin(), "insightface", flip_channels="BGR")
