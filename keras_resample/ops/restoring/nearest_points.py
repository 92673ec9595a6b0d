"""Which point of a grid is nearest to each pixel."""

import functools

import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.backend.compiling import compiled_once
from keras_resample.ops.restoring.point_tree import LIMIT, NOWHERE, OFFSETS, SLACK, TILE, PointTree

CELL = 2  # pixels; divides TILE
NEAR = 3  # side of the neighbourhood in the grid that is searched
STEPS = 2  # to a nearer neighbour, before that search
FILL_LEVELS = 5
# Boxes of 16 points that a tile looks into, and the share of all tiles that do so at once: first,
# and where those do not do.
BOXES = ((4, 32), (12, 64))


@compiled_once
def nearest_points(points, *, height, width):
    """Index of the point nearest to each pixel's centre.

    Args:
        points: float32 (b, rows, cols, 2), pixel coordinates (x, y), 0 the outer edge of the first
            pixel. A NaN point is nearest to nothing.
        height, width: the image's, integers or tensors.

    Returns:
        int32 (b, height * width), `row * cols + col`; any of the points that are nearest up to
        rounding.
    """
    return ops.map(lambda p: _Search(p, height, width).run(), points)


class _Search:
    """The search in one image."""

    def __init__(self, points, height, width):
        self.height, self.width = height, width
        self.rows, self.cols, _ = ops.shape(points)
        self.count = self.rows * self.cols
        points = ops.reshape(points, (self.count, 2))
        bad = ops.any(ops.isnan(points), axis=1)
        points = ops.where(bad[:, None], NOWHERE, ops.clip(points, -LIMIT, LIMIT))
        self.points, self.bad = points, bad
        self.tile_rows, self.tile_cols = -(-height // TILE), -(-width // TILE)
        self.tiles = self.tile_rows * self.tile_cols

    def run(self):
        self.counted, self.around = self.count_points(), self.neighbourhoods()
        center = self.tile_center(ops.arange(self.tiles, dtype="int32"))
        guess = ops.fori_loop(0, STEPS, lambda _, g: self.step(g, center), self.guess())
        best, doubtful = self.search_tiles(guess, center)
        best = ops.cond(ops.any(doubtful), lambda: self.search_tree(best, doubtful), lambda: best)
        best = ops.reshape(best, (TILE, TILE, self.tile_rows, self.tile_cols))
        best = ops.reshape(
            ops.transpose(best, (2, 0, 3, 1)), (self.tile_rows * TILE, self.tile_cols * TILE)
        )
        return ops.reshape(best[: self.height, : self.width], (self.height * self.width,))

    def tile_center(self, tile):
        x = ops.cast(tile % self.tile_cols, "float32") * TILE + TILE / 2
        y = ops.cast(tile // self.tile_cols, "float32") * TILE + TILE / 2
        return x, y

    def raster_index(self, side, ratio):
        """Cell of each point; beyond the image the cells of its frame, bad points beyond all."""
        rows, cols = self.tile_rows * ratio, self.tile_cols * ratio
        col = ops.clip(ops.floor(self.points[:, 0] / side), 0, ops.cast(cols - 1, "float32"))
        row = ops.clip(ops.floor(self.points[:, 1] / side), 0, ops.cast(rows - 1, "float32"))
        cell = ops.cast(row, "int32") * cols + ops.cast(col, "int32")
        return ops.where(self.bad, rows * cols, cell), rows, cols

    def count_points(self):
        """Integral image (rows + 1, cols + 1) of the number of points in each cell."""
        cell, rows, cols = self.raster_index(CELL, TILE // CELL)
        number = ops.segment_sum(ops.ones_like(cell), cell, rows * cols + 1)
        number = ops.reshape(number[:-1], (rows, cols))
        number = ops.cumsum(ops.cumsum(number, axis=0), axis=1)
        self.cell_rows, self.cell_cols = rows, cols
        return ops.reshape(ops.pad(number, ((1, 0), (1, 0))), ((rows + 1) * (cols + 1),))

    def guess(self):
        """Some point near each tile: one inside, else one of the block around it."""
        tile, rows, cols = self.raster_index(TILE, 1)
        point = ops.segment_max(ops.arange(self.count, dtype="int32"), tile, rows * cols + 1)
        level = ops.maximum(ops.reshape(point[:-1], (rows, cols)), -1)
        levels = [level]
        for _ in range(FILL_LEVELS):
            rows, cols = (rows + 1) // 2, (cols + 1) // 2
            row, col = ops.arange(rows, dtype="int32") * 2, ops.arange(cols, dtype="int32") * 2
            level = ops.maximum(
                ops.take(level, row, axis=0),
                ops.take(level, ops.minimum(row + 1, ops.shape(level)[0] - 1), axis=0),
            )
            level = ops.maximum(
                ops.take(level, col, axis=1),
                ops.take(level, ops.minimum(col + 1, ops.shape(level)[1] - 1), axis=1),
            )
            levels.append(level)
        level = ops.maximum(levels.pop(), 0)
        for finer in reversed(levels):
            row = ops.arange(ops.shape(finer)[0], dtype="int32") // 2
            col = ops.arange(ops.shape(finer)[1], dtype="int32") // 2
            coarser = ops.take(ops.take(level, row, axis=0), col, axis=1)
            level = ops.where(finer < 0, coarser, finer)
        return ops.reshape(level, (self.tiles,))

    def neighbourhoods(self):
        """Of each point, the 3 x 3 points around it: the index of their first one, and a table
        (points, 18) of their x and their y. There is none beyond the grid."""
        points = ops.reshape(self.points, (self.rows, self.cols, 2))
        points = ops.pad(points, ((0, NEAR), (0, NEAR), (0, 0)), constant_values=NOWHERE)
        steps, firsts = ops.arange(NEAR, dtype="int32"), []
        for axis, count in enumerate((self.rows, self.cols)):
            first = ops.arange(count, dtype="int32") - NEAR // 2
            first = ops.clip(first, 0, ops.maximum(count - NEAR, 0))
            points = ops.take(points, ops.reshape(first[:, None] + steps, (-1,)), axis=axis)
            firsts.append(first)
        table = ops.reshape(points, (self.rows, NEAR, self.cols, NEAR, 2))
        table = ops.transpose(table, (0, 2, 4, 1, 3))
        first = firsts[0][:, None] * self.cols + firsts[1]
        return ops.reshape(first, (self.count,)), ops.reshape(table, (self.count, 2 * NEAR**2))

    def window(self, index):
        """Index of the first of the points around `index`, and their coordinates (9, ...)."""
        first, table = self.around
        x, y = ops.split(ops.transpose(ops.take(table, index, axis=0)), 2, axis=0)
        return ops.take(first, index, axis=0), x, y

    def nearest_in_window(self, first, distance):
        """Index of the point with the smallest distance (9, ...), and that distance."""
        smallest, place = backend.smallest(distance, 1)
        return first + place[0] // NEAR * self.cols + place[0] % NEAR, smallest[0]

    def step(self, guess, center):
        """The point nearest to the tile's centre among those around `guess`."""
        first, x, y = self.window(guess)
        distance = ops.square(x - center[0]) + ops.square(y - center[1])
        return self.nearest_in_window(first, distance)[0]

    def search_tiles(self, guess, center):
        """Nearest points (TILE * TILE, tiles) among those around `guess`; doubtful tiles."""
        first, x, y = self.window(guess)
        offsets = ops.convert_to_tensor(OFFSETS[None, :, None])
        dx = ops.square((x - center[0])[:, None] - offsets)
        dy = ops.square((y - center[1])[:, None] - offsets)
        distance = ops.reshape(dy[:, :, None] + dx[:, None], (NEAR**2, TILE * TILE, self.tiles))
        best, distance = self.nearest_in_window(first, distance)
        reach = ops.sqrt(ops.max(distance, axis=0)) + (TILE - 1) / 2
        return best, ops.logical_not(self.complete(x, y, *center, reach))

    def complete(self, x, y, center_x, center_y, reach):
        """Whether (x, y) (k, ...) are all points in the square of half side `reach`, grown to
        whole cells."""
        reach = reach + SLACK

        def cells(low, high, count):
            last = ops.cast(count - 1, "float32")
            low, high = (ops.clip(ops.floor(v / CELL), 0, last) for v in (low, high))
            from_ = ops.where(low <= 0, -1.5 * LIMIT, low * CELL)
            to = ops.where(high >= last, 1.5 * LIMIT, high * CELL + CELL)
            return ops.cast(low, "int32"), ops.cast(high, "int32") + 1, from_, to

        left, right, x0, x1 = cells(center_x - reach, center_x + reach, self.cell_cols)
        top, bottom, y0, y1 = cells(center_y - reach, center_y + reach, self.cell_rows)
        side = self.cell_cols + 1

        def total(row, col):
            return ops.take(self.counted, row * side + col, axis=0)

        there = total(bottom, right) - total(top, right) - total(bottom, left) + total(top, left)
        inside = ops.logical_and(ops.logical_and(x >= x0, x < x1), ops.logical_and(y >= y0, y < y1))
        return ops.sum(ops.cast(inside, "int32"), axis=0) == there

    def refine(self, best, doubtful, search, share):
        """Runs `search` on the doubtful tiles, a fixed number at a time: a `share` of all."""
        together = 512
        if isinstance(self.tiles, int):
            together = min(max(self.tiles // share, 128), 4096, self.tiles)
        number = ops.cumsum(ops.cast(doubtful, "int32"))
        total = number[-1]
        everything = ops.arange(self.tiles, dtype="int32")
        queue = ops.where(doubtful, number - 1, self.tiles)
        queue = ops.segment_max(everything, queue, self.tiles + 1)
        queue = ops.clip(queue, 0, self.tiles - 1)
        pixel = ops.arange(TILE * TILE, dtype="int32")
        offset_x = ops.convert_to_tensor(np.tile(OFFSETS, TILE)[:, None])
        offset_y = ops.convert_to_tensor(np.repeat(OFFSETS, TILE)[:, None])

        def unfinished(done, best, doubtful):
            return done < total

        def some(done, best, doubtful):
            wanted = done + ops.arange(together, dtype="int32")
            tile = ops.take(queue, ops.minimum(wanted, self.tiles), axis=0)
            center_x, center_y = self.tile_center(tile)
            x = center_x[None] + offset_x
            y = center_y[None] + offset_y
            found, still = search(ops.take(best, tile, axis=1), x, y)
            column, row = ops.meshgrid(tile, pixel)
            place = ops.reshape(ops.stack([row, column], axis=-1), (-1, 2))
            best = ops.scatter_update(best, place, ops.reshape(found, (-1,)))
            doubtful = ops.scatter_update(doubtful, tile[:, None], still)
            return done + together, best, doubtful

        state = (ops.zeros((), "int32"), best, doubtful)
        return ops.while_loop(unfinished, some, state)[1:]

    def search_tree(self, best, doubtful):
        tree = PointTree(self.points, self.bad)
        for boxes, share in BOXES:
            search = functools.partial(tree.nearest_boxes, boxes)
            best, doubtful = self.refine(best, doubtful, search, share)
        return self.refine(best, doubtful, tree.walk, share=256)[0]
