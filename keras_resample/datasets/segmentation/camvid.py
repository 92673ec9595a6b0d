"""CamVid in 11 classes."""

import os
import re

from keras_resample.arguments import check_choice
from keras_resample.datasets.segmentation.image_mask_files import image_mask_dataset
from keras_resample.datasets.segmentation.mask_labels import ColorLabels, IdLabels
from keras_resample.datasets.segmentation.segmentation_folder import list_files, missing_mask

VOID = 11
# Each class with the classes of the original annotation that belong to it, and their colours.
# The first colour is shown.
CLASSES = {
    "sky": {"Sky": (128, 128, 128)},
    "building": {
        "Building": (128, 0, 0),
        "Archway": (192, 0, 128),
        "Bridge": (0, 128, 64),
        "Tunnel": (64, 0, 64),
        "Wall": (64, 192, 0),
    },
    "pole": {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)},
    "road": {
        "Road": (128, 64, 128),
        "LaneMkgsDriv": (128, 0, 192),
        "LaneMkgsNonDriv": (192, 0, 64),
    },
    "pavement": {
        "Sidewalk": (0, 0, 192),
        "ParkingBlock": (64, 192, 128),
        "RoadShoulder": (128, 128, 192),
    },
    "tree": {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)},
    "sign": {
        "SignSymbol": (192, 128, 128),
        "Misc_Text": (128, 128, 64),
        "TrafficLight": (0, 64, 64),
    },
    "fence": {"Fence": (64, 64, 128)},
    "car": {
        "Car": (64, 0, 128),
        "OtherMoving": (128, 64, 64),
        "SUVPickupTruck": (64, 128, 192),
        "Train": (192, 64, 128),
        "Truck_Bus": (192, 128, 192),
    },
    "pedestrian": {
        "Pedestrian": (64, 64, 0),
        "Animal": (64, 128, 64),
        "CartLuggagePram": (64, 0, 192),
        "Child": (192, 128, 64),
    },
    "bicyclist": {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)},
}
VOID_COLOR = (0, 0, 0)
CLASS_NAMES = tuple(CLASSES)
CLASS_COLORS = tuple(next(iter(colors.values())) for colors in CLASSES.values())
COLOR_CLASSES = {
    color: label for label, colors in enumerate(CLASSES.values()) for color in colors.values()
} | {VOID_COLOR: VOID}
SPLITS = ("train", "val", "test")


def camvid(folder, split="train", on_error="raise", verify=None, progress=False, **kwargs):
    """CamVid, street scenes in 11 classes, with the split of SegNet (367 / 101 / 233 images).

    Reads two layouts, and tells them apart:

    * the one of SegNet: images of 360 x 480 in `train/`, `val/` and `test/`, ids 0..10 and 11
      for void in `trainannot/`, `valannot/` and `testannot/`;
    * the original one: images of 720 x 960 in `701_StillsRaw_full/`, 32 colours in
      `LabeledApproved_full/*_L.png`. Its 32 classes are joined to the 11.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        folder: the folder that holds those folders.
        split: `"train"`, `"val"` or `"test"`.
        on_error, verify, progress: as in `segmentation_folder`.
        **kwargs: as in `SegmentationDataset`: `batch_size`, `shuffle`, `seed`, `flip`, `crop`,
            `crop_position`, `data_format`, `workers`.

    Returns:
        A `SegmentationDataset` with `num_classes=11` and `ignore_class=11`.

    Raises:
        ImportError: if Pillow is not installed.
        NotADirectoryError: if `folder` has neither layout.
        ValueError: for another `split`, or a bad file (`on_error="raise"`).

    Example:

    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part, values in (("val", (360, 480, 3)), ("valannot", (360, 480))):
    ...         os.mkdir(os.path.join(folder, part))
    ...         image = Image.fromarray(np.zeros(values, "uint8"))
    ...         image.save(os.path.join(folder, part, "0016E5_07959.png"))
    ...     dataset = kr.datasets.camvid(folder, "val", data_format="channels_last")
    ...     images, labels = dataset[0]
    >>> images.shape, labels.shape, dataset.class_names[0], dataset.ignore_class
    ((1, 360, 480, 3), (1, 360, 480), 'sky', 11)

    Reference:
        Brostow et al., Semantic Object Classes in Video: A High-Definition Ground Truth
        Database, Pattern Recognition Letters 2009; split and classes of Badrinarayanan et al.,
        SegNet, TPAMI 2017.
    """
    check_choice(split, "split", SPLITS)
    folder = os.fspath(folder)
    original = os.path.join(folder, "701_StillsRaw_full")
    if os.path.isdir(original):
        images = list_files(original, "", "folder")
        images = {name: file for name, file in images.items() if _split_of(name) == split}
        masks, suffix = os.path.join(folder, "LabeledApproved_full"), "_L"
        labels = ColorLabels(COLOR_CLASSES)
    else:
        images = list_files(os.path.join(folder, split), "", "folder")
        masks, suffix = os.path.join(folder, split + "annot"), ""
        labels = IdLabels({number: number for number in range(VOID + 1)})
    if not images:
        raise ValueError(f"`folder` must hold images of `split`. Received: {folder=}, {split=}")
    annotated = list_files(masks, suffix, "folder")
    return image_mask_dataset(
        list(images.values()),
        [annotated.get(name) or missing_mask(masks, name + suffix) for name in images],
        labels,
        "camvid",
        on_error=on_error,
        verify=verify,
        progress=progress,
        num_classes=len(CLASS_NAMES),
        ignore_class=VOID,
        class_names=CLASS_NAMES,
        class_colors=CLASS_COLORS,
        **kwargs,
    )


def _split_of(name):
    """The part of SegNet's split an original image belongs to."""
    match = re.fullmatch(r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d+)", name)
    if match is None:
        raise ValueError(
            "Original CamVid images must be named after sequence and frame, such as "
            f"'0016E5_07959.png'. Received: {name!r}"
        )
    sequence, frame = match[1], int(match[2])
    if sequence == "Seq05VD" or (sequence == "0001TP" and frame >= 8550):
        return "test"
    return "val" if sequence == "0016E5" and 7959 <= frame <= 8159 else "train"
