"""Synthetic aligned palmprints: identities are sets of Bezier creases."""

import numpy as np

from keras_resample.arguments import as_integer, as_number, as_size
from keras_resample.datasets.base.epoch_order import random_generator
from keras_resample.datasets.base.identity_dataset import IdentityDataset
from keras_resample.datasets.files.image_decoding import as_channels
from keras_resample.datasets.synthetic.palm_drawing import draw_creases, smooth_field

# Where the lines of a palm run, (x, y) of four control points each. Every palm has the first
# three; the other two come with some identities.
PRINCIPAL_LINES = np.array(
    [
        [(0.16, 0.45), (0.34, 0.36), (0.58, 0.36), (0.78, 0.20)],  # heart
        [(0.20, 0.50), (0.40, 0.46), (0.60, 0.54), (0.82, 0.68)],  # head
        [(0.22, 0.50), (0.42, 0.54), (0.50, 0.72), (0.40, 0.90)],  # life
        [(0.54, 0.86), (0.52, 0.70), (0.54, 0.50), (0.56, 0.32)],  # fate
        [(0.72, 0.78), (0.70, 0.64), (0.70, 0.46), (0.68, 0.30)],  # sun
    ]
)
# Secondary creases gather here: the middle of the palm.
CORE_CENTRE, CORE_SPREAD = (0.5, 0.52), 0.12
# How far the principal lines of two palms differ. It is small: the middle tells palms apart.
PRINCIPAL_SPREAD = 0.012
PRINCIPAL_DEPTH, SECONDARY_DEPTH = 0.28, 0.24
# Between images of one palm: depth of each line, contrast of all, light, skin texture.
DEPTH_SPREAD, CONTRAST_SPREAD, LIGHT_SPREAD, TEXTURE_SPREAD = 0.1, 0.1, 0.02, 0.01
SKIN_TONE = (1.12, 0.98, 0.88)


def bezier_palms(
    num_identities,
    images_per_identity,
    size=(112, 112),
    seed=0,
    batch_size=32,
    shuffle=True,
    channels=1,
    creases=14,
    line_width=1.6,
    jitter=0.003,
    noise=0.01,
    **kwargs,
):
    """Synthetic aligned palmprints, generated when they are read.

    After BezierPalm: an identity is a set of Bezier curves, three to five principal lines that
    run like the heart, head and life lines, and `creases` secondary ones. Each image of it
    moves all control points a little, adds secondary creases of its own, and has its own
    contrast, light, skin texture and noise. Like real palmprints cut at landmarks, the images
    are aligned, and what tells two palms apart lies in the middle: secondary creases gather
    there, the borders are plain skin. The lines are one to two pixels wide at 112 x 112, so
    that taking every fourth pixel misses parts of them.

    An image is a function of `(seed, identity, index)` and of the other arguments only. Its
    content does not depend on `size`, except for what a pixel cannot show. Identity `k` and
    image `j` of it stay the same when `num_identities` or `images_per_identity` grows.

    Args:
        num_identities: number of palms.
        images_per_identity: images of each palm.
        size: `(height, width)`.
        seed: non-negative integer, the seed of the palms, the images and the order.
        batch_size, shuffle: as in `IdentityDataset`.
        channels: 1 (grey) or 3 (skin-coloured).
        creases: secondary creases of an identity. An image adds a quarter as many of its own.
        line_width: width of a secondary crease in pixels of a 112 x 112 image. A principal
            line is 1.6 times as wide.
        jitter: standard deviation of the control points between images of an identity, as
            a fraction of the side.
        noise: standard deviation of the pixel noise.
        **kwargs: as in `IdentityDataset`.

    Returns:
        An `IdentityDataset` with image `j` of identity `k` at `k * images_per_identity + j`.

    Raises:
        ValueError: for an argument out of its range.

    Example:

    >>> import keras_resample as kr
    >>> palms = kr.datasets.bezier_palms(1000, 10, size=(64, 64))
    >>> palms.num_images, palms.image_shape
    (10000, (64, 64, 1))
    >>> images, labels = palms[0]
    >>> images.shape, labels.shape
    ((32, 64, 64, 1), (32,))

    Reference:
        Zhao et al., BezierPalm: A Free Lunch for Palmprint Recognition, ECCV 2022.
    """
    num_identities = as_integer(num_identities, "num_identities")
    images_per_identity = as_integer(images_per_identity, "images_per_identity")
    channels = as_channels(channels)
    palm = PalmImage(
        images_per_identity=images_per_identity,
        size=as_size(size),
        seed=as_integer(seed, "seed", 0),
        channels=channels,
        creases=as_integer(creases, "creases", 0),
        line_width=as_number(line_width, "line_width", "[0.1, 16.0]"),
        jitter=as_number(jitter, "jitter", "[0.0, 0.5]"),
        noise=as_number(noise, "noise", "[0.0, 1.0]"),
    )
    return IdentityDataset(
        palm,
        labels=np.repeat(np.arange(num_identities, dtype="int32"), images_per_identity),
        image_shape=(*palm.size, channels),
        num_classes=num_identities,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        **kwargs,
    )


