"""A SavedModel gives the numbers of its model, alone, and appears completely or not at all."""

import copy
import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample.export.contract import Contract
from keras_resample.export.system_ops import refused_by
from tests.export.small_models import NATIVE, load, pooled
from tests.numerics import to_numpy

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("tensorflow")

# Runs without this project: nothing of it, of Keras or of another framework can be imported.
ALONE = """
import sys
for name in ("keras", "keras_resample", "jax", "torch"):
    sys.modules[name] = None
import numpy as np
import tensorflow as tf
folder, request, result = sys.argv[1:]
model = tf.saved_model.load(folder)
given = np.load(request, allow_pickle=True)
served = {}
for endpoint in ("serving_default", "serve_bytes"):
    for count in (1, 5):
        outputs = model.signatures[endpoint](images=tf.constant(given[endpoint][:count]))
        assert list(outputs) == ["embedding"], outputs
        served[f"{endpoint}_{count}"] = outputs["embedding"].numpy()
sizes = [variable.shape.num_elements() for variable in model._all_variables]
np.savez(result, sizes=sizes, **served)
"""


def encoder(dimension=6, size=(12, 16)):
    """A warped, convolved image; the flow and the statistics are not those of the start."""
    inputs = keras.Input((*size, 3))
    warp = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")
    x = warp(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu", data_format="channels_last")(x)
    x = keras.layers.BatchNormalization(moving_mean_initializer="random_normal")(x)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.Dense(dimension)(keras.layers.Flatten()(x))
    random = np.random.default_rng(0)
    warp.set_flow(random.uniform(-1.0, 1.0, warp.flow.shape).astype("float32"))
    return keras.Model(inputs, x)


def random_bytes(count=5, size=(12, 16), seed=1):
    return np.random.default_rng(seed).integers(0, 256, (count, *size, 3), dtype="uint8")


def encoded(image, kind):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind)
    return file.getvalue()


def numbers(model, images):
    return to_numpy(model(images, training=False))


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return kr.models.Recognizer(encoder(), head=kr.heads.ArcFace(num_classes=1000))


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    """The SavedModel of `model`; written once, because PyTorch needs a process for it."""
    path = tmp_path_factory.mktemp("served") / "face" / "1"
    assert kr.export.saved_model(model, str(path), check=False) == path
    return path


def test_numbers_without_this_package(model, served, tmp_path):
    """Both endpoints, one image and five, and images that have to be resized and decoded."""
    images = random_bytes()
    files = [encoded(image, "PNG") for image in images[:3]]
    files += [encoded(random_bytes(1, (30, 40))[0], "PNG"), encoded(images[4], "JPEG")]
    request, result = tmp_path / "request.npz", tmp_path / "result.npz"
    np.savez(
        request,
        serving_default=images.astype("float32") / 255,
        serve_bytes=np.array(files, dtype=object),
    )
    subprocess.run(
        [sys.executable, "-P", "-c", ALONE, str(served), str(request), str(result)], check=True
    )
    served = np.load(result)
    expected = numbers(model.encoder, images.astype("float32") / 255)
    decoded = []
    for file in files:
        image = np.asarray(Image.open(io.BytesIO(file)), "float32")[None]
        image = ops.image.resize(image, (12, 16), antialias=True, data_format="channels_last")
        decoded.append(to_numpy(image) / 255)
    expected_of_files = numbers(model.encoder, np.concatenate(decoded))
    for count in (1, 5):
        np.testing.assert_allclose(
            served[f"serving_default_{count}"], expected[:count], rtol=0, atol=1e-5
        )
        np.testing.assert_allclose(
            served[f"serve_bytes_{count}"], expected_of_files[:count], rtol=0, atol=1e-5
        )
    # The encoder is in the file, and the head, an array of 1000 x 6, is not.
    weights = [int(np.prod(v.shape)) for v in model.encoder.trainable_variables]
    assert set(weights) <= set(served["sizes"])
    assert max(served["sizes"]) == max(weights) < 6000


@pytest.fixture(scope="module")
def checked(model, served):
    """The report of a check, and what the process that ran the SavedModel answered."""
    module = sys.modules["keras_resample.export.check"]
    answers = []
    with pytest.MonkeyPatch.context() as patch:
        run = module._run
        patch.setattr(module, "_run", lambda *a, **b: answers.append(run(*a, **b)) or answers[0])
        report = kr.export.check(served, model, tolerance=1e-5)
    return report, answers[0]


@pytest.fixture
def answered(checked, monkeypatch):
    """Lets `check` see the same answers again, without another process."""
    module = sys.modules["keras_resample.export.check"]
    report, outputs = copy.deepcopy(checked[1])
    monkeypatch.setattr(module, "_run", lambda *a, **b: (report, outputs))
    return report, outputs


