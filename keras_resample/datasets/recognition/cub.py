"""Caltech-UCSD Birds 200-2011."""

import os

from keras_resample.arguments import as_bool
from keras_resample.datasets.files.image_decoding import pixel_box
from keras_resample.datasets.files.text_lines import inner_path, keyed_lines
from keras_resample.datasets.recognition.class_protocol import check_protocol, protocol_part
from keras_resample.datasets.recognition.identity_files import identity_files


def cub(path, protocol="classification", split="train", crop_to_box=False, **kwargs):
    """Caltech-UCSD Birds 200-2011 (CUB), 200 species of birds.

    Expects `images.txt`, `image_class_labels.txt`, `classes.txt`, `train_test_split.txt` (lines
    `number value`), `images/` and, for `crop_to_box`, `bounding_boxes.txt`.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the folder `CUB_200_2011`.
        protocol: `"classification"`: every class, with the official split (5,994 and 5,794
            images). `"retrieval"`: every image of the first half of the classes trains (classes
            1 to 100, 5,864 images), the others are the test (101 to 200, 5,924 images), where
            each image is searched among all others.
        split: `"train"` or `"test"`.
        crop_to_box: whether to read the box of the bird instead of the whole image. Say so where
            you publish a number: most do not use the boxes.
        **kwargs: as in `image_folder`, without `class_names`: the images have different sizes, so
            give `size`. `shuffle` is `True` for the training split alone by default.

    Returns:
        An `IdentityDataset`. `class_names` are those of the protocol's part, such as
        `"001.Black_footed_Albatross"`, also where a class has no image.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if a text file is missing.
        ValueError: for a line of another form, an image that one of the files lacks, a bad image
            file (`on_error="raise"`), sizes that differ where `size` is not given, or a wrong
            argument.

    Example:

    >>> import os
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> os.makedirs("CUB_200_2011/images")
    >>> for name in ("wren", "gull"):
    ...     Image.new("RGB", (20, 16)).save(f"CUB_200_2011/images/{name}.jpg")
    >>> lines_of = {"images": ("wren.jpg", "gull.jpg"), "image_class_labels": (2, 1),
    ...             "classes": ("001.Gull", "002.Wren"), "train_test_split": (1, 0)}
    >>> for name, lines in lines_of.items():
    ...     with open(f"CUB_200_2011/{name}.txt", "w") as file:
    ...         _ = file.write("".join(f"{i} {line}\\n" for i, line in enumerate(lines, 1)))
    >>> train = kr.datasets.cub("CUB_200_2011")
    >>> train.labels.tolist(), train.class_names
    ([1], ['001.Gull', '002.Wren'])
    >>> kr.datasets.cub("CUB_200_2011", "retrieval", "test").class_names
    ['002.Wren']

    Reference:
        Wah et al., The Caltech-UCSD Birds-200-2011 Dataset, 2011; the halves for retrieval are
        those of Song et al., Deep Metric Learning via Lifted Structured Feature Embedding,
        CVPR 2016.
    """
    check_protocol(protocol, split)
    crop_to_box = as_bool(crop_to_box, "crop_to_box")
    images = _lines(path, "images")
    names = _classes(path)
    numbers = _column(path, "image_class_labels", images)
    labels = [_entry(names, number, path, "classes") for number in numbers]
    in_train = [_in_train(value, path) for value in _column(path, "train_test_split", images)]
    folder = os.path.join(path, "images")
    files = [inner_path(folder, name, _file(path, "images")) for name in images.values()]
    chosen, class_names = protocol_part(labels, in_train, list(names.values()), protocol, split)
    boxes = None
    if crop_to_box:
        lines = _column(path, "bounding_boxes", images)
        boxes = [_box(lines[index], files[index], path) for index in chosen]
    return identity_files(
        [files[index] for index in chosen],
        [labels[index] for index in chosen],
        path,
        "cub",
        class_names=class_names,
        boxes=boxes,
        **{"shuffle": split == "train", **kwargs},
    )


def _lines(path, name):
    return keyed_lines(_file(path, name), "be a number not used before and a value")


def _file(path, name):
    return os.path.join(path, f"{name}.txt")


def _column(path, name, files):
    """What a file says of each image, in their order."""
    lines = _lines(path, name)
    return [_entry(lines, key, path, name) for key in files]


def _entry(lines, key, path, name):
    if key not in lines:
        raise ValueError(
            f"{_file(path, name)!r} must have a line that begins with {key}. "
            f"Received: {len(lines)} lines without it"
        )
    return lines[key]


def _classes(path):
    """Names by their number, in the order of the numbers."""
    names = _lines(path, "classes")
    for number in names:
        if not (number.isascii() and number.isdecimal()):
            raise ValueError(
                f"{_file(path, 'classes')!r} must have lines `number name`. "
                f"Received: number {number[:200]!r}"
            )
    return {number: names[number] for number in sorted(names, key=int)}


def _in_train(value, path):
    if value not in ("0", "1"):
        raise ValueError(
            f"{_file(path, 'train_test_split')!r} must have lines `number 0` (test) or `number 1` "
            f"(training). Received: {value[:200]!r}"
        )
    return value == "1"


def _box(line, image, path):
    """`x y width height` in pixels as `(left, top, right, bottom)`."""
    try:
        x, y, width, height = (round(float(field)) for field in line.split())
        return pixel_box(x, y, x + width, y + height)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{_file(path, 'bounding_boxes')!r} must have lines `number x y width height`. "
            f"Received: {line[:200]!r} of image {image!r}"
        ) from None
