"""The one sampler: reads images, feature maps and label maps at a grid."""

import math

import numpy as np
from keras import backend as keras_backend
from keras import ops

from keras_resample import backend
from keras_resample.ops.grids import check_pairs, pixel_centers, resize_grid_to

INTERPOLATIONS = ("bilinear", "nearest")
FILL_MODES = ("nearest", "constant", "reflect", "mirror")
DATA_FORMATS = ("channels_last", "channels_first")


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

    With `antialias=True` every output is the mean of the input over its own cell of the grid: the grid
    is refined `ceil(h / h')` by `ceil(w / w')` times (`resize_grid`), sampled and averaged. At a uniform
    grid and an integer ratio that is average pooling.

    Gradients flow to the images (of floating dtype) and to the grid. A NaN in the grid stays in its own
    output, a NaN or infinity in a pixel in the outputs whose taps touch it. On PyTorch the bilinear
    kernel has no second derivative.

    Args:
        images: `(batch, h, w, channels)`, or `(batch, channels, h, w)` under channels-first; any dtype.
        grid: `(batch, h', w', 2)`, or `(1, h', w', 2)` shared by the batch (faster); relative (x, y), 0
            and 1 are the outer edges of the image. Computed in float32.
        interpolation: `"bilinear"`, or `"nearest"` (the pixel that holds the point: for labels and
            masks; its gradient to the grid is zero).
        fill_mode: what lies outside the image: `"nearest"` (the edge pixel), `"constant"`
            (`fill_value`), `"reflect"` (`dcba|abcd|dcba`) or `"mirror"` (`dcb|abcd|cba`).
        fill_value: number read outside the image under `fill_mode="constant"`.
        antialias: whether to average over each grid cell; needs `"bilinear"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        `(batch, h', w', channels)`, or `(batch, channels, h', w')`. Floating images keep their dtype;
        others give float32 under `"bilinear"` and keep their dtype under `"nearest"`.

    Raises:
        ValueError: for another rank, batch or last axis of `grid`, another rank or an empty side of
            `images`, or an unknown mode.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.random.rand(8, 112, 112, 3).astype("float32")
    >>> half = kr.ops.sample(images, kr.ops.uniform_grid((56, 56)), data_format="channels_last")
    >>> half.shape == (8, 56, 56, 3)
    True
    """
    check_sampling(interpolation, fill_mode, fill_value, antialias)
    data_format = check_data_format(data_format)
    for name, value in (("images", images), ("grid", grid)):
        if keras_backend.is_keras_tensor(value):
            raise ValueError(
                f"`{name}` must be a tensor; in a functional model sample by a layer, such as "
                f"`keras_resample.layers.GridSampler`. Received: {name}={value}"
            )
    images = ops.convert_to_tensor(images)
    grid = check_pairs(grid, "grid", ranks=(4,))
    _check_images(images, grid, data_format)
    if grid.shape[0] is None:  # it may be 1, which a kernel has to know
        batch = ops.shape(images)[0]
        grid = ops.broadcast_to(grid, (batch, *ops.shape(grid)[1:]))
    if data_format == "channels_first":
        images = ops.transpose(images, (0, 2, 3, 1))
    read = _read_nearest if interpolation == "nearest" else _read_bilinear
    result = read(images, grid, fill_mode, fill_value, antialias)
    if data_format == "channels_first":
        result = ops.transpose(result, (0, 3, 1, 2))
    return result


def _read_bilinear(images, grid, fill_mode, fill_value, antialias):
    _, height, width, channels = ops.shape(images)
    _, rows, cols, _ = ops.shape(grid)
    fine_y, fine_x = (_ratio(height, rows), _ratio(width, cols)) if antialias else (1, 1)
    if antialias:
        grid = resize_grid_to(grid, rows * fine_y, cols * fine_x)
    x, y = _pixel_positions(grid, height, width)
    x, y = (_group_cells(p, rows, fine_y, cols, fine_x) for p in (x, y))
    coverage = None
    if fill_mode == "constant":
        coverage = _coverage(x, width) * _coverage(y, height)
    x, y = _inside(x, width, fill_mode), _inside(y, height, fill_mode)
    result = backend.bilinear(images, x, y, coverage)
    if coverage is not None:
        outside = ops.sum(1.0 - coverage, axis=-1)[..., None]
        result = result + ops.cast(outside * fill_value, result.dtype)
    if antialias:
        result = result / ops.cast(fine_y * fine_x, result.dtype)
    is_float = keras_backend.is_float_dtype(images.dtype)
    dtype = keras_backend.standardize_dtype(images.dtype) if is_float else "float32"
    return ops.cast(ops.reshape(result, (-1, rows, cols, channels)), dtype)


def _read_nearest(images, grid, fill_mode, fill_value, antialias):
    _, height, width, channels = ops.shape(images)
    _, rows, cols, _ = ops.shape(grid)
    x, y = _pixel_positions(grid, height, width)
    x, y = (ops.reshape(p, (-1, rows * cols)) for p in (x, y))
    result = backend.nearest(
        images,
        _nearest_index(_inside(y, height, fill_mode), height),
        _nearest_index(_inside(x, width, fill_mode), width),
    )
    if fill_mode == "constant":
        inside = _within(x, width) & _within(y, height)
        result = ops.where(inside[..., None], result, ops.cast(fill_value, result.dtype))
    return ops.reshape(result, (-1, rows, cols, channels))


def _pixel_positions(grid, height, width):
    """Pixel coordinates (batch, h', w') of a relative grid: x and y, pixel centres at integers.

    Written as displacement from the uniform grid, whose own positions are those of a resize: so a
    uniform grid reads exactly where a resize reads, at any image size.
    """
    _, rows, cols, _ = ops.shape(grid)
    x = (grid[..., 0] - pixel_centers(cols)) * ops.cast(width, "float32")
    y = (grid[..., 1] - pixel_centers(rows)[:, None]) * ops.cast(height, "float32")
    return x + _resize_positions(cols, width), y + _resize_positions(rows, height)[:, None]


def _resize_positions(count, size):
    """Pixel coordinates that a resize of `size` pixels to `count` reads: (i + 0.5) size/count - 0.5.

    In float32 step by step, as every backend's resize forms them: more exact ones differ from those.
    """
    if isinstance(count, int) and isinstance(size, int):
        ratio = np.float32(size) / np.float32(count)
        half = np.float32(0.5)
        return ops.convert_to_tensor((np.arange(count, dtype="float32") + half) * ratio - half)
    ratio = ops.cast(size, "float32") / ops.cast(count, "float32")
    return (ops.arange(count, dtype="float32") + 0.5) * ratio - 0.5


def _group_cells(positions, rows, fine_y, cols, fine_x):
    """(b, rows * fine_y, cols * fine_x) -> (b, rows * cols, fine_y * fine_x)."""
    cells = ops.reshape(positions, (-1, rows, fine_y, cols, fine_x))
    cells = ops.transpose(cells, (0, 1, 3, 2, 4))
    return ops.reshape(cells, (-1, rows * cols, fine_y * fine_x))


def _ratio(size, count):
    """Input pixels per output pixel, rounded up: the refinement that antialiasing needs."""
    if isinstance(size, int) and isinstance(count, int):
        return math.ceil(size / count)
    return (size + count - 1) // count


def _inside(position, size, fill_mode):
    """Moves pixel coordinates into [0, size - 1] where `fill_mode` reads the same value there."""
    last = ops.cast(size - 1, "float32")
    if fill_mode == "reflect":
        position = _fold(position + 0.5, last + 1.0) - 0.5
    elif fill_mode == "mirror":
        position = _fold(position, last)
    # `where` rather than `clip`, whose gradient on the bound differs between backends
    position = ops.where(position < 0.0, 0.0, position)
    return ops.where(position > last, last, position)


def _fold(position, length):
    """Reflects a coordinate into [0, length]."""
    period = 2.0 * ops.maximum(length, 0.5)
    position = position - period * ops.floor(position / period)
    return ops.where(position > length, period - position, position)


def _coverage(position, size):
    """Weight that bilinear interpolation gives to pixels inside the image: 1 inside, 0 one pixel out."""
    last = ops.cast(size - 1, "float32")
    beyond = ops.maximum(-position, position - last)
    return ops.where(beyond <= 0.0, 1.0, ops.where(beyond >= 1.0, 0.0, 1.0 - beyond))


def _within(position, size):
    """Whether the point lies in the image."""
    return (position >= -0.5) & (position < ops.cast(size, "float32") - 0.5)


def _nearest_index(position, size):
    """Index of the pixel that holds the point; NaN reads pixel 0."""
    position = ops.where(ops.isnan(position), 0.0, position)
    return ops.clip(ops.cast(ops.floor(position + 0.5), "int32"), 0, size - 1)


def check_sampling(interpolation, fill_mode, fill_value, antialias):
    """Raises unless the sampling arguments are known and fit together."""
    for name, value, known in (
        ("interpolation", interpolation, INTERPOLATIONS),
        ("fill_mode", fill_mode, FILL_MODES),
    ):
        if value not in known:
            raise ValueError(f"`{name}` must be one of {known}. Received: {name}={value!r}")
    if isinstance(fill_value, bool) or not isinstance(fill_value, (int, float, np.number)):
        raise ValueError(f"`fill_value` must be a number. Received: fill_value={fill_value!r}")
    if not isinstance(antialias, (bool, np.bool_)):
        raise ValueError(f"`antialias` must be True or False. Received: antialias={antialias!r}")
    if antialias and interpolation != "bilinear":
        raise ValueError(
            '`antialias=True` averages, so it needs interpolation="bilinear". '
            f"Received: interpolation={interpolation!r}"
        )


def check_data_format(data_format):
    """`data_format`, or Keras's global setting for `None`."""
    if data_format is None:
        return keras_backend.image_data_format()
    if data_format not in DATA_FORMATS:
        raise ValueError(
            f"`data_format` must be one of {DATA_FORMATS} or None. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


def _check_images(images, grid, data_format):
    shape = tuple(images.shape)
    axes = (
        "height, width, channels" if data_format == "channels_last" else "channels, height, width"
    )
    if len(shape) != 4 or 0 in shape[1:]:
        raise ValueError(
            f"`images` must have shape (batch, {axes}) with no empty side. "
            f"Received: images of shape {shape}"
        )
    if 0 in tuple(grid.shape[1:]):
        raise ValueError(
            "`grid` must have shape (batch, h', w', 2) with no empty side. "
            f"Received: grid of shape {tuple(grid.shape)}"
        )
    batch, grid_batch = shape[0], grid.shape[0]
    if None not in (batch, grid_batch) and grid_batch not in (1, batch):
        raise ValueError(
            f"`grid` must have a batch of 1 (shared) or that of the images, {batch}. "
            f"Received: grid of shape {tuple(grid.shape)}"
        )