def test_check_passes_and_describes(checked, served):
    report, _ = checked
    assert report["must_compile"] == []
    assert report["path"] == str(served)
    endpoints = report["endpoints"]
    assert set(endpoints) == {"serving_default", "serve_uint8", "serve_bytes", "serve_jpeg"}
    images = {"dtype": "float32", "shape": [None, 12, 16, 3]}
    assert endpoints["serving_default"]["inputs"] == {"images": images}
    for name in ("serve_bytes", "serve_jpeg"):
        assert endpoints[name]["inputs"] == {"images": {"dtype": "string", "shape": [None]}}
    pixels = {"dtype": "uint8", "shape": [None, None, None, 3]}
    assert endpoints["serve_uint8"]["inputs"] == {"images": pixels}
    for endpoint in endpoints.values():
        assert list(endpoint["milliseconds"]) == ["1", "3", "5"]
        assert all(time > 0 for time in endpoint["milliseconds"].values())
        assert endpoint["outputs"] == {"embedding": {"dtype": "float32", "shape": [None, 6]}}
        assert endpoint["largest_difference"] <= 1e-5


def test_check_fails_for_another_model(served, answered):
    keras.utils.set_random_seed(3)
    with pytest.raises(ValueError, match='"serving_default" differs from the model by'):
        kr.export.check(served, encoder())


def test_check_fails_for_another_shape(served, answered):
    with pytest.raises(ValueError, match=r'"embedding" of shape \(1, 7\)'):
        kr.export.check(served, encoder(dimension=7))


@pytest.mark.parametrize("endpoint", ["serving_default", "serve_bytes", "serve_jpeg"])
@pytest.mark.parametrize("count", [1, 3, 5])
def test_check_fails_for_a_nan(model, served, answered, endpoint, count):
    answered[1][f"{endpoint}/embedding/0/{count}"][0, 2] = np.nan
    with pytest.raises(ValueError, match=f'"{endpoint}" differs from the model by'):
        kr.export.check(served, model)


def test_check_fails_for_a_function_that_must_be_compiled(model, served, answered):
    answered[0]["must_compile"] = ["__inference_kernel_12"]
    with pytest.raises(ValueError, match="without the XLA compiler.*__inference_kernel_12"):
        kr.export.check(served, model)


def test_check_names_the_operations(checked):
    """What is decoded and batched is in the endpoints of files alone."""
    endpoints = checked[0]["endpoints"]
    for name, found in endpoints.items():
        is_compiled = "XlaCallModule" in found["refused_by"]["LiteRT"]
        assert "MatMul" in found["operations"] or is_compiled
        of_files = name in ("serve_bytes", "serve_jpeg")
        assert ("DecodeJpeg" in found["refused_by"]["XLA"]) == of_files
        assert ("BatchFunction" in found["refused_by"]["XLA"]) == of_files
        assert found["refused_by"]["TensorFlow Serving"] == []
        assert set(found["refused_by"]["XLA"]) <= set(found["operations"])
    resizing = ["ScaleAndTranslate"]
    assert endpoints["serve_uint8"]["refused_by"]["XLA"] == resizing


@pytest.mark.backends("tensorflow", reason="it asks TensorFlow")
def test_what_xla_refuses_has_no_kernels_of_it(checked):
    import tensorflow as tf
    from tensorflow.python.framework import kernels

    tf.function(lambda x: x + 1, jit_compile=True)(tf.constant(1.0))  # which registers them
    known = {k.op for k in kernels.get_all_registered_kernels().kernel if "XLA" in k.device_type}
    used = set().union(*(found["operations"] for found in checked[0]["endpoints"].values()))
    refused = {"Placeholder", *refused_by(sorted(used))["XLA"]}
    assert used - known == refused & used


def test_check_fails_for_code_and_pipelines(model, served, answered):
    answered[0]["endpoints"]["serve_bytes"]["operations"] += ["MapDataset", "PyFunc"]
    with pytest.raises(ValueError, match="Serving refuses: .*MapDataset.*PyFunc.*Received: path="):
        kr.export.check(served, model)


def test_check_uses_given_images(model, served):
    module = sys.modules["keras_resample.export.trials"]
    contract = Contract.read(served)
    values = random_bytes()
    images = module.of_bytes(values, contract)
    np.testing.assert_allclose(images, values / 255, atol=1e-7)
    np.testing.assert_array_equal(module.as_bytes(images, contract), values)


def test_check_refuses_what_is_no_saved_model(model, tmp_path):
    with pytest.raises(ValueError, match="`path` must be a folder written by"):
        kr.export.check(tmp_path, model)


def test_check_refuses_images_of_another_shape(model, served):
    with pytest.raises(ValueError, match="`images` must be at least one image"):
        kr.export.check(served, model, images=np.ones((2, 12, 12, 3)))


