"""Writes pairs of images as a `.bin` verification set."""

import pickle

import numpy as np

from keras_resample.datasets.files.encoding import encoded_image
from keras_resample.files import whole


def write_verification_pairs(path, images, same):
    """Writes a verification set that `verification_pairs` and insightface read.

    The file is a pickle (protocol 4) of a list of 2 n byte strings and a list of n booleans. It
    appears whole or not at all. The encoded images are in memory meanwhile.

    Args:
        path: the file; an existing one is replaced.
        images: sequence of 2 n images, pair i in places 2 i and 2 i + 1: uint8 arrays `(h, w)`,
            `(h, w, 1)` or `(h, w, 3)`, RGB, which are stored as PNG (without loss), or the
            bytes of encoded images (JPEG, PNG), which are stored as they are.
        same: booleans `(n,)`, whether the pair shows one identity.

    Raises:
        ImportError: if arrays are to be encoded and Pillow is not installed.
        OSError: if the file cannot be written.
        ValueError: for images or booleans of another kind, or another number of them.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> images = np.zeros((2, 16, 16), "uint8")
    >>> kr.datasets.write_verification_pairs("one.bin", images, same=[True])
    """
    same = np.asarray(same)
    if same.dtype != bool or same.ndim != 1 or len(images) != 2 * len(same) or not len(same):
        raise ValueError(
            "`same` must be booleans (n,) for 2 n `images`. "
            f"Received: {len(images)} images, same of shape {same.shape} and dtype {same.dtype}"
        )
    encoded = [
        encoded_image(image, index, "write_verification_pairs")
        for index, image in enumerate(images)
    ]
    with whole(path) as (part,), open(part, "wb") as file:
        pickle.dump((encoded, same.tolist()), file, protocol=4)
