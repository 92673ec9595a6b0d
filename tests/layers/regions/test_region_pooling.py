"""Region pooling and its adaptive form: where they crop, what they read, and what they survive."""

import pathlib

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests import numerics
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

GOLDEN = np.load(pathlib.Path(__file__).parents[2] / "goldens/region_pooling.npz")
RANDOM = np.random.default_rng(3)
MAPS = RANDOM.normal(size=(3, 12, 10, 4)).astype("float32")
MAPS[:, 3:8, 4:9] += np.array([1.0, 0.4, 0.8])[:, None, None, None]  # something to see
HALF = {"entries": 6}
BOTH = pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])


def pool(maps, rate=0.5, k=1.0, adaptive=True, **arguments):
    """Outputs and regions, in numpy."""
    options = {"data_format": "channels_last", **arguments}
    layer = (
        kr.layers.AdaptiveRegionPooling(rate, k, **options)
        if adaptive
        else kr.layers.RegionPooling(rate, **options)
    )
    outputs, regions = layer(ops.convert_to_tensor(maps), return_regions=True)
    return to_numpy(outputs), {name: to_numpy(value) for name, value in regions.items()}


def pixel_boxes(regions, size):
    return np.round(regions["boxes"] * [*size[::-1], *size[::-1]], 3)


def loop(maps, rate, k, kernel):
    """Box (x, y, x, y) in pixels, rates and confidence of one map, step by step in float64."""
    maps = maps.astype("float64")
    z = (maps - maps.mean((0, 1))) / np.sqrt(maps.var((0, 1)) + 1e-5)
    confidence = 1.0 / (1.0 + np.exp(-z.mean(-1)))
    rates, lengths = [], []
    for axis, side in enumerate(confidence.shape):
        shares = confidence.sum(1 - axis) / confidence.sum()
        places = np.arange(side)
        mean = (shares * places).sum()
        spread = np.sqrt((shares * (places - mean) ** 2).sum())
        rates.append(rate if k is None else min(max(k * 2 * 3**0.5 / side * spread, rate), 1.0))
        lengths.append(
            int(min(max(np.floor(side * rates[-1] + 0.5), np.floor(side * rate + 0.5)), side))
        )
    windows = [np.ones(n) for n in lengths]
    if kernel == "gaussian":
        windows = [np.exp(-0.5 * ((np.arange(n) - (n - 1) / 2) / (n / 6)) ** 2) for n in lengths]
    scores = np.array([
        [
            (confidence[y : y + lengths[0], x : x + lengths[1]] * np.outer(*windows)).sum()
            for x in range(confidence.shape[1] - lengths[1] + 1)
        ]
        for y in range(confidence.shape[0] - lengths[0] + 1)
    ])  # fmt: skip
    y, x = np.unravel_index(scores.argmax(), scores.shape)
    return [x, y, x + lengths[1], y + lengths[0]], rates, confidence


@pytest.mark.parametrize("case", range(6))
def test_the_golden_regions(case):
    maps = GOLDEN[f"c{case}_x"].astype("float32")[None]
    for k in ("0.0", "0.5", "0.7", "1.0", "5.0"):
        name = f"c{case}_k{k}"
        expected = GOLDEN[f"{name}_out"]
        outputs, regions = pool(maps, k=float(k))
        y, x, height, width = GOLDEN[f"{name}_box"]
        found = pixel_boxes(regions, maps.shape[1:3])
        np.testing.assert_array_equal(found, [[x, y, x + width, y + height]])
        assert np.abs(regions["rates"][0] - GOLDEN[f"{name}_dsr"]).max() < 1e-6
        assert np.abs(outputs[0] - expected).max() < 1e-4
    assert_close(regions["confidence"][0], GOLDEN[f"c{case}_conf"], 1e-6)
    if expected.shape[0] * 2 == maps.shape[1]:
        fixed, _ = pool(maps, adaptive=False)
        assert_close(fixed[0], GOLDEN[f"c{case}_k0.0_out"], 1e-4)


