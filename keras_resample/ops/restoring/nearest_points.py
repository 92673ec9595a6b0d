"""Which point of a grid is nearest to each pixel.

One tile of 4 x 4 pixels (x) among the points of a grid (o), and what is done for it:

        o         o         o           1. guess: some point in the tile, or in the block of tiles
                                           around it, in the block around that, ...
    +-----------------------+           2. step, twice: to the nearest of that point and its eight
    |   o     x x x x  o    |  o           neighbours in the grid.
    |         x x x x       |           3. compare: each pixel takes the nearest of the nine points
    |         x x x x       |              around the one arrived at.
    |   o     x x x x  o    |  o        4. prove: the distances found reach a square around the
    +-----------------------+              tile. Where all of its points are among the nine, by
                                           their number, no other point is nearer.
        o         o         o           5. doubt: where they are not, look into the boxes of
                                           `PointTree`: the nearest 4, then 12, then all that may
                                           hold a nearer point.

Step 3 suffices nearly everywhere on the grids of samplers: neighbours in the grid are neighbours in
the image. The steps after it make the answer right for every other grid.
"""

from keras import ops

from keras_resample import backend
from keras_resample.backend.compiling import compiled_once
from keras_resample.ops.restoring.point_counts import LIMIT, NOWHERE, PointCounts, cells_of
from keras_resample.ops.restoring.point_tree import PointTree
from keras_resample.ops.restoring.tiles import TILE, Tiles, squared_distances

NEAR = 3  # side of the neighbourhood in the grid that is compared
STEPS = 2  # to a nearer neighbour, before that
BLOCKS = 5  # in which a guess is looked for, each of twice the side of the one before
# Boxes of 16 points that a tile looks into, and the share of all tiles that do so at once: first,
# and where those do not do.
BOXES = ((4, 32), (12, 64))
WALKERS = 256  # the share of all tiles that walk through the tree at once


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
    tiles = Tiles(height, width)
    return backend.mapped(
        lambda points: _nearest_points(points, tiles), points, (height * width,), "int32"
    )


def _nearest_points(grid, tiles):
    rows, cols, _ = ops.shape(grid)
    points = ops.reshape(grid, (rows * cols, 2))
    bad = ops.any(ops.isnan(points), axis=1)
    points = ops.where(bad[:, None], NOWHERE, ops.clip(points, -LIMIT, LIMIT))
    neighbours = _Neighbours(ops.reshape(points, (rows, cols, 2)))

    centers = tiles.centers(tiles.numbers())
    guess = _guess(points, bad, tiles)
    guess = ops.fori_loop(0, STEPS, lambda _, guess: neighbours.step(guess, centers), guess)
    first, x, y = neighbours.around(guess)
    distance, best = neighbours.nearest(first, squared_distances(x, y, centers))
    reach = ops.sqrt(ops.max(distance, axis=0)) + (TILE - 1) / 2
    doubtful = ops.logical_not(PointCounts(points, bad, tiles).are_all(x, y, centers, reach))

    def search_tree():
        return _search_tree(PointTree(points, bad), tiles, best, doubtful)

    return tiles.image(ops.cond(ops.any(doubtful), search_tree, lambda: best))


