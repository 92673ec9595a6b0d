"""A dataset from a folder with one sub-folder of images per identity."""

import os

from keras_resample.arguments import check_folder
from keras_resample.datasets.files.image_decoding import EXTENSIONS
from keras_resample.datasets.recognition.identity_files import identity_files


def image_folder(
    path,
    size=None,
    channels=None,
    batch_size=32,
    shuffle=True,
    seed=0,
    on_error="raise",
    verify=None,
    progress=False,
    class_names=None,
    **kwargs,
):
    """A dataset from a folder with one sub-folder of images per identity.

    The identities are the sub-folders that hold images, in the order of their names; images
    are decoded with Pillow when they are read. Image files are recognized by their extension
    (bmp, gif, jpeg, jpg, pgm, png, ppm, tif, tiff, webp). Other files, hidden files and
    folders, and folders deeper than one level are ignored; symbolic links are followed.
    Images are turned as their EXIF orientation says. There is no alpha; of several frames the
    first is read.

    Every header is read at construction. With `verify` every image is decoded once as well,
    which also finds truncated files; it is on with `on_error="skip"`, so a file that is bad
    at construction is left out and never stops an epoch. Otherwise a truncated file raises
    when it is read. An image with more pixels than `PIL.Image.MAX_IMAGE_PIXELS` is an error
    like an unreadable one.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        path: the folder.
        size: `(height, width)` to resize to (bilinear, antialiased). Default: the size all
            images share.
        channels: 1 (grey) or 3 (RGB). Default: 1 if all images are grey, else 3.
        batch_size, shuffle, seed: as in `IdentityDataset`.
        on_error: what an unreadable, truncated or empty image file does. `"raise"`: an error
            that names it. `"skip"`: it is left out, one warning gives the number, and
            `skipped` lists `(file, reason)`.
        verify: whether to decode every image at construction. Default: with
            `on_error="skip"` only.
        progress: whether to show a progress bar meanwhile.
        class_names: names of the identities in the order of their labels, such as
            `train.class_names` for a validation set of the same identities. Their number is
            `num_classes`, whether or not each has an image here. Default: the identities that
            are found, so that one which is missing, or whose files are all skipped, shifts the
            labels of those behind it.
        **kwargs: as in `IdentityDataset`.

    Returns:
        An `IdentityDataset`. `class_names` are the names of the sub-folders, `paths` those of
        the files in the order of `labels`.

    Raises:
        ImportError: if Pillow is not installed.
        NotADirectoryError: if `path` is not a folder.
        ValueError: if there is no image in it, a file is bad (`on_error="raise"`), the sizes
            differ and `size` is not given, or a sub-folder is not in `class_names`.

    Example:

    >>> import os
    >>> import tempfile
    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("ann", "bob"):
    ...         os.mkdir(os.path.join(folder, name))
    ...         image = Image.fromarray(np.zeros((12, 10), "uint8"))
    ...         image.save(os.path.join(folder, name, "1.png"))
    ...     dataset = kr.datasets.image_folder(folder, batch_size=2)
    ...     images, labels = dataset[0]
    >>> images.shape, dataset.class_names
    ((2, 12, 10, 1), ['ann', 'bob'])
    """
    files, identities = identity_folders(path)
    return identity_files(
        files,
        identities,
        path,
        "image_folder",
        size=size,
        channels=channels,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        on_error=on_error,
        verify=verify,
        progress=progress,
        class_names=class_names,
        **kwargs,
    )


def identity_folders(path):
    """Each image file, sorted by identity and name, and its identity."""
    check_folder(path)
    files, identities = [], []
    for identity in sorted(os.listdir(path)):
        folder = os.path.join(path, identity)
        if not identity.startswith(".") and os.path.isdir(folder):
            found = images_in(folder)
            files += found
            identities += [identity] * len(found)
    return files, identities


def images_in(folder):
    """The image files of one folder, sorted by name."""
    check_folder(folder)
    files = []
    for name in sorted(os.listdir(folder)):
        file = os.path.join(folder, name)
        hidden = name.startswith(".") or os.path.isdir(file)
        if not hidden and name.lower().endswith(EXTENSIONS):
            files.append(file)
    return files
