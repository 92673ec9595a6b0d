"""Windows `(top, left, height, width)` of images, in pixels."""

import numpy as np

from keras_resample.datasets.arguments import positive


def window_size(size, name, image_sizes):
    """`size` as `(height, width)` that fits into every image."""
    if isinstance(size, (str, bytes)) or not hasattr(size, "__len__") or len(size) != 2:
        raise ValueError(f"`{name}` must be (height, width). Received: {name}={size!r}")
    size = tuple(positive(side, name) for side in size)
    small = np.flatnonzero((image_sizes < size).any(axis=1))
    if len(small):
        image = tuple(int(side) for side in image_sizes[small[0]])
        raise ValueError(
            f"`{name}` must fit into every image; image {small[0]} is {image[0]} x {image[1]}. "
            f"Received: {name}={size}"
        )
    return size


def checked_window(window, size):
    """`window` as four integers inside an image of that size."""
    try:
        numbers = np.asarray(window)
        top, left, height, width = (int(value) for value in numbers)
        good = numbers.dtype.kind in "iu"
    except (TypeError, ValueError):
        good = False
    if (
        not good
        or min(top, left) < 0
        or min(height, width) < 1
        or top + height > size[0]
        or left + width > size[1]
    ):
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
