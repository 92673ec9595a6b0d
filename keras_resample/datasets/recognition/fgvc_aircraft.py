"""Fine-Grained Visual Classification of Aircraft."""

import math
import os

from keras_resample.arguments import as_bool, check_choice
from keras_resample.datasets.files.image_decoding import pixel_box
from keras_resample.datasets.files.text_lines import inner_path, keyed_lines, text_lines
from keras_resample.datasets.recognition.identity_files import identity_files

SPLITS = ("train", "val", "trainval", "test")
# Each level with the file of its names.
LEVELS = {"variant": "variants", "family": "families", "manufacturer": "manufacturers"}
WHOLE = (0, 0, math.inf, math.inf)
BANNER = 20  # rows of the copyright at the bottom of every image


def fgvc_aircraft(
    path, split="train", level="variant", crop_to_box=False, keep_banner=False, **kwargs
):
    """FGVC-Aircraft, 10,000 photographs of 100 variants of aircraft.

    Expects `images/*.jpg`, `images_{level}_{split}.txt` (lines `image name`), `variants.txt`,
    `families.txt` or `manufacturers.txt`, and, for `crop_to_box`, `images_box.txt`, all of them in
    `path` or in the folder `data` of it.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the folder `fgvc-aircraft-2013b`, or `data` in it.
        split: `"train"`, `"val"` (3,334 and 3,333 images), `"trainval"`, which most train on, or
            `"test"` (3,333).
        level: `"variant"` (100 classes), `"family"` (70) or `"manufacturer"` (30).
        crop_to_box: whether to read the box of the aircraft instead of the whole image.
        keep_banner: whether the lowest 20 rows stay, a banner that names the photographer, which
            may give the class away. They are left out by default, also of a box, as the authors
            of the set ask.
        **kwargs: as in `image_folder`, without `class_names`: the images have different sizes, so
            give `size`. `shuffle` is `False` for `"val"` and `"test"` by default.

    Returns:
        An `IdentityDataset`. `class_names` are all of the level, also where a class has no image.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if a text file is missing.
        ValueError: for a line of another form, an image without a box, a bad image file
            (`on_error="raise"`), sizes that differ where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> os.makedirs("aircraft/data/images")
    >>> Image.new("RGB", (30, 40)).save("aircraft/data/images/0034309.jpg")
    >>> text_of = {"images_family_test": "0034309 Boeing 737", "families": "Boeing 737"}
    >>> for name, text in text_of.items():
    ...     with open(f"aircraft/data/{name}.txt", "w") as file:
    ...         _ = file.write(text)
    >>> test = kr.datasets.fgvc_aircraft("aircraft", "test", "family")
    >>> test.class_names, test.image_shape
    (['Boeing 737'], (20, 30, 3))

    Reference:
        [Maji et al., 2013](https://arxiv.org/abs/1306.5151)
    """
    check_choice(split, "split", SPLITS)
    check_choice(level, "level", tuple(LEVELS))
    crop_to_box = as_bool(crop_to_box, "crop_to_box")
    left_out = 0 if as_bool(keep_banner, "keep_banner") else BANNER
    data = os.path.join(path, "data")
    data = data if os.path.isdir(data) else os.fspath(path)
    listed = os.path.join(data, f"images_{level}_{split}.txt")
    images = keyed_lines(listed)
    folder = os.path.join(data, "images")
    boxes = [WHOLE] * len(images)
    if crop_to_box:
        boxes = _boxes(os.path.join(data, "images_box.txt"), images)
    return identity_files(
        [inner_path(folder, f"{image}.jpg", listed) for image in images],
        list(images.values()),
        path,
        "fgvc_aircraft",
        class_names=[name for _, name in text_lines(os.path.join(data, f"{LEVELS[level]}.txt"))],
        boxes=[(*box, left_out) for box in boxes],
        **{"shuffle": split.startswith("train"), **kwargs},
    )


def _boxes(path, images):
    """Boxes of images, from lines `image xmin ymin xmax ymax`; pixels count from 1."""
    lines = keyed_lines(path)
    boxes = []
    for image in images:
        try:
            x0, y0, x1, y1 = (int(field) for field in lines[image].split())
            boxes.append(pixel_box(x0 - 1, y0 - 1, x1, y1))
        except (KeyError, ValueError):
            raise ValueError(
                f"{path!r} must have a line `image xmin ymin xmax ymax` of each image. "
                f"Received: {lines.get(image, 'none')[:200]!r} of image {image!r}"
            ) from None
    return boxes
