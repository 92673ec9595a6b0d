"""How `generated_scenes` draws: shapes of paint, then texture, light and the lens.

Places are (x, y) in units of the image's height, y down, so that a scene has the same content
at any size of one aspect ratio. A canvas shows a window of the image. Every pixel is computed
from its place alone: windows agree with the whole image to the last bit.
"""

import math

import numpy as np

TILE = 256
STRIP = 64
# No part of a line is thinner than a pixel.
THINNEST = 1.0


class SceneCanvas:
    """A window of an image as numbers of paints.

    Args:
        size: `(height, width)` of the whole image.
        window: `(top, left, height, width)` in pixels.
    """

    def __init__(self, size, window):
        self.scale = float(size[0])
        top, left, height, width = window
        # A pixel more on each side, for the lens.
        self.top, self.left = top - 1, left - 1
        self.size = size
        self.paint = np.zeros((height + 2, width + 2), "uint16")
        self.shade = np.zeros((height + 2, width + 2), bool)
        self.paints = []

    def mix(self, class_id, color, fine=6.0, coarse=0.0):
        """A new paint: its class, colour (3,) in 0..255 and the strength of two textures."""
        self.paints.append((class_id, *color, fine, coarse))
        return len(self.paints) - 1

    def pixels(self, x, y):
        """Places in pixels of the whole image, where pixel i reaches from i to i + 1."""
        return np.asarray(x) * self.scale, np.asarray(y) * self.scale

    def _box(self, x0, y0, x1, y1):
        """The pixels of the window whose centres lie in a box: slices, and places of centres."""
        sides = zip((y0, x0), (y1, x1), (self.top, self.left), self.paint.shape, strict=True)
        part = [
            slice(*(min(max(math.ceil(v - 0.5) - offset, 0), length) for v in (first, last)))
            for first, last, offset, length in sides
        ]
        rows = np.arange(part[0].start, part[0].stop) + (self.top + 0.5)
        columns = np.arange(part[1].start, part[1].stop) + (self.left + 0.5)
        return tuple(part), rows, columns

    def rectangle(self, x0, y0, x1, y1, paint):
        """A box; at least a pixel wide and high."""
        (x0, x1), (y0, y1) = self.pixels((x0, x1), (y0, y1))
        x0, x1 = _widened(x0, x1)
        y0, y1 = _widened(y0, y1)
        self.paint[self._box(x0, y0, x1, y1)[0]] = paint

    def windows(self, x0, y0, x1, y1, columns, rows, share, paint):
        """Rows and columns of small boxes in a box, each `share` (x, y) of its cell."""
        (x0, x1), (y0, y1) = self.pixels((x0, x1), (y0, y1))
        box, *centres = self._box(x0, y0, x1, y1)
        inside = [
            np.abs((places - first) / (last - first) * count % 1 - 0.5) < part / 2
            for places, first, last, count, part in zip(
                centres, (y0, x0), (y1, x1), (rows, columns), share[::-1], strict=True
            )
        ]
        self.paint[box][np.ix_(*inside)] = paint

    def polygon(self, points, paint=None):
        """A convex polygon `(n, 2)`; without a paint, its shadow."""
        x, y = self.pixels(*np.asarray(points).T)
        box, rows, columns = self._box(x.min(), y.min(), x.max(), y.max())
        following = np.arange(1, len(x) + 1) % len(x)
        next_x, next_y = x[following], y[following]
        rise = (next_y - y) * np.sign(np.sum(x * next_y - next_x * y))
        # An edge bounds, in each row, the columns to one side of it.
        sloping = rise != 0
        x, y, run, climb = (end[sloping] for end in (x, y, next_x - x, next_y - y))
        crossing = x + (rows[:, None] - y) * run / climb
        rising = rise[sloping] > 0
        low = crossing[:, ~rising].max(1, initial=-np.inf, keepdims=True)
        high = crossing[:, rising].min(1, initial=np.inf, keepdims=True)
        inside = (columns >= low) & (columns < high)
        if paint is None:
            self.shade[box] |= inside
        else:
            self.paint[box][inside] = paint

    def ellipse(self, x, y, radius_x, radius_y, paint):
        """An ellipse about (x, y)."""
        x, y = self.pixels(x, y)
        radius_x = max(radius_x * self.scale, THINNEST / 2)
        radius_y = max(radius_y * self.scale, THINNEST / 2)
        box, rows, columns = self._box(x - radius_x, y - radius_y, x + radius_x, y + radius_y)
        inside = ((columns - x) / radius_x) ** 2 + ((rows[:, None] - y) / radius_y) ** 2 <= 1
        self.paint[box][inside] = paint

    def wire(self, start, end, sag, width, paint):
        """A hanging wire between two points: a parabola, `sag` below their line."""
        (x0, x1), (y0, y1) = self.pixels(*np.transpose((start, end)))
        if x0 > x1:
            x0, x1, y0, y1 = x1, x0, y1, y0
        box, _, columns = self._box(x0, y0, x1, y1)
        t = (columns - x0) / max(x1 - x0, 1e-9)
        columns = np.arange(box[1].start, box[1].stop)
        height = y0 + t * (y1 - y0) + 4 * sag * self.scale * t * (1 - t)
        slope = ((y1 - y0) + 4 * sag * self.scale * (1 - 2 * t)) / max(x1 - x0, 1e-9)
        half = np.maximum(width * self.scale, THINNEST) / 2 * np.sqrt(1 + slope**2)
        first = np.ceil(height - half - 0.5).astype("int64")
        last = np.maximum(np.ceil(height + half - 0.5).astype("int64"), first + 1)
        for row in range(int((last - first).max(initial=0))):
            rows = first + row - self.top
            good = (first + row < last) & (rows >= 0) & (rows < self.paint.shape[0])
            self.paint[rows[good], columns[good]] = paint

    def labels(self):
        """uint8 classes of the window."""
        classes = np.array([paint[0] for paint in self.paints], "uint8")
        return classes[self.paint[1:-1, 1:-1]]

    def image(self, light, tile, shade):
        """The picture of the window.

        Args:
            light: lattice `(n, n)` of brightness over the whole image.
            tile: fine texture `(TILE, TILE)`, repeated.
            shade: brightness in a shadow.

        Returns:
            uint8 `(height, width, 3)`.
        """
        height, width = (side - 2 for side in self.paint.shape)
        image = np.empty((height, width, 3), "uint8")
        for first in range(0, height, STRIP):
            last = min(first + STRIP, height)
            strip = self._lit(slice(first, last + 2), light, tile, shade)
            # The lens: weights 1, 2, 1 in each direction.
            strip = strip[:-2] + 2 * strip[1:-1] + strip[2:]
            strip = strip[:, :-2] + 2 * strip[:, 1:-1] + strip[:, 2:]
            image[first:last] = np.clip(strip / 16, 0, 255)
        return image

    def _lit(self, rows, light, tile, shade):
        paints = np.array(self.paints, "float32")
        paint = self.paint[rows]
        y = np.arange(rows.start, rows.stop) + self.top
        x = np.arange(paint.shape[1]) + self.left
        fine = tile[np.ix_(y % TILE, x % TILE)]
        coarse = lattice(tile[:48, :48], y, x, self.size)
        bright = lattice(light, y, x, self.size)
        bright[self.shade[rows]] *= np.float32(shade)
        fine *= paints[:, 4][paint]
        coarse *= paints[:, 5][paint]
        fine += coarse
        picture = paints[:, 1:4][paint]
        picture += fine[..., None]
        picture *= bright[..., None]
        return picture


def lattice(nodes, y, x, size):
    """Linear interpolation of nodes spread over an image, at rows `y` and columns `x`."""
    rows, columns = ((n - 1) for n in nodes.shape)
    top, down = _between(y, size[0], rows)
    left, right = _between(x, size[1], columns)
    lines = nodes[top] * (1 - down)[:, None] + nodes[top + 1] * down[:, None]
    return lines[:, left] * (1 - right) + lines[:, left + 1] * right


def _between(places, length, cells):
    """The cell of each place, and how far it lies in it."""
    position = np.clip((places + 0.5) / length, 0, 1) * cells
    cell = np.minimum(position.astype("int64"), cells - 1)
    return cell, (position - cell).astype("float32")


def _widened(first, last):
    """An interval that holds the centre of at least one pixel."""
    if last - first < THINNEST:
        first = (first + last - THINNEST) / 2
        last = first + THINNEST
    return first, last
