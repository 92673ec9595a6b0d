"""PKU VehicleID."""

import os

from keras_resample.arguments import check_choice
from keras_resample.datasets.files.text_lines import inner_path, keyed_lines
from keras_resample.datasets.recognition.identity_files import identity_files

# Each part with its list: of all vehicles to train on, or of 800, 1600 or 2400 to search.
PARTS = {
    "train": "train_list.txt",
    "small": "test_list_800.txt",
    "medium": "test_list_1600.txt",
    "large": "test_list_2400.txt",
}


def vehicle_id(path, part="train", **kwargs):
    """PKU VehicleID, photographs of vehicles from the front or the back.

    Expects `train_test_split/train_list.txt`, `test_list_800.txt`, `test_list_1600.txt` and
    `test_list_2400.txt` (lines `image vehicle`), and `image/*.jpg`.

    In the protocol one image of each vehicle, drawn at random, is the gallery, the others are
    searched in it, and the numbers of ten draws are averaged: see `gallery_draws`.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the folder that holds `image` and `train_test_split`.
        part: `"train"` (13,164 vehicles), or the size of the test: `"small"` (800 vehicles),
            `"medium"` (1,600) or `"large"` (2,400).
        **kwargs: as in `image_folder`: the images have different sizes, so give `size`. `shuffle`
            is `True` for `"train"` alone by default.

    Returns:
        An `IdentityDataset`. `class_names` are the numbers of the vehicles.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if a list is missing.
        ValueError: for a line of another form, a bad image file (`on_error="raise"`), sizes that
            differ where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> for folder in ("image", "train_test_split"):
    ...     os.makedirs(f"VehicleID/{folder}")
    >>> Image.new("RGB", (20, 16)).save("VehicleID/image/0000001.jpg")
    >>> with open("VehicleID/train_test_split/test_list_800.txt", "w") as file:
    ...     _ = file.write("0000001 7699")
    >>> kr.datasets.vehicle_id("VehicleID", "small").class_names
    ['7699']

    Reference:
        Liu et al., Deep Relative Distance Learning: Tell the Difference Between Similar Vehicles,
        CVPR 2016.
    """
    check_choice(part, "part", tuple(PARTS))
    listed = os.path.join(path, "train_test_split", PARTS[part])
    vehicles = keyed_lines(listed, "be an image not listed before and its vehicle")
    images = os.path.join(path, "image")
    return identity_files(
        [inner_path(images, f"{image}.jpg", listed) for image in vehicles],
        list(vehicles.values()),
        path,
        "vehicle_id",
        **{"shuffle": part == "train", **kwargs},
    )
