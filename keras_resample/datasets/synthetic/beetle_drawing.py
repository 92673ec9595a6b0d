"""What `fine_grained_scenes` draws: a beetle with a mark on its back, among leaves and pebbles.

A beetle is drawn in units of its length, (x, y) from its middle, the head at y = -0.5; `Pose` puts
it into the image. Everything about it is random, but the pattern of its mark.
"""

import itertools

import numpy as np

from keras_resample.datasets.synthetic.scene_canvas import TILE

# The mark has three cells of each of these colours, so that no class is darker or redder.
MARK_COLORS = ((240, 234, 214), (206, 44, 36), (26, 30, 66))
CELLS = 3
MARK_SIDE = 0.16
GROUNDS = ((150, 128, 98), (120, 110, 92), (96, 112, 72), (168, 156, 132), (112, 96, 84))
BODIES = ((96, 60, 34), (46, 84, 56), (48, 62, 104), (128, 96, 40), (84, 44, 70), (60, 60, 62))
THINGS = ((84, 110, 50), (120, 134, 58), (150, 110, 60), (132, 128, 122), (176, 166, 150))
ELYTRA = (0.0, 0.13, 0.27, 0.37)  # middle and radii of the back
HEAD, THORAX = (0.0, -0.43, 0.12, 0.1), (0.0, -0.25, 0.19, 0.15)


def mark_patterns(num_classes, random):
    """Marks that are as different as they can be: integers `(num_classes, 3, 3)`.

    Each has three cells of each colour. Each next one is the farthest, in the number of cells, from
    those before it, so that more classes change no mark.
    """
    all_marks = np.array(list(itertools.product(range(3), repeat=9)))
    all_marks = all_marks[((all_marks == 0).sum(1) == 3) & ((all_marks == 1).sum(1) == 3)]
    all_marks = random.permutation(all_marks)
    chosen = [0]
    distance = np.full(len(all_marks), CELLS**2 + 1)
    while len(chosen) < num_classes:
        distance = np.minimum(distance, (all_marks != all_marks[chosen[-1]]).sum(1))
        chosen.append(int(distance.argmax()))
    return all_marks[chosen].reshape(-1, CELLS, CELLS)


class Pose:
    """Where a beetle is in the image, and how it is seen.

    Args:
        random: numpy generator.
        part_size: `(smallest, largest)` side of the mark, by the image's shorter side.
        aspect: width of the image by its height.
        turn: degrees by which the camera is turned.
        squeeze: how much narrower a beetle looks from the camera.
    """

    def __init__(self, random, part_size, aspect, turn=0.0, squeeze=1.0):
        side = min(1.0, aspect)
        self.length = random.uniform(*part_size) * side / MARK_SIDE
        angle = np.radians(random.uniform(-30, 30) + turn)
        narrow = random.uniform(0.8, 1.0) * squeeze
        shear = random.uniform(-0.15, 0.15)
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        self.matrix = self.length * turned @ np.array([[narrow, shear], [0.0, 1.0]])
        # The back is inside, legs and head may leave the image.
        reach = 0.5 * self.length
        free = np.maximum(np.array([aspect, 1.0]) - 2 * reach, 0)
        self.middle = (np.array([aspect, 1.0]) - free) / 2 + free * random.random(2)
        self.mark = random.uniform((-0.08, 0.02), (0.08, 0.22))

    def __call__(self, points):
        """Places in the image of places on the beetle `(n, 2)`."""
        return np.asarray(points) @ self.matrix.T + self.middle

    def corners(self):
        """The corners of the mark in the image: `(4, 2)`, in units of its height."""
        half = MARK_SIDE / 2
        return self(self.mark + [(-half, -half), (half, -half), (half, half), (-half, half)])


