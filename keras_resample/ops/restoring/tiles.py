"""An image in tiles of 4 x 4 pixels, each of which is searched as one."""

import numpy as np
from keras import ops

TILE = 4  # pixels
OFFSETS = np.arange(TILE, dtype="float32") - (TILE - 1) / 2  # of pixels from their tile's centre


class Tiles:
    """The tiles of an image, row by row; the last ones may go beyond its end."""

    def __init__(self, height, width):
        self.height, self.width = height, width
        self.rows, self.cols = -(-height // TILE), -(-width // TILE)
        self.count = self.rows * self.cols

    def numbers(self):
        return ops.arange(self.count, dtype="int32")

    def centers(self, tile):
        """The centre of each tile in pixels, (2, ...): x and y."""
        col, row = ops.cast(tile % self.cols, "float32"), ops.cast(tile // self.cols, "float32")
        return ops.stack([col * TILE + TILE / 2, row * TILE + TILE / 2])

    def image(self, values):
        """What is known of the pixels of all tiles, (16, tiles), as an image (height * width,)."""
        values = ops.reshape(values, (TILE, TILE, self.rows, self.cols))
        values = ops.transpose(values, (2, 0, 3, 1))
        values = ops.reshape(values, (self.rows * TILE, self.cols * TILE))
        return ops.reshape(values[: self.height, : self.width], (self.height * self.width,))


def squared_distances(x, y, centers):
    """From the k points of each tile, (k, tiles), to its pixels: (k, 16, tiles)."""
    offsets = ops.convert_to_tensor(OFFSETS[:, None])
    dx = ops.square((x - centers[0])[:, None] - offsets)
    dy = ops.square((y - centers[1])[:, None] - offsets)
    return ops.reshape(dy[:, :, None] + dx[:, None], (-1, TILE * TILE, ops.shape(x)[-1]))


def pixels(centers):
    """The x and the y of each tile's pixels, (16, tiles)."""
    x, y = np.tile(OFFSETS, TILE)[:, None], np.repeat(OFFSETS, TILE)[:, None]
    return centers[0] + ops.convert_to_tensor(x), centers[1] + ops.convert_to_tensor(y)
