"""How many points lie in a square: the proof that a search has seen all that matter.

Points in a square are counted without a look at them: an integral image holds the number of points
above and to the left of each corner of its cells, and four of these numbers give a square's.

    total(d) - total(b) - total(c) + total(a)        a---b
                                                     |   |
                                                     c---d
"""

from keras import ops

from keras_resample import backend
from keras_resample.ops.restoring.tiles import TILE

CELL = 2  # pixels; divides TILE
SLACK = 1e-3  # pixels, above the rounding of distances
# Points are kept within +-LIMIT pixels; what is no point lies at NOWHERE.
LIMIT, NOWHERE = 1e9, 2e9


class PointCounts:
    """Numbers of points, in cells of 2 x 2 pixels. The cells of the frame have no outer end."""

    def __init__(self, points, bad, tiles):
        self.rows, self.cols = tiles.rows * (TILE // CELL), tiles.cols * (TILE // CELL)
        cell = cells_of(points, bad, CELL, self.rows, self.cols)
        number = ops.segment_sum(ops.ones_like(cell), cell, self.rows * self.cols + 1)
        number = ops.reshape(number[:-1], (self.rows, self.cols))
        number = ops.cumsum(ops.cumsum(number, axis=0), axis=1)
        number = ops.pad(number, ((1, 0), (1, 0)))
        self.totals = ops.reshape(number, ((self.rows + 1) * (self.cols + 1),))

    def are_all(self, x, y, centers, reach):
        """Whether (x, y) (k, ...) are all points of a square, grown to whole cells.

        Args:
            x, y: coordinates of points that may lie in it or not, each point once.
            centers: (2, ...), of the squares.
            reach: (...), half their sides.
        """
        reach = reach + SLACK
        left, right, x0, x1 = _span(centers[0] - reach, centers[0] + reach, self.cols)
        top, bottom, y0, y1 = _span(centers[1] - reach, centers[1] + reach, self.rows)
        there = self._total(bottom, right) - self._total(top, right)
        there = there - self._total(bottom, left) + self._total(top, left)
        inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        return ops.sum(ops.cast(inside, "int32"), axis=0) == there

    def _total(self, row, col):
        return backend.gather(self.totals, row * (self.cols + 1) + col)


def cells_of(points, bad, side, rows, cols):
    """The cell of each point in a raster of cells of `side` pixels; that of bad ones is the end.

    Points beyond the raster are in the cells of its frame.
    """
    col = ops.clip(ops.floor(points[:, 0] / side), 0, ops.cast(cols - 1, "float32"))
    row = ops.clip(ops.floor(points[:, 1] / side), 0, ops.cast(rows - 1, "float32"))
    cell = ops.cast(row, "int32") * cols + ops.cast(col, "int32")
    return ops.where(bad, rows * cols, cell)


def _span(low, high, count):
    """The cells from `low` to `high` pixels: the first, the one after the last, and their ends."""
    last = ops.cast(count - 1, "float32")
    low, high = (ops.clip(ops.floor(value / CELL), 0, last) for value in (low, high))
    start = ops.where(low <= 0, -1.5 * LIMIT, low * CELL)
    end = ops.where(high >= last, 1.5 * LIMIT, high * CELL + CELL)
    return ops.cast(low, "int32"), ops.cast(high, "int32") + 1, start, end
