"""MobileFaceNet: counts, sizes, both data formats, and training of its grouped convolution."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_resample.layers import FlowWarpDownsample
from keras_resample.models import MobileFaceNet
from tests.models.network_checks import check_network
from tests.models.segmentation_networks import images
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP

GOLDENS = Path(__file__).parents[1] / "goldens"


def small(**kwargs):
    return MobileFaceNet(
        **{"input_shape": (20, 32, 3), "embedding_dim": 8, "depths": (1, 1, 1, 1), **kwargs}
    )


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("key", "arguments"),
    [("mbf", {}), ("mbf_large", {"depths": (2, 8, 12, 4), "filters": 256})],
)
def test_parameter_counts(key, arguments):
    with keras.StatelessScope():
        model = MobileFaceNet(**arguments)
    found = sum(int(np.prod(v.shape)) for v in model.variables if "moving" not in v.name)
    with np.load(GOLDENS / "param_counts.npz") as golden:
        assert found == golden[key]
    assert found == model.count_params() - sum(
        int(np.prod(v.shape)) for v in model.non_trainable_variables
    )


def test_any_size_becomes_one_vector():
    model = small(input_shape=(90, 33, 1))
    assert model.get_layer("conv_sep_prelu").output.shape == (None, 6, 3, 512)
    assert model.get_layer("pool").kernel.shape == (6, 3, 512, 1)
    assert model.get_layer("pool").output.shape == (None, 1, 1, 512)
    assert model.output_shape == (None, 8)


def test_promises(tmp_path):
    check_network(
        small, images(2, 20, 32, 3), half_layer="stage3_0_add", half=None, folder=tmp_path
    )


def test_grouped_convolution_reads_two_channels_per_group():
    layer = small().get_layer("conv2")
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 128)).astype("float32")
    kernel = to_numpy(layer.kernel)
    assert kernel.shape == (3, 3, 2, 128)
    expected = [
        np.sum(x[0, 1:4, 1:4, o // 2 * 2 : o // 2 * 2 + 2] * kernel[..., o]) for o in range(128)
    ]
    np.testing.assert_allclose(to_numpy(layer(x))[0, 2, 2], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("policy", "jit_compile"),
    [("float32", "auto"), ("mixed_bfloat16", "auto"), ("float32", False), ("mixed_float16", False)],
)
def test_grouped_convolution_trains(policy, jit_compile, backend):
    if not jit_compile and backend != "tensorflow":
        pytest.skip("TensorFlow alone has other kernels where it does not compile")
    keras.config.set_dtype_policy(policy)
    network = small(input_shape=(12, 12, 3))
    model = keras.Model(network.input, network.get_layer("conv2_prelu").output)
    before = to_numpy(network.get_layer("conv2").kernel)
    model.compile("adam", "mse", jit_compile=jit_compile)
    rng = np.random.default_rng(0)
    images, targets = rng.normal(size=(4, 12, 12, 3)), rng.normal(size=(4, 6, 6, 128))
    history = model.fit(images, targets, epochs=4, verbose=0).history["loss"]
    assert history[-1] < history[0]
    change = np.abs(to_numpy(network.get_layer("conv2").kernel) - before)
    assert np.isfinite(change).all() and np.mean(change > 0) > 0.9


@pytest.mark.backends("tensorflow", reason="only TensorFlow compiles a part of a graph")
def test_saved_model_needs_no_compiler(tmp_path):
    small().export(str(tmp_path), verbose=False)
    assert b"_XlaMustCompile" not in (tmp_path / "saved_model.pb").read_bytes()


@pytest.mark.in_turn
def test_trains_behind_a_sampler():
    inputs = keras.Input((40, 40, 3))
    x = FlowWarpDownsample(0.5)(inputs)
    model = keras.Model(inputs, small(input_shape=x.shape[1:])(x))
    model.compile("adam", "mse", **STEP_BY_STEP)
    rng = np.random.default_rng(0)
    images, targets = rng.normal(size=(4, 40, 40, 3)), rng.normal(size=(4, 8))
    history = model.fit(images, targets, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_ends_with_the_stages(policy):
    keras.config.set_dtype_policy(policy)
    model = small()
    assert model.output.dtype == model.get_layer("conv_sep").output.dtype == "float32"
    assert model.get_layer("stage3_0_add").output.dtype == policy.removeprefix("mixed_")


def test_initial_weights_of_the_original():
    model = small()
    fan_outs = {"conv2": 9 * 128, "stage3_0_expand": 256, "stage3_0_depthwise": 9 * 256,
                "pool": 2 * 2 * 512, "fc": 8}  # fmt: skip
    for name, fan_out in fan_outs.items():
        found = to_numpy(model.get_layer(name).kernel).std()
        np.testing.assert_allclose(found, (2 / fan_out) ** 0.5, rtol=0.06, err_msg=name)


@pytest.mark.in_turn
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"depths": (1, 2, 3)}, "depths"),
        ({"depths": (1, 0, 1, 1)}, "depths"),
        ({"filters": 96}, "filters"),
        ({"filters": 0}, "filters"),
        ({"input_shape": (None, None, 3)}, "input_shape"),
        ({"embedding_dim": 0}, "embedding_dim"),
        ({"data_format": "NHWC"}, "data_format"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        small(**arguments)
