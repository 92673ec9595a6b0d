"""The one sampler: reads images, feature maps and label maps at a grid."""

import contextlib
import math

import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_data_format
from keras_resample.backend.compiling import one_program
from keras_resample.ops.grids import as_pairs, extent, resize_field, uniform_grid_like
from keras_resample.ops.sampling_arguments import (
    check_concrete,
    check_fill,
    check_sampling,
    check_shapes,
    sampled_dtype,
)


def sample(
    images,
    grid,
    interpolation="bilinear",
    fill_mode="nearest",
    fill_value=0.0,
    antialias=False,
    data_format=None,
):
    """Reads `images` at the places of `grid`.

    A grid equal to `uniform_grid(size)` gives exactly
    `keras.ops.image.resize(images, size, interpolation, antialias=False)`.

    With `antialias=True` every output is the mean of the input over its own cell of the grid: the
    grid is refined `ceil(h / h')` by `ceil(w / w')` times (`resize_grid`), sampled and averaged.
    At a uniform grid and an integer ratio that is average pooling.

    Gradients flow to the images (of floating dtype) and to the grid. A NaN in the grid stays in
    its own output, a NaN or infinity in a pixel in the outputs whose taps touch it. On PyTorch
    bilinear sampling has a second derivative only on a CPU, at a grid per image and fewer than 16
    channels.

    An image has fewer than 2^31 pixels (46,340 a side), as they are numbered in 32 bits. Larger
    ones, such as slides of 100,000 pixels a side, are read and sampled in windows:
    `keras_resample.datasets.SegmentationDataset.windows` and `read(index, window)`.

    Args:
        images: `(batch, h, w, channels)`, or `(batch, channels, h, w)` under channels-first; of
            any dtype, h * w below 2^31.
        grid: `(batch, h', w', 2)`, or `(1, h', w', 2)` shared by the batch (faster): relative
            (x, y), 0 and 1 are the outer edges of the image. Computed in float32.
        interpolation: `"bilinear"`, or `"nearest"` (the pixel that holds the point: for labels and
            masks; its gradient to the grid is zero).
        fill_mode: what lies outside the image: `"nearest"` (the edge pixel), `"constant"`
            (`fill_value`), `"reflect"` (`dcba|abcd|dcba`) or `"mirror"` (`dcb|abcd|cba`).
        fill_value: number read outside the image under `fill_mode="constant"`; one that the dtype
            of the result holds.
        antialias: whether to average over each grid cell; needs `"bilinear"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        `(batch, h', w', channels)`, or `(batch, channels, h', w')`. Floating images keep their
        dtype; others give float32 under `"bilinear"` and keep their dtype under `"nearest"`.

    Raises:
        ValueError: for another rank, batch or last axis of `grid`, another rank, an empty side or
            2^31 pixels of `images`, an unknown mode, or a `fill_value` that their dtype cannot
            hold.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.random.rand(8, 112, 112, 3).astype("float32")
    >>> half = kr.ops.sample(images, kr.ops.uniform_grid((56, 56)), data_format="channels_last")
    >>> half.shape == (8, 56, 56, 3)
    True
    """
    check_sampling(interpolation, fill_mode, fill_value, antialias)
    data_format = as_data_format(data_format)
    check_concrete("SampleAt", images=images, grid=grid)
    images = ops.convert_to_tensor(images)
    grid = as_pairs(grid, "grid", ranks=(4,))
    with fusion_with_reading(grid):
        check_shapes(images.shape, grid.shape, data_format)
        flow = (grid - uniform_grid_like(grid)) * image_extent(images, data_format)
        return sample_displaced(
            images, flow, interpolation, fill_mode, fill_value, antialias, data_format
        )


def sample_displaced(images, flow, interpolation, fill_mode, fill_value, antialias, data_format):
    """`sample` at the uniform grid plus a flow in input pixels, float32 (batch or 1, h', w', 2).

    Where it is zero the positions are exactly those of a resize, at any image size.
    """
    backend.check_pixels("images", *image_sides(images, data_format))
    if fill_mode == "constant":
        check_fill(fill_value, images.dtype, interpolation)
    return _sample_displaced(
        images,
        flow,
        interpolation=interpolation,
        fill_mode=fill_mode,
        fill_value=fill_value,
        antialias=antialias,
        data_format=data_format,
    )


@one_program
def _sample_displaced(
    images, flow, *, interpolation, fill_mode, fill_value, antialias, data_format
):
    if flow.shape[0] is None:  # it may be 1, which a kernel has to know
        flow = ops.broadcast_to(flow, (ops.shape(images)[0], *ops.shape(flow)[1:]))
    if data_format == "channels_first":
        images = ops.transpose(images, (0, 2, 3, 1))
    if interpolation == "nearest":
        result = _read_nearest(images, flow, fill_mode, fill_value)
    else:
        result = _read_bilinear(images, flow, fill_mode, fill_value, antialias)
    if data_format == "channels_first":
        result = ops.transpose(result, (0, 3, 1, 2))
    return result


def image_sides(images, data_format):
    """Height and width of the images, tensors where they are unknown."""
    shape = ops.shape(images)
    return shape[1:3] if data_format == "channels_last" else shape[2:]


def image_extent(images, data_format):
    """Width and height of the images, as `extent` gives them."""
    height, width = image_sides(images, data_format)
    return extent(width, height)


def fusion_with_reading(grid):
    """Context to compute what belongs to each sample of `grid` in one piece with reading it.

    For a grid of one image only: what is shared by the batch is better computed before.
    """
    return contextlib.nullcontext() if grid.shape[0] == 1 else backend.fusion()


