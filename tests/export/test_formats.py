"""Files of other runtimes give the numbers of their model, or do not appear."""

import importlib.util
import pathlib
import re
import sys

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.export.small_models import pooled
from tests.export.systems import FORMATS, SYSTEMS
from tests.numerics import to_numpy

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "results" / "export_formats.md"
TITLES = {"ONNX": "onnx", "OpenVINO": "openvino", "LiteRT": "litert", ".pt2": "torch"}
BACKEND = keras.backend.backend()
RUNTIMES = {
    "onnx": ["onnxruntime"],
    "openvino": ["openvino"],
    "litert": ["ai_edge_litert", "tensorflow"],
    "torch": ["torch"],
}
# One that every backend writes with what the tests install.
onnxruntime = pytest.importorskip("onnxruntime")


def of_the_page():
    """Model, format and cell of each export of this backend that the page tells of."""
    rows = re.findall(r"^\| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    header, *rows = (row.split(" | ") for row in rows if not row.startswith("---"))
    for row in rows:
        cells = dict(zip(header, row, strict=True))
        if cells["backend"] == BACKEND:
            for title, name in TITLES.items():
                yield cells["model"], name, cells[title]


@pytest.mark.parametrize(("system", "name", "cell"), list(of_the_page()))
def test_the_page_says_what_works(system, name, cell, tmp_path):
    if not any(map(importlib.util.find_spec, RUNTIMES[name])):
        pytest.skip(f"{RUNTIMES[name][0]} is not installed")
    make, arguments = SYSTEMS[system]
    path = tmp_path / f"model{FORMATS[name]}"
    write = getattr(kr.export, name)
    if cell.startswith("any batch"):
        assert write(make(), path, tolerance=1e-5, **arguments) == path
        assert path.is_file()
    elif cell.startswith("fixed batch"):
        write(make(), path, tolerance=1e-5, batch_size=3, **arguments)
        assert path.is_file()
    elif cell == "-":
        with pytest.raises(ValueError, match=r"model.save\(.*KERAS_BACKEND=.*Received"):
            write(make(), path, **arguments)
        assert not list(tmp_path.iterdir())


def test_the_page_has_every_system_on_every_backend():
    text = PAGE.read_text()
    for system in SYSTEMS:
        for backend in ("tensorflow", "jax", "torch"):
            assert f"| {system} | {backend} |" in text


@pytest.fixture(scope="module")
def model():
    return pooled((6, 6))


@pytest.fixture(scope="module")
def path(model, tmp_path_factory):
    return kr.export.onnx(model, tmp_path_factory.mktemp("files") / "model.onnx")


def test_inputs_and_output_have_names(path):
    session = onnxruntime.InferenceSession(path)
    (images,), (embedding,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.shape[1:]) == ("images", [6, 6, 3])
    assert not isinstance(images.shape[0], int)
    assert embedding.name == "embedding"


def test_several_inputs_have_the_names_of_the_model(tmp_path):
    make, _ = SYSTEMS["KeypointViT, images and keypoints"]
    path = tmp_path / "model.onnx"
    random = np.random.default_rng(0)
    inputs = {
        "images": random.uniform(size=(3, 14, 14, 3)),
        "keypoints": random.uniform(size=(3, 5, 2)),
    }
    kr.export.onnx(make(), path, output_name="face", batch_size=3, images=inputs)
    session = onnxruntime.InferenceSession(path)
    assert [each.name for each in session.get_inputs()] == ["images", "keypoints"]
    assert [each.name for each in session.get_outputs()] == ["face"]
    with pytest.raises(ValueError, match="`images` must have an array.*keypoints"):
        kr.export.onnx(make(), tmp_path / "other.onnx", images=inputs["images"])


def test_check_describes_a_file(path, model):
    report = kr.export.check(path, model)
    assert report["inputs"] == {"images": {"dtype": "float32", "shape": [None, 6, 6, 3]}}
    assert report["outputs"]["embedding"]["dtype"] == "float32"
    assert report["batches"] == [1, 2, 5]
    assert report["largest_difference"] < 1e-5


def test_check_fails_for_another_model(path):
    keras.utils.set_random_seed(3)
    with pytest.raises(ValueError, match="differs from the model by.*Received: path="):
        kr.export.check(path, pooled((6, 6)))
    with pytest.raises(ValueError, match=r"must take .*\[None, 6, 5, 3\].* but takes"):
        kr.export.check(path, pooled((6, 5)))


def test_a_wrong_file_does_not_appear(model, path, tmp_path, monkeypatch):
    """What the exporter writes is another model, and what stood there stays."""
    module = sys.modules["keras_resample.export.onnx"]
    other = path.read_bytes()
    keras.utils.set_random_seed(5)
    mine = tmp_path / "model.onnx"
    mine.write_bytes(b"the earlier file")
    kind = module.ONNX.__class__(
        **{**vars(module.ONNX), "write": lambda model, file: file.write_bytes(other)}
    )
    monkeypatch.setattr(module, "ONNX", kind)
    with pytest.raises(ValueError, match=f"differs from the model by.*{mine}"):
        kr.export.onnx(pooled((6, 6)), mine, overwrite=True)
    assert mine.read_bytes() == b"the earlier file"
    kr.export.onnx(pooled((6, 6)), mine, overwrite=True, check=False)
    assert mine.read_bytes() == other
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]


