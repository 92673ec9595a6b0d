"""A tree of boxes around points, to find those nearest to the pixels of a tile."""

import numpy as np
from keras import ops

from keras_resample import backend

TILE = 4  # pixels
LEVELS = 6  # of a tree below its roots
CURVE_BITS = 15
# Points are kept within +-LIMIT pixels; what is no point lies at NOWHERE.
LIMIT, NOWHERE = 1e9, 2e9
SLACK = 1e-3  # pixels, above the rounding of distances
CLOSER = 1 - 2.0**-20  # of a square, below which it is less than another but for rounding

OFFSETS = np.arange(TILE, dtype="float32") - (TILE - 1) / 2  # of pixels from their tile's centre


class PointTree:
    """Boxes (x0, y0, x1, y1) around 1, 4, 16, ... points that lie near each other.

    `boxes` has the leaves first, the roots last, and one at nowhere to end with. `child` is the
    first box in a box, `after` the one to go on with after all that is in it.
    """

    def __init__(self, points, bad):
        order = ops.argsort(_place_on_curve(points, bad))
        self.points, side = points, 4**LEVELS
        self.roots = -(-ops.shape(order)[0] // side)
        leaf = ops.arange(self.roots * side, dtype="int32")
        exists = leaf < ops.shape(order)[0]
        self.leaf_point = ops.cast(ops.take(order, ops.where(exists, leaf, 0), axis=0), "int32")
        exists = exists & ops.logical_not(ops.take(bad, self.leaf_point, axis=0))
        point = ops.take(points, self.leaf_point, axis=0)
        low = ops.where(exists[:, None], point, NOWHERE)
        high = ops.where(exists[:, None], point, -NOWHERE)
        boxes, sizes = [ops.concatenate([low, high], axis=1)], [self.roots * side]
        for _ in range(LEVELS):
            low = ops.min(ops.reshape(low, (-1, 4, 2)), axis=1)
            high = ops.max(ops.reshape(high, (-1, 4, 2)), axis=1)
            boxes.append(ops.concatenate([low, high], axis=1))
            sizes.append(sizes[-1] // 4)
        self.levels = boxes
        self.boxes = ops.concatenate([*boxes, ops.full((1, 4), NOWHERE, dtype="float32")], axis=0)
        self.end = sum(sizes)
        start = self.end - self.roots
        after = start + 1 + ops.arange(self.roots, dtype="int32")
        children, afters = [], [after]
        for size in reversed(sizes[:-1]):
            start = start - size
            first = start + 4 * ops.arange(size // 4, dtype="int32")
            children.append(first)
            after = ops.reshape(ops.stack([first + 1, first + 2, first + 3, after], axis=1), (-1,))
            afters.append(after)
        end = self.end + ops.zeros((1,), "int32")
        self.child = ops.concatenate([after, *reversed(children), end], axis=0)
        self.after = ops.concatenate([*reversed(afters), end], axis=0)

    def nearest_boxes(self, together, best, x, y):
        """The nearest point among those in the `together` boxes of 16 points that are nearest to
        each tile; doubtful tiles.

        Those boxes are sought in as many boxes of 256. A tile is doubtful where a box left out is
        nearer to it than some pixel's point.
        """
        center = ops.stack([ops.mean(x, axis=0), ops.mean(y, axis=0)])[:, None]  # (2, 1, tiles)
        boxes, number = ops.transpose(self.levels[4])[..., None], None
        inside = ops.arange(16, dtype="int32")[:, None]
        left_out = np.inf
        for level in (2, 0):
            gap = ops.maximum(boxes[:2] - center, center - boxes[2:]) - (TILE - 1) / 2
            distance = ops.sum(ops.square(ops.maximum(gap, 0.0)), axis=0)
            nearest, chosen = backend.smallest(distance, together + 1)
            left_out = ops.minimum(left_out, nearest[-1])
            chosen = chosen[:-1]
            chosen = chosen if number is None else ops.take_along_axis(number, chosen, axis=0)
            number = ops.reshape(chosen[:, None] * 16 + inside, (together * 16, -1))
            boxes = ops.take(ops.reshape(self.levels[level], (-1, 16 * 4)), chosen, axis=0)
            boxes = ops.transpose(ops.reshape(boxes, (together, -1, 16, 4)), (3, 0, 2, 1))
            boxes = ops.reshape(boxes, (4, together * 16, -1))
        offsets = ops.convert_to_tensor(OFFSETS[:, None])
        dx = ops.square((boxes[0] - center[0])[:, None] - offsets)  # (points, TILE, tiles)
        dy = ops.square((boxes[1] - center[1])[:, None] - offsets)
        distance = ops.reshape(dy[:, :, None] + dx[:, None], (together * 16, TILE * TILE, -1))
        smallest, place = backend.smallest(distance, 1)
        leaf = ops.take_along_axis(number, place[0], axis=0)
        return ops.take(self.leaf_point, leaf, axis=0), ops.max(smallest[0], axis=0) > left_out

    def walk(self, best, x, y):
        """The nearest of all points, leaving out the boxes no closer than the best so far."""
        point = ops.take(self.points, best, axis=0)
        smallest = ops.square(point[..., 0] - x) + ops.square(point[..., 1] - y)
        leaves = ops.shape(self.leaf_point)[0]

        def unfinished(node, smallest, leaf):
            return ops.any(node < self.end)

        def visit(node, smallest, leaf):
            box = ops.take(self.boxes, node, axis=0)
            gap_x = ops.maximum(ops.maximum(box[..., 0] - x, x - box[..., 2]), 0.0)
            gap_y = ops.maximum(ops.maximum(box[..., 1] - y, y - box[..., 3]), 0.0)
            distance = ops.square(gap_x) + ops.square(gap_y)
            closer = distance < smallest * CLOSER
            found = closer & (node < leaves)
            leaf = ops.where(found, node, leaf)
            smallest = ops.where(found, distance, smallest)
            inside, after = (ops.take(table, node, axis=0) for table in (self.child, self.after))
            return ops.where(closer, inside, after), smallest, leaf

        first = ops.zeros_like(best) + (self.end - self.roots)
        state = (first, smallest, ops.full_like(best, -1))
        leaf = ops.while_loop(unfinished, visit, state)[2]
        found = ops.take(self.leaf_point, ops.maximum(leaf, 0), axis=0)
        return ops.where(leaf < 0, best, found), ops.zeros_like(best[0], dtype="bool")


def _place_on_curve(points, bad):
    """Numbers that order points along a Z curve; bad points come last."""
    low = ops.min(ops.where(bad[:, None], NOWHERE, points), axis=0)
    high = ops.max(ops.where(bad[:, None], -NOWHERE, points), axis=0)
    place = (points - low) / ops.maximum(high - low, SLACK) * (2.0**CURVE_BITS - 1)
    place = ops.cast(ops.clip(place, 0.0, 2.0**CURVE_BITS - 1), "int32")
    bits = ops.convert_to_tensor(2 ** np.arange(CURVE_BITS, dtype="int32"))
    place = place[..., None] // bits % 2 * (bits * bits)  # a bit between any two
    place = ops.sum(place, axis=-1)
    code = ops.cast(place[:, 0] + 2 * place[:, 1], "int32")
    return ops.where(bad, 4**CURVE_BITS, code)
