"""Synthetic classes that differ in one small part only."""

import numpy as np

from keras_resample.arguments import as_integer, as_numbers, as_size
from keras_resample.datasets.base.epoch_order import random_generator
from keras_resample.datasets.base.identity_dataset import IdentityDataset
from keras_resample.datasets.synthetic.beetle_drawing import BeetlePainter, Pose, mark_patterns
from keras_resample.datasets.synthetic.scene_canvas import SceneCanvas

# As many as there are different marks.
MOST_CLASSES = 1680
LARGEST_SIDE = 4096
# Scenes are drawn with this many pixels a pixel and side.
OVERSAMPLING = 2
# How cameras differ: light, colour cast, viewpoint, noise.
LIGHT, CAST, TURN, SQUEEZE, NOISE = (0.7, 1.25), 0.14, 25.0, (0.72, 1.0), (0.004, 0.03)
NO_CAMERA = {"gain": np.ones(3), "turn": 0.0, "squeeze": 1.0, "noise": 0.008}


def fine_grained_scenes(
    num_classes=10,
    images_per_class=100,
    size=(224, 224),
    seed=0,
    batch_size=32,
    shuffle=True,
    part_size=(0.04, 0.08),
    clutter=40,
    num_cameras=None,
    **kwargs,
):
    """Synthetic fine-grained classes, generated when they are read.

    For trying what looks where, such as `AdaptiveRegionPooling`, without data. Every image is a
    beetle on cluttered ground. The class is the pattern of one mark on its back: 3 x 3 cells in
    three colours, three cells of each, so that the mean colour of no class differs. Everything else
    is drawn anew for each image and says nothing of the class: place, size, turn and viewpoint of
    the beetle, its colour, proportions, legs and spots, where on the back the mark is, the ground
    and what lies on it (crumbs in the colours of the mark among it), shadow and light.

    With `num_cameras` the classes are individuals for re-identification: each camera has its own
    light, colour cast, viewpoint and noise. To train on half of the individuals and search the
    others, split by `half_identities`; with `cameras` on both sides, the metrics of retrieval count
    matches of other cameras alone.

    An image is a function of `(seed, class, index)` and of the other arguments only. Image `j` of
    class `k` stays the same when `num_classes` or `images_per_class` grows, and has the same
    content at any `size` of one aspect ratio, except for what a pixel cannot show: a cell is a
    third of `part_size` wide, 3 to 6 pixels at 224 x 224.

    Args:
        num_classes: number of classes, up to 1,680. The first ones differ in most cells.
        images_per_class: images of each class.
        size: `(height, width)`, up to 4,096 each.
        seed: non-negative integer, the seed of the classes, the images and the order.
        batch_size, shuffle: as in `IdentityDataset`.
        part_size: `(smallest, largest)` side of the mark before the viewpoint makes it narrower, as
            a fraction of the image's shorter side, in (0, 0.15]. The beetle is 6.25 times as long.
        clutter: number of things on the ground.
        num_cameras: number of cameras; image `j` of a class has camera `j % num_cameras`. `None`:
            no cameras.
        **kwargs: as in `IdentityDataset`.

    Returns:
        An `IdentityDataset` with image `j` of class `k` at `k * images_per_class + j`, with
        `cameras` where there are any. `dataset.load.part_box(i)` is the box around the mark of
        image `i`, relative `(x0, y0, x1, y1)`, for pictures and for measuring where a network
        looks.

    Raises:
        ValueError: for an argument out of its range.

    Example:

    >>> import keras_resample as kr
    >>> beetles = kr.datasets.fine_grained_scenes(5, 20, size=(96, 96))
    >>> images, labels = beetles[0]
    >>> images.shape, labels.shape
    ((32, 96, 96, 3), (32,))
    >>> x0, y0, x1, y1 = beetles.load.part_box(7)
    >>> bool(0.02 < x1 - x0 < 0.12 and 0.02 < y1 - y0 < 0.12)
    True
    >>> kr.datasets.fine_grained_scenes(5, 4, num_cameras=2).cameras[:6].tolist()
    [0, 1, 0, 1, 0, 1]
    """
    num_classes = as_integer(num_classes, "num_classes")
    images_per_class = as_integer(images_per_class, "images_per_class")
    size = as_size(size)
    if num_classes > MOST_CLASSES:
        raise ValueError(
            f"`num_classes` must be at most {MOST_CLASSES}. Received: num_classes={num_classes}"
        )
    if max(size) > LARGEST_SIDE:
        raise ValueError(f"`size` must be at most {LARGEST_SIDE} a side. Received: size={size}")
    smallest, largest = as_numbers(part_size, "part_size", "(0, 0.15]", length=2)
    if smallest > largest:
        raise ValueError(
            f"`part_size` must be (smallest, largest). Received: part_size={part_size!r}"
        )
    if num_cameras is not None:
        num_cameras = as_integer(num_cameras, "num_cameras")
    index = np.arange(num_classes * images_per_class)
    scene = FineGrainedScene(
        mark_patterns(num_classes, random_generator(as_integer(seed, "seed", 0), 0, 0, 1)),
        images_per_class,
        size,
        seed,
        (smallest, largest),
        as_integer(clutter, "clutter", 0),
        num_cameras,
    )
    return IdentityDataset(
        scene,
        labels=index // images_per_class,
        image_shape=(*size, 3),
        num_classes=num_classes,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        cameras=None if num_cameras is None else index % images_per_class % num_cameras,
        **kwargs,
    )


