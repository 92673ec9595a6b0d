"""The classes of pixels: their names and colours, and that labels hold nothing else."""

import numpy as np

from keras_resample.arguments import as_integer, as_integer_array


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
    kind = f"{num_classes} triples (red, green, blue) in 0..255"
    colors = as_integer_array(class_colors, "class_colors", kind, (num_classes, 3), "[0, 255]")
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


def as_ignore_class(ignore_class):
    """`ignore_class` as an int in 0..255, or `None`."""
    number = None if ignore_class is None else as_integer(ignore_class, "ignore_class", 0)
    if number is not None and number > 255:
        raise ValueError(
            "`ignore_class` must be an integer in 0..255 or None. "
            f"Received: ignore_class={ignore_class!r}"
        )
    return number


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