def _read_bilinear(images, flow, fill_mode, fill_value, antialias):
    _, height, width, channels = ops.shape(images)
    _, rows, cols, _ = ops.shape(flow)
    fine_y, fine_x = (_ratio(height, rows), _ratio(width, cols)) if antialias else (1, 1)
    if antialias:
        flow = resize_field(flow, rows * fine_y, cols * fine_x)
    position = _pixel_positions(flow, height, width)
    position = _group_cells(position, rows, fine_y, cols, fine_x)
    coverage = None
    if fill_mode == "constant":
        coverage = _coverage(position, _last_pixel(height, width))
    position = _fold_back(position, height, width, fill_mode)
    result = backend.bilinear(images, position, coverage)
    if coverage is not None:
        outside = ops.sum(1.0 - coverage, axis=-1)[..., None]
        result = result + ops.cast(outside * fill_value, result.dtype)
    if antialias:
        result = result / ops.cast(fine_y * fine_x, result.dtype)
    result = ops.reshape(result, (-1, rows, cols, channels))
    return ops.cast(result, sampled_dtype(images.dtype, "bilinear"))


def _read_nearest(images, flow, fill_mode, fill_value):
    _, height, width, channels = ops.shape(images)
    _, rows, cols, _ = ops.shape(flow)
    last = _last_pixel(height, width)
    position = _pixel_positions(flow, height, width)
    position = ops.reshape(position, (ops.shape(position)[0], rows * cols, 2))
    pixel = _fold_back(position, height, width, fill_mode)
    pixel = ops.where(ops.isnan(pixel), 0.0, pixel)  # an integer image has no NaN to return
    pixel = ops.clip(ops.floor(pixel + 0.5), 0.0, last)
    pixel = ops.cast(pixel, "int32")
    result = backend.nearest(images, pixel[..., 1], pixel[..., 0])
    if fill_mode == "constant":
        inside = ops.all((position >= -0.5) & (position < last + 0.5), axis=-1)
        result = ops.where(inside[..., None], result, ops.cast(fill_value, result.dtype))
    return ops.reshape(result, (-1, rows, cols, channels))


def _last_pixel(height, width):
    """Pixel coordinates (x, y) of the last pixel, float32."""
    return extent(width, height) - 1.0


def _pixel_positions(flow, height, width):
    """Pixel coordinates (batch, h', w', 2) of displaced places, pixel centres at integers."""
    _, rows, cols, _ = ops.shape(flow)
    return flow + _resize_positions(rows, cols, height, width)


def _resize_positions(rows, cols, height, width):
    """Pixel coordinates (1, h', w', 2) that a resize reads: `(i + 0.5) size / count - 0.5`.

    In float32 step by step, as every backend's resize forms them: exact ones differ from those.
    """
    if all(isinstance(n, int) for n in (rows, cols, height, width)):
        return _known_resize_positions(rows, cols, height, width)
    x, y = ops.meshgrid(ops.arange(cols, dtype="float32"), ops.arange(rows, dtype="float32"))
    ratio = extent(width, height) / extent(cols, rows)
    return (ops.stack([x, y], axis=-1)[None] + 0.5) * ratio - 0.5


@backend.constant
def _known_resize_positions(rows, cols, height, width):
    x, y = np.meshgrid(np.arange(cols, dtype="float32"), np.arange(rows, dtype="float32"))
    ratio = np.array([width, height], "float32") / np.array([cols, rows], "float32")
    half = np.float32(0.5)
    return (np.stack([x, y], axis=-1)[None] + half) * ratio - half


def _group_cells(positions, rows, fine_y, cols, fine_x):
    """(b, rows * fine_y, cols * fine_x, 2) -> (b, rows * cols, fine_y * fine_x, 2)."""
    batch = ops.shape(positions)[0]  # a kernel has to see that it is 1, which -1 would hide
    if isinstance(fine_y, int) and fine_y == fine_x == 1:
        return ops.reshape(positions, (batch, rows * cols, 1, 2))
    cells = ops.reshape(positions, (batch, rows, fine_y, cols, fine_x, 2))
    cells = ops.transpose(cells, (0, 1, 3, 2, 4, 5))
    return ops.reshape(cells, (batch, rows * cols, fine_y * fine_x, 2))


def _ratio(size, count):
    """Input pixels per output pixel, rounded up: the refinement that antialiasing needs."""
    if isinstance(size, int) and isinstance(count, int):
        return math.ceil(size / count)
    return (size + count - 1) // count


def _fold_back(position, height, width, fill_mode):
    """Moves pixel coordinates to where `fill_mode` reads the same, up to the edge pixels' rim."""
    if fill_mode == "reflect":
        return _fold(position + 0.5, extent(width, height)) - 0.5
    if fill_mode == "mirror":
        return _fold(position, _last_pixel(height, width))
    return position


def _fold(position, length):
    """Reflects a coordinate into [0, length]."""
    period = 2.0 * ops.maximum(length, 0.5)
    position = position - period * ops.floor(position / period)
    return ops.where(position > length, period - position, position)


def _coverage(position, last):
    """Weight of pixels of the image in a bilinear sample: 1 inside, 0 a pixel outside."""
    beyond = ops.maximum(-position, position - last)
    weight = ops.where(beyond <= 0.0, 1.0, ops.where(beyond >= 1.0, 0.0, 1.0 - beyond))
    return weight[..., 0] * weight[..., 1]
