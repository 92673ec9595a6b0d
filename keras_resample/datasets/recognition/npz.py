"""A dataset from an `.npz` file."""

import os
import zipfile
import zlib

import numpy as np

from keras_resample.datasets.recognition.arrays import from_arrays


def npz(path, batch_size=32, shuffle=True, seed=0, **kwargs):
    """A dataset from an `.npz` file with the keys `images` and `labels`.

    The arrays are read into memory and follow the rules of `from_arrays`. A file cannot run
    code: Python objects in it are refused (`allow_pickle=False`).

    Args:
        path: the file. Key `images`: `(n, h, w)` or `(n, h, w, c)`, uint8 or floats in
            `[0, 1]`. Key `labels`: `(n,)` integers or strings. Other keys are not read.
        batch_size, shuffle, seed: as in `IdentityDataset`.
        **kwargs: as in `IdentityDataset`.

    Returns:
        An `IdentityDataset`.

    Raises:
        FileNotFoundError: if there is no such file.
        TypeError, ValueError: if it is not a readable `.npz`, a key is missing, or an array
            breaks the rules of `from_arrays`.

    Example:

    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> import keras_resample as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "faces.npz")
    ...     np.savez(path, images=np.zeros((6, 12, 10), "uint8"), labels=[1, 1, 7, 7, 9, 9])
    ...     dataset = kr.datasets.npz(path)
    >>> dataset.num_images, dataset.num_classes, dataset.class_names
    (6, 3, ['1', '7', '9'])
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`path` must be an .npz file. Received: path={str(path)!r}")
    # np.load takes other formats too; anything but a zip archive is not an .npz.
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"`path` must be an .npz file, and this one is none. Received: path={str(path)!r}"
        )
    images, labels = _read(path)
    try:
        return from_arrays(images, labels, batch_size, shuffle, seed, **kwargs)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error}, from path={str(path)!r}") from error


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            found = sorted(file.files)
            missing = [key for key in ("images", "labels") if key not in found]
            if not missing:
                return [_array(file, key, path) for key in ("images", "labels")]
    except (OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"`path` must be an undamaged .npz file: {error}. Received: path={str(path)!r}"
        ) from error
    raise ValueError(
        f"`path` must have the keys 'images' and 'labels'; {missing} not found. "
        f"Received: path={str(path)!r} with keys {found}"
    )


def _array(file, key, path):
    try:
        array = file[key]
    except ValueError as error:
        raise ValueError(
            f"Array '{key}' must be plain numbers or strings, and readable: {error} "
            f"Received: path={str(path)!r}"
        ) from error
    if not isinstance(array, np.ndarray):
        raise ValueError(f"Entry '{key}' must be an array. Received: path={str(path)!r}")
    return array
