"""Boxes are read as torchvision reads them, at the cost and for the errors of their own."""

import math

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample.ops.regions import roi_align
from tests import numerics
from tests.numerics import assert_close

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 9, 12, 3)).astype("float32")
BOXES = np.array(
    [[0.1, 0.2, 0.6, 0.9], [0.0, 0.0, 1.0, 1.0], [0.31, 0.05, 0.94, 0.4], [0.5, 0.5, 0.52, 0.97]],
    "float32",
)
OF_IMAGE = np.array([1, 0, 1, 0])
BOTH = pytest.mark.parametrize("antialias", [False, True], ids=["points", "area"])


def align(images, boxes, size, box_indices=None, antialias=False):
    return roi_align(images, boxes, size, box_indices, antialias, data_format="channels_last")


def loop(image, box, size, antialias):
    """`aligned=True`, `sampling_ratio` 1 or (antialiased) 0, one number after the other."""
    height, width, channels = image.shape
    x_min, y_min, x_max, y_max = np.float64(box) * [width, height, width, height]
    result = np.zeros((*size, channels))
    counts = [
        math.ceil(abs(extent) / bins - 1e-3) if antialias else 1
        for extent, bins in ((y_max - y_min, size[0]), (x_max - x_min, size[1]))
    ]
    rows, cols = (max(1, count) for count in counts)
    for i, j in np.ndindex(*size):
        for s, t in np.ndindex(rows, cols):
            y = y_min - 0.5 + (i + (s + 0.5) / rows) * (y_max - y_min) / size[0]
            x = x_min - 0.5 + (j + (t + 0.5) / cols) * (x_max - x_min) / size[1]
            result[i, j] += bilinear(image, y, x) / (rows * cols)
    return result


def bilinear(image, y, x):
    y, x = (min(max(p, 0.0), n - 1.0) for p, n in zip((y, x), image.shape, strict=False))
    top, left = int(y), int(x)
    bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
    above = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
    below = image[bottom, left] * (1 - x + left) + image[bottom, right] * (x - left)
    return above * (1 - y + top) + below * (y - top)


@BOTH
def test_it_equals_the_loop_of_torchvision(antialias):
    result = align(IMAGES, BOXES, (3, 2), OF_IMAGE, antialias)
    for k, (index, box) in enumerate(zip(OF_IMAGE, BOXES, strict=True)):
        assert_close(result[k], loop(IMAGES[index], box, (3, 2), antialias), 5e-6)


@BOTH
def test_boxes_of_each_image_are_those_of_the_images_that_indices_name(antialias):
    boxes = np.stack([BOXES[:3], BOXES[1:]])
    result = align(IMAGES, boxes, (3, 2), antialias=antialias)
    assert tuple(result.shape) == (2, 3, 3, 2, 3)
    flat = align(IMAGES, boxes.reshape(6, 4), (3, 2), [0, 0, 0, 1, 1, 1], antialias)
    assert_close(ops.reshape(result, (6, 3, 2, 3)), flat, 4e-6)
    assert_close(align(IMAGES, boxes[:, 1], (3, 2), antialias=antialias), result[:, 1], 4e-6)


def test_points_are_a_grid_of_the_one_sampler():
    grid = kr.ops.grid_from_boxes(BOXES[:2], (4, 5))
    expected = kr.ops.sample(IMAGES, grid, data_format="channels_last")
    assert_close(align(IMAGES, BOXES[:2], (4, 5)), expected, 5e-6)


def test_as_many_bins_as_pixels_are_a_copy_and_whole_bins_are_average_pooling():
    box = [[3 / 12, 3 / 9, 9 / 12, 7 / 9]] * 2
    for antialias in (False, True):
        crop = align(IMAGES, box, (4, 6), antialias=antialias)
        assert_close(crop, IMAGES[:, 3:7, 3:9], 2e-6)
    means = IMAGES[:, 3:7, 3:9].reshape(2, 2, 2, 2, 3, 3).mean((2, 4))
    assert_close(align(IMAGES, box, (2, 2), antialias=True), means, 2e-6)


def test_a_wide_map_costs_no_samples_and_keeps_its_mean():
    # 300 pixels a bin: each weighs the same, in matrices of 4 x 1200, not 300 samples a bin.
    image = RANDOM.normal(size=(1, 2, 1200, 1)).astype("float32")
    result = align(image, [[0.0, 0.0, 1.0, 1.0]], (1, 4), antialias=True)
    expected = image.astype("float64").reshape(1, 1, 2, 4, 300, 1).mean((2, 4))
    assert_close(result, expected, 1e-6)


@BOTH
def test_reversed_boxes_flip_and_empty_ones_repeat_a_point(antialias):
    x_min, y_min, x_max, y_max = BOXES[0]
    turned = align(IMAGES[:1], [[x_max, y_max, x_min, y_min]], (4, 2), antialias=antialias)
    straight = align(IMAGES[:1], BOXES[:1], (4, 2), antialias=antialias)
    assert_close(turned, ops.flip(straight, axis=(1, 2)), 2e-6)
    point = align(IMAGES[:1], [[0.3, 0.4, 0.3, 0.4]], (2, 2), antialias=antialias)
    expected = bilinear(IMAGES[0], 0.4 * 9 - 0.5, 0.3 * 12 - 0.5)
    assert_close(point, np.broadcast_to(expected, (1, 2, 2, 3)), 2e-6)


