"""Pairs of images and whether the two show one identity."""

import numpy as np

from keras_resample.datasets.base.image_dataset import ImageDataset
from keras_resample.datasets.files.screening import warn_of_skipped


class ImagePairs:
    """A verification set: pairs of images, and which of them show one identity.

    Args:
        load: callable from an integer in `[0, 2 n)` to one image, as in `ImageDataset`; pair i
            is images 2 i and 2 i + 1.
        same: booleans `(n,)`.
        image_shape: `(height, width, channels)` of what `load` returns.
        skipped: list of `(file, reason)` of the images whose pairs were left out.
        **kwargs: as in `ImageDataset`.

    Attributes:
        images: `ImageDataset` of the 2 n images, what `encoder.predict` takes.
        same: `(n,)` bool.
        skipped: list of `(file, reason)`.

    Raises:
        ValueError: for `same` of another kind, or a wrong argument of `ImageDataset`.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> pairs = kr.datasets.ImagePairs(
    ...     lambda index: np.full((8, 8, 1), index / 4), same=[True, False],
    ...     image_shape=(8, 8, 1))
    >>> len(pairs), pairs.images.num_images
    (2, 4)
    """

    def __init__(self, load, same, image_shape, skipped=(), **kwargs):
        same = np.asarray(same)
        if same.dtype != bool or same.ndim != 1 or not len(same):
            raise ValueError(
                "`same` must be booleans (n,), one a pair. "
                f"Received: same of shape {same.shape} and dtype {same.dtype}"
            )
        self.same = same
        self.images = ImageDataset(load, 2 * len(same), image_shape, **kwargs)
        self.skipped = self.images.skipped = list(skipped)

    def __len__(self):
        return len(self.same)


def sound_pairs(image, num_pairs, on_error, verify, progress):
    """Which pairs to keep: bool `(n,)`, and the list of what was skipped."""
    good, skipped = np.ones(num_pairs, bool), []
    if verify:
        readable, skipped = image.screened(np.arange(2 * num_pairs), on_error, progress)
        good = np.isin(np.arange(2 * num_pairs), readable).reshape(-1, 2).all(1)
        warn_of_skipped(skipped, "images, and their pairs,")
    if not good.any():
        raise ValueError(
            "There must be a pair of readable images. "
            f"Received: {num_pairs} pairs and {len(skipped)} damaged images"
        )
    return good, skipped