@pytest.mark.parametrize("kernel", ["gaussian", "box"])
@pytest.mark.parametrize("k", [None, 0.6, 0.9])
def test_it_equals_the_loop(k, kernel):
    arguments = {"adaptive": False} if k is None else {"k": k}
    _, regions = pool(MAPS, kernel=kernel, **arguments)
    for i, maps in enumerate(MAPS):
        box, rates, confidence = loop(maps, 0.5, k, kernel)
        np.testing.assert_array_equal(pixel_boxes(regions, (12, 10))[i], box)
        assert_close(regions["rates"][i], rates, 1e-6)
        assert_close(regions["confidence"][i], confidence, 1e-6)


def test_a_large_k_is_a_resize_and_a_small_k_a_copy():
    outputs, regions = pool(MAPS, k=5.0)
    expected = ops.image.resize(MAPS, (6, 5), antialias=False, data_format="channels_last")
    assert_close(outputs, expected, 5e-6)
    np.testing.assert_array_equal(regions["boxes"], [[0, 0, 1, 1]] * 3)
    outputs, regions = pool(MAPS, k=0.0)
    for i, (x, y, right, bottom) in enumerate(pixel_boxes(regions, (12, 10)).astype(int)):
        assert_close(outputs[i], MAPS[i, y:bottom, x:right], 5e-6)
    assert_close(pool(MAPS, adaptive=False)[0], outputs, 1e-7)


@BOTH
@pytest.mark.parametrize("side, rate", [(25, 0.58), (45, 0.7), (50, 0.29), (50, 0.57), (75, 0.82)])
def test_a_copy_where_float32_would_round_to_another_length(side, rate, adaptive):
    maps = np.random.default_rng(0).normal(size=(1, side, 3, 2)).astype("float32")
    outputs, regions = pool(maps, rate, k=0.0, adaptive=adaptive)
    x, y, right, bottom = pixel_boxes(regions, (side, 3))[0].astype(int)
    assert_close(outputs[0], maps[0, y:bottom, x:right], 5e-6)


@BOTH
def test_a_region_is_that_of_its_own_map(adaptive):
    together, regions = pool(MAPS, k=0.7, adaptive=adaptive)
    for i in range(3):
        alone, region = pool(MAPS[i : i + 1], k=0.7, adaptive=adaptive)
        assert_close(alone[0], together[i], 5e-6)
        found, expected = (pixel_boxes(r, (12, 10)) for r in (region, regions))
        np.testing.assert_array_equal(found[0], expected[i])


@BOTH
def test_scale_and_shift_of_a_channel_leave_the_box(adaptive):
    _, regions = pool(MAPS, k=0.7, adaptive=adaptive)
    _, moved = pool(MAPS * [1.0, 30.0, 0.5, 7.0] + [0.0, 40.0, -3.0, 5.0], 0.5, 0.7, adaptive)
    assert_close(moved["boxes"], regions["boxes"], 1e-6)


@BOTH
def test_of_equal_windows_the_first_one_wins(adaptive):
    flat = np.full((2, 11, 9, 3), 0.1, "float32")
    _, regions = pool(flat, k=0.5, adaptive=adaptive)
    np.testing.assert_array_equal(pixel_boxes(regions, (11, 9)), [[0, 0, 5, 6]] * 2)
    symmetric = RANDOM.normal(size=(1, 11, 9, 3)).astype("float32")
    symmetric += symmetric[:, :, ::-1]
    symmetric += symmetric[:, ::-1]
    _, regions = pool(symmetric, k=0.5, adaptive=adaptive)
    box = pixel_boxes(regions, (11, 9))[0]
    assert box[0] <= 9 - box[2] and box[1] <= 11 - box[3]


@BOTH
def test_the_gradient_is_that_of_the_values(adaptive):
    outputs, regions = pool(MAPS, k=0.7, adaptive=adaptive)
    weights = RANDOM.normal(size=outputs.shape).astype("float32")
    boxes = regions["boxes"]

    def pooled(maps):
        layer = kr.layers.AdaptiveRegionPooling(0.5, 0.7 if adaptive else 0.0)
        return layer(maps) * ops.convert_to_tensor(weights)

    def read(maps):
        crops = kr.ops.roi_align(maps, boxes, (6, 5), data_format="channels_last")
        return crops * ops.convert_to_tensor(weights)

    (found,), (expected,) = (numerics.gradients(fn, MAPS) for fn in (pooled, read))
    assert_close(found, expected, 1e-5)
    assert np.abs(found).max() > 0.1


