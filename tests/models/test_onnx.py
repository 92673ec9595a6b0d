"""ONNX files by Keras's `export`: their inputs by name, and the numbers of the model."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close

onnxruntime = pytest.importorskip("onnxruntime")
RANDOM = np.random.default_rng(0)
INPUTS = {
    "images": RANDOM.normal(size=(3, 14, 14, 1)).astype("float32"),
    "keypoints": RANDOM.uniform(0, 1, (3, 5, 2)).astype("float32"),
}
TINY = {"input_shape": (14, 14, 1), "embedding_dim": 4}
VIT = {**TINY, "size": {"width": 8, "depth": 1, "num_heads": 2}, "patch_size": 7}
SWIN = {**TINY, "size": {"width": 8, "depths": (1,), "num_heads": (2,)}, "window_size": 3}
IS_TORCH = keras.backend.backend() == "torch"


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def randomize(model):
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape).astype("float32"))
    return model


def exported(model, inputs, path):
    """What runs the ONNX file of `model`, and what the model gives for the inputs."""
    expected = keras.ops.convert_to_numpy(model(inputs))  # Keras exports what was called
    signature = None
    if IS_TORCH:  # Keras writes a batch of unknown size by an exporter without normalizations
        spec = {name: keras.InputSpec(shape=x.shape, name=name) for name, x in inputs.items()}
        signature = [spec]
    model.export(path, format="onnx", verbose=False, input_signature=signature)
    return onnxruntime.InferenceSession(path), expected


def check_keypoints(model, path):
    session, expected = exported(randomize(model), INPUTS, path)
    assert {each.name for each in session.get_inputs()} == {"images", "keypoints"}
    assert_close(session.run(None, INPUTS)[0], expected)
    moved = {**INPUTS, "keypoints": INPUTS["keypoints"] + 0.5}
    assert np.abs(session.run(None, moved)[0] - expected).min(axis=0).max() > 1e-3
    if not IS_TORCH:
        one = {name: x[:1] for name, x in INPUTS.items()}
        assert_close(session.run(None, one)[0], expected[:1])


def test_keypoint_vit(tmp_path):
    check_keypoints(kr.models.KeypointViT(**VIT), tmp_path / "model.onnx")


@pytest.mark.backends("torch", reason="tf2onnx has no gelu, and JAX's is as of other models")
def test_keypoint_swin(tmp_path):
    check_keypoints(kr.models.KeypointSwin(**SWIN), tmp_path / "model.onnx")


@pytest.mark.backends("tensorflow", "jax", reason="where sizes are unknown in a trace")
def test_vit(tmp_path):
    model = randomize(kr.models.ViT(**VIT, position="rotary"))
    session, expected = exported(model, INPUTS["images"], tmp_path / "model.onnx")
    assert [each.name for each in session.get_inputs()] == ["image"]
    assert_close(session.run(None, {"image": INPUTS["images"]})[0], expected)
