"""The way back: what was computed at a grid's points becomes an image again."""

import numpy as np
from keras import backend as keras_backend
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_data_format, as_integer, as_size, check_choice
from keras_resample.backend.compiling import compiled_once
from keras_resample.ops.grids import as_pairs, extent, pixel_centers, uniform_grid_like
from keras_resample.ops.restoring.nearest_points import nearest_points

INTERPOLATIONS = ("nearest", "bilinear")
NEWTON_STEPS = 8


@backend.untraced
def restore(values, grid, size, interpolation="nearest", data_format=None):
    """Puts what was computed at the points of `grid` back into an image of `size`.

    Under `"nearest"` every pixel takes the value of the grid point that is nearest to its centre,
    in pixels of the image: the reverse sampler of Jin et al., Section 3.1. No value is invented,
    so class maps stay class maps. The nearest point is exact up to ties (two points whose
    distances differ by less than float32 coordinates do) for any grid: points may coincide, fold
    over each other or lie outside the image.

    Under `"bilinear"` the grid is inverted: each pixel finds, by Newton's method from its nearest
    point, the place between the points where the grid, interpolated bilinearly, meets its centre,
    and reads the values there bilinearly. At a uniform grid that is exactly
    `keras.ops.image.resize(values, size, "bilinear", antialias=False)`. Pixels that the grid does
    not reach read from its frame, and where it folds one of the places is read; a pixel never
    reads from further away than its nearest point.

    Where the grid is smooth and not much denser than the pixels that is quick; it is slowest where
    most points lie at one place. Memory is a few numbers per pixel of one image and per point.
    `torch.compile` leaves it out of its graphs, so that none is compiled whole (`fullgraph=True`).

    Gradients flow to the values, none to the grid.

    Args:
        values: `(batch, h', w', channels)`, or `(batch, channels, h', w')` under channels-first:
            class maps, probabilities or logits at the grid's points, of any dtype.
        grid: `(batch, h', w', 2)`, or `(1, h', w', 2)` shared by the batch (faster): relative
            (x, y), as it was sampled at. A point that is NaN is nearest to no pixel.
        size: `(height, width)` of the image, integers (on TensorFlow also scalar tensors).
        interpolation: `"nearest"` or `"bilinear"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`. Floating values
        keep their dtype; others give float32 under `"bilinear"` and keep theirs under `"nearest"`.

    Raises:
        ValueError: for another rank or an empty side of `values`, a grid of another size or batch
            than theirs, no size, 2^31 points or pixels, or an unknown interpolation.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> classes = np.random.randint(0, 5, (2, 30, 40, 1))
    >>> grid = kr.ops.uniform_grid((30, 40))
    >>> image = kr.ops.restore(classes, grid, (120, 160), data_format="channels_last")
    >>> image.shape == (2, 120, 160, 1)
    True

    Reference:
        - [Learning to Downsample for Segmentation of Ultra-High Resolution Images, Jin et al.,
          2022](https://arxiv.org/abs/2109.11071)
    """
    check_choice(interpolation, "interpolation", INTERPOLATIONS)
    data_format = as_data_format(data_format)
    for name, value in (("values", values), ("grid", grid)):
        if keras_backend.is_keras_tensor(value):
            raise ValueError(
                f"`{name}` must be a tensor; in a functional model restore by a layer, such as "
                f"`keras_resample.layers.GridSampler`. Received: {name}={value}"
            )
    height, width = _image_size(size)
    values = ops.convert_to_tensor(values)
    grid = as_pairs(grid, "grid", ranks=(4,))
    _check_values(values, grid, data_format)
    backend.check_pixels("size", height, width)
    if data_format == "channels_first":
        values = ops.transpose(values, (0, 2, 3, 1))
    backend.check_pixels("values", *ops.shape(values)[1:3])
    if grid.shape[0] == 0:  # no image, and no loop over images
        grid = ops.zeros((1, *ops.shape(grid)[1:]), dtype="float32")
    if grid.shape[0] is None:
        batch = ops.shape(values)[0]
        grid = ops.broadcast_to(grid, (batch, *ops.shape(grid)[1:]))
    read = _read_nearest if interpolation == "nearest" else _read_bilinear
    result = read(values, ops.stop_gradient(grid), height, width)
    result = ops.reshape(result, (ops.shape(values)[0], height, width, ops.shape(values)[3]))
    if data_format == "channels_first":
        result = ops.transpose(result, (0, 3, 1, 2))
    return result


def _read_nearest(values, grid, height, width):
    batch, rows, cols, channels = ops.shape(values)
    index = nearest_points(grid * extent(width, height), height=height, width=width)
    table = ops.reshape(values, (batch, 1, rows * cols, channels))
    return backend.nearest(table, ops.zeros_like(index), index)