@BOTH
def test_nothing_is_read_outside(antialias):
    for box, pixel in (([-3.0, -2.0, -1.0, -0.5], (0, 0)), ([1.5, 2.0, 4.0, 3.0], (-1, -1))):
        result = align(IMAGES[:1], [box], (2, 2), antialias=antialias)
        assert_close(result, np.broadcast_to(IMAGES[0][pixel], (1, 2, 2, 3)), 1e-6)
    beyond = align(IMAGES[:1], [[-0.4, -0.3, 1.2, 0.5]], (3, 4), antialias=antialias)
    assert_close(beyond[0], loop(IMAGES[0], [-0.4, -0.3, 1.2, 0.5], (3, 4), antialias), 2e-6)


@BOTH
def test_a_bad_box_spoils_itself(antialias):
    boxes = BOXES.copy()
    boxes[1, 2] = np.nan
    result = ops.convert_to_numpy(align(IMAGES, boxes, (3, 2), [0, 1, 5, -1], antialias))
    assert np.isnan(result[1:]).all()
    assert_close(result[0], loop(IMAGES[0], BOXES[0], (3, 2), antialias), 5e-6)


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_pixel_stays_in_its_bins(antialias, value):
    images = IMAGES.copy()
    images[0, 2, 3, 1] = value
    box = [[0.0, 0.0, 1.0, 1.0]] * 2
    result = ops.convert_to_numpy(align(images, box, (3, 4), antialias=antialias))
    bad = ~np.isfinite(result)
    assert bad[0, 0, 1, 1] or not antialias
    bad[0, :2, :2, 1] = False
    assert not bad.any()


@BOTH
def test_dtypes_and_formats(antialias):
    size, expected = (3, 2), align(IMAGES, BOXES[:2], (3, 2), antialias=antialias)
    half = align(IMAGES.astype("float16"), BOXES[:2], size, antialias=antialias)
    assert keras.backend.standardize_dtype(half.dtype) == "float16"
    assert_close(half, expected, 3e-3)
    levels = RANDOM.integers(0, 256, IMAGES.shape).astype("uint8")
    found = align(levels, BOXES[:2], size, antialias=antialias)
    assert_close(found, align(levels.astype("float32"), BOXES[:2], size, antialias=antialias))
    channels_first, boxes = np.moveaxis(IMAGES, -1, 1), BOXES[:2, None]
    first = roi_align(channels_first, boxes, size, None, antialias, "channels_first")
    assert tuple(first.shape) == (2, 1, 3, 3, 2)
    assert_close(ops.moveaxis(first[:, 0], 1, -1), expected, 1e-6)


@BOTH
def test_no_boxes_give_nothing(antialias):
    none = np.zeros((2, 0, 4), "float32")
    assert tuple(align(IMAGES, none, (3, 2), antialias=antialias).shape) == (2, 0, 3, 2, 3)
    assert tuple(align(IMAGES, none[0], (3, 2), [], antialias).shape) == (0, 3, 2, 3)


@BOTH
@pytest.mark.parametrize("index", [2**32, -(2**32), 2**31 + 1])
def test_an_index_beyond_32_bits_is_of_no_image(antialias, index):
    found = align(IMAGES, BOXES[:1], (3, 2), np.array([index]), antialias)
    assert np.isnan(ops.convert_to_numpy(found)).all()


@BOTH
def test_boxes_without_images(antialias):
    found = align(IMAGES[:0], BOXES[:2], (3, 2), [0, 1], antialias)
    assert tuple(found.shape) == (2, 3, 2, 3)
    assert np.isnan(ops.convert_to_numpy(found)).all()


@BOTH
@pytest.mark.parametrize("indices", [None, [1, 0, 1, 1]], ids=["batch", "indices"])
def test_gradients_to_images_and_boxes(antialias, indices):
    boxes = np.array([[0.13, 0.21, 0.62, 0.88], [0.05, 0.03, 0.93, 0.91]] * 2, "float32")
    boxes = boxes[: 4 if indices else 2]
    weights = RANDOM.normal(size=(len(boxes), 2, 3, 3)).astype("float32")

    def weighted(images, boxes):
        return align(images, boxes, (2, 3), indices, antialias) * ops.convert_to_tensor(weights)

    numerics.check_gradients(weighted, IMAGES, boxes, entries=4, step=2.0**-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"boxes": BOXES[0]}, r"`boxes` must have shape \(batch, 4\) or \(batch, n, 4\)"),
        ({"boxes": BOXES[:2, :3]}, "`boxes` must have shape"),
        ({"boxes": BOXES[:3]}, "`boxes` must have the batch of the images, 2, unless"),
        ({"boxes": BOXES[None], "box_indices": [0]}, "`boxes` must have shape .* with `box_ind"),
        ({"box_indices": [0.0, 1.0]}, "`box_indices` must be integers"),
        ({"box_indices": [0, 1, 1]}, "`box_indices` must say for each of 2 boxes"),
        ({"size": 7}, "`size` must be two positive integers"),
        ({"size": (0, 2)}, "`size` must be two positive integers"),
        ({"antialias": 1}, "`antialias` must be True or False"),
        ({"images": IMAGES[0]}, "`images` must have shape"),
        ({"images": IMAGES[:, :0]}, "`images` must have shape"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, message):
    given = {"images": IMAGES, "boxes": BOXES[:2], "size": (3, 2), **arguments}
    with pytest.raises(ValueError, match=f"{message}.*Received: "):
        align(**given)


@pytest.mark.parametrize("symbolic", ["images", "boxes"])
def test_a_functional_model_takes_the_layer(symbolic):
    given = {"images": IMAGES, "boxes": BOXES[:2]}
    given[symbolic] = keras.Input(given[symbolic].shape[1:])
    with pytest.raises(ValueError, match=f"`{symbolic}` must be .*RoIAlign`. Received: .*KerasTen"):
        roi_align(**given, size=(2, 2))
