"""The real handwritten digits that come with scikit-learn."""

import keras
import numpy as np

from keras_resample.arguments import as_size
from keras_resample.datasets.recognition.arrays import from_arrays


def digits(batch_size=32, shuffle=True, seed=0, size=None, **kwargs):
    """1,797 real handwritten digits, ten classes, without download.

    The 8 x 8 images of `sklearn.datasets.load_digits`, divided by 16. Needs scikit-learn:
    `pip install keras-resample[datasets]`.

    Args:
        batch_size, shuffle, seed: as in `IdentityDataset`.
        size: `(height, width)` to resize to (bilinear, antialiased where it gets smaller).
            Default: 8 x 8, as they are.
        **kwargs: as in `IdentityDataset`.

    Returns:
        An `IdentityDataset` of images `(8, 8, 1)`, or `(*size, 1)`.

    Raises:
        ImportError: if scikit-learn is not installed.

    Example:

    >>> import keras_resample as kr
    >>> dataset = kr.datasets.digits(size=(16, 16))
    >>> dataset.num_images, dataset.num_classes, dataset.image_shape
    (1797, 10, (16, 16, 1))

    Reference:
        E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
        Learning Repository, 1998.
    """
    if size is not None:
        size = as_size(size)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "`digits` needs scikit-learn: pip install keras-resample[datasets]"
        ) from error
    source = load_digits()
    images = (source.images / 16).astype("float32")[..., None]
    if size is not None:
        images = keras.ops.image.resize(
            images, size, interpolation="bilinear", antialias=True, data_format="channels_last"
        )
        # Rounding may leave the range by an ulp.
        images = np.clip(keras.ops.convert_to_numpy(images), 0, 1)
    return from_arrays(images, source.target, batch_size, shuffle, seed, **kwargs)
