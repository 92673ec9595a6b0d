"""The embeddings of the authors' code, from their tensors by name through `convert.from_torch`."""

import zlib

import keras
import numpy as np
import pytest

from keras_resample.models.convert import from_torch
from tests.models.published import golden, images, keypoints, state_dict
from tests.numerics import to_numpy

SMALL = [
    ("insightface_mobilefacenet", "insightface"),
    ("insightface_iresnet18", "insightface"),
    ("magface_iresnet18", "magface"),
    ("adaface_ir_18", "adaface"),
]
# The only one of its family.
LARGE = [("curricularface_ir_101", "curricularface")]
# What the smaller ones do not show of these is their depth alone.
DEEPER = [
    pytest.param(
        *(architecture, family),
        marks=pytest.mark.backends("torch", reason="the same code as the smaller ones"),
    )
    for architecture, family in (
        ("insightface_iresnet50", "insightface"),
        ("adaface_ir_50", "cvlface"),
        ("insightface_iresnet100", "insightface"),
        ("cvlface_vit_base", "cvlface"),
        ("cvlface_vit_small_kprpe", "cvlface"),
    )
]
# Layer whose output is that of the torch module, where the names say little.
STAGES = {
    "insightface_iresnet18": ["prelu", *(f"layer{i}_1_add" for i in (1, 2, 3, 4)), "bn2", "fc",
                              "features"],
    "insightface_mobilefacenet": ["conv1_prelu", "conv2_prelu", "down1_project_bn", "stage1_3_add",
                                  "down2_project_bn", "stage2_5_add", "down3_project_bn",
                                  "stage3_1_add", "conv_sep_prelu", "pool_bn", "fc", "features"],
}  # fmt: skip
STAGES["adaface_ir_18"] = STAGES["insightface_iresnet18"]


def expected_embedding(arrays):
    """AdaFace's code returns direction and length."""
    return arrays["emb_f64"] * arrays.get("norm_f64", 1)


def converted(architecture, family):
    """Model, its inputs and the golden arrays; the filled weights are those of the golden run."""
    arrays = golden(architecture)
    weights = state_dict(architecture)
    checksum = 0
    for value in weights.values():
        if value.dtype == np.float32:
            checksum = zlib.crc32(value.tobytes(), checksum)
    assert checksum == arrays["weights_crc32"]
    assert zlib.crc32(images(arrays["seed"]).tobytes()) == arrays["input_crc32"]
    inputs = images(arrays["seed"]).transpose(0, 2, 3, 1)
    if "kprpe" in architecture:
        inputs = {"images": inputs, "keypoints": keypoints(arrays["seed"])}
    return from_torch(weights, family), inputs, arrays


def difference(found, expected):
    return np.abs(to_numpy(found) - expected).max() / np.abs(expected).max()


@pytest.mark.parametrize(("architecture", "family"), [*SMALL, *LARGE, *DEEPER])
def test_embeddings_of_the_original(architecture, family):
    model, inputs, arrays = converted(architecture, family)
    found = model(inputs, training=False)
    assert difference(found, expected_embedding(arrays)) <= 2e-5
    sizes = [(v.name, int(np.prod(v.shape))) for v in model.weights]
    moving = sum(n for name, n in sizes if name.startswith("moving"))
    total = sum(n for _, n in sizes) - moving
    assert [total, moving] == arrays["counts"][:2].tolist()


@pytest.mark.backends("tensorflow", reason="float64 is off in JAX and rounded in Keras on torch")
@pytest.mark.parametrize(("architecture", "family"), SMALL)
def test_embeddings_in_double_precision(architecture, family):
    """Sees an epsilon of 1e-5 in place of 2e-5, which float32 does not."""
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    model, inputs, arrays = converted(architecture, family)
    found = model(inputs.astype("float64"), training=False)
    assert difference(found, expected_embedding(arrays)) <= 1e-9


@pytest.mark.every_backend
@pytest.mark.parametrize("architecture", STAGES)
def test_stages_of_the_original(architecture):
    """Eight channels of each stage: image 0 at its first pixel, image 1 at its last."""
    model, inputs, arrays = converted(architecture, architecture.partition("_")[0])
    names = STAGES[architecture]
    inner = keras.Model(model.input, [model.get_layer(name).output for name in names])
    for stage, name, found, probe in zip(
        arrays["stage_names"], names, inner(inputs), arrays["stage_probe"], strict=True
    ):
        found = to_numpy(found)
        found = found.reshape(2, -1, found.shape[-1])
        corners = np.stack([found[0, 0, :8], found[1, -1, -8:]])
        scale = np.abs(found).max()
        np.testing.assert_allclose(corners, probe, atol=2e-5 * scale, err_msg=f"{stage}, {name}")


def test_channels_first():
    weights, arrays = state_dict("insightface_iresnet18", thinner=16), images(1)
    expected = to_numpy(from_torch(weights, "insightface")(arrays.transpose(0, 2, 3, 1)))
    keras.config.set_image_data_format("channels_first")
    model = from_torch(weights, "insightface")
    assert model.input_shape == (None, 3, 112, 112)
    assert difference(model(arrays), expected) <= 2e-5
