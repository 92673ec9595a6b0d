"""Checks of what a segmentation dataset is given and loads."""

import numpy as np


def checked_sizes(image_sizes):
    """`image_sizes` as an array `(n, 2)` of positive integers."""
    sizes = np.asarray(image_sizes)
    if (
        sizes.ndim != 2
        or sizes.shape[1] != 2
        or sizes.dtype.kind not in "iu"
        or len(sizes) == 0
        or sizes.min() < 1
    ):
        raise ValueError(
            "`image_sizes` must be (height, width) of each image, positive integers (n, 2). "
            f"Received: image_sizes of shape {sizes.shape} and dtype {sizes.dtype}"
        )
    return sizes


def checked_ignore_class(ignore_class):
    """`ignore_class` as an int in 0..255, or `None`."""
    if ignore_class is None:
        return None
    if (
        isinstance(ignore_class, (bool, str, float))
        or not 0 <= ignore_class <= 255
        or int(ignore_class) != ignore_class
    ):
        raise ValueError(
            "`ignore_class` must be an integer in 0..255 or None. "
            f"Received: ignore_class={ignore_class!r}"
        )
    return int(ignore_class)


def check_pair(image, label, window, index):
    """Raises unless an image and its label have the size of the window."""
    if image.shape != (*window[2:], 3) or image.dtype != np.uint8:
        raise ValueError(
            f"`load` must give uint8 images of shape {(*window[2:], 3)} for {window=}. "
            f"Received: {image.dtype} of shape {image.shape} for image {index}"
        )
    if label.shape != window[2:] or label.dtype.kind not in "iu":
        raise ValueError(
            f"`load` must give integer labels of shape {window[2:]} for {window=}. "
            f"Received: {label.dtype} of shape {label.shape} for image {index}"
        )


def check_classes(label, index, num_classes, ignore_class):
    """Raises unless every label is a class or ignored."""
    if label.max() < num_classes and label.min() >= 0:
        return
    wrong = (label >= num_classes) | (label < 0)
    if ignore_class is not None:
        wrong &= label != ignore_class
    if wrong.any():
        raise ValueError(
            f"Labels must lie in [0, {num_classes}) or be ignore_class={ignore_class}. "
            f"Received: {int(label[wrong][0])} in the label of image {index}"
        )
