"""The way back: what was computed at a grid's points becomes an image again."""

import numpy as np
from keras import backend as keras_backend
from keras import ops

from keras_resample import backend
from keras_resample.ops.grids import check_pairs, check_size, extent
from keras_resample.ops.nearest_points import nearest_points
from keras_resample.ops.sampling import check_data_format

INTERPOLATIONS = ("nearest",)


def restore(values, grid, size, interpolation="nearest", data_format=None):
    """Puts what was computed at the points of `grid` back into an image of `size`.

    Every pixel takes the value of the grid point that is nearest to its centre, in pixels of the
    image. No value is invented: class maps stay class maps. Gradients flow to the values.

    Args:
        values: `(batch, h', w', channels)`, or `(batch, channels, h', w')` under channels-first:
            class maps, probabilities or logits at the grid's points, of any dtype.
        grid: `(batch, h', w', 2)`, or `(1, h', w', 2)` shared by the batch: relative (x, y), as it
            was sampled at. Points may coincide, fold over each other or lie outside [0, 1]; one
            that is NaN is nearest to no pixel.
        size: `(height, width)` of the image, integers (on TensorFlow also scalar tensors).
        interpolation: `"nearest"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for
            `keras.config.image_data_format()`.

    Returns:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`, dtype of the
        values.

    Raises:
        ValueError: for another rank or an empty side of `values`, a grid of another size or batch
            than theirs, no size, or an unknown interpolation.

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
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"`interpolation` must be one of {INTERPOLATIONS}. "
            f"Received: interpolation={interpolation!r}"
        )
    data_format = check_data_format(data_format)
    for name, value in (("values", values), ("grid", grid)):
        if keras_backend.is_keras_tensor(value):
            raise ValueError(
                f"`{name}` must be a tensor; in a functional model restore by a layer, such as "
                f"`keras_resample.layers.GridSampler`. Received: {name}={value}"
            )
    height, width = _check_image_size(size)
    values = ops.convert_to_tensor(values)
    grid = check_pairs(grid, "grid", ranks=(4,))
    _check_values(values, grid, data_format)
    if data_format == "channels_first":
        values = ops.transpose(values, (0, 2, 3, 1))
    if grid.shape[0] is None:
        batch = ops.shape(values)[0]
        grid = ops.broadcast_to(grid, (batch, *ops.shape(grid)[1:]))
    result = _restore_nearest(values, ops.stop_gradient(grid), height, width)
    if data_format == "channels_first":
        result = ops.transpose(result, (0, 3, 1, 2))
    return result


def _restore_nearest(values, grid, height, width):
    batch, rows, cols, channels = ops.shape(values)
    index = nearest_points(grid * extent(width, height), height, width)
    table = ops.reshape(values, (batch, 1, rows * cols, channels))
    result = backend.nearest(table, ops.zeros_like(index), index)
    return ops.reshape(result, (batch, height, width, channels))


def _check_image_size(size):
    """(height, width) as numbers, or as scalar tensors where one is."""
    if ops.is_tensor(size) and tuple(size.shape) == (2,):
        size = (size[0], size[1])
    if not isinstance(size, (tuple, list)) or len(size) != 2 or not all(map(_is_length, size)):
        return check_size(size)  # raises
    return tuple(n if ops.is_tensor(n) else int(n) for n in size)


def _is_length(length):
    if ops.is_tensor(length):
        is_integer = keras_backend.is_int_dtype(keras_backend.standardize_dtype(length.dtype))
        return is_integer and len(length.shape) == 0
    return isinstance(length, (int, np.integer)) and not isinstance(length, bool) and length > 0


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
