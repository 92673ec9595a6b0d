"""Sampling grids against loops that read like their definitions."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keras_resample as kr
from tests.numerics import assert_close, check_gradients, project, to_numpy

SIZES = [(1, 1), (3, 7), (1, 5)]
few = settings(max_examples=5, deadline=None, derandomize=True)
lengths = st.integers(1, 9)


def random(*shape, low=-1.0, high=1.0, seed=0):
    return np.random.default_rng(seed).uniform(low, high, shape).astype("float32")


def uniform_loop(height, width):
    grid = np.zeros((1, height, width, 2))
    for i, j in np.ndindex(height, width):
        grid[0, i, j] = (j + 0.5) / width, (i + 0.5) / height
    return grid


def resize_loop(values, height, width):
    """Bilinear resize of (b, h, w, c) with half-pixel centres, the border pixel continued."""
    batch, rows, cols, channels = values.shape
    result = np.zeros((batch, height, width, channels))
    for i, j in np.ndindex(height, width):
        y, x = (i + 0.5) * rows / height - 0.5, (j + 0.5) * cols / width - 0.5
        for row, wy in taps(y, rows):
            for col, wx in taps(x, cols):
                result[:, i, j] += wy * wx * values[:, row, col].astype("float64")
    return result


def taps(position, size):
    low = int(np.floor(position))
    weights = ((low, 1 - (position - low)), (low + 1, position - low))
    return [(min(max(index, 0), size - 1), weight) for index, weight in weights]


@given(lengths, lengths)
@few
def test_uniform_grid_holds_the_cell_centres(height, width):
    grid = kr.ops.uniform_grid((height, width))
    assert keras.backend.standardize_dtype(grid.dtype) == "float32"
    assert_close(grid, uniform_loop(height, width), 1e-7)


def test_uniform_grid_takes_numpy_integers():
    assert kr.ops.uniform_grid([np.int64(2), np.int32(3)]).shape == (1, 2, 3, 2)


@pytest.mark.parametrize("batch", [None, 1, 3])
def test_grid_from_flow_adds_pixels_over_the_image_size(batch):
    flow = random(*(() if batch is None else (batch,)), 4, 6, 2, low=-5, high=5)
    expected = uniform_loop(4, 6) + (flow if batch else flow[None]) / np.array([30.0, 20.0])
    assert_close(kr.ops.grid_from_flow(flow, (20, 30)), expected, 1e-6)


def test_a_zero_flow_is_the_uniform_grid():
    grid = kr.ops.grid_from_flow(np.zeros((5, 7, 2), "float16"), image_size=(13, 17))
    assert np.array_equal(to_numpy(grid), to_numpy(kr.ops.uniform_grid((5, 7))))


def test_grid_from_boxes_fills_each_box():
    boxes = random(3, 4, low=-0.2, high=1.2)
    expected = np.zeros((3, 2, 5, 2))
    for b, i, j in np.ndindex(3, 2, 5):
        x_min, y_min, x_max, y_max = boxes[b]
        expected[b, i, j, 0] = x_min + (x_max - x_min) * (j + 0.5) / 5
        expected[b, i, j, 1] = y_min + (y_max - y_min) * (i + 0.5) / 2
    assert_close(kr.ops.grid_from_boxes(boxes, (2, 5)), expected, 1e-6)


def test_the_whole_image_as_a_box_is_the_uniform_grid():
    grid = kr.ops.grid_from_boxes([[0, 0, 1, 1]], (4, 3))
    assert_close(grid, uniform_loop(4, 3), 1e-7)


def test_a_box_cuts_the_pixels_it_holds_and_a_reversed_box_flips_them():
    images = random(1, 6, 8, 2)
    box = [2 / 8, 1 / 6, 6 / 8, 5 / 6]
    crop = kr.ops.sample(images, kr.ops.grid_from_boxes([box], (4, 4)), data_format="channels_last")
    assert_close(crop, images[:, 1:5, 2:6])
    box[0], box[2] = box[2], box[0]
    crop = kr.ops.sample(images, kr.ops.grid_from_boxes([box], (4, 4)), data_format="channels_last")
    assert_close(crop, images[:, 1:5, 5:1:-1])


def test_grid_from_affine_maps_about_the_centre():
    matrix = random(3, 2, 3)
    expected = np.zeros((3, 4, 5, 2))
    for b, i, j in np.ndindex(3, 4, 5):
        u = np.array([(j + 0.5) / 5, (i + 0.5) / 4])
        expected[b, i, j] = matrix[b, :, :2] @ (u - 0.5) + matrix[b, :, 2] + 0.5
    assert_close(kr.ops.grid_from_affine(matrix, (4, 5)), expected, 1e-6)


@pytest.mark.parametrize(
    "matrix, move",
    [
        ([[1, 0, 0], [0, 1, 0]], lambda x: x),
        ([[-1, 0, 0], [0, 1, 0]], lambda x: x[:, :, ::-1]),
        ([[1, 0, 0], [0, -1, 0]], lambda x: x[:, ::-1]),
        ([[0, 1, 0], [1, 0, 0]], lambda x: x.transpose(0, 2, 1, 3)),
        ([[0, -1, 0], [1, 0, 0]], lambda x: np.rot90(x, axes=(1, 2))),
    ],
    ids=["identity", "mirror", "upside down", "transpose", "quarter turn"],
)
def test_affine_grids_that_move_whole_pixels(matrix, move):
    images = random(2, 6, 6, 3)
    grid = kr.ops.grid_from_affine([matrix], (6, 6))
    assert_close(kr.ops.sample(images, grid, data_format="channels_last"), move(images))


@pytest.mark.parametrize("source", SIZES)
@pytest.mark.parametrize("size", SIZES)
def test_resize_grid_resizes_the_displacement(source, size):
    uniform = uniform_loop(*source)
    grid = (uniform + random(2, *source, 2, low=-0.3, high=0.3)).astype("float32")
    expected = resize_loop(grid - uniform, *size) + uniform_loop(*size)
    assert_close(kr.ops.resize_grid(grid, size), expected, 1e-6)


def test_resize_grid_keeps_a_uniform_grid_and_a_shift():
    shift = np.array([0.125, -0.25], "float32")
    grid = kr.ops.resize_grid(to_numpy(kr.ops.uniform_grid((7, 7))) + shift, (14, 28))
    assert_close(grid, uniform_loop(14, 28) + shift, 1e-6)


@pytest.mark.parametrize(
    "fn, shape",
    [
        (lambda x: kr.ops.grid_from_flow(x, (9, 11)), (4, 6, 2)),
        (lambda x: kr.ops.grid_from_boxes(x, (3, 2)), (2, 4)),
        (lambda x: kr.ops.grid_from_affine(x, (3, 2)), (2, 2, 3)),
        (lambda x: kr.ops.resize_grid(x, (7, 5)), (1, 4, 6, 2)),
    ],
    ids=["flow", "boxes", "affine", "resize"],
)
def test_gradients(fn, shape):
    check_gradients(lambda x: project(fn(x)), random(*shape))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "int32"])
def test_every_grid_is_float32(dtype):
    flow = keras.ops.ones((2, 2, 2), dtype=dtype)
    grids = [
        kr.ops.grid_from_flow(flow, (4, 4)),
        kr.ops.grid_from_boxes(keras.ops.ones((1, 4), dtype=dtype), (2, 2)),
        kr.ops.grid_from_affine(keras.ops.ones((1, 2, 3), dtype=dtype), (2, 2)),
        kr.ops.resize_grid(flow[None], (4, 4)),
    ]
    assert {keras.backend.standardize_dtype(grid.dtype) for grid in grids} == {"float32"}


@pytest.mark.backends("tensorflow")
def test_grids_of_unknown_batch_and_size():
    import tensorflow as tf

    fn = tf.function(
        lambda flow, boxes, grid: (
            kr.ops.grid_from_flow(flow, (20, 30)),
            kr.ops.grid_from_boxes(boxes, (2, 3)),
            kr.ops.resize_grid(grid, (5, 4)),
        ),
        input_signature=[
            tf.TensorSpec([None, None, None, 2]),
            tf.TensorSpec([None, 4]),
            tf.TensorSpec([None, None, None, 2]),
        ],
    )
    flow, boxes, grid = random(3, 4, 6, 2), random(2, 4), random(2, 3, 7, 2)
    found = fn(flow, boxes, grid)
    assert_close(found[0], kr.ops.grid_from_flow(flow, (20, 30)))
    assert_close(found[1], kr.ops.grid_from_boxes(boxes, (2, 3)))
    assert_close(found[2], kr.ops.resize_grid(grid, (5, 4)))


GRID = np.zeros((1, 2, 2, 2), "float32")
BAD_SIZES = [(4,), 4, None, (4, 0), (4, -1), (4, 2.0), (True, 4), "44", (4, None), (4, 4, 3)]


@pytest.mark.parametrize("size", BAD_SIZES)
@pytest.mark.parametrize(
    "fn",
    [
        kr.ops.uniform_grid,
        lambda size: kr.ops.resize_grid(GRID, size),
        lambda size: kr.ops.grid_from_boxes([[0, 0, 1, 1]], size),
        lambda size: kr.ops.grid_from_affine([[[1, 0, 0], [0, 1, 0]]], size),
    ],
    ids=["uniform_grid", "resize_grid", "grid_from_boxes", "grid_from_affine"],
)
def test_bad_size(fn, size):
    with pytest.raises(ValueError, match="`size` must be two positive integers.*Received: size="):
        fn(size)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: kr.ops.grid_from_flow(GRID, 7), "`image_size` must .*Received: image_size=7"),
        (lambda: kr.ops.grid_from_flow(GRID[0, 0], (4, 4)), r"`flow` .*Received: flow of shape"),
        (lambda: kr.ops.grid_from_flow(GRID[..., :1], (4, 4)), r"`flow` .*shape \(1, 2, 2, 1\)"),
        (lambda: kr.ops.resize_grid(GRID[0], (4, 4)), r"`grid` .*grid of shape \(2, 2, 2\)"),
        (lambda: kr.ops.grid_from_boxes([0, 0, 1, 1], (4, 4)), r"`boxes` .*shape \(4,\)"),
        (lambda: kr.ops.grid_from_boxes([[0, 0, 1]], (4, 4)), r"`boxes` .*shape \(1, 3\)"),
        (lambda: kr.ops.grid_from_affine([[1, 0, 0], [0, 1, 0]], (4, 4)), r"`matrix` .*\(2, 3\)"),
        (lambda: kr.ops.grid_from_affine(np.eye(3)[None], (4, 4)), r"`matrix` .*\(1, 3, 3\)"),
    ],
)
def test_bad_shapes(call, message):
    with pytest.raises(ValueError, match=message):
        call()
