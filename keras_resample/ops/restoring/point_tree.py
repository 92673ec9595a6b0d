"""A tree of boxes around points, to find those nearest to the pixels of a tile.

The points are put in order along a curve that stays near where it is (Morton's, like a Z at every
scale), so that any four in a row lie near each other, and so do any sixteen:

    roots     |               box around 4096 points               |  ...
    level 5   |    1024    |    1024    |    1024    |    1024     |  ...
    ...
    level 1   |4|4|4|4| ...
    level 0   the points

Whoever looks for the point nearest to a pixel looks into a box only where the box itself is nearer
than the best point so far. That takes no stack: each box knows the first box in it, `inside`, where
to go if it is near enough, and the one to go on with after all that is in it, `after`, where to go
if it is not.
"""

import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.ops.restoring.point_counts import NOWHERE, SLACK
from keras_resample.ops.restoring.tiles import TILE, pixels, squared_distances

LEVELS = 6  # of a tree below its roots
CURVE_BITS = 15
CLOSER = 1 - 2.0**-20  # of a square, below which it is less than another but for rounding


class PointTree:
    """Boxes (x0, y0, x1, y1) around 1, 4, 16, ... points that lie near each other.

    `levels` are these boxes by their size; `boxes` all of them, points first, roots last, and one
    at nowhere to end with.
    """

    def __init__(self, points, bad):
        order = ops.argsort(_place_on_curve(points, bad))
        self.points, side = points, 4**LEVELS
        self.roots = -(-ops.shape(order)[0] // side)
        leaf = ops.arange(self.roots * side, dtype="int32")
        exists = leaf < ops.shape(order)[0]
        self.leaf_point = ops.cast(backend.gather(order, ops.where(exists, leaf, 0)), "int32")
        exists = exists & ops.logical_not(backend.gather(bad, self.leaf_point))
        point = backend.gather(points, self.leaf_point)
        low = ops.where(exists[:, None], point, NOWHERE)
        high = ops.where(exists[:, None], point, -NOWHERE)
        self.levels = [ops.concatenate([low, high], axis=1)]
        for _ in range(LEVELS):
            low = ops.min(ops.reshape(low, (-1, 4, 2)), axis=1)
            high = ops.max(ops.reshape(high, (-1, 4, 2)), axis=1)
            self.levels.append(ops.concatenate([low, high], axis=1))
        end = ops.full((1, 4), NOWHERE, dtype="float32")
        self.boxes = ops.concatenate([*self.levels, end], axis=0)
        self.inside, self.after, self.end = self._ways()

    def _ways(self):
        """Of each box the first one inside, and the one after it; the end, which is after all."""
        sizes = [self.roots * 4**level for level in range(LEVELS, -1, -1)]
        end = sum(sizes)
        start = end - self.roots
        after = start + 1 + ops.arange(self.roots, dtype="int32")
        insides, afters = [], [after]
        for size in reversed(sizes[:-1]):
            start = start - size
            first = start + 4 * ops.arange(size // 4, dtype="int32")
            insides.append(first)
            after = ops.reshape(ops.stack([first + 1, first + 2, first + 3, after], axis=1), (-1,))
            afters.append(after)
        last = end + ops.zeros((1,), "int32")
        inside = ops.concatenate([after, *reversed(insides), last], axis=0)  # a point has no inside
        return inside, ops.concatenate([*reversed(afters), last], axis=0), end

    def nearest_in_boxes(self, count, centers):
        """The points nearest to the pixels of tiles, among those in the `count` boxes of 16 points
        that are nearest to each tile; which tiles are in doubt.

        Those boxes are sought in as many boxes of 256. A tile is in doubt where a box left out is
        nearer to it than some pixel's point.

        Args:
            centers: (2, tiles).

        Returns:
            int32 (16, tiles) and bool (tiles,).
        """
        boxes, number = ops.transpose(self.levels[4])[..., None], None
        inside = ops.arange(16, dtype="int32")[:, None]
        left_out = np.inf
        for level in (2, 0):
            gap = ops.maximum(boxes[:2] - centers[:, None], centers[:, None] - boxes[2:])
            gap = ops.maximum(gap - (TILE - 1) / 2, 0.0)
            nearest, chosen = backend.smallest(ops.sum(ops.square(gap), axis=0), count + 1)
            left_out = ops.minimum(left_out, nearest[-1])
            chosen = chosen[:-1]
            chosen = chosen if number is None else ops.take_along_axis(number, chosen, axis=0)
            number = ops.reshape(chosen[:, None] * 16 + inside, (count * 16, -1))
            boxes = backend.gather(ops.reshape(self.levels[level], (-1, 16 * 4)), chosen)
            boxes = ops.transpose(ops.reshape(boxes, (count, -1, 16, 4)), (3, 0, 2, 1))
            boxes = ops.reshape(boxes, (4, count * 16, -1))
        distance, place = backend.smallest(squared_distances(boxes[0], boxes[1], centers), 1)
        leaf = ops.take_along_axis(number, place[0], axis=0)
        return backend.gather(self.leaf_point, leaf), ops.max(distance[0], axis=0) > left_out

    def walk(self, best, centers):
        """The points nearest to the pixels of tiles, (16, tiles), starting from `best` ones."""
        x, y = pixels(centers)
        point = backend.gather(self.points, best)
        smallest = ops.square(point[..., 0] - x) + ops.square(point[..., 1] - y)
        leaves = ops.shape(self.leaf_point)[0]

        def unfinished(node, smallest, leaf):
            return ops.any(node < self.end)

        def visit(node, smallest, leaf):
            box = backend.gather(self.boxes, node)
            gap_x = ops.maximum(ops.maximum(box[..., 0] - x, x - box[..., 2]), 0.0)
            gap_y = ops.maximum(ops.maximum(box[..., 1] - y, y - box[..., 3]), 0.0)
            distance = ops.square(gap_x) + ops.square(gap_y)
            closer = distance < smallest * CLOSER
            found = closer & (node < leaves)
            leaf = ops.where(found, node, leaf)
            smallest = ops.where(found, distance, smallest)
            inside, after = (backend.gather(table, node) for table in (self.inside, self.after))
            return ops.where(closer, inside, after), smallest, leaf

        first = ops.zeros_like(best) + (self.end - self.roots)
        state = (first, smallest, ops.full_like(best, -1))
        leaf = ops.while_loop(unfinished, visit, state)[2]
        return ops.where(leaf < 0, best, backend.gather(self.leaf_point, ops.maximum(leaf, 0)))


def _place_on_curve(points, bad):
    """Numbers that order points along the curve; bad points come last."""
    low = ops.min(ops.where(bad[:, None], NOWHERE, points), axis=0)
    high = ops.max(ops.where(bad[:, None], -NOWHERE, points), axis=0)
    place = (points - low) / ops.maximum(high - low, SLACK) * (2.0**CURVE_BITS - 1)
    place = ops.cast(ops.clip(place, 0.0, 2.0**CURVE_BITS - 1), "int32")
    bits = ops.convert_to_tensor(2 ** np.arange(CURVE_BITS, dtype="int32"))
    place = place[..., None] // bits % 2 * (bits * bits)  # a bit between any two
    place = ops.sum(place, axis=-1)
    code = ops.cast(place[:, 0] + 2 * place[:, 1], "int32")
    return ops.where(bad, 4**CURVE_BITS, code)
