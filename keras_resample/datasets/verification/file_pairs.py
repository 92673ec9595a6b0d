"""Verification pairs of image files, for the readers of pair lists."""

import numpy as np

from keras_resample.datasets.arguments import error_policy, image_channels, image_size
from keras_resample.datasets.base.image_pairs import ImagePairs
from keras_resample.datasets.files.image_decoding import GREY_MODES, pillow
from keras_resample.datasets.files.image_files import FileImage, scan_files, shared_size
from keras_resample.datasets.files.screening import warn_of_skipped


def file_pairs(
    files,
    same,
    reader,
    size=None,
    channels=None,
    on_error="raise",
    verify=None,
    progress=False,
    value_range=(-1.0, 1.0),
    data_format=None,
    **kwargs,
):
    """An `ImagePairs` of files, pair i in places 2 i and 2 i + 1.

    Args:
        files: 2 n paths.
        same: n booleans.
        reader: name of the public function, for errors.
        size, channels, on_error, verify, progress: as in `image_folder`; a pair with a skipped
            image is left out.
        value_range, data_format, **kwargs: as in `ImageDataset`.
    """
    error_policy(on_error)
    image_channels(channels, (1, 3, None))
    size = None if size is None else image_size(size)
    pillow(reader)
    # An image of many pairs is looked at once.
    each, place = np.unique(files, return_inverse=True)
    each = [str(file) for file in each]
    verify = on_error == "skip" if verify is None else verify
    good, headers, skipped = scan_files(each, verify, on_error, progress)
    readable = np.isin(place.reshape(-1, 2), good).all(1)
    if not readable.any():
        raise ValueError(
            "`path` must list a pair of readable images. "
            f"Received: {len(same)} pairs, {len(skipped)} files skipped"
        )
    warn_of_skipped(skipped, "image files, and their pairs,")
    if channels is None:
        channels = 1 if all(mode in GREY_MODES for _, mode in headers) else 3
    size_of_all = size or shared_size([each[index] for index in good], headers)
    return ImagePairs(
        FileImage([files[i] for i in np.flatnonzero(np.repeat(readable, 2))], size, channels),
        np.asarray(same, bool)[readable],
        image_shape=(*size_of_all, channels),
        skipped=skipped,
        value_range=value_range,
        data_format=data_format,
        **kwargs,
    )
