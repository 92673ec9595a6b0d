"""Datasets of images that are in memory: of arrays, and of an `.npz` file of them."""

import zipfile
import zlib

import numpy as np

from keras_resample.arguments import check_file
from keras_resample.datasets.base.identity_dataset import IdentityDataset

# Values are checked in pieces, so that the check needs little memory of its own.
CHUNK = 256


def from_arrays(images, labels, batch_size=32, shuffle=True, seed=0, class_names=None, **kwargs):
    """A dataset of images and labels in memory.

    Args:
        images: `(n, h, w)` or `(n, h, w, c)`, channels last; uint8 in `[0, 255]`, or floats
            in `[0, 1]`. Kept as they are and converted one batch at a time.
        labels: `(n,)` integers or strings, any values. They are renumbered to `0 .. k-1` in
            sorted order; `class_names` holds the original ones.
        batch_size, shuffle, seed: as in `IdentityDataset`.
        class_names: as in `image_folder`.
        **kwargs: as in `IdentityDataset`.

    Returns:
        An `IdentityDataset`.

    Raises:
        TypeError: for images that are neither uint8 nor floats, or labels that are neither
            integers nor strings.
        ValueError: for the wrong rank, different lengths, no images, float values that are
            NaN, infinite or outside `[0, 1]`, or a label that is not in `class_names`.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.zeros((4, 16, 16), "uint8")
    >>> dataset = kr.datasets.from_arrays(images, ["ann", "bob", "ann", "bob"])
    >>> dataset.image_shape, dataset.class_names
    ((16, 16, 1), ['ann', 'bob'])
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or 0 in images.shape:
        raise ValueError(
            "`images` must have the shape (n, h, w) or (n, h, w, c), none of them 0. "
            f"Received: images of shape {images.shape}"
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise TypeError(
            "`images` must be uint8 in [0, 255] or floats in [0, 1]. "
            f"Received: images of dtype {images.dtype}"
        )
    if images.dtype.kind == "f":
        _check_range(images)
    labels, class_names = renumbered(labels, class_names)
    if len(labels) != len(images):
        raise ValueError(
            "`images` and `labels` must have the same length. "
            f"Received: {len(images)} images and {len(labels)} labels"
        )
    return IdentityDataset(
        ArrayImage(images),
        labels,
        image_shape=images.shape[1:],
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        **kwargs,
    )


def npz(path, batch_size=32, shuffle=True, seed=0, class_names=None, **kwargs):
    """A dataset from an `.npz` file with the keys `images` and `labels`.

    The arrays are read into memory and follow the rules of `from_arrays`. A file cannot run
    code: Python objects in it are refused (`allow_pickle=False`).

    Args:
        path: the file. Key `images`: `(n, h, w)` or `(n, h, w, c)`, uint8 or floats in
            `[0, 1]`. Key `labels`: `(n,)` integers or strings. Other keys are not read.
        batch_size, shuffle, seed: as in `IdentityDataset`.
        class_names: as in `image_folder`.
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
    check_file(path, "an .npz file")
    # np.load takes other formats too; anything but a zip archive is not an .npz.
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"`path` must be an .npz file, and this one is none. Received: path={str(path)!r}"
        )
    images, labels = _read(path)
    try:
        return from_arrays(images, labels, batch_size, shuffle, seed, class_names, **kwargs)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error}, from path={str(path)!r}") from error


class ArrayImage:
    """Image `index` of an array, as float32 in [0, 1]."""

    def __init__(self, images):
        self.images = images

    def __call__(self, index):
        image = self.images[index]
        if image.dtype == np.uint8:
            return image.astype("float32") / np.float32(255)
        return image.astype("float32")


def _check_range(images):
    for start in range(0, len(images), CHUNK):
        low, high = images[start : start + CHUNK].min(), images[start : start + CHUNK].max()
        # Written so that NaN, which is never inside, fails too.
        if not (low >= 0 and high <= 1):
            raise ValueError(
                "Float `images` must be finite and in [0, 1]; divide by their full scale. "
                f"Received: values from {low} to {high} in images {start} to "
                f"{min(start + CHUNK, len(images)) - 1}"
            )


def renumbered(labels, class_names=None):
    """Labels as numbers from 0 on, and their names: the original ones in sorted order.

    With `class_names` the number of a label is its place there.

    Raises:
        TypeError, ValueError: for labels of another kind, or that are not in `class_names`.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(
            f"`labels` must have the shape (n,). Received: labels of shape {labels.shape}"
        )
    if labels.dtype.kind not in "iuUS":
        raise TypeError(
            f"`labels` must be integers or strings. Received: labels of dtype {labels.dtype}"
        )
    names, labels = np.unique(labels, return_inverse=True)
    if names.dtype.kind == "S":
        names = np.char.decode(names, "utf-8", "replace")
    names = [str(name) for name in names]
    if class_names is None:
        return labels.astype("int32"), names
    class_names = [str(name) for name in class_names]
    number = {name: number for number, name in enumerate(class_names)}
    unknown = [name for name in names if name not in number]
    if unknown or len(number) < len(class_names):
        raise ValueError(
            "`class_names` must hold each identity once, and be those of the training set. "
            f"Received: class_names of {len(class_names)}, {len(number)} of them different, "
            f"without {unknown[:5]} ({len(unknown)} such)"
        )
    return np.array([number[name] for name in names], "int32")[labels], class_names


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
