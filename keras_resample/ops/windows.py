"""Maps cut into windows that attention stays in, and put together again."""

import numpy as np
from keras import ops

# Of the code of Swin: added to a logit, it leaves the pair no weight.
APART = -100.0


def window_counts(grid_size, window_size):
    """How many windows lie below each other, and beside each other."""
    return tuple(-(-side // window_size) for side in grid_size)


def shift_of(grid_size, window_size, shift):
    """Shift of rows and of columns: none along a side of one window."""
    counts = window_counts(grid_size, window_size)
    return tuple(shift if count > 1 else 0 for count in counts)


def to_windows(x, window_size, shift):
    """Windows of a map that is padded by zeros below and on the right, and shifted up and left.

    Args:
        x: `(b, h, w, c)`, of known height and width.
        window_size: side of a window.
        shift: rows and columns by which it is shifted; what leaves comes back on the other side.

    Returns:
        `(b, windows, window_size^2, c)`.
    """
    height, width, channels = x.shape[1:]
    rows, cols = window_counts((height, width), window_size)
    pads = rows * window_size - height, cols * window_size - width
    if any(pads):
        x = ops.pad(x, ((0, 0), (0, pads[0]), (0, pads[1]), (0, 0)))
    if any(shift):
        x = ops.roll(x, (-shift[0], -shift[1]), axis=(1, 2))
    x = ops.reshape(x, (-1, rows, window_size, cols, window_size, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows * cols, window_size**2, channels))


def from_windows(windows, grid_size, window_size, shift):
    """The map `(b, h, w, c)` that `to_windows` cut."""
    rows, cols = window_counts(grid_size, window_size)
    channels = windows.shape[-1]
    x = ops.reshape(windows, (-1, rows, cols, window_size, window_size, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    x = ops.reshape(x, (-1, rows * window_size, cols * window_size, channels))
    if any(shift):
        x = ops.roll(x, tuple(shift), axis=(1, 2))
    return x[:, : grid_size[0], : grid_size[1]]


def places_in_windows(grid_size, window_size, shift):
    """Flat index of the place that each token of the windows is, -1 of padding: `(windows, n)`."""
    rows, cols = window_counts(grid_size, window_size)
    padded = np.full((rows * window_size, cols * window_size), -1)
    padded[: grid_size[0], : grid_size[1]] = np.arange(np.prod(grid_size)).reshape(grid_size)
    return _cut(padded, rows, cols, window_size, shift)


def shift_mask(grid_size, window_size, shift):
    """What keeps tokens apart that a shift has brought together: float32 `(windows, n, n)`.

    `APART` for pairs of different parts of the map, 0 for others (Eq. 4 and Fig. 4 of Swin).
    """
    rows, cols = window_counts(grid_size, window_size)
    parts = np.zeros((rows * window_size, cols * window_size))
    for axis, step in enumerate(shift):
        if step:
            place = np.arange(parts.shape[axis])
            # As they lie after the shift: whole windows, and both parts of the last one.
            part = (place >= parts.shape[axis] - window_size).astype(int)
            part += place >= parts.shape[axis] - step
            parts += part[:, None] * 3 if axis == 0 else part[None, :]
    parts = _cut(parts, rows, cols, window_size, (0, 0))
    differ = parts[:, :, None] != parts[:, None, :]
    return np.where(differ, APART, 0.0).astype("float32")


def _cut(array, rows, cols, window_size, shift):
    array = np.roll(array, (-shift[0], -shift[1]), axis=(0, 1))
    array = array.reshape(rows, window_size, cols, window_size).swapaxes(1, 2)
    return array.reshape(rows * cols, window_size**2)
