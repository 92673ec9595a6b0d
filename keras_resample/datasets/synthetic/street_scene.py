"""What `generated_scenes` draws: a street, seen along it.

Places are (x, y) in units of the image's height, y down. The ground meets the sky at the
horizon; a thing that stands on the ground at `y` is `(y - horizon) / (1 - horizon)` times as
large as at the lower border.
"""

import numpy as np

from keras_resample.datasets.synthetic.scene_canvas import TILE

CLASS_NAMES = ("sky", "building", "vegetation", "ground", "marking", "pole", "vehicle", "person")
SKY, BUILDING, VEGETATION, GROUND, MARKING, POLE, VEHICLE, PERSON = range(8)
CLASS_COLORS = (
    (70, 130, 180),
    (110, 70, 70),
    (107, 142, 35),
    (128, 64, 128),
    (250, 250, 250),
    (255, 190, 0),
    (0, 0, 200),
    (220, 20, 60),
)
SKIES = ((128, 172, 222), (178, 190, 204), (208, 204, 196), (222, 190, 160))
WALLS = ((170, 160, 148), (140, 96, 80), (190, 186, 178), (120, 124, 130), (202, 176, 130))
GREENS = ((66, 96, 44), (86, 110, 50), (52, 80, 52), (112, 112, 52))
# The widths and heights of things at the lower border.
LANE, MARKING_WIDTH, CRACK_WIDTH = 0.62, 0.022, 0.014
POLE_HEIGHT, POLE_WIDTH, WIRE_WIDTH = 1.25, 0.020, 0.0055
VEHICLE_SIZE, PERSON_SIZE, TREE_SIZE = (0.58, 0.46), (0.15, 0.50), (0.46, 1.0)


def draw_street(canvas, random, aspect):
    """Paints a street onto a canvas and returns what `SceneCanvas.image` needs.

    Args:
        canvas: a `SceneCanvas`.
        random: numpy generator. What is drawn from it does not depend on the window.
        aspect: width of the image by its height.

    Returns:
        `(light, tile, shade)`.
    """
    return _Street(canvas, random, aspect).draw()


