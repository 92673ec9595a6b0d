"""TensorFlow's C API loads and runs a SavedModel: no Python of TensorFlow, of Keras or of ours."""

import base64
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from PIL import Image

import keras_resample as kr
from tests.numerics import to_numpy

tf = pytest.importorskip("tensorflow")

SCRIPT = pathlib.Path(__file__).with_name("c_library.py")
LIBRARY = next(pathlib.Path(tf.__file__).parent.glob("libtensorflow_cc.*"), None)
INVALID_ARGUMENT = 3

pytestmark = [
    pytest.mark.backends("tensorflow", reason="the C API is of TensorFlow"),
    pytest.mark.skipif(LIBRARY is None, reason="this TensorFlow has no C library"),
]


def test_the_c_library_runs_both_endpoints(tmp_path):
    images = keras.Input((8, 8, 3))
    warp = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")
    x = keras.layers.Flatten()(warp(images))
    model = keras.Model(images, keras.layers.Dense(4)(x))
    path = kr.export.saved_model(model, tmp_path / "1", data_format="channels_last")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype="uint8")
    files = []
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
        files.append((tmp_path / f"{number}.png").read_bytes())
    scaled = pixels.astype("float32") / 255
    damaged = [files[0], b"no image", files[2]]
    requests = [
        {**tensors(path, "serving_default"), "images": scaled.tolist()},
        {**tensors(path, "serve_jpeg"), "images": as_json(damaged)},
        {**tensors(path, "serve_jpeg"), "images": as_json(files)},
        {**tensors(path, "serving_default"), "images": scaled[:1].tolist()},
    ]
    of_arrays, of_damaged, of_files, of_one = answers(path, requests)
    expected = to_numpy(model(scaled))
    for found in (of_arrays, of_files):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(of_one, expected[:1], rtol=0, atol=1e-5)
    assert of_damaged == INVALID_ARGUMENT


def tensors(path, endpoint):
    """The names in the graph of the input and of the output of an endpoint."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    signature = saved.meta_graphs[0].signature_def[endpoint]
    names = signature.inputs["images"].name, signature.outputs["embedding"].name
    return dict(zip(("input", "output"), names, strict=True))


def as_json(files):
    return [{"b64": base64.b64encode(file).decode()} for file in files]


def answers(path, requests):
    command = [sys.executable, "-P", str(SCRIPT), str(LIBRARY), str(path)]
    text = json.dumps(requests)
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
