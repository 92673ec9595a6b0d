"""The bias by keypoints: against the reference, a loop, and what the formula promises."""

import math
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample.ops.relative_position import bucket_ids, read_tables
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, gradients, in_one_piece, to_numpy

GOLDENS = np.load(Path(__file__).parents[2] / "goldens" / "kprpe_bias.npz")
FORMS = {
    "rel_keypoint": {"mode": "relative"},
    "rel_keypoint_splithead": {"mode": "multihead", "share_depth": True},
    "rel_keypoint_unshared": {"mode": "relative", "share_depth": False},
    "rel_keypoint_splithead_unshared": {"mode": "multihead"},
}
RANDOM = np.random.default_rng(0)
KEYPOINTS = RANDOM.uniform(-0.2, 1.2, (3, 5, 2)).astype("float32")


def filled(layer, shape=KEYPOINTS.shape, seed=0):
    """The layer with random weights."""
    random = np.random.default_rng(seed)
    if not layer.built:
        layer.build(shape)
    for weight in layer.weights:
        weight.assign(random.normal(size=weight.shape).astype("float32"))
    return layer


def test_contract():
    arguments = {"num_heads": 2, "depth": 2, "grid_size": (2, 3), "stop_gradient": False}
    present = np.array([[True] * 5, [True, False, True, True, False], [True] * 5])
    inputs = {"keypoints": KEYPOINTS, "present": present}
    skip = {
        "half_precision": "its input are coordinates, which stay float32: see below",
        "data_format": "it has no images",
        "unknown_size": "the grid is fixed",
        "symbolic_shape": "it depends on the index: see test_in_a_functional_model",
    }
    check_layer(
        kr.layers.KeypointRelativeBias,
        arguments,
        inputs,
        call_arguments={"index": 1},
        prepare=filled,
        skip=skip,
    )


@pytest.mark.parametrize("name", FORMS)
def test_biases_are_those_of_the_reference(name):
    depth, heads, side = (int(number) for number in GOLDENS[f"{name}/cfg"])
    keypoints = GOLDENS["kp"].astype("float32")
    layer = kr.layers.KeypointRelativeBias(heads, depth, grid_size=side, **FORMS[name])
    layer.build(keypoints.shape)
    layer.kernel.assign(GOLDENS[f"{name}/W"].reshape(layer.kernel.shape))
    layer.bias.assign(GOLDENS[f"{name}/b"].reshape(layer.bias.shape))
    expected = GOLDENS[f"{name}/bias"]
    found = to_numpy(in_one_piece(layer, keypoints))
    assert_close(found[:, : expected.shape[1]], expected)
    ids = to_numpy(kr.ops.relative_position_buckets((side, side))[0])
    tables = GOLDENS[f"{name}/tables"]
    read = np.take_along_axis(tables, np.broadcast_to(ids, (*tables.shape[:3], *ids.shape)), -1)
    assert_close(found, np.broadcast_to(read, found.shape))


def test_places_from_the_keypoints_are_those_of_the_reference():
    """A head for each coordinate of a keypoint, in all buckets."""
    places = GOLDENS["rel14"]
    layer = kr.layers.KeypointRelativeBias(10, grid_size=14)
    layer.build((None, 5, 2))
    layer.kernel.assign(np.eye(10)[:, None, :, None] * np.ones(49))
    found = to_numpy(in_one_piece(layer, GOLDENS["kp"].astype("float32")))[0]
    assert_close(found[..., 0], places.transpose(0, 2, 1))
    assert not np.ptp(found, axis=-1).any()


@pytest.mark.parametrize("kind", ["KeypointRelativeBias", "KeypointWindowBias"])
def test_tables_are_not_those_of_each_place_in_each_image(kind, monkeypatch):
    """What is read has `49 heads (places + images)` numbers, not places times images."""
    sizes = []

    def counted(ids, *tables):
        sizes.extend(math.prod(table.shape) for table in tables)
        return read_tables(ids, *tables)

    layer = filled(getattr(kr.layers, kind)(2, grid_size=7))
    monkeypatch.setattr(sys.modules[type(layer).__module__], "read_tables", counted)
    points = RANDOM.uniform(0, 1, (30, 5, 2)).astype("float32")
    layer(points, index=0)
    assert sum(sizes) == 49 * 2 * (7 * 7 + 30)


