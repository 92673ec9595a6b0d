"""What is read around a keypoint is the box around it."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, gradients

RANDOM = np.random.default_rng(0)
MAPS = RANDOM.normal(size=(2, 7, 9, 3)).astype("float32")
KEYPOINTS = np.array(
    [[[0.31, 0.42], [0.77, 0.63], [1.12, -0.2]], [[0.52, 0.13], [0.05, 0.97], [0.44, 0.71]]],
    "float32",
)
INPUTS = {"x": MAPS, "keypoints": KEYPOINTS}
GRADIENT = {"entries": 6, "step": 2.0**-9}


def pooled(maps, keypoints, size=2, extent=0.3, **arguments):
    layer = kr.layers.KeypointPooling(size, extent, data_format="channels_last", **arguments)
    return layer(maps, keypoints)


def loop(maps, keypoints, size, extent):
    batch, height, width, channels = maps.shape
    result = np.zeros((batch, keypoints.shape[1], size, size, channels))
    for b, k, i, j in np.ndindex(batch, keypoints.shape[1], size, size):
        x, y = keypoints[b, k].astype("float64")
        x = np.clip((x + extent * ((j + 0.5) / size - 0.5)) * width - 0.5, 0, width - 1)
        y = np.clip((y + extent * ((i + 0.5) / size - 0.5)) * height - 0.5, 0, height - 1)
        left, top = int(x), int(y)
        for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            if weight > 0:
                result[b, k, i, j] += weight * maps[b, row, column]
    return result


def test_averaged():
    check_layer(
        kr.layers.KeypointPooling,
        {"size": 2, "extent": 0.3, "average": True},
        INPUTS,
        gradient=GRADIENT,
    )


def test_grids():
    only = ["config", "build", "symbolic_shape", "unknown_size", "half_precision", "gradient"]
    arguments = {"size": 2, "extent": 0.3}
    check_layer(kr.layers.KeypointPooling, arguments, INPUTS, gradient=GRADIENT, only=only)


def test_it_equals_a_loop_and_roi_align_at_the_same_boxes():
    found = pooled(MAPS, KEYPOINTS, 3, 0.4)
    assert_close(found, loop(MAPS, KEYPOINTS, 3, 0.4))
    assert_close(pooled(MAPS, KEYPOINTS, 3, 0.4, average=True), ops.mean(found, axis=(2, 3)))
    boxes = np.concatenate([KEYPOINTS - 0.2, KEYPOINTS + 0.2], axis=-1)
    for antialias in (False, True):
        expected = kr.ops.roi_align(
            MAPS, boxes, (3, 3), antialias=antialias, data_format="channels_last"
        )
        assert_close(pooled(MAPS, KEYPOINTS, 3, 0.4, antialias=antialias), expected, 1e-6)


def test_channels_first_is_the_same_transposed():
    layer = kr.layers.KeypointPooling(3, 0.4, data_format="channels_first")
    found = layer(np.moveaxis(MAPS, -1, 1), KEYPOINTS)
    assert_close(ops.moveaxis(found, 2, -1), pooled(MAPS, KEYPOINTS, 3, 0.4))


def test_moving_map_and_keypoints_by_a_pixel_changes_nothing():
    inside = np.array([[[0.4, 0.5], [0.5, 0.4]]] * 2, "float32")
    step = np.array([1 / MAPS.shape[2], 1 / MAPS.shape[1]], "float32")
    moved = np.roll(MAPS, (1, 1), axis=(1, 2))
    assert_close(pooled(moved, inside + step), pooled(MAPS, inside))


def test_a_missing_keypoint_is_nan_for_itself_alone():
    missing = KEYPOINTS.copy()
    missing[0, 1, 0] = np.nan
    found = ops.convert_to_numpy(pooled(MAPS, missing))
    expected = ops.convert_to_numpy(pooled(MAPS, KEYPOINTS)).copy()
    expected[0, 1] = np.nan
    assert_close(found, expected)


def test_a_missing_keypoint_has_no_gradient_and_takes_none_from_others():
    missing = KEYPOINTS.copy()
    missing[0, 1, 0] = np.nan
    seen = np.isfinite(missing).all(-1)[..., None, None, None]

    def values(maps, keypoints):
        return ops.where(seen, ops.square(pooled(maps, keypoints)), 0.0)

    found, expected = gradients(values, MAPS, missing), gradients(values, MAPS, KEYPOINTS)
    assert not expected[1][0, 1].any()
    assert_close(found[0], expected[0])
    assert_close(found[1], expected[1])


def test_the_gradient_to_keypoints_can_be_stopped():
    def values(maps, keypoints, stop):
        return ops.square(pooled(maps, keypoints, stop_gradient=stop))

    flowing = gradients(lambda *inputs: values(*inputs, stop=False), MAPS, KEYPOINTS)
    stopped = gradients(lambda *inputs: values(*inputs, stop=True), MAPS, KEYPOINTS)
    assert_close(stopped[0], flowing[0])
    assert np.abs(flowing[1]).max() > 0.1 and not stopped[1].any()


@pytest.mark.parametrize(
    ("arguments", "keypoints", "message"),
    [
        ({"size": (3, 3)}, (2, 5, 2), "`size` must be a positive integer"),
        ({"extent": 0}, (2, 5, 2), "`extent` must be a number in"),
        ({"average": 1}, (2, 5, 2), "`average` must be"),
        ({}, (2, 5, 3), r"`keypoints` must have shape \(batch, n, 2\)"),
        ({}, (2, 2), r"`keypoints` must have shape \(batch, n, 2\)"),
        ({}, (2, 0, 2), r"`keypoints` must have shape \(batch, n, 2\)"),
        ({}, (3, 5, 2), "`keypoints` must have the batch of the images, 2"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, keypoints, message):
    with pytest.raises(ValueError, match=message):
        layer = kr.layers.KeypointPooling(**{"size": 3, "extent": 0.2, **arguments})
        layer(MAPS, np.zeros(keypoints, "float32"))


@pytest.mark.backends("torch", reason="shapes are checked in Python")
def test_symbolic_keypoints_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="`keypoints` must have shape"):
        kr.layers.KeypointPooling(3, 0.2)(keras.Input((7, 9, 3)), keras.Input((10,)))