@BOTH
def test_a_nan_spoils_its_own_map(adaptive):
    maps = MAPS.copy()
    maps[1, 0, 0, 2] = np.nan
    outputs, regions = pool(maps, k=0.7, adaptive=adaptive)
    assert np.isnan(outputs[1]).all() and np.isnan(regions["boxes"][1]).all()
    expected, _ = pool(MAPS[::2], k=0.7, adaptive=adaptive)
    assert_close(outputs[::2], expected, 1e-6)


def test_large_values_in_half_precision():
    maps = (MAPS * 2500).clip(-1e4, 1e4).astype("float16")
    outputs, regions = pool(maps, k=0.7, dtype="float16")
    _, expected = pool(maps.astype("float32"), k=0.7)
    assert outputs.dtype == "float16" and np.isfinite(outputs).all()
    for name in ("boxes", "rates", "confidence"):
        assert regions[name].dtype == "float32"
        np.testing.assert_array_equal(regions[name], expected[name])


@BOTH
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 1)])
def test_maps_of_one_pixel(size, adaptive):
    maps = RANDOM.normal(size=(2, *size, 3)).astype("float32")
    outputs, _ = pool(maps, 0.3, adaptive=adaptive)
    assert outputs.shape == (2, *(max(1, round(0.3 * n)) for n in size), 3)
    assert np.isfinite(outputs).all()


def test_the_output_size_rounds_half_up():
    layer = kr.layers.RegionPooling(0.29, data_format="channels_last")
    assert layer.compute_output_shape((None, 50, 5, 1)) == (None, 14, 1, 1)  # 50 * 0.29 < 14.5
    assert layer.compute_output_shape((None, None, 5, 1)) == (None, None, 1, 1)
    odd = kr.layers.RegionPooling(0.5, data_format="channels_last")
    assert odd.compute_output_shape((2, 13, 15, 1)) == (2, 7, 8, 1)


def test_region_pooling():
    only = ["config", "build", "symbolic_shape", "data_format", "keras_file", "exchange"]
    check_layer(kr.layers.RegionPooling, {"rate": 0.5}, MAPS, only=only)


def test_adaptive_region_pooling():
    arguments = {"rate": 0.5, "k": 0.8, "kernel": "box"}
    check_layer(kr.layers.AdaptiveRegionPooling, arguments, MAPS, gradient=HALF)


def test_regions_are_saved_and_exported():
    arguments = {"rate": 0.5, "k": 0.8}
    only = ["keras_file", "exchange", "export"]
    options = {"call_arguments": {"return_regions": True}, "only": only}
    check_layer(kr.layers.AdaptiveRegionPooling, arguments, MAPS, **options)


def test_a_functional_model_hands_out_regions():
    x = keras.Input((12, 10, 4))
    layer = kr.layers.AdaptiveRegionPooling(0.5, data_format="channels_last")
    model = keras.Model(x, layer(x, return_regions=True))
    outputs, regions = model.predict(MAPS, verbose=0)
    assert outputs.shape == (3, 6, 5, 4) and sorted(regions) == ["boxes", "confidence", "rates"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate": 0}, r"`rate` must be a number in \(0, 1\]"),
        ({"rate": 1.01}, "`rate` must be"),
        ({"rate": "half"}, "`rate` must be"),
        ({"rate": float("nan")}, "`rate` must be"),
        ({"k": -0.1}, r"`k` must be a number in \[0, inf\)"),
        ({"k": None}, "`k` must be"),
        ({"kernel": "mean"}, "`kernel` must be one of 'gaussian', 'box'"),
        ({"maps": MAPS[0]}, "ndim"),
        ({"maps": MAPS[:, :0]}, "`images` must have shape"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        pool(**{"maps": MAPS, **arguments})