def test_the_absolute_form_is_that_of_the_paper():
    keypoints = GOLDENS["kp"].astype("float32")
    layer = kr.layers.KeypointRelativeBias(3, depth=2, grid_size=4, mode="absolute")
    layer.build(keypoints.shape)
    layer.kernel.assign(GOLDENS["keypoint/W"].reshape(layer.kernel.shape))
    layer.bias.assign(GOLDENS["keypoint/b"].reshape(layer.bias.shape))
    tables = GOLDENS["keypoint/tables"][0, :, 0, 0]
    expected = tables[:, to_numpy(kr.ops.relative_position_buckets((4, 4))[0])]
    found = to_numpy(in_one_piece(layer, keypoints))
    assert found.shape == (2, 2, 3, 16, 16)
    for depth in range(2):
        for head in range(3):
            assert_close(found[depth, :, head], expected)


@pytest.mark.parametrize("method", ["product", "cross"])
@pytest.mark.parametrize("mode", ["multihead", "absolute"])
def test_by_a_loop(mode, method):
    arguments = {"grid_size": (2, 3), "num_class_tokens": 1, "mode": mode, "method": method}
    layer = filled(kr.layers.KeypointRelativeBias(2, **arguments))
    present = np.array([[True] * 5, [True, False, True, True, False], [False] * 5])
    kernel, constant = (to_numpy(w).astype("float64")[..., 0, :, :] for w in layer.weights)
    ids = bucket_ids((2, 3), method, 1.9, 3.8, 15.2, 0).reshape(-1, 6, 6)
    expected = np.zeros((3, 2, 7, 7))
    for image, head, i, j in np.ndindex(3, 2, 6, 6):
        h = 0 if mode == "absolute" else head
        center = (i % 3 + 0.5) / 3, (i // 3 + 0.5) / 2
        for bucket in ids[:, i, j]:
            value = constant[h, bucket]
            for point, axis in np.ndindex(5, 2):
                where = KEYPOINTS[image, point, axis]
                where = where if mode == "absolute" else center[axis] - where
                value += present[image, point] * where * kernel[2 * point + axis, h, bucket]
            expected[image, head, i + 1, j + 1] += value
    found = in_one_piece(lambda points: layer(points, present, index=0), KEYPOINTS)
    assert_close(found, expected)


def test_a_missing_keypoint_may_be_nan_and_stays_in_its_image():
    layer = filled(kr.layers.KeypointRelativeBias(2, grid_size=3))
    broken = KEYPOINTS.copy()
    broken[1, 2] = np.nan
    present = ~np.isnan(broken[..., 0])
    found = to_numpy(in_one_piece(layer, broken, present))
    assert np.isfinite(found).all()
    assert_close(found[0, ::2], to_numpy(in_one_piece(layer, KEYPOINTS))[0, ::2])
    spread = to_numpy(in_one_piece(layer, broken))[0]
    assert np.isnan(spread[1]).all() and np.isfinite(spread[::2]).all()


@pytest.mark.parametrize("kind", ["KeypointRelativeBias", "KeypointWindowBias"])
def test_one_row_of_keypoints_or_of_present_is_for_all_images(kind):
    layer = filled(getattr(kr.layers, kind)(2, grid_size=3))
    present = np.array([[True] * 5, [True, False, True, True, False], [False] * 5])

    def biases(points, present):
        return layer(points, present, index=0)

    for points, given in ((KEYPOINTS[:1], present), (KEYPOINTS, present[1:2])):
        found = to_numpy(in_one_piece(biases, points, given))
        assert found.shape == layer.compute_output_shape(points.shape, given.shape, index=0)
        each = np.broadcast_to(points, (3, 5, 2)), np.broadcast_to(given, (3, 5))
        assert_close(found, in_one_piece(biases, *each))


def test_keypoints_that_move_by_a_patch_move_the_bias_by_a_token():
    layer = filled(kr.layers.KeypointRelativeBias(2, grid_size=(4, 5)))
    step = np.array([1 / 5, 1 / 4], "float32")
    shape = (3, 2, 4, 5, 4, 5)
    before, after = (
        to_numpy(in_one_piece(layer, points)).reshape(shape)
        for points in (KEYPOINTS, KEYPOINTS + step)
    )
    assert_close(after[:, :, 1:, 1:, 1:, 1:], before[:, :, :-1, :-1, :-1, :-1])


def test_one_depth_is_that_of_all():
    layer = filled(kr.layers.KeypointRelativeBias(2, depth=3, grid_size=2))

    def all_ways(points):
        return layer(points), [layer(points, index=index) for index in range(3)]

    whole, parts = in_one_piece(all_ways, KEYPOINTS)
    for index, part in enumerate(parts):
        assert_close(part, whole[index])
    assert np.ptp(to_numpy(whole), axis=0).min() > 0


def test_it_starts_at_zero():
    layer = kr.layers.KeypointRelativeBias(2, grid_size=3)
    assert not to_numpy(layer(KEYPOINTS)).any()
    assert layer.count_params() == 11 * 49 * 2


@pytest.mark.parametrize("stop_gradient", [True, False])
def test_gradient_of_the_keypoints(stop_gradient):
    arguments = {"grid_size": 2, "stop_gradient": stop_gradient}
    layer = filled(kr.layers.KeypointRelativeBias(1, **arguments))
    weights = RANDOM.normal(size=(1, 3, 1, 4, 4)).astype("float32")
    (found,) = gradients(
        lambda points: ops.sum(ops.convert_to_tensor(weights) * layer(points)), KEYPOINTS
    )
    if stop_gradient:
        assert not np.any(found)
    else:
        ids = to_numpy(kr.ops.relative_position_buckets((2, 2))[0])
        kernel = to_numpy(layer.kernel)[:, 0, 0][:, ids]
        expected = -np.einsum("bij,pij->bp", weights[0, :, 0], kernel)
        assert_close(found, expected.reshape(KEYPOINTS.shape))


def test_half_precision_keeps_coordinates():
    layer = kr.layers.KeypointRelativeBias(2, grid_size=14, dtype="mixed_float16")
    exact = filled(kr.layers.KeypointRelativeBias(2, grid_size=14))
    layer.build(KEYPOINTS.shape)
    layer.set_weights(exact.get_weights())
    half, full = (to_numpy(in_one_piece(one, KEYPOINTS)) for one in (layer, exact))
    assert half.dtype == "float16"
    # Rounded once, at the end.
    np.testing.assert_allclose(half, full, rtol=2.0**-10, atol=1e-6)


def test_in_a_functional_model():
    points, present = keras.Input((5, 2)), keras.Input((5,), dtype="bool")
    layer = filled(kr.layers.KeypointRelativeBias(2, depth=2, grid_size=2), (None, 5, 2))
    model = keras.Model((points, present), [layer(points, present), layer(points, index=1)])
    assert [output.shape for output in model.outputs] == [(2, None, 2, 4, 4), (None, 2, 4, 4)]
    assert layer.compute_output_shape((None, 5, 2)) == model.outputs[0].shape
    assert layer.compute_output_shape((7, 5, 2), index=0) == (7, 2, 4, 4)
    whole, one = model.predict((KEYPOINTS, np.ones((3, 5), bool)), verbose=0)
    assert_close(whole[1], one)


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("arguments", "shape", "call", "message"),
    [
        ({"num_heads": 0}, (2, 5, 2), {}, "`num_heads` must be"),
        ({"grid_size": (2, 3, 4)}, (2, 5, 2), {}, "`grid_size` must be two positive"),
        ({"mode": "keypoint"}, (2, 5, 2), {}, "`mode` must be one of"),
        ({"share_heads": True}, (2, 5, 2), {}, "`share_heads` must be False"),
        ({"method": "quant"}, (2, 5, 2), {}, "`method` must be one of"),
        ({}, (2, 5, 3), {}, "`keypoints` must have shape"),
        ({}, (2, 4, 2), {}, "`keypoints` must be 5, as at first"),
        ({}, (2, 5, 2), {"index": 1}, "`index` must be below depth=1"),
        ({}, (2, 5, 2), {"present": np.ones((2, 4), bool)}, "`present` must have shape"),
        ({}, (2, 5, 2), {"present": np.ones((3, 5), bool)}, "must have the batch of `present`, 3"),
    ],
)
def test_bad_arguments(arguments, shape, call, message):
    with pytest.raises(ValueError, match=message):
        layer = kr.layers.KeypointRelativeBias(**{"num_heads": 2, "grid_size": 2, **arguments})
        layer(KEYPOINTS)
        layer(np.zeros(shape, "float32"), **call)
