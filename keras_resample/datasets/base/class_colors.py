"""Colours and names of classes."""

import numpy as np


def class_table(num_classes, class_names, class_colors):
    """Names (or None) and colours uint8 `(num_classes, 3)`, checked.

    Raises:
        ValueError: unless there is one of each a class.
    """
    if class_names is not None:
        class_names = [str(name) for name in class_names]
        if len(class_names) != num_classes:
            raise ValueError(
                f"`class_names` must hold {num_classes} names, one a class. "
                f"Received: {len(class_names)} names"
            )
    if class_colors is None:
        return class_names, default_colors(num_classes)
    colors = np.asarray(class_colors)
    if (
        colors.shape != (num_classes, 3)
        or colors.dtype.kind not in "iu"
        or colors.min() < 0
        or colors.max() > 255
    ):
        raise ValueError(
            f"`class_colors` must be {num_classes} triples (red, green, blue) in 0..255. "
            f"Received: class_colors of shape {colors.shape} and dtype {colors.dtype}"
        )
    return class_names, colors.astype("uint8")


def default_colors(num_classes):
    """Colours of PASCAL VOC: the bits of the class number spread over the three channels.

    Black, the colour of class 0 there, is left to what is ignored.

    Returns:
        uint8 `(num_classes, 3)`.
    """
    number = np.arange(1, num_classes + 1)
    colors = np.zeros((num_classes, 3), "int64")
    for bit in range(8):
        for channel in range(3):
            colors[:, channel] |= ((number >> (3 * bit + channel)) & 1) << (7 - bit)
    return colors.astype("uint8")
