"""Synthetic street scenes with a class a pixel, at any size."""

import numpy as np

from keras_resample.arguments import as_integer, as_size
from keras_resample.datasets.base.epoch_order import random_generator
from keras_resample.datasets.base.segmentation_dataset import SegmentationDataset
from keras_resample.datasets.synthetic.scene_canvas import SceneCanvas
from keras_resample.datasets.synthetic.street_scene import CLASS_COLORS, CLASS_NAMES, draw_street

LARGEST_SIDE = 16384


def generated_scenes(
    num_images,
    size=(512, 512),
    seed=0,
    batch_size=4,
    shuffle=True,
    flip=False,
    crop=None,
    crop_position="center",
    data_format=None,
    **kwargs,
):
    """Synthetic high-resolution street scenes, generated when they are read.

    For trying segmentation at a reduced resolution without data. Eight classes: large flat
    regions (sky, buildings, vegetation, ground), thin structures (lane markings, poles with
    wires) and objects of all sizes down to a few pixels (vehicles, persons). Detail matters:
    far poles and wires are one pixel wide. So does context: cracks in the road look like markings,
    facades have rows of windows, trunks look like poles, shadows fall on the ground, and
    clothes and cars have any colour.

    A scene is a function of `(seed, index)` and of the aspect ratio of `size`. Its content does
    not depend on the number of images, the batch, the window that is read, or on `size`, except
    for what a pixel cannot show. A window costs what its own pixels cost.

    Args:
        num_images: number of scenes.
        size: `(height, width)`, up to 16384 each.
        seed: non-negative integer, the seed of the scenes, their order and augmentation.
        batch_size, shuffle, flip, crop, crop_position, data_format: as in
            `SegmentationDataset`.
        **kwargs: as in `SegmentationDataset`: `workers`, `use_multiprocessing` and
            `max_queue_size`.

    Returns:
        A `SegmentationDataset` with `num_classes=8` and `ignore_class=None`.

    Raises:
        ValueError: for an argument out of its range.

    Example:

    >>> import keras_resample as kr
    >>> scenes = kr.datasets.generated_scenes(
    ...     1000, size=(128, 256), batch_size=2, data_format="channels_last")
    >>> images, labels = scenes[0]
    >>> images.shape, labels.shape, scenes.num_classes
    ((2, 128, 256, 3), (2, 128, 256), 8)
    >>> scenes.class_names[4]
    'marking'
    """
    size = as_size(size)
    if max(size) > LARGEST_SIDE:
        raise ValueError(f"`size` must be at most {LARGEST_SIDE} a side. Received: size={size}")
    num_images = as_integer(num_images, "num_images")
    return SegmentationDataset(
        SceneImage(size, as_integer(seed, "seed", 0)),
        np.broadcast_to(np.array(size), (num_images, 2)),
        num_classes=len(CLASS_NAMES),
        class_names=CLASS_NAMES,
        class_colors=CLASS_COLORS,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        flip=flip,
        crop=crop,
        crop_position=crop_position,
        data_format=data_format,
        **kwargs,
    )


class SceneImage:
    """Draws a window of one scene from its index."""

    def __init__(self, size, seed):
        self.size = size
        self.seed = seed

    def __call__(self, index, window):
        canvas = SceneCanvas(self.size, window)
        # Apart from the generators of order and augmentation, which have shorter keys.
        random = random_generator(self.seed, index, 0, 0)
        light, tile, shade = draw_street(canvas, random, self.size[1] / self.size[0])
        return canvas.image(light, tile, shade), canvas.labels()

    def reads_windows(self, index):
        return True
