"""What bilinear interpolation may miss of an image, by its mixed differences."""

import numpy as np

from keras_resample.metrics.arrays import to_numpy


def interpolation_error(images):
    """Estimated error of up-sampling an image bilinearly, of Branch-to-Trunk Network.

        error = mean |D * I| / 64,   D = [1 -2 1]^T [1 -2 1]

    over the (h - 2) (w - 2) pixels that have all neighbours, and the channels. D stands for the
    fourth derivative, twice along each axis; 64 is 4, of the remainder of the interpolation, times
    16, of the largest distances to the pixels in the paper.

    It is no bound of the error: the derivatives along one axis alone are left out. It is 0 for any
    image a(x) + b(y), such as x^2, which bilinear interpolation misses by 1/4 halfway between two
    pixels. It grows with the scale of the intensities, in [0, 1] or [0, 255]: say which.

    Args:
        images: Array (n, h, w) or (n, h, w, channels), sides of 3 pixels or more.

    Returns:
        float64 array (n,).

    Raises:
        ValueError: For another shape, and for images that are not finite.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> checkerboard = np.indices((8, 8)).sum(axis=0) % 2
    >>> columns = np.arange(8) % 2 * np.ones((8, 8))
    >>> kr.metrics.interpolation_error([checkerboard, columns]).tolist()
    [0.125, 0.0]

    Reference:
        - Branch-to-Trunk Network, "Learning Unified Representations for Multi-Resolution Face
          Recognition", Section A.1
    """
    images = to_numpy(images)
    if images.ndim not in (3, 4) or min(images.shape[1:3]) < 3 or 0 in images.shape[3:]:
        raise ValueError(
            "`images` must be an array (n, h, w) or (n, h, w, channels) with sides of 3 pixels or "
            f"more. Received: images.shape={images.shape}"
        )
    errors = np.empty(len(images))
    for i, image in enumerate(images):
        image = image.astype("float64")
        if not np.all(np.isfinite(image)):
            raise ValueError(f"`images` must be finite. Received: image {i} that is not")
        mixed = np.diff(np.diff(image, 2, axis=0), 2, axis=1)
        errors[i] = np.mean(np.abs(mixed)) / 64
    return errors
