"""Embeddings of an image and its mirror image as one."""

import numpy as np

from keras_resample.arguments import as_bool, check_choice
from keras_resample.metrics.arrays import to_numpy, unit_length

COMBINATIONS = ("sum", "concatenate")


def flip_augmented(embeddings, mirrored, combination="sum", normalize=True):
    """Combines the embeddings of images and of their mirror images.

    Args:
        embeddings: Float array (n, dim).
        mirrored: Float array (n, dim), of the images mirrored left to right.
        combination: "sum" (IJB, LFW) or "concatenate", which needs twice the memory and keeps both
            embeddings. A sum, not a mean: the length matters where embeddings are weighted by it.
        normalize: Whether to scale the result to length 1; zeros stay zeros.

    Returns:
        float64 array (n, dim), or (n, 2 dim) for "concatenate".

    Raises:
        ValueError: For another combination, and shapes that do not fit.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.flip_augmented([[3.0, 0.0]], [[0.0, 4.0]]).tolist()
    [[0.6, 0.8]]
    """
    check_choice(combination, "combination", COMBINATIONS)
    normalize = as_bool(normalize, "normalize")
    embeddings, mirrored = (to_numpy(x).astype("float64") for x in (embeddings, mirrored))
    if embeddings.ndim != 2 or embeddings.shape != mirrored.shape:
        raise ValueError(
            "`embeddings` and `mirrored` must be arrays (n, dim) of one shape. "
            f"Received: embeddings.shape={embeddings.shape}, mirrored.shape={mirrored.shape}"
        )
    if combination == "sum":
        result = embeddings + mirrored
    else:
        result = np.concatenate([embeddings, mirrored], axis=1)
    return unit_length(result) if normalize else result
