"""Cityscapes in its 19 classes."""

import os

from keras_resample.arguments import check_choice
from keras_resample.datasets.segmentation.image_mask_files import image_mask_dataset
from keras_resample.datasets.segmentation.mask_labels import IdLabels
from keras_resample.datasets.segmentation.segmentation_folder import list_files, missing_mask

IGNORE_CLASS = 255
# id in `_labelIds.png`, name and colour of the classes that are evaluated, in their order.
CLASSES = (
    (7, "road", (128, 64, 128)),
    (8, "sidewalk", (244, 35, 232)),
    (11, "building", (70, 70, 70)),
    (12, "wall", (102, 102, 156)),
    (13, "fence", (190, 153, 153)),
    (17, "pole", (153, 153, 153)),
    (19, "traffic light", (250, 170, 30)),
    (20, "traffic sign", (220, 220, 0)),
    (21, "vegetation", (107, 142, 35)),
    (22, "terrain", (152, 251, 152)),
    (23, "sky", (70, 130, 180)),
    (24, "person", (220, 20, 60)),
    (25, "rider", (255, 0, 0)),
    (26, "car", (0, 0, 142)),
    (27, "truck", (0, 0, 70)),
    (28, "bus", (0, 60, 100)),
    (31, "train", (0, 80, 100)),
    (32, "motorcycle", (0, 0, 230)),
    (33, "bicycle", (119, 11, 32)),
)
NUM_IDS = 34
IDS, CLASS_NAMES, CLASS_COLORS = zip(*CLASSES, strict=True)
SPLITS = ("train", "val", "test")
LABELS = {
    "labelIds": {
        number: IDS.index(number) if number in IDS else IGNORE_CLASS for number in range(NUM_IDS)
    },
    "labelTrainIds": {number: number for number in (*range(len(CLASSES)), IGNORE_CLASS)},
}


def cityscapes(
    folder,
    split="train",
    labels="labelIds",
    on_error="raise",
    verify=None,
    progress=False,
    **kwargs,
):
    """Cityscapes, street scenes of 1024 x 2048 pixels, finely annotated in 19 classes.

    Reads `leftImg8bit/{split}/{city}/*_leftImg8bit.png` with
    `gtFine/{split}/{city}/*_gtFine_{labels}.png`, as published: 2975, 500 and 1525 images in
    train, val and test. The published masks of the test split hold no class, only ignored ids.
    With `crop=(1024, 1024)` the dataset has the central square of each image, as in Marin et
    al. and in the comparison with them by Jin et al.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        folder: the folder that holds `leftImg8bit` and `gtFine`.
        split: `"train"`, `"val"` or `"test"`.
        labels: `"labelIds"`, masks with the 34 ids, of which 19 are evaluated and the others
            become 255; or `"labelTrainIds"`, masks where that is done already.
        on_error, verify, progress: as in `segmentation_folder`.
        **kwargs: as in `SegmentationDataset`: `batch_size`, `shuffle`, `seed`, `flip`, `crop`,
            `crop_position`, `data_format`, `workers`.

    Returns:
        A `SegmentationDataset` with `num_classes=19` and `ignore_class=255`.

    Raises:
        ImportError: if Pillow is not installed.
        NotADirectoryError: if one of the folders is missing.
        ValueError: for another `split` or `labels`, or a bad file (`on_error="raise"`).

    Example:

    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part, name, shape in (("leftImg8bit", "leftImg8bit", (64, 128, 3)),
    ...                               ("gtFine", "gtFine_labelIds", (64, 128))):
    ...         os.makedirs(os.path.join(folder, part, "val", "ulm"))
    ...         image = Image.fromarray(np.full(shape, 7, "uint8"))
    ...         image.save(os.path.join(folder, part, "val", "ulm", f"ulm_000000_{name}.png"))
    ...     dataset = kr.datasets.cityscapes(
    ...         folder, "val", crop=(64, 64), data_format="channels_last")
    ...     images, labels = dataset[0]
    >>> images.shape, labels.shape, dataset.class_names[labels[0, 0, 0]]
    ((1, 64, 64, 3), (1, 64, 64), 'road')

    Reference:
        Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016.
    """
    check_choice(split, "split", SPLITS)
    check_choice(labels, "labels", LABELS)
    image_folder = os.path.join(folder, "leftImg8bit", split)
    mask_folder = os.path.join(folder, "gtFine", split)
    images = list_files(image_folder, "_leftImg8bit", "folder")
    if not images:
        raise ValueError(
            "`folder` must hold leftImg8bit/{split}/{city}/*_leftImg8bit.png. "
            f"Received: folder={os.fspath(folder)!r}, split={split!r}"
        )
    suffix = f"_gtFine_{labels}"
    masks = list_files(mask_folder, suffix, "folder")
    return image_mask_dataset(
        list(images.values()),
        [masks.get(name) or missing_mask(mask_folder, name + suffix) for name in images],
        IdLabels(LABELS[labels]),
        "cityscapes",
        on_error=on_error,
        verify=verify,
        progress=progress,
        num_classes=len(CLASSES),
        ignore_class=IGNORE_CLASS,
        class_names=CLASS_NAMES,
        class_colors=CLASS_COLORS,
        **kwargs,
    )