def _guess(points, bad, tiles):
    """Some point near each tile: one inside, else one of the smallest block around that has any."""
    tile = cells_of(points, bad, TILE, tiles.rows, tiles.cols)
    point = ops.segment_max(ops.arange(ops.shape(points)[0], dtype="int32"), tile, tiles.count + 1)
    block = ops.maximum(ops.reshape(point[:-1], (tiles.rows, tiles.cols)), -1)
    blocks = [block]
    for _ in range(BLOCKS):
        for axis in (0, 1):
            count = ops.shape(block)[axis]
            first = ops.arange((count + 1) // 2, dtype="int32") * 2
            second = ops.minimum(first + 1, count - 1)
            block = ops.maximum(*(backend.gather(block, n, axis=axis) for n in (first, second)))
        blocks.append(block)
    block = ops.maximum(blocks.pop(), 0)
    for finer in reversed(blocks):
        for axis in (0, 1):
            half = ops.arange(ops.shape(finer)[axis], dtype="int32") // 2
            block = backend.gather(block, half, axis=axis)
        block = ops.where(finer < 0, block, finer)
    return ops.reshape(block, (tiles.count,))


class _Neighbours:
    """The 3 x 3 points around each point of a grid (rows, cols, 2); none lies beyond the grid."""

    def __init__(self, grid):
        rows, self.cols, _ = ops.shape(grid)
        points = ops.pad(grid, ((0, NEAR), (0, NEAR), (0, 0)), constant_values=NOWHERE)
        steps, firsts = ops.arange(NEAR, dtype="int32"), []
        for axis, count in enumerate((rows, self.cols)):
            first = ops.arange(count, dtype="int32") - NEAR // 2
            first = ops.clip(first, 0, ops.maximum(count - NEAR, 0))
            points = backend.gather(points, ops.reshape(first[:, None] + steps, (-1,)), axis=axis)
            firsts.append(first)
        table = ops.reshape(points, (rows, NEAR, self.cols, NEAR, 2))
        table = ops.transpose(table, (0, 2, 4, 1, 3))
        self.first = ops.reshape(firsts[0][:, None] * self.cols + firsts[1], (-1,))
        self.table = ops.reshape(table, (rows * self.cols, 2 * NEAR**2))

    def around(self, point):
        """The first of the points around each point, and the x and the y of all, (9, ...)."""
        x, y = ops.split(ops.transpose(backend.gather(self.table, point)), 2, axis=0)
        return backend.gather(self.first, point), x, y

    def nearest(self, first, distance):
        """The smallest of the distances to the points around, (9, ...), and that point."""
        smallest, place = backend.smallest(distance, 1)
        return smallest[0], first + place[0] // NEAR * self.cols + place[0] % NEAR

    def step(self, point, centers):
        """The point nearest to the tile's centre among those around `point`."""
        first, x, y = self.around(point)
        distance = ops.square(x - centers[0]) + ops.square(y - centers[1])
        return self.nearest(first, distance)[1]


def _search_tree(tree, tiles, best, doubtful):
    """`best` (16, tiles) with the points nearest to the pixels of doubtful tiles."""

    def looking(count):
        return lambda tile: tree.nearest_in_boxes(count, tiles.centers(tile))

    for count, share in BOXES:
        best, doubtful = _refine(looking(count), tiles, best, doubtful, share)

    def walk(tile):
        found = tree.walk(backend.gather(best, tile, axis=1), tiles.centers(tile))
        return found, ops.zeros_like(tile, dtype="bool")

    return _refine(walk, tiles, best, doubtful, WALKERS)[0]


def _refine(search, tiles, best, doubtful, share):
    """Searches the doubtful tiles, a fixed number at a time: a `share` of all.

    Args:
        search: function of tiles (n,) that gives their pixels' points (16, n) and which of them
            are still in doubt (n,).
    """
    together = 512
    if isinstance(tiles.count, int):
        together = min(max(tiles.count // share, 128), 4096, tiles.count)
    number = ops.cumsum(ops.cast(doubtful, "int32"))
    total = number[-1]
    place = ops.where(doubtful, number - 1, tiles.count)
    queue = ops.segment_max(tiles.numbers(), place, tiles.count + 1)
    queue = ops.clip(queue, 0, tiles.count - 1)
    pixel = ops.arange(TILE * TILE, dtype="int32")

    def unfinished(done, best, doubtful):
        return done < total

    def some(done, best, doubtful):
        wanted = done + ops.arange(together, dtype="int32")
        tile = backend.gather(queue, ops.minimum(wanted, tiles.count))
        found, still = search(tile)
        column, row = ops.meshgrid(tile, pixel)
        place = ops.reshape(ops.stack([row, column], axis=-1), (-1, 2))
        best = ops.scatter_update(best, place, ops.reshape(found, (-1,)))
        doubtful = ops.scatter_update(doubtful, tile[:, None], still)
        return done + together, best, doubtful

    return ops.while_loop(unfinished, some, (ops.zeros((), "int32"), best, doubtful))[1:]
