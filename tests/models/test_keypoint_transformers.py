"""What networks with keypoints hand to their layers, and their gradients."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.numerics import assert_close, gradients, in_one_piece, to_numpy, with_values

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "kprpe_vit.npz")
WEIGHTS = {name[2:]: GOLDENS[name] for name in GOLDENS.files if name.startswith("P/")}
VIT = {"size": {"width": 16, "depth": 2, "num_heads": 2}, "input_shape": (14, 21, 1)}
VIT |= {"patch_size": 7, "embedding_dim": 8}
SWIN = {"size": {"width": 8, "depths": (1, 2), "num_heads": (1, 2)}, "input_shape": (14, 21, 1)}
SWIN |= {"embedding_dim": 8, "window_size": 3}
NETWORKS = {"KeypointViT": VIT, "KeypointSwin": SWIN}
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(3, 14, 21, 1)).astype("float32")
POINTS = RANDOM.uniform(0, 1, (3, 5, 2)).astype("float32")
INPUTS = {"images": IMAGES, "keypoints": POINTS}


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def randomize(model, scale=0.3):
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign_add(random.normal(0, scale, weight.shape).astype("float32"))
    return model


def made(name, **options):
    return getattr(kr.models, name)(**{**NETWORKS[name], **options})


def gradient_of_weights(model, inputs, loss, *names):
    """Gradients of the loss to the kernel of each layer, and to the keypoints."""
    kernels = [model.get_layer(name).kernel for name in names]

    def of(*arrays):
        *values, points = arrays
        given = {"images": ops.convert_to_tensor(inputs["images"]), "keypoints": points}
        return with_values(kernels, values, lambda: loss(model(given, training=False)))

    return gradients(of, *(to_numpy(kernel) for kernel in kernels), inputs["keypoints"])


@pytest.mark.every_backend
@pytest.mark.parametrize("attention", ["einsum", "fused", "auto"])
def test_gradient_of_the_keypoint_weights_is_that_of_the_authors(attention):
    """Of the squares of all numbers of the embeddings; none reaches the keypoints."""
    measures = {"width": 24, "depth": 2, "num_heads": 3, "mlp_ratio": 3}
    options = {"embedding_dim": 12, "attention": attention}
    model = kr.models.KeypointViT(measures, (32, 32, 3), **options)
    kr.models.convert.from_torch(WEIGHTS, "cvlface", model)
    inputs = {"images": GOLDENS["img"].transpose(0, 2, 3, 1), "keypoints": GOLDENS["kp"]}
    inputs = {name: array.astype("float32") for name, array in inputs.items()}
    found, of_points = gradient_of_weights(model, inputs, ops.square, "keypoint_linear")
    expected = GOLDENS["dkpl_w"]
    error = found.reshape(10, -1).T - expected
    assert np.abs(error).max() <= 1e-4 * np.abs(expected).max()
    assert GOLDENS["kp_grad_is_none"] and not of_points.any()


@pytest.mark.every_backend
@pytest.mark.parametrize("side", [5, 14])
def test_gradient_of_the_keypoint_weights_through_the_fused_product(side):
    """Fused kernels were seen to drop it."""
    tokens = RANDOM.normal(size=(2, side**2, 16)).astype("float32")
    weights = RANDOM.normal(size=(2, side**2, 16)).astype("float32")
    found = {}
    for attention in ("einsum", "fused"):
        keras.utils.set_random_seed(0)
        bias = kr.layers.KeypointRelativeBias(2, grid_size=side)
        layer = kr.layers.RelativeAttention(2, attention=attention)
        bias.build((None, 5, 2))
        layer.build((None, side**2, 16))
        randomize(layer)

        def outputs(kernel, constant, layer=layer, bias=bias):
            def attended():
                return layer(ops.convert_to_tensor(tokens), bias(POINTS[:2], index=0))

            read = with_values([bias.kernel, bias.bias], [kernel, constant], attended)
            return read * ops.convert_to_tensor(weights)

        tables = np.random.default_rng(2).normal(size=(11, 1, 2, 49)).astype("float32")
        found[attention] = gradients(outputs, tables[:10], tables[10])
    for fused, expected in zip(found["fused"], found["einsum"], strict=True):
        assert np.abs(expected).max() > 1e-3
        assert np.abs(fused - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.in_turn
@pytest.mark.parametrize("name", NETWORKS)
def test_arguments_of_the_layers(name):
    """`attention` reaches all attentions, the others all tables of keypoints."""
    options = {"mode": "relative", "share_heads": True, "share_depth": False}
    options |= {"stop_gradient": False}
    model = made(name, attention="einsum", **options)
    plain = made(name)
    kinds = kr.layers.RelativeAttention, kr.layers.WindowAttention
    attentions = [layer for layer in model.layers if isinstance(layer, kinds)]
    assert len(attentions) == 2 + (name == "KeypointSwin")
    assert {layer.attention for layer in attentions} == {"einsum"}
    for layer in model.layers:
        if isinstance(layer, kr.layers.KeypointRelativeBias):
            assert options == {key: getattr(layer, key) for key in options}
            other = plain.get_layer(layer.name)
            assert (other.mode, other.share_heads, other.share_depth) == ("multihead", False, False)
            assert other.stop_gradient
    with pytest.raises(ValueError, match="`attention` must be one of"):
        made(name, attention="flash")
    with pytest.raises(ValueError, match="`share_heads` must be False in mode 'multihead'"):
        made(name, share_heads=True)
    with pytest.raises(ValueError, match="`stop_gradient` must be"):
        made(name, stop_gradient="no")


@pytest.mark.in_turn
def test_attention_of_the_plain_network():
    model = kr.models.ViT(**VIT, attention="fused")
    assert model.get_layer("blocks_1_attn").attention == "fused"
    assert kr.models.ViT(**VIT).get_layer("blocks_1_attn").attention == "auto"
    with pytest.raises(ValueError, match="`attention` must be 'einsum' or 'auto' for a position"):
        kr.models.ViT(**VIT, position="irpe", attention="fused")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_products_are_equal_and_keypoints_have_a_gradient_on_demand(name, tmp_path):
    einsum = randomize(made(name, attention="einsum", stop_gradient=False))
    fused = made(name, attention="fused")
    fused.set_weights(einsum.get_weights())
    expected = einsum.predict(INPUTS, verbose=0)
    assert_close(fused.predict(INPUTS, verbose=0), expected)
    for model, flows in ((einsum, True), (fused, False)):
        (of_points,) = gradient_of_weights(model, INPUTS, ops.square)
        assert np.any(of_points) == flows
    einsum.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert_close(again.predict(INPUTS, verbose=0), expected)
    assert any(getattr(layer, "attention", None) == "einsum" for layer in again.layers)


@pytest.mark.in_turn
@pytest.mark.parametrize("name", NETWORKS)
def test_seventeen_keypoints(name):
    points = RANDOM.uniform(0, 1, (3, 17, 2)).astype("float32")
    heads = {"KeypointViT": 2 * 2, "KeypointSwin": 1 + 2 * 2}[name]  # of all blocks
    model = made(name, num_keypoints=17)
    few = made(name)
    assert model.count_params() - few.count_params() == 2 * (17 - 5) * 49 * heads
    tables = [layer for layer in model.layers if isinstance(layer, kr.layers.KeypointRelativeBias)]
    assert sum(table.count_params() for table in tables) == (2 * 17 + 1) * 49 * heads
    randomize(model)
    before = model.predict({**INPUTS, "keypoints": points}, verbose=0)
    points[:, 16] += 0.3
    after = model.predict({**INPUTS, "keypoints": points}, verbose=0)
    assert np.abs(after - before).max(1).min() > 1e-4


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision(name):
    exact = randomize(made(name), 0.1)
    keras.config.set_dtype_policy("mixed_float16")
    model = made(name)
    keras.config.set_dtype_policy("float32")
    assert {layer.compute_dtype for layer in model.layers} == {"float16", "float32"}
    model.set_weights(exact.get_weights())
    found = in_one_piece(lambda x, p: model({"images": x, "keypoints": p}), IMAGES, POINTS)
    expected = exact.predict(INPUTS, verbose=0)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert np.abs(expected).max() > 0.1
    assert_close(found, expected, 1e-2)