class PalmImage:
    """Draws one palmprint from its index."""

    def __init__(
        self, images_per_identity, size, seed, channels, creases, line_width, jitter, noise
    ):
        self.images_per_identity = images_per_identity
        self.size = size
        self.seed = seed
        self.channels = channels
        self.creases = creases
        self.line_width = line_width
        self.jitter = jitter
        self.noise = noise

    def __call__(self, index):
        identity, image = divmod(index, self.images_per_identity)
        random = random_generator(self.seed, identity, image)
        principal, secondary = self.identity_creases(identity)
        own = _secondary_creases(random, self.creases // 4)
        contrast = 1 + random.uniform(-CONTRAST_SPREAD, CONTRAST_SPREAD)
        lines = self._draw(random, principal, contrast * PRINCIPAL_DEPTH, 1.6 * self.line_width)
        secondary = np.concatenate([secondary, own])
        lines += self._draw(random, secondary, contrast * SECONDARY_DEPTH, self.line_width)
        return self._shade(random, lines)

    def identity_creases(self, identity):
        """Control points of an identity: principal (3 to 5, 4, 2) and secondary (n, 4, 2)."""
        random = random_generator(self.seed, identity)
        lines = PRINCIPAL_LINES[: random.integers(3, 6)]
        shift = random.normal(0, PRINCIPAL_SPREAD, (len(lines), 1, 2))
        bend = random.normal(0, PRINCIPAL_SPREAD, lines.shape)
        return lines + shift + bend, _secondary_creases(random, self.creases)

    def _draw(self, random, controls, depth, width):
        """The lines as this image shows them: a little moved, and more or less deep."""
        whole = random.normal(0, self.jitter, (len(controls), 1, 2))
        each = random.normal(0, 0.6 * self.jitter, controls.shape)
        depths = depth * (1 + random.uniform(-DEPTH_SPREAD, DEPTH_SPREAD, len(controls)))
        return draw_creases(controls + whole + each, depths, width, self.size)

    def _shade(self, random, lines):
        height, width = self.size
        x = ((np.arange(width, dtype="float32") + 0.5) / width - 0.5)[None, :]
        y = ((np.arange(height, dtype="float32") + 0.5) / height - 0.5)[:, None]
        light = random.normal(0, LIGHT_SPREAD, 3).astype("float32")
        skin = 0.62 + 0.5 * light[0] + light[1] * x + light[2] * y
        skin += TEXTURE_SPREAD * smooth_field(random, 9, self.size)
        # The hand curves away from the light towards the borders.
        skin -= 0.35 * (x * x + y * y)
        texture = random.standard_normal(self.size, dtype="float32")
        image = (skin * (1 - lines) + self.noise * texture)[..., None]
        if self.channels == 3:
            image = image * np.float32(SKIN_TONE)
        return np.clip(image, 0, 1, dtype="float32")


def _secondary_creases(random, number):
    """Short, slightly bent lines about the middle of the palm: (number, 4, 2)."""
    middle = random.normal(CORE_CENTRE, CORE_SPREAD, (number, 2))
    angle = random.uniform(0, np.pi, number)
    length = random.uniform(0.08, 0.24, number)
    along = np.stack([np.cos(angle), np.sin(angle)], -1) * length[:, None]
    across = along[:, ::-1] * (-1, 1)
    bend = random.uniform(-0.25, 0.25, (2, number, 1)) * across
    return np.stack(
        [
            middle - along / 2,
            middle - along / 6 + bend[0],
            middle + along / 6 + bend[1],
            middle + along / 2,
        ],
        axis=1,
    )
