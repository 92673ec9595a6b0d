"""Sizes `(height, width)` of images and windows `(top, left, height, width)`, in pixels."""

import numpy as np

from keras_resample.arguments import as_integer_array, as_integers, as_size


def as_image_sizes(image_sizes):
    """`image_sizes` as an array `(n, 2)` of positive integers."""
    kind = "(height, width) of each image, positive integers (n, 2)"
    return as_integer_array(image_sizes, "image_sizes", kind, (None, 2), "[1, inf)")


def as_window_size(size, name, image_sizes):
    """`size` as `(height, width)` that fits into every image."""
    size = as_size(size, name)
    small = np.flatnonzero((image_sizes < size).any(axis=1))
    if len(small):
        image = tuple(int(side) for side in image_sizes[small[0]])
        raise ValueError(
            f"`{name}` must fit into every image; image {small[0]} is {image[0]} x {image[1]}. "
            f"Received: {name}={size}"
        )
    return size


def as_window(window, size):
    """`window` as four integers inside an image of that size."""
    try:
        top, left, height, width = as_integers(window, "window", 0, length=4)
        inside = height > 0 and width > 0 and top + height <= size[0] and left + width <= size[1]
    except ValueError:
        inside = False
    if not inside:
        raise ValueError(
            "`window` must be (top, left, height, width) inside the image of "
            f"{size[0]} x {size[1]}. Received: window={window!r}"
        )
    return top, left, height, width


def random_window(random, size, image_size):
    """A window of that size at a random place of the image."""
    top, left = (
        int(random.integers(0, whole - part + 1))
        for whole, part in zip(image_size, size, strict=True)
    )
    return top, left, *size


def tiling(size, image_size):
    """Windows that cover each pixel of an image once, row by row; smaller ones at the end."""
    return [
        (top, left, min(size[0], image_size[0] - top), min(size[1], image_size[1] - left))
        for top in range(0, int(image_size[0]), size[0])
        for left in range(0, int(image_size[1]), size[1])
    ]
