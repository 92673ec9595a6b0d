"""A dataset from a text file with a path and a label in each line."""

import os

from keras_resample.datasets.files.text_lines import text_lines, wrong_line
from keras_resample.datasets.recognition.identity_files import identity_files


def image_list(
    path,
    folder=None,
    size=None,
    channels=None,
    batch_size=32,
    shuffle=True,
    seed=0,
    on_error="raise",
    verify=None,
    progress=False,
    value_range=(0.0, 1.0),
    data_format=None,
    class_names=None,
    **kwargs,
):
    """A dataset from a text file with a path and a label in each line.

    The `train.list` and `test.list` of palmprint sets. The label is what follows the last white
    space or comma of a line, or its last tab where it has tabs, so paths may hold spaces. Labels
    are renumbered to `0 .. k-1` in sorted order, and `class_names` holds the original ones:
    integers if all are written as such, else names, so that 001 and 1 are two. The half-identity
    protocol is `half_identities(image_list(path))`.

    Headers, verification and what an unreadable file does are as in `image_folder`.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the text file.
        folder: folder that the paths in it are relative to. Default: that of the text file.
        size: `(height, width)` to resize to (bilinear, antialiased). Default: the size all
            images share.
        channels: 1 (grey) or 3 (RGB). Default: 1 if all images are grey, else 3.
        batch_size, shuffle, seed: as in `IdentityDataset`.
        on_error, verify, progress: as in `image_folder`.
        value_range: range of the values, as in `ImageDataset`; published face networks want
            `(-1, 1)`, which is `(p / 255 - 0.5) / 0.5` of pixels `p`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for
            `keras.config.image_data_format()`.
        class_names: as in `image_folder`.
        **kwargs: `workers`, `use_multiprocessing` and `max_queue_size` of
            `keras.utils.PyDataset`.

    Returns:
        An `IdentityDataset` in the order of the lines.

    Raises:
        ImportError: if Pillow is not installed.
        FileNotFoundError: if there is no such text file.
        ValueError: for a line of another form, a bad image file (`on_error="raise"`), sizes that
            differ where `size` is not given, a label that is not in `class_names`, or a wrong
            argument.

    Example:

    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> for name in ("a", "b"):
    ...     Image.fromarray(np.zeros((12, 10), "uint8")).save(f"{name}.png")
    >>> with open("train.list", "w") as file:
    ...     _ = file.write("a.png 7\\nb.png 9\\n")
    >>> palms = kr.datasets.image_list("train.list")
    >>> palms.labels.tolist(), palms.class_names
    ([0, 1], ['7', '9'])
    """
    folder = os.path.dirname(os.path.abspath(path)) if folder is None else os.fspath(folder)
    files, labels = [], []
    for number, line in text_lines(path):
        separator = next((one for one in "\t," if one in line), None)
        fields = [field.strip() for field in line.rsplit(separator, 1)]
        if len(fields) != 2 or not all(fields):
            raise wrong_line(path, number, "be a path and a label", line)
        files.append(os.path.join(folder, fields[0]))
        labels.append(fields[1])
    return identity_files(
        files,
        _integers_or_names(labels),
        path,
        "image_list",
        size=size,
        channels=channels,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        on_error=on_error,
        verify=verify,
        progress=progress,
        value_range=value_range,
        data_format=data_format,
        class_names=class_names,
        **kwargs,
    )


def _integers_or_names(labels):
    """Integers if all are written as such, so that 10 sorts behind 9; 001 is a name."""
    plain = all(
        label.isascii() and label.isdecimal() and len(label) < 19 and str(int(label)) == label
        for label in labels
    )
    return [int(label) for label in labels] if plain else labels