def test_no_function_must_be_compiled(served):
    """A server without the XLA compiler refuses functions that must be compiled."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((served / "saved_model.pb").read_bytes())
    carriers = []
    for graph in saved.meta_graphs:
        carriers += graph.graph_def.node
        for function in graph.graph_def.library.function:
            carriers += [function, *function.node_def]
    assert len(carriers) > 20
    assert not [c for c in carriers if "_XlaMustCompile" in c.attr and c.attr["_XlaMustCompile"].b]


def test_the_layout_is_that_of_a_server(served):
    """A version number, readable by others, and nothing beside it that a server could load."""
    assert (served / "saved_model.pb").is_file()
    assert served.stat().st_mode & 0o777 == 0o755
    assert [p.name for p in served.parent.iterdir()] == ["1"]
    contract = json.loads((served / "assets.extra" / "keras_resample.json").read_text())
    assert contract["image_size"] == [12, 16] and contract["scale"] == 1 / 255


def test_the_model_is_as_before(model, served):
    """Nothing of the traced graph is left behind in the layers."""
    model.encoder(np.zeros((1, 12, 16, 3), "float32"))
    assert all(np.isfinite(to_numpy(loss)) for loss in model.encoder.losses)


def test_bridge_says_what_went_wrong(tmp_path):
    class Unregistered(keras.layers.Layer):
        def call(self, x):
            return x

    inputs = keras.Input((4, 4, 3))
    model = keras.Model(inputs, Unregistered()(inputs))
    with pytest.raises(RuntimeError, match="(?s)`custom_modules`.*Unregistered"):
        kr.export.saved_model(model, tmp_path / "1", bridge=True)
    assert list(tmp_path.iterdir()) == []


@NATIVE
def test_unknown_image_size(tmp_path):
    import tensorflow as tf

    model = pooled()
    path = kr.export.saved_model(
        model, tmp_path / "1", output_name="features", image_size=(8, 9), check=False
    )
    loaded = load(path)
    for size in ((8, 9), (20, 11)):
        images = np.random.default_rng(0).uniform(size=(2, *size, 3)).astype("float32")
        outputs = loaded.signatures["serving_default"](images=tf.constant(images))
        np.testing.assert_allclose(outputs["features"], numbers(model, images), rtol=0, atol=1e-5)
    files = tf.constant([encoded(random_bytes(1, (8, 9))[0], "PNG")])
    outputs = loaded.signatures["serve_bytes"](images=files)
    expected = numbers(model, random_bytes(1, (8, 9)).astype("float32") / 255)
    np.testing.assert_allclose(outputs["features"], expected, rtol=0, atol=1e-5)


@NATIVE
@pytest.mark.parametrize("channels", [1, 4])
def test_scale_offset_and_channels(tmp_path, channels):
    import tensorflow as tf

    model = pooled((6, 6), channels)
    path = kr.export.saved_model(model, tmp_path / "1", scale=1 / 127.5, offset=-1, check=False)
    image = np.random.default_rng(0).integers(0, 256, (6, 6, channels), dtype="uint8")
    file = encoded(image[..., 0] if channels == 1 else image, "PNG")
    outputs = load(path).signatures["serve_bytes"](images=tf.constant([file]))
    expected = numbers(model, image[None].astype("float32") / 127.5 - 1)
    np.testing.assert_allclose(outputs["embedding"], expected, rtol=0, atol=1e-5)


@NATIVE
def test_channels_first(tmp_path):
    import tensorflow as tf

    inputs = keras.Input((3, 8, 10))
    warp = kr.layers.FlowWarpDownsample(0.5, antialias=True, data_format="channels_first")
    model = keras.Model(inputs, warp(inputs))
    path = kr.export.saved_model(model, tmp_path / "1", data_format="channels_first", check=False)
    image = random_bytes(1, (8, 10))
    outputs = load(path).signatures["serve_bytes"](images=tf.constant([encoded(image[0], "PNG")]))
    expected = numbers(model, np.transpose(image, (0, 3, 1, 2)).astype("float32") / 255)
    np.testing.assert_allclose(outputs["embedding"], expected, rtol=0, atol=1e-5)


@NATIVE
def test_half_precision_is_served_as_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = pooled((6, 6))
    keras.config.set_dtype_policy("float32")
    path = kr.export.saved_model(model, tmp_path / "1", endpoints="serving_default", check=False)
    signatures = load(path).signatures
    assert list(signatures) == ["serving_default"]
    assert signatures["serving_default"].structured_outputs["embedding"].dtype == "float32"


@NATIVE
def test_integer_images(tmp_path):
    import tensorflow as tf

    inputs = keras.Input((6, 6, 3), dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(inputs)
    model = keras.Model(inputs, keras.layers.Flatten()(x))
    path = kr.export.saved_model(model, tmp_path / "1", scale=1, check=False)
    image = random_bytes(1, (6, 6))
    outputs = load(path).signatures["serve_bytes"](images=tf.constant([encoded(image[0], "PNG")]))
    np.testing.assert_allclose(outputs["embedding"], image.reshape(1, -1) / 255, atol=1e-6)