def _read_bilinear(values, grid, height, width):
    _, rows, cols, _ = ops.shape(values)
    index = nearest_points(grid * extent(width, height), height=height, width=width)
    displacement = (grid - uniform_grid_like(grid)) * extent(cols, rows)
    start = ops.cast(ops.stack([index % cols, index // cols], axis=1), "float32")
    place = _invert(displacement, start, height=height, width=width)
    result = backend.bilinear(values, ops.transpose(place, (0, 2, 1))[:, :, None])
    dtype = keras_backend.standardize_dtype(values.dtype)
    return ops.cast(result, dtype if keras_backend.is_float_dtype(dtype) else "float32")


@compiled_once
def _invert(displacement, start, *, height, width):
    """Places (b, 2, height * width) in cells where the grid meets the pixels' centres.

    Args:
        displacement: (b, rows, cols, 2), of the grid from the uniform one, in cells.
        start: (b, 2, height * width), in cells.
        height, width: the image's.
    """
    _, rows, cols, _ = ops.shape(displacement)
    x, y = ops.meshgrid(pixel_centers(width), pixel_centers(height))
    size = ops.reshape(extent(cols, rows), (-1, 1))
    target = ops.reshape(ops.stack([x, y]), (2, height * width)) * size - 0.5
    cell = ops.reshape(extent(width, height), (-1, 1)) / size
    return backend.mapped(
        lambda given: _newton(*given, target, cell),
        (displacement, start),
        (2, height * width),
        "float32",
    )


def _newton(displacement, start, target, cell):
    """Places (2, p) in cells where the place plus the displacement there is the target.

    By at most a cell a step. At the frame, where a step would leave the grid, it goes on along the
    frame to the place nearest to the target, at `cell` pixels a cell. The closest of the places on
    the way is the result.
    """
    rows, cols, _ = ops.shape(displacement)
    last = ops.reshape(extent(cols, rows) - 1.0, (-1, 1))
    units = ops.reshape(ops.eye(2), (2, 2, 1))
    cells = _cells(displacement)

    def step(_, state):
        closest, best, place = state
        moved, along_x, along_y = _displacement_at(cells, (rows, cols), place)
        missing = (target - place - moved) * cell
        distance = ops.sum(ops.square(missing), axis=0)
        closer = distance < closest
        closest = ops.where(closer, distance, closest)
        best = ops.where(closer, place, best)
        along_x, along_y = (along_x + units[0]) * cell, (along_y + units[1]) * cell
        determinant = _cross(along_x, along_y)
        move = ops.stack([_cross(missing, along_y), _cross(along_x, missing)])
        move = move / ops.where(determinant == 0, 1.0, determinant)
        leaves = (place + move < 0) & (place <= 0) | (place + move > last) & (place >= last)
        alone = ops.stack([_projection(missing, v) for v in (along_x, along_y)])
        other_leaves = ops.flip(leaves, axis=0)
        move = ops.where(other_leaves, alone, ops.where(leaves, 0.0, move))
        place = ops.clip(place + ops.clip(move, -1.0, 1.0), 0.0, last)
        return closest, best, ops.where(ops.isnan(place), best, place)

    state = (ops.full_like(start[0], np.inf), start, start)
    return ops.fori_loop(0, NEWTON_STEPS + 1, step, state)[1]


def _cross(a, b):
    return a[0] * b[1] - a[1] * b[0]


def _projection(a, b):
    """Length of `a` along `b`, in lengths of `b`."""
    square = ops.sum(ops.square(b), axis=0)
    return ops.sum(a * b, axis=0) / ops.where(square == 0, 1.0, square)


def _cells(displacement):
    """The displacements (rows * cols, 8) at the four corners of each cell."""
    right = ops.concatenate([displacement[:, 1:], displacement[:, -1:]], axis=1)
    top = ops.concatenate([displacement, right], axis=-1)
    bottom = ops.concatenate([top[1:], top[-1:]], axis=0)
    return ops.reshape(ops.concatenate([top, bottom], axis=-1), (-1, 8))


def _displacement_at(cells, size, place):
    """The displacement at places (2, p) in cells, and its derivatives along x and along y."""
    rows, cols = size
    col, row = (
        ops.clip(ops.cast(ops.floor(p), "int32"), 0, ops.maximum(count - 2, 0))
        for p, count in ((place[0], cols), (place[1], rows))
    )
    fx, fy = place[0] - ops.cast(col, "float32"), place[1] - ops.cast(row, "float32")
    corners = ops.transpose(backend.gather(cells, row * cols + col))
    a, b, c, d = ops.split(corners, 4, axis=0)
    top, bottom = a + (b - a) * fx, c + (d - c) * fx
    return top + (bottom - top) * fy, (b - a) * (1 - fy) + (d - c) * fy, bottom - top


def _image_size(size):
    """(height, width) as integers, or as scalar tensors where one is."""
    if ops.is_tensor(size) and tuple(size.shape) == (2,):
        size = (size[0], size[1])
    if isinstance(size, (tuple, list)) and len(size) == 2 and any(map(_is_length, size)):
        return tuple(n if _is_length(n) else as_integer(n, "size") for n in size)
    return as_size(size)


def _is_length(value):
    """Whether it is a tensor of one integer."""
    if not ops.is_tensor(value) or len(value.shape):
        return False
    return keras_backend.is_int_dtype(keras_backend.standardize_dtype(value.dtype))


def _check_values(values, grid, data_format):
    shape = tuple(values.shape)
    first = data_format == "channels_first"
    axes = "channels, h', w'" if first else "h', w', channels"
    if len(shape) != 4 or 0 in shape[1:]:
        raise ValueError(
            f"`values` must have shape (batch, {axes}) with no empty side. "
            f"Received: values of shape {shape}"
        )
    size = shape[2:] if first else shape[1:3]
    for ours, theirs in zip(size, grid.shape[1:3], strict=True):
        if None not in (ours, theirs) and ours != theirs:
            raise ValueError(
                f"`grid` must have the size of the values, {size}. "
                f"Received: grid of shape {tuple(grid.shape)}"
            )
    batch, grid_batch = shape[0], grid.shape[0]
    if None not in (batch, grid_batch) and grid_batch not in (1, batch):
        raise ValueError(
            f"`grid` must have a batch of 1 (shared) or that of the values, {batch}. "
            f"Received: grid of shape {tuple(grid.shape)}"
        )
