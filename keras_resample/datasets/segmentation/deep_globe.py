"""DeepGlobe land cover in its 6 evaluated classes."""

import os

from keras_resample.arguments import as_integer, check_choice
from keras_resample.datasets.base.epoch_order import random_generator
from keras_resample.datasets.segmentation.image_mask_files import image_mask_dataset
from keras_resample.datasets.segmentation.mask_labels import ColorLabels
from keras_resample.datasets.segmentation.segmentation_folder import list_files, missing_mask

IGNORE_CLASS = 255
CLASSES = {
    "urban": (0, 255, 255),
    "agriculture": (255, 255, 0),
    "rangeland": (255, 0, 255),
    "forest": (0, 255, 0),
    "water": (0, 0, 255),
    "barren": (255, 255, 255),
}
# Unknown; and what lossy compression makes at some borders between two classes.
IGNORED_COLORS = ((0, 0, 0), (255, 0, 0))
# The masks were published in a lossy form: a channel counts as 255 from here on.
THRESHOLD = 128
SPLITS = ("train", "val", "test")
NUM_IMAGES, NUM_VAL, NUM_TEST = 803, 207, 142


def deep_globe(
    folder,
    split="train",
    split_seed=0,
    on_error="raise",
    verify=None,
    progress=False,
    **kwargs,
):
    """DeepGlobe land cover, satellite images of 2448 x 2448 pixels, in 6 classes.

    Reads `{id}_sat.jpg` with `{id}_mask.png`. Masks are colours, each channel thresholded at
    128 as published; the seventh class, unknown, is not evaluated and becomes 255, as does red,
    which has no class.

    Only the 803 images of the challenge's training set have masks. Jin et al. split them at
    random into 455, 207 and 142 images, which is one more than there are: here a permutation
    drawn from `split_seed` gives 207 to val, 142 to test and the other 454 to train. A folder
    of another number of images is split in the same proportions.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        folder: the folder that holds the images and masks.
        split: `"train"`, `"val"`, `"test"`, or `"all"` for every image.
        split_seed: non-negative integer, the seed of the split.
        on_error, verify, progress: as in `segmentation_folder`.
        **kwargs: as in `SegmentationDataset`: `batch_size`, `shuffle`, `seed`, `flip`, `crop`,
            `crop_position`, `data_format`, `workers`.

    Returns:
        A `SegmentationDataset` with `num_classes=6` and `ignore_class=255`.

    Raises:
        ImportError: if Pillow is not installed.
        NotADirectoryError: if `folder` is no folder.
        ValueError: for another `split`, one without images, or a bad file
            (`on_error="raise"`).

    Example:

    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("119_sat.jpg", "119_mask.png"):
    ...         image = Image.fromarray(np.full((48, 48, 3), 250, "uint8"))
    ...         image.save(os.path.join(folder, name))
    ...     dataset = kr.datasets.deep_globe(folder, "all", data_format="channels_last")
    ...     images, labels = dataset[0]
    >>> images.shape, labels.shape, dataset.class_names[labels[0, 0, 0]]
    ((1, 48, 48, 3), (1, 48, 48), 'barren')

    Reference:
        Demir et al., DeepGlobe 2018: A Challenge to Parse the Earth through Satellite Images,
        CVPRW 2018; split of Jin et al., Learning to Downsample for Segmentation of
        Ultra-High Resolution Images, ICLR 2022.
    """
    check_choice(split, "split", (*SPLITS, "all"))
    images = list_files(folder, "_sat", "folder")
    masks = list_files(folder, "_mask", "folder")
    names = list(images)
    if split != "all":
        names = _part(names, split, as_integer(split_seed, "split_seed", 0))
    if not names:
        raise ValueError(
            "`folder` must hold *_sat.jpg files, enough of them for each split. "
            f"Received: folder={os.fspath(folder)!r} with {len(images)} of them, split={split!r}"
        )
    return image_mask_dataset(
        [images[name] for name in names],
        [masks.get(name) or missing_mask(folder, name + "_mask") for name in names],
        ColorLabels(
            {color: label for label, color in enumerate(CLASSES.values())}
            | dict.fromkeys(IGNORED_COLORS, IGNORE_CLASS),
            threshold=THRESHOLD,
        ),
        "deep_globe",
        on_error=on_error,
        verify=verify,
        progress=progress,
        num_classes=len(CLASSES),
        ignore_class=IGNORE_CLASS,
        class_names=tuple(CLASSES),
        class_colors=tuple(CLASSES.values()),
        **kwargs,
    )


def _part(names, split, seed):
    """The names of one part of a random split, in their order."""
    order = random_generator(seed).permutation(len(names))
    val, test = (round(len(names) * part / NUM_IMAGES) for part in (NUM_VAL, NUM_TEST))
    start, stop = {
        "val": (0, val),
        "test": (val, val + test),
        "train": (val + test, len(names)),
    }[split]
    return [names[index] for index in sorted(order[start:stop])]
