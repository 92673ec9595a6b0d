"""The pairs of Labeled Faces in the Wild, from `pairs.txt` and the folder of images."""

import os

from keras_resample.datasets.files.text_lines import text_lines, wrong_line
from keras_resample.datasets.verification.file_pairs import file_pairs

EXTENSIONS = (".jpg", ".png")


def lfw_pairs(path, folder, **kwargs):
    """The pairs of a `pairs.txt` in the form of Labeled Faces in the Wild.

    A line is `name number number` (one person) or `name number name number` (two), separated by
    tabs, so that names may hold spaces, or by white space; image number 7 of Ann_Lee is
    `Ann_Lee/Ann_Lee_0007.jpg`, or `.png`. A first line of one or two numbers (folds, pairs) is a
    header: in `pairs.txt`, 10 folds of 300 pairs of each kind follow, which is the order that
    `kr.metrics.lfw_accuracy` needs.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the text file.
        folder: folder with one sub-folder a person.
        **kwargs: as in `pair_list`.

    Returns:
        An `ImagePairs`, in the order of the lines.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if there is no such text file.
        ValueError: for a line of another form, a bad or missing image file (`on_error="raise"`),
            sizes that differ where `size` is not given, or a wrong argument.

    Example:

    >>> import os
    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> for name in ("Ann", "Bob"):
    ...     os.makedirs(f"lfw/{name}")
    ...     Image.fromarray(np.zeros((12, 10), "uint8")).save(f"lfw/{name}/{name}_0001.png")
    >>> with open("pairs.txt", "w") as file:
    ...     _ = file.write("1\\t1\\nAnn\\t1\\t1\\nAnn\\t1\\tBob\\t1\\n")
    >>> kr.datasets.lfw_pairs("pairs.txt", "lfw").same.tolist()
    [True, False]

    Reference:
        Huang et al., Labeled Faces in the Wild, University of Massachusetts, 2007.
    """
    pairs, first_line = [], True
    for number, line in text_lines(path):
        words = line.split()
        header = first_line and len(words) < 3 and all(word.isdecimal() for word in words)
        first_line = False
        if header:
            continue
        fields = _fields(line)
        if fields is None:
            must = "be 'name number number' or 'name number name number'"
            raise wrong_line(path, number, must, line)
        *images, same = fields
        pairs.append((_file(folder, *images[:2]), _file(folder, *images[2:]), same))
    return file_pairs(pairs, path, "lfw_pairs", **kwargs)


def _fields(line):
    """Two names with their numbers, and whether the line gave one, by tabs or white space."""
    for separator in ("\t", None):
        fields = [field.strip() for field in line.split(separator)]
        same = len(fields) == 3
        if same:
            fields.insert(2, fields[0])
        if len(fields) == 4 and fields[1].isdecimal() and fields[3].isdecimal():
            return *fields, same
    return None


def _file(folder, name, number):
    stem = os.path.join(folder, name, f"{name}_{int(number):04d}")
    for extension in EXTENSIONS:
        if os.path.exists(stem + extension):
            return stem + extension
    return stem + EXTENSIONS[0]