class BeetlePainter:
    """Paints a scene onto a `SceneCanvas`.

    Args:
        canvas: a `SceneCanvas`.
        random: numpy generator.
        aspect: width of the image by its height.
        clutter: number of things on the ground.
    """

    def __init__(self, canvas, random, aspect, clutter):
        self.canvas = canvas
        self.random = random
        self.aspect = aspect
        self.clutter = clutter

    def draw(self, pose, mark):
        """Paints ground, things and a beetle, and returns what `SceneCanvas.image` needs."""
        random = self.random
        ground = self._paint(self._one_of(GROUNDS), 12, fine=9, coarse=random.uniform(4, 16))
        self.canvas.rectangle(-1, -1, self.aspect + 1, 2, ground)
        for _ in range(self.clutter):
            self._thing(pose.length)
        self._beetle(pose, mark)
        light = random.uniform(0.8, 1.1) * (1 + 0.1 * random.standard_normal((4, 4)))
        tile = random.standard_normal((TILE, TILE), dtype="float32")
        return light.astype("float32"), tile, random.uniform(0.5, 0.75)

    def _one_of(self, colors):
        return colors[self.random.integers(len(colors))]

    def _paint(self, base, spread=10.0, fine=5.0, coarse=0.0):
        offset = self.random.normal(0, spread) + self.random.normal(0, spread / 2, 3)
        return self.canvas.mix(0, np.clip(np.asarray(base) + offset, 4, 250), fine, coarse)

    def _thing(self, length):
        """A pebble, a leaf, a twig, or crumbs in the colours of the mark."""
        random, canvas = self.random, self.canvas
        middle = random.uniform(-0.05, (self.aspect + 0.05, 1.05))
        size = length * random.uniform(0.06, 0.3)
        kind = random.integers(4)
        if kind == 0:
            radii = size * random.uniform(0.4, 0.8, 2)
            canvas.ellipse(*middle, *radii, self._paint(self._one_of(THINGS), 16))
        elif kind == 1:
            self._leaf(middle, 2 * size, 0.3, self._paint(self._one_of(THINGS), 16))
        elif kind == 2:
            self._leaf(middle, 4 * size, 0.04, self._paint(self._one_of(THINGS), 16))
        else:
            for _ in range(random.integers(1, 5)):
                x, y = middle + random.normal(0, 0.06 * length, 2)
                radius = 0.027 * length
                paint = self._paint(self._one_of(MARK_COLORS), 8)
                canvas.rectangle(x - radius, y - radius, x + radius, y + radius, paint)

    def _leaf(self, middle, length, width, paint):
        angle = self.random.uniform(0, np.pi)
        along = length / 2 * np.array([np.cos(angle), np.sin(angle)])
        across = width * along[::-1] * (-1, 1)
        t = np.array([(1, 0), (0.4, 1), (-0.4, 1), (-1, 0), (-0.4, -1), (0.4, -1)])
        self.canvas.polygon(middle + t @ np.stack([along, across]), paint)

    def _beetle(self, pose, mark):
        random, canvas = self.random, self.canvas
        body = self._one_of(BODIES)
        wide = random.uniform(0.9, 1.05)
        dark, back, front = (
            self._paint(np.asarray(body) * shade, 8, 4) for shade in (0.4, 1.15, 0.8)
        )
        away = pose.length * random.uniform(-0.09, 0.09, 2)
        for shape in (ELYTRA, THORAX):
            canvas.polygon(pose(_ellipse(*shape)) + away)
        for side in (-1, 1):
            for place in (-0.2, 0.02, 0.25):
                knee = (side * random.uniform(0.33, 0.42), place + random.uniform(-0.12, 0.08))
                foot = (side * random.uniform(0.42, 0.56), knee[1] + random.uniform(-0.1, 0.22))
                self._line(pose, (side * 0.1, place), knee, 0.035, dark)
                self._line(pose, knee, foot, 0.022, dark)
            feeler = (side * random.uniform(0.1, 0.3), random.uniform(-0.72, -0.6))
            self._line(pose, (side * 0.05, -0.48), feeler, 0.018, dark)
        canvas.polygon(pose(_ellipse(*HEAD)), dark)
        canvas.polygon(pose(_ellipse(*THORAX) * (wide, 1)), front)
        canvas.polygon(pose(_ellipse(*ELYTRA) * (wide, 1)), back)
        self._line(pose, (0, -0.2), (0, 0.48), 0.014, dark)
        self._spots(pose, self._paint(self._one_of((*BODIES, *MARK_COLORS)), 20))
        self._mark(pose, mark, dark)

    def _spots(self, pose, paint):
        """Spots on the back, the same on both sides, none of them near the mark."""
        for _ in range(self.random.integers(0, 4)):
            x, y = self.random.uniform((0.06, -0.1), (0.19, 0.36))
            radius = self.random.uniform(0.02, 0.045)
            for side in (-1, 1):
                if np.abs((side * x, y) - pose.mark).max() > MARK_SIDE / 2 + 0.06:
                    self.canvas.polygon(pose(_ellipse(side * x, y, radius, radius)), paint)

    def _mark(self, pose, mark, rim):
        half = MARK_SIDE / 2
        square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        self.canvas.polygon(pose(pose.mark + 1.16 * half * square), rim)
        paints = [self.canvas.mix(1, color, 3.0, 0.0) for color in MARK_COLORS]
        side = MARK_SIDE / CELLS
        for row, column in np.ndindex(CELLS, CELLS):
            corner = pose.mark - half + side * np.array([column, row])
            cell = corner + side * (square + 1) / 2
            self.canvas.polygon(pose(cell), paints[mark[row, column]])

    def _line(self, pose, start, end, width, paint):
        """A straight line on the beetle, as wide as `width`."""
        start, end = np.asarray(start), np.asarray(end)
        along = end - start
        across = width / 2 * along[::-1] * (-1, 1) / np.hypot(*along)
        self.canvas.polygon(
            pose([start + across, end + across, end - across, start - across]), paint
        )


def _ellipse(x, y, radius_x, radius_y, corners=18):
    angle = 2 * np.pi * np.arange(corners) / corners
    return np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)], axis=1)