def test_an_exporter_that_fails_is_told(model, tmp_path, monkeypatch):
    module = sys.modules["keras_resample.export.onnx"]

    def fail(model, file):
        raise NotImplementedError("no such operation\n\nread the manual")

    kind = module.ONNX.__class__(**{**vars(module.ONNX), "write": fail})
    monkeypatch.setattr(module, "ONNX", kind)
    with pytest.raises(RuntimeError, match="as ONNX on.*KERAS_BACKEND=.*no such operation read"):
        kr.export.onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_the_head_is_gone_and_the_model_as_before(tmp_path):
    encoder = pooled((6, 6))
    recognizer = kr.models.Recognizer(encoder, kr.heads.ArcFace(5000))
    recognizer.build((None, 6, 6, 3))
    weights = [to_numpy(weight) for weight in recognizer.weights]
    names = [layer.name for layer in encoder.layers]
    path = kr.export.onnx(recognizer, tmp_path / "model.onnx", check=False)
    assert path.stat().st_size < 4 * 5000
    assert [layer.name for layer in encoder.layers] == names
    for before, after in zip(weights, recognizer.weights, strict=True):
        np.testing.assert_array_equal(before, to_numpy(after))


def test_half_precision_is_returned_as_float32(tmp_path):
    keras.config.set_dtype_policy("float16")
    model = pooled((6, 6))
    keras.config.set_dtype_policy("float32")
    module = sys.modules["keras_resample.export.file_model"]
    file_model = module.FileModel(model, "embedding")
    images = np.random.default_rng(0).uniform(size=(2, 6, 6, 3)).astype("float32")
    found = file_model(images)
    assert found.dtype == keras.ops.zeros((), "float32").dtype
    np.testing.assert_array_equal(to_numpy(found), to_numpy(model(images)).astype("float32"))


@pytest.mark.parametrize("name", ["litert", "torch"])
def test_formats_of_other_backends_are_refused(model, name, tmp_path):
    if (name, BACKEND) in (("litert", "tensorflow"), ("torch", "torch")):
        pytest.skip("written on this backend")
    writer = {"litert": "tensorflow", "torch": "torch"}[name]
    with pytest.raises(ValueError, match=f"on the {BACKEND} backend.*KERAS_BACKEND={writer}"):
        getattr(kr.export, name)(model, tmp_path / f"model{FORMATS[name]}")
    assert not list(tmp_path.iterdir())


def test_without_what_writes_or_runs_it(model, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    missing = set()
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else found(name)
    )
    missing.add("onnx")
    with pytest.raises(ImportError, match="needs onnx. Install with: pip install onnx"):
        kr.export.onnx(model, tmp_path / "model.onnx", check=False)
    missing.clear()
    missing.add("onnxruntime")
    with pytest.raises(ImportError, match="needs onnxruntime.*check=False"):
        kr.export.onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def several_outputs():
    images = keras.Input((6, 6, 3))
    return keras.Model(images, [images, images])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "model.pt"}, "`path` must end in .onnx"),
        ({"path": 3}, "`path` must be a file of this machine"),
        ({"path": "gs://bucket/model.onnx"}, "`path` must be a file of this machine"),
        ({"output_name": "my output"}, "`output_name`"),
        ({"image_size": (6, 7)}, "`image_size` must be the input size"),
        ({"image_size": 6}, "`image_size`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"overwrite": 1}, "`overwrite`"),
        ({"check": "no"}, "`check`"),
        ({"tolerance": -1}, "`tolerance`"),
        ({"images": np.ones((2, 5, 6, 3))}, "`images` must be at least one of shape"),
        ({"images": np.ones((0, 6, 6, 3))}, "`images` must be at least one"),
        ({"model": pooled()}, "`image_size` is needed"),
        ({"model": several_outputs()}, "`model` must have one output"),
        ({"model": keras.Sequential([keras.layers.Dense(2)])}, "must be built"),
    ],
)
def test_bad_arguments(model, tmp_path, arguments, message):
    arguments = {"model": model, "path": tmp_path / "model.onnx", **arguments}
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        kr.export.onnx(**arguments)
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays_without_overwrite(model, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_text("the earlier file")
    with pytest.raises(ValueError, match="overwrite=True.*model.onnx.*Received"):
        kr.export.onnx(model, path)
    assert path.read_text() == "the earlier file"
    with pytest.raises(TypeError, match="must be a Keras model"):
        kr.export.onnx(keras.layers.Dense(2), tmp_path / "other.onnx")


def test_a_btnet_says_which_resolution(tmp_path):
    make, _ = SYSTEMS["BTNet, a branch"]
    with pytest.raises(ValueError, match=r"`image_size` must say which.*\(16, 16\), \(8, 8\)"):
        kr.export.onnx(make(), tmp_path / "model.onnx")
