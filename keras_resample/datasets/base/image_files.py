"""Image files as they are listed, in their order."""

import os

from keras_resample.datasets.base.image_dataset import ImageDataset
from keras_resample.datasets.files.screening import scan_files, warn_of_skipped


def image_files(
    paths, size=None, channels=None, batch_size=32, on_error="raise", verify=None, **kwargs
):
    """Image files as they are listed: one image for each path, in their order.

    What `recognizer.embed` and `encoder.predict` take to give a row for each file.

    Needs Pillow: `pip install keras-resample[datasets]`.

    Args:
        paths: list of paths, or one path.
        size, channels, batch_size, verify: as in `image_folder`.
        on_error: as in `image_folder`; with `"skip"` there are no rows of the unreadable files,
            and `skipped` lists them.
        **kwargs: `value_range` (default `(0, 1)`), `data_format`, `workers` and so on as in
            `ImageDataset`.

    Returns:
        An `ImageDataset`.

    Raises:
        ImportError: if Pillow is not installed.
        TypeError, ValueError: for no path, a bad file (`on_error="raise"`), or sizes that differ
            where `size` is not given.

    Example:

    >>> import numpy as np
    >>> from PIL import Image
    >>> import keras_resample as kr
    >>> for name in ("a", "b"):
    ...     Image.fromarray(np.zeros((12, 10), "uint8")).save(f"{name}.png")
    >>> kr.datasets.image_files(["b.png", "a.png"])[0].shape
    (2, 12, 10, 1)
    """
    one = isinstance(paths, (str, os.PathLike))
    files = [os.fspath(path) for path in ([paths] if one else paths)]
    if not files:
        raise ValueError(f"`paths` must hold the path of an image. Received: {paths=}")
    image, image_shape, _, skipped = scan_files(
        files, files[0], "image_files", size, channels, on_error, verify, False
    )
    warn_of_skipped(skipped, "image files")
    dataset = ImageDataset(image, len(image.files), image_shape, batch_size, **kwargs)
    dataset.skipped = skipped
    return dataset
