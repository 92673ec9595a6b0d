"""The sampler one sample at a time: an endless image, read at four integer places."""

import numpy as np


def source_index(index, size, fill_mode):
    """Which pixel of `size` lies at integer `index` of the continued image; None for the fill."""
    if 0 <= index < size:
        return index
    if fill_mode == "constant":
        return None
    if fill_mode == "nearest":
        return 0 if index < 0 else size - 1
    if size == 1:
        return 0
    if fill_mode == "reflect":  # dcba|abcd|dcba
        index %= 2 * size
        return index if index < size else 2 * size - 1 - index
    index %= 2 * size - 2  # mirror: dcb|abcd|cba
    return index if index < size else 2 * size - 2 - index


def read(image, row, col, fill_mode, fill_value):
    """One pixel of the continued image (h, w, c)."""
    height, width, channels = image.shape
    row, col = source_index(row, height, fill_mode), source_index(col, width, fill_mode)
    if row is None or col is None:
        return np.full(channels, fill_value)
    return image[row, col].astype("float64")


def sample_point(image, x, y, interpolation, fill_mode, fill_value):
    """The image at pixel coordinates (x, y), pixel centres at integers."""
    if interpolation == "nearest":
        row, col = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
        return read(image, row, col, fill_mode, fill_value)
    left, top = int(np.floor(x)), int(np.floor(y))
    result = 0.0
    for row, wy in ((top, top + 1 - y), (top + 1, y - top)):
        for col, wx in ((left, left + 1 - x), (left + 1, x - left)):
            result = result + wy * wx * read(image, row, col, fill_mode, fill_value)
    return result


def sample_loop(images, grid, interpolation="bilinear", fill_mode="nearest", fill_value=0.0):
    """`ops.sample` of (b, h, w, c) at (b or 1, h', w', 2), in float64."""
    batch, height, width, channels = images.shape
    result = np.zeros((batch, *grid.shape[1:3], channels))
    for b, i, j in np.ndindex(result.shape[:3]):
        u, v = grid[b if len(grid) > 1 else 0, i, j].astype("float64")
        x, y = u * width - 0.5, v * height - 0.5
        result[b, i, j] = sample_point(images[b], x, y, interpolation, fill_mode, fill_value)
    return result


def centres(height, width):
    """The uniform grid (1, h, w, 2)."""
    y, x = np.mgrid[:height, :width]
    return np.stack([(x + 0.5) / width, (y + 0.5) / height], axis=-1)[None]


def antialias_loop(images, grid, **options):
    """The mean over each cell of a grid refined ceil(h / h') by ceil(w / w') times."""
    batch, height, width, channels = images.shape
    rows, cols = grid.shape[1:3]
    fine_y, fine_x = -(-height // rows), -(-width // cols)
    displacement = grid.astype("float64") - centres(rows, cols)
    fine = centres(rows * fine_y, cols * fine_x)
    fine = fine + sample_loop(displacement, np.repeat(fine, len(grid), axis=0))
    values = sample_loop(images, fine, **options)
    cells = values.reshape(batch, rows, fine_y, cols, fine_x, channels)
    return cells.mean(axis=(2, 4))
