"""Sampling grids: where each output pixel looks, in relative (x, y) coordinates of the input."""

import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_size
from keras_resample.backend.compiling import one_program


def pixel_centers(size):
    """Relative positions `(i + 0.5) / size` of the centres of `size` pixels, float32."""
    if isinstance(size, int):
        return _known_centers(size)
    return (ops.arange(size, dtype="float32") + 0.5) / ops.cast(size, "float32")


@backend.constant
def _known_centers(size):
    return ((np.arange(size) + 0.5) / size).astype("float32")


def uniform_grid_of(height, width):
    """`uniform_grid` for sizes that may be tensors."""
    if isinstance(height, int) and isinstance(width, int):
        return _known_uniform_grid(height, width)
    x, y = ops.meshgrid(pixel_centers(width), pixel_centers(height))
    return ops.stack([x, y], axis=-1)[None]


@backend.constant
def _known_uniform_grid(height, width):
    rows, cols = ((np.arange(n) + 0.5) / n for n in (height, width))
    return np.stack(np.meshgrid(cols, rows), axis=-1)[None].astype("float32")


def uniform_grid(size):
    """Grid that looks at the centres of a regular `size` raster: sampling at it is a plain resize.

    Args:
        size: `(height, width)` of the grid, positive integers.

    Returns:
        float32 tensor `(1, height, width, 2)`: `((j + 0.5) / width, (i + 0.5) / height)` at row i,
        column j, in relative (x, y) coordinates where 0 and 1 are the outer edges of the image.

    Raises:
        ValueError: if `size` is not a pair of positive integers.

    Example:

    >>> import keras_resample as kr
    >>> kr.ops.uniform_grid((2, 4)).shape == (1, 2, 4, 2)
    True
    """
    return uniform_grid_of(*as_size(size))


def grid_from_flow(flow, image_size):
    """Grid displaced from the uniform one by a flow in input pixels.

    Implements `grid = uniform_grid + flow / (width, height)`: Eq. 1 of "Beyond Predictive
    Resampling" with half-pixel centres, so that a zero flow is exactly a bilinear resize.

    Args:
        flow: `(h', w', 2)` or `(batch, h', w', 2)`, displacement (x, y) in pixels of the input.
        image_size: `(height, width)` of the image that will be sampled.

    Returns:
        float32 grid `(1 or batch, h', w', 2)`, relative (x, y).

    Raises:
        ValueError: if `flow` has another rank or last axis, or `image_size` is no size.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> grid = kr.ops.grid_from_flow(np.zeros((28, 28, 2)), image_size=(112, 112))
    >>> grid.shape == (1, 28, 28, 2)
    True
    """
    height, width = as_size(image_size, "image_size")
    flow = as_pairs(flow, "flow", ranks=(3, 4))
    if len(flow.shape) == 3:
        flow = flow[None]
    return uniform_grid_like(flow) + flow / extent(width, height)


def grid_from_boxes(boxes, size):
    """Uniform grid of each box: sampling at it crops and resizes.

    Args:
        boxes: `(batch, 4)`, relative `(x_min, y_min, x_max, y_max)`; parts outside [0, 1] read the
            fill of the sampler. A reversed box flips the crop.
        size: `(height, width)` of the grid.

    Returns:
        float32 grid `(batch, height, width, 2)`, relative (x, y).

    Raises:
        ValueError: if `boxes` is not `(batch, 4)` or `size` is no size.

    Example:

    >>> import keras_resample as kr
    >>> kr.ops.grid_from_boxes([[0.0, 0.0, 0.5, 0.5]], size=(7, 7)).shape == (1, 7, 7, 2)
    True
    """
    boxes = ops.cast(ops.convert_to_tensor(boxes), "float32")
    if len(boxes.shape) != 2 or boxes.shape[-1] != 4:
        raise ValueError(
            "`boxes` must have shape (batch, 4): relative (x_min, y_min, x_max, y_max). "
            f"Received: boxes of shape {tuple(boxes.shape)}"
        )
    low, high = boxes[:, None, None, :2], boxes[:, None, None, 2:]
    return low + (high - low) * uniform_grid(size)


def grid_from_affine(matrix, size):
    """Grid of an affine map of relative coordinates about the image centre.

    Implements `grid = M[:, :, :2] (u - 0.5) + M[:, :, 2] + 0.5` with u the uniform grid (Jaderberg
    et al., "Spatial Transformer Networks", Eq. 1, in relative coordinates).

    Args:
        matrix: `(batch, 2, 3)`; `[[1, 0, 0], [0, 1, 0]]` is the identity, the last column is a
            shift in image widths and heights.
        size: `(height, width)` of the grid.

    Returns:
        float32 grid `(batch, height, width, 2)`, relative (x, y).

    Raises:
        ValueError: if `matrix` is not `(batch, 2, 3)` or `size` is no size.

    Example:

    >>> import keras_resample as kr
    >>> mirror = [[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]
    >>> kr.ops.grid_from_affine(mirror, size=(4, 4)).shape == (1, 4, 4, 2)
    True
    """
    return moved_by_affine(uniform_grid(size), as_matrix(matrix))


def as_matrix(matrix):
    """`matrix` as a float32 tensor (batch, 2, 3)."""
    matrix = ops.cast(ops.convert_to_tensor(matrix), "float32")
    if len(matrix.shape) != 3 or tuple(matrix.shape[1:]) != (2, 3):
        raise ValueError(
            "`matrix` must have shape (batch, 2, 3). "
            f"Received: matrix of shape {tuple(matrix.shape)}"
        )
    return matrix


