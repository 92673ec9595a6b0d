"""What a reader of pairs of image files stands on: it only tells the layout."""

import numpy as np

from keras_resample.datasets.base.image_pairs import ImagePairs
from keras_resample.datasets.base.selection import Selection
from keras_resample.datasets.files.screening import scan_files, warn_of_skipped


def file_pairs(
    pairs,
    path,
    reader,
    size=None,
    channels=None,
    on_error="raise",
    verify=None,
    progress=False,
    value_range=(0.0, 1.0),
    data_format=None,
    **kwargs,
):
    """An `ImagePairs` of image files.

    Args:
        pairs: list of `(one file, other file, whether both show one identity)`.
        path: what the user gave, for errors.
        reader: name of the public function, for errors.
        size, channels, on_error, verify, progress: as in `image_folder`; a pair with a skipped
            image is left out.
        value_range, data_format, **kwargs: as in `ImageDataset`.
    """
    # An image of many pairs is looked at once.
    files, number = np.unique([pair[:2] for pair in pairs], return_inverse=True)
    image, image_shape, good, skipped = scan_files(
        [str(file) for file in files], path, reader, size, channels, on_error, verify, progress
    )
    number = number.reshape(-1, 2)
    readable = np.isin(number, good).all(1)
    if not readable.any():
        raise ValueError(
            "`path` must list a pair of readable images. "
            f"Received: path={str(path)!r}, {len(pairs)} pairs, {len(skipped)} files skipped"
        )
    warn_of_skipped(skipped, "image files, and their pairs,")
    return ImagePairs(
        Selection(image, np.searchsorted(good, number[readable]).ravel()),
        np.array([bool(same) for _, _, same in pairs])[readable],
        image_shape,
        skipped,
        value_range=value_range,
        data_format=data_format,
        **kwargs,
    )
