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
# Maps of 5 and of 3 in windows of 2: padded, shifted, and merged between two stages.
SWIN = {**TINY, "size": {"width": 8, "depths": (2, 2), "num_heads": (2, 2)}, "window_size": 2}
SWIN |= {"input_shape": (16, 16, 1)}
NETWORKS = {"KeypointViT": VIT, "KeypointSwin": SWIN}
LARGER = {**INPUTS, "images": RANDOM.normal(size=(3, 16, 16, 1)).astype("float32")}
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


def check_keypoints(model, path, inputs=INPUTS):
    """What runs the file, which has both inputs by name and follows the keypoints."""
    session, expected = exported(randomize(model), inputs, path)
    assert {each.name for each in session.get_inputs()} == {"images", "keypoints"}
    assert_close(session.run(None, inputs)[0], expected)
    moved = {**inputs, "keypoints": inputs["keypoints"] + 0.5}
    assert np.abs(session.run(None, moved)[0] - expected).min(axis=0).max() > 1e-3
    if not IS_TORCH:
        one = {name: x[:1] for name, x in inputs.items()}
        assert_close(session.run(None, one)[0], expected[:1])
    return session


def test_keypoint_vit(tmp_path):
    check_keypoints(kr.models.KeypointViT(**VIT), tmp_path / "model.onnx")


@pytest.mark.parametrize("name", ["KeypointViT", "KeypointSwin"])
def test_missing_keypoints(name, tmp_path):
    inputs = INPUTS if name == "KeypointViT" else LARGER
    model = getattr(kr.models, name)(**NETWORKS[name], missing_keypoints=True)
    session = check_keypoints(model, tmp_path / "model.onnx", inputs)
    points = inputs["keypoints"].copy()
    points[0, 1], points[1, 2, 0], points[2] = np.nan, np.inf, np.nan
    broken = {**inputs, "keypoints": points}
    expected = keras.ops.convert_to_numpy(model(broken))
    assert np.isfinite(expected).all()
    assert_close(session.run(None, broken)[0], expected)


def test_keypoint_swin(tmp_path):
    model = kr.models.KeypointSwin(**SWIN)
    attentions = [x for x in model.layers if isinstance(x, kr.layers.WindowAttention)]
    shapes = [(attention.shift, *attention.output.shape[1:3]) for attention in attentions]
    assert shapes == [(0, 5, 5), (1, 5, 5), (0, 3, 3), (1, 3, 3)]
    check_keypoints(model, tmp_path / "model.onnx", LARGER)


@pytest.mark.backends("tensorflow", "jax", reason="where sizes are unknown in a trace")
def test_vit(tmp_path):
    model = randomize(kr.models.ViT(**VIT, position="rotary"))
    session, expected = exported(model, INPUTS["images"], tmp_path / "model.onnx")
    assert [each.name for each in session.get_inputs()] == ["image"]
    assert_close(session.run(None, {"image": INPUTS["images"]})[0], expected)