@one_program
def moved_by_affine(places, matrix):
    """Where an affine map about the image centre takes places (batch or 1, ..., 2).

    As a displacement, of which the identity has none: there a grid stays what it was, exactly.
    (x and y are computed apart: pairs in the last axis are slow on PyTorch.)
    """
    offset = matrix - ops.eye(2, 3, dtype="float32")
    offset = ops.reshape(offset, (-1, *(1,) * (len(places.shape) - 2), 2, 3))
    x, y = places[..., 0], places[..., 1]
    moved = [
        place + (row[..., 0] * (x - 0.5) + row[..., 1] * (y - 0.5) + row[..., 2])
        for place, row in ((x, offset[..., 0, :]), (y, offset[..., 1, :]))
    ]
    return ops.stack(moved, axis=-1)


def resize_grid(grid, size):
    """Grid of another size that looks at the same places.

    The displacement from the uniform grid is resized bilinearly and added to the uniform grid of
    the new size. (Resizing the coordinates themselves would flatten the frame of the image.)

    Args:
        grid: `(batch, h', w', 2)`, relative (x, y).
        size: `(height, width)` of the result.

    Returns:
        float32 grid `(batch, height, width, 2)`.

    Raises:
        ValueError: if `grid` is no grid or `size` is no size.

    Example:

    >>> import keras_resample as kr
    >>> kr.ops.resize_grid(kr.ops.uniform_grid((7, 7)), (14, 28)).shape == (1, 14, 28, 2)
    True
    """
    grid, size = as_pairs(grid, "grid", ranks=(4,)), as_size(size)
    return resize_field(grid - uniform_grid_like(grid), *size) + uniform_grid(size)


def resize_field(field, height, width):
    """Bilinear resize of a field (batch, h', w', 2), to sizes that may be tensors."""
    return _resize_axis(_resize_axis(field, height, axis=1), width, axis=2)


def resize_displacement(displacement, height, width):
    """Displacement in cells of a grid as that of a grid of another size, in cells of that one."""
    _, rows, cols, _ = ops.shape(displacement)
    if _is_same(rows, height) and _is_same(cols, width):
        return displacement
    resized = resize_field(displacement, height, width)
    return resized * (extent(width, height) / extent(cols, rows))


def _is_same(size, other):
    """Whether two sizes are known to be equal; neither is where it is a tensor."""
    return isinstance(size, int) and isinstance(other, int) and size == other


def extent(width, height):
    """The two sizes as float32 (x, y), for sizes that may be tensors; one number for equal ones.

    (A pair has to be broadcast over the last axis of a grid, which is slow on PyTorch.)
    """
    if isinstance(width, int) and isinstance(height, int):
        if width == height:
            return float(width)
        return _known_extent(width, height)
    return ops.cast(ops.stack([width, height]), "float32")


@backend.constant
def _known_extent(width, height):
    return np.array([width, height], "float32")


def _resize_axis(values, count, axis):
    """Bilinear resize of one axis (1 or 2), half-pixel centres, the border continued.

    `keras.ops.image.resize` takes no size that is a tensor, and on JAX one NaN would fill its
    result.
    """
    size = ops.shape(values)[axis]
    if _is_same(size, count):
        return values
    if isinstance(size, int) and isinstance(count, int):
        taps, weight = _known_taps(size, count), _known_weights(size, count)
    else:
        position = pixel_centers(count) * ops.cast(size, "float32") - 0.5
        low = ops.floor(position)
        weight = position - low
        low = ops.cast(low, "int32")
        taps = ops.clip(ops.stack([low, low + 1]), 0, size - 1)
    weight = ops.reshape(weight, (-1, 1) if axis == 2 else (-1, 1, 1))
    before, after = (backend.gather(values, tap, axis=axis) for tap in (taps[0], taps[1]))
    return before * (1.0 - weight) + after * weight


def _resize_position(size, count):
    """Where the pixels of a resized axis lie on the axis, in pixels, in float32 step by step."""
    centers = ((np.arange(count) + 0.5) / count).astype("float32")
    return centers * np.float32(size) - np.float32(0.5)


@backend.constant
def _known_taps(size, count):
    low = np.floor(_resize_position(size, count)).astype("int32")
    return np.clip([low, low + 1], 0, size - 1).astype("int32")


@backend.constant
def _known_weights(size, count):
    position = _resize_position(size, count)
    return position - np.floor(position)


def uniform_grid_like(grid):
    """The uniform grid `(1, h', w', 2)` of the size of `grid` (batch, h', w', 2)."""
    shape = ops.shape(grid)
    return uniform_grid_of(shape[1], shape[2])


def displaced_grid(displacement):
    """The grid at a displacement (batch, h', w', 2) from the uniform one, in cells of the grid."""
    _, rows, cols, _ = ops.shape(displacement)
    return uniform_grid_like(displacement) + displacement / extent(cols, rows)


def cell_displacement(grid):
    """Displacement of `grid` from the uniform grid, in cells of the grid: (batch, h', w', 2)."""
    grid = as_pairs(grid, "grid", ranks=(4,))
    _, rows, cols, _ = ops.shape(grid)
    return (grid - uniform_grid_like(grid)) * extent(cols, rows)


def as_pairs(values, name, ranks):
    """`values` as a float32 tensor of one of `ranks` with (x, y) in its last axis."""
    values = ops.cast(ops.convert_to_tensor(values), "float32")
    if len(values.shape) not in ranks or values.shape[-1] != 2:
        shapes = " or ".join({3: "(h', w', 2)", 4: "(batch, h', w', 2)"}[r] for r in ranks)
        raise ValueError(
            f"`{name}` must have shape {shapes}. Received: {name} of shape {tuple(values.shape)}"
        )
    return values