class FineGrainedScene:
    """Draws one scene from its index."""

    def __init__(self, marks, images_per_class, size, seed, part_size, clutter, num_cameras):
        self.marks = marks
        self.images_per_class = images_per_class
        self.size = size
        self.seed = seed
        self.part_size = part_size
        self.clutter = clutter
        self.num_cameras = num_cameras

    def __call__(self, index):
        label, image = divmod(index, self.images_per_class)
        random = random_generator(self.seed, label, image, 2)
        canvas_size = tuple(OVERSAMPLING * side for side in self.size)
        canvas = SceneCanvas(canvas_size, (0, 0, *canvas_size))
        painter = BeetlePainter(canvas, random, self._aspect(), self.clutter)
        fine = canvas.image(*painter.draw(self.pose(index), self.marks[label]))
        steps = range(OVERSAMPLING)
        fine = [fine[row::OVERSAMPLING, column::OVERSAMPLING] for row in steps for column in steps]
        camera = self._camera(image)
        picture = np.sum(fine, axis=0, dtype="float32")
        picture *= (camera["gain"] / (255 * OVERSAMPLING**2)).astype("float32")
        picture += camera["noise"] * random.standard_normal(picture.shape, dtype="float32")
        return np.clip(picture, 0, 1)

    def part_box(self, index):
        """The box around the mark of an image, relative `(x0, y0, x1, y1)`: float64 `(4,)`."""
        corners = self.pose(index).corners() / (self._aspect(), 1.0)
        return np.concatenate([corners.min(0), corners.max(0)])

    def _aspect(self):
        return self.size[1] / self.size[0]

    def pose(self, index):
        """Where the beetle of an image is, a `Pose`."""
        label, image = divmod(index, self.images_per_class)
        camera = self._camera(image)
        random = random_generator(self.seed, label, image, 3)
        return Pose(random, self.part_size, self._aspect(), camera["turn"], camera["squeeze"])

    def _camera(self, image):
        """How the camera of an image sees."""
        if self.num_cameras is None:
            return NO_CAMERA
        random = random_generator(self.seed, image % self.num_cameras, 0, 4)
        return {
            "gain": random.uniform(*LIGHT) * (1 + random.uniform(-CAST, CAST, 3)),
            "turn": random.uniform(-TURN, TURN),
            "squeeze": random.uniform(*SQUEEZE),
            "noise": np.float32(random.uniform(*NOISE)),
        }