class _Street:
    def __init__(self, canvas, random, aspect):
        self.canvas = canvas
        self.random = random
        self.aspect = aspect
        self.horizon = random.uniform(0.32, 0.48)
        self.vanishing = aspect * random.uniform(0.35, 0.65)
        # Where the two borders of the road leave the image, at its lower border.
        lanes = random.integers(2, 5)
        self.left = self.vanishing - LANE * (lanes / 2 + random.uniform(-0.3, 0.3))
        self.right = self.left + LANE * lanes
        self.lanes = lanes

    def draw(self):
        self._sky_and_ground()
        self._buildings()
        self._road()
        self._shadows()
        self._things()
        random = self.random
        light = random.uniform(0.75, 1.1) * (1 + 0.12 * random.standard_normal((4, 4)))
        tile = random.standard_normal((TILE, TILE), dtype="float32")
        return light.astype("float32"), tile, random.uniform(0.45, 0.7)

    def _color(self, base, spread):
        offset = self.random.normal(0, spread) + self.random.normal(0, spread / 3, 3)
        return np.clip(np.asarray(base) + offset, 4, 250)

    def _paint(self, class_id, base, spread=8.0, fine=5.0, coarse=0.0):
        return self.canvas.mix(class_id, self._color(base, spread), fine, coarse)

    def _one_of(self, colors):
        return colors[self.random.integers(len(colors))]

    def _at(self, x, scale):
        """The place on the ground that is seen `scale` times as large as at the lower border.

        `x` is where its line to the vanishing point leaves the lower border.
        """
        return (
            self.vanishing + (x - self.vanishing) * scale,
            self.horizon + (1 - self.horizon) * scale,
        )

    def _strip(self, x0, x1, scale0, scale1, paint):
        """A rectangle on the ground."""
        corners = ((x0, scale0), (x1, scale0), (x1, scale1), (x0, scale1))
        self.canvas.polygon([self._at(*corner) for corner in corners], paint)

    def _sky_and_ground(self):
        canvas, random = self.canvas, self.random
        sky = self._paint(SKY, self._one_of(SKIES), 8, fine=2.0, coarse=random.uniform(2, 14))
        canvas.rectangle(-1, -1, self.aspect + 1, self.horizon, sky)
        grey = random.uniform(95, 150)
        pavement = self._paint(GROUND, (grey, grey, grey - 4), 5, fine=6, coarse=5)
        canvas.rectangle(-1, self.horizon, self.aspect + 1, 2, pavement)
        for border in (self.left - 9, self.right):
            if random.random() < 0.5:
                green = self._paint(VEGETATION, self._one_of(GREENS), fine=11, coarse=8)
                gap = random.uniform(0.2, 0.5) * (-1 if border < self.left else 1)
                self._strip(border + gap, border + gap + 9, 0, 1.3, green)

    def _buildings(self):
        canvas, random = self.canvas, self.random
        for _ in range(random.integers(5, 10)):
            wall = self._one_of(WALLS)
            body = self._paint(BUILDING, wall, 14, fine=7, coarse=6)
            width = random.uniform(0.12, 0.4)
            x = random.uniform(-0.1, self.aspect)
            away = min(abs(x + width / 2 - self.vanishing) / (0.6 * self.aspect), 1)
            height = random.uniform(0.08, 0.16) + random.uniform(0.1, 0.6) * away
            base = self.horizon + random.uniform(0.0, 0.03)
            top = base - height
            canvas.rectangle(x, top, x + width, base, body)
            columns, rows = (max(1, int(side / 0.035)) for side in (width, height))
            share = random.uniform(0.3, 0.8), random.uniform(0.4, 0.8)
            pane = random.uniform(30, 230)
            glass = self._paint(BUILDING, (pane, pane, pane + 6), 6, fine=4, coarse=8)
            canvas.windows(x, top, x + width, base, columns, rows, share, glass)
        green = self._paint(VEGETATION, self._one_of(GREENS), fine=12, coarse=9)
        for _ in range(random.integers(3, 12)):
            x, radius = random.uniform(0, self.aspect), random.uniform(0.02, 0.08)
            canvas.ellipse(x, self.horizon, radius, 0.7 * radius, green)

    def _road(self):
        random = self.random
        grey = random.uniform(70, 120)
        self._strip(
            self.left,
            self.right,
            0,
            1.3,
            self._paint(GROUND, (grey, grey, grey + 3), 4, fine=8, coarse=6),
        )
        for _ in range(random.integers(2, 7)):
            crack = self._paint(GROUND, (grey * 0.55,) * 3, 3)
            start = random.uniform(0.05, 0.9)
            x = random.uniform(self.left, self.right)
            end = start + random.uniform(0.05, 0.4)
            self._strip(x, x + CRACK_WIDTH, start, end, crack)
        white = random.uniform(185, 245)
        paint = self._paint(MARKING, (white, white, white - 12 * random.random()), 4, fine=6)
        for lane in range(self.lanes + 1):
            x = self.left + lane * (self.right - self.left) / self.lanes
            if lane in (0, self.lanes):
                x += MARKING_WIDTH * (2 if lane == 0 else -3)
                self._strip(x, x + MARKING_WIDTH, 0.03, 1.3, paint)
                continue
            # Dashes of one length on the ground: equal steps of distance, 1 / scale.
            first = random.uniform(0.7, 1.0)
            for distance in np.arange(first, 25, 1.0):
                near, far = 1 / distance, 1 / (distance + 0.45)
                self._strip(x, x + MARKING_WIDTH, far, near, paint)
        if random.random() < 0.5:
            far = random.uniform(0.12, 0.6)
            step = (self.right - self.left) / (6 * self.lanes)
            for x in np.arange(self.left + step, self.right - step, step):
                self._strip(x, x + step / 2, far, 1.22 * far, paint)

    def _shadows(self):
        random = self.random
        for _ in range(random.integers(1, 5)):
            x = random.uniform(self.left - 0.5, self.right)
            near = random.uniform(0.1, 1.0)
            width, depth = random.uniform(0.3, 1.5), random.uniform(0.6, 0.95)
            lean = random.uniform(-0.4, 0.4)
            corners = (
                (x, near),
                (x + width, near),
                (x + width + lean, near * depth),
                (x + lean, near * depth),
            )
            self.canvas.polygon([self._at(*corner) for corner in corners])

    def _things(self):
        """What stands on the ground, the far ones first."""
        random = self.random
        things = []
        for draw, low, high, nearest, beside in (
            (self._vehicle, 3, 9, 0.75, 0.0),
            (self._person, 6, 16, 0.7, 0.6),
            (self._tree, 2, 6, 0.6, 1.0),
            (self._pole, 1, 5, 0.8, 1.0),
        ):
            for _ in range(random.integers(low, high)):
                scale = nearest * random.uniform(0.2, 1.0) ** 2 + 0.02
                things.append((scale, draw, self._standing(beside)))
        side = self._standing(1.0)
        tops = []
        # A row of poles that carries wires, equally far from each other.
        for distance in np.arange(random.uniform(1.05, 1.6), 12, random.uniform(0.8, 1.6)):
            things.append((1 / distance, self._pole, side))
            tops.append((self._at(side, 1 / distance), POLE_HEIGHT * (1 - self.horizon) / distance))
        for scale, draw, x in sorted(things, key=lambda thing: thing[0]):
            draw(*self._at(x, scale), scale * (1 - self.horizon))
        self._wires(tops)

    def _standing(self, beside):
        """Where a thing stands: on the road, or beside it with that probability."""
        random = self.random
        if random.random() >= beside:
            return random.uniform(self.left + 0.15, self.right - 0.15)
        gap = random.uniform(0.06, 0.9)
        return self.left - gap if random.random() < 0.5 else self.right + gap

    def _wires(self, tops):
        random = self.random
        paint = self._paint(POLE, (random.uniform(25, 70),) * 3, 3, fine=2)
        for drop in (0.02, 0.12)[: random.integers(1, 3)]:
            for ((x0, y0), high0), ((x1, y1), high1) in zip(tops[:-1], tops[1:], strict=True):
                start = x0, y0 - high0 * (1 - drop)
                end = x1, y1 - high1 * (1 - drop)
                self.canvas.wire(start, end, 0.05 * high0, WIRE_WIDTH * high0, paint)

    def _pole(self, x, y, size):
        canvas, random = self.canvas, self.random
        grey = random.uniform(40, 170)
        paint = self._paint(POLE, (grey, grey, grey), 8, fine=4)
        width, top = POLE_WIDTH * size, y - POLE_HEIGHT * size
        canvas.rectangle(x - width / 2, top, x + width / 2, y, paint)
        if random.random() < 0.5:
            arm = random.uniform(-0.25, 0.25) * size
            canvas.rectangle(min(x, x + arm), top, max(x, x + arm), top + 0.7 * width, paint)

    def _tree(self, x, y, size):
        canvas, random = self.canvas, self.random
        width, height = (side * random.uniform(0.7, 1.3) * size for side in TREE_SIZE)
        trunk = self._paint(VEGETATION, (84, 70, 56), 10, fine=6)
        canvas.rectangle(x - 0.05 * width, y - 0.6 * height, x + 0.05 * width, y, trunk)
        green = self._one_of(GREENS)
        for _ in range(9):
            leaves = self._paint(VEGETATION, green, 9, fine=16, coarse=6)
            canvas.ellipse(
                x + random.uniform(-0.3, 0.3) * width,
                y - random.uniform(0.55, 0.95) * height,
                random.uniform(0.15, 0.32) * width,
                random.uniform(0.10, 0.2) * height,
                leaves,
            )

    def _vehicle(self, x, y, size):
        canvas, random = self.canvas, self.random
        width, height = (side * size for side in VEHICLE_SIZE)
        if random.random() < 0.2:
            height *= 1.7
        left, right, top = x - width / 2, x + width / 2, y - height
        body = self._paint(VEHICLE, random.uniform(20, 235, 3), 0, fine=3, coarse=8)
        dark = self._paint(VEHICLE, (34, 36, 40), 8, fine=3)
        canvas.rectangle(left, y - 0.16 * height, left + 0.16 * width, y, dark)
        canvas.rectangle(right - 0.16 * width, y - 0.16 * height, right, y, dark)
        canvas.rectangle(left, top + 0.45 * height, right, y - 0.10 * height, body)
        roof = 0.16 * width
        middle = top + 0.5 * height
        canvas.polygon(
            ((left + roof, top), (right - roof, top), (right, middle), (left, middle)), body
        )
        edge = 0.06 * height
        canvas.polygon(
            (
                (left + 1.2 * roof, top + edge),
                (right - 1.2 * roof, top + edge),
                (right - 0.5 * roof, middle - edge),
                (left + 0.5 * roof, middle - edge),
            ),
            dark,
        )
        lamp = self._paint(VEHICLE, self._one_of(((190, 30, 30), (235, 230, 205))), 8, fine=2)
        for x0 in (left + 0.03 * width, right - 0.17 * width):
            canvas.rectangle(x0, top + 0.58 * height, x0 + 0.14 * width, top + 0.70 * height, lamp)

    def _person(self, x, y, size):
        canvas, random = self.canvas, self.random
        height = PERSON_SIZE[1] * random.uniform(0.75, 1.1) * size
        width = PERSON_SIZE[0] * random.uniform(0.8, 1.1) * size
        legs = self._paint(PERSON, random.uniform(20, 130, 3), 0, fine=4)
        coat = self._paint(PERSON, random.uniform(20, 235, 3), 0, fine=6)
        skin = self._paint(PERSON, random.uniform(0.35, 1.0) * np.array((226, 178, 148)), 5)
        stride = random.uniform(0.1, 0.3) * width
        for foot in (-stride, stride):
            canvas.rectangle(
                x + foot - 0.12 * width, y - 0.5 * height, x + foot + 0.12 * width, y, legs
            )
        canvas.ellipse(x, y - 0.64 * height, 0.42 * width, 0.24 * height, coat)
        canvas.ellipse(x, y - 0.92 * height, 0.20 * width, 0.08 * height, skin)
