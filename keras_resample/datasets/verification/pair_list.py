"""Verification pairs from a text file with two paths and 0 or 1 in each line."""

import os

from keras_resample.datasets.files.text_lines import text_lines, wrong_line
from keras_resample.datasets.verification.file_pairs import file_pairs


def pair_list(path, folder=None, **kwargs):
    """Verification pairs from a text file with two paths and 0 or 1 in each line.

    A line is `path1 path2 same` or `same path1 path2`, separated by tabs or commas, so that paths
    may hold spaces, or by white space; 1 says that both show one identity.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the text file.
        folder: folder that the paths in it are relative to. Default: that of the text file.
        **kwargs: `size`, `channels`, `on_error`, `verify` and `progress` as in `image_folder`
            (with `on_error="skip"` the pairs of an unreadable image are left out); `batch_size`,
            `value_range`, `data_format` (default that of Keras), `workers` and so on as in
            `ImageDataset`.

    Returns:
        An `ImagePairs`, in the order of the lines.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if there is no such text file.
        ValueError: for a line of another form, a bad image file (`on_error="raise"`), sizes that
            differ where `size` is not given, or a wrong argument.

    Example:

    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> for name in ("a", "b"):
    ...     Image.fromarray(np.zeros((12, 10), "uint8")).save(f"{name}.png")
    >>> with open("pairs.list", "w") as file:
    ...     _ = file.write("a.png b.png 0\\na.png a.png 1\\n")
    >>> pairs = kr.datasets.pair_list("pairs.list")
    >>> pairs.images.num_images, pairs.same.tolist()
    (4, [False, True])
    """
    folder = os.path.dirname(os.path.abspath(path)) if folder is None else os.fspath(folder)
    pairs = []
    for number, line in text_lines(path):
        fields = _fields(line)
        if fields is None:
            must = "be two paths and 0 or 1, separated by tabs, commas or white space"
            raise wrong_line(path, number, must, line)
        one, other = (os.path.join(folder, field) for field in fields[:2])
        pairs.append((one, other, fields[2] == "1"))
    return file_pairs(pairs, path, "pair_list", **kwargs)


def _fields(line):
    """Two paths and 0 or 1, by the first separator that gives them."""
    for separator in ("\t", ",", None):
        fields = [field.strip() for field in line.split(separator)]
        if len(fields) == 3 and fields[2] not in ("0", "1") and fields[0] in ("0", "1"):
            fields = [*fields[1:], fields[0]]
        if len(fields) == 3 and fields[2] in ("0", "1") and all(fields):
            return fields
    return None
