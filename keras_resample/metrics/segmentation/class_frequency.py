"""How much more of each class a sampler sees."""

import numpy as np

from keras_resample.arguments import as_integer
from keras_resample.metrics.arrays import to_numpy
from keras_resample.metrics.segmentation.confusion import known_pixels, label_maps


def class_frequency_change(labels, sampled_labels, num_classes, ignore_class=None):
    """Relative change of the share of pixels that each class has, by sampling.

        change = (share among the sampled pixels) / (share among all pixels) - 1

    Positive where the sampler is denser than elsewhere, negative where it is sparser, 0 for a
    uniform one up to its resolution.

    Args:
        labels: Integer array (n, H, W), or an iterable of maps (H, W) of any sizes.
        sampled_labels: Array (n, h', w') or maps of what was sampled of them.
        num_classes: Number of classes; labels are in [0, num_classes).
        ignore_class: Label of pixels that are left out, or `None`.

    Returns:
        Float array (num_classes,), NaN for classes that do not occur in `labels`.

    Raises:
        ValueError: For maps that are no integers, and for class ids out of range.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.class_frequency_change([[[0, 0, 0, 1]]], [[[0, 1]]], num_classes=2)
    array([-0.33333333,  1.        ])

    Reference:
        - [Jin et al., 2022](https://arxiv.org/abs/2109.11071), Section A.4
    """
    original = class_counts(labels, num_classes, ignore_class)
    return frequency_change(original, class_counts(sampled_labels, num_classes, ignore_class))


def class_counts(labels, num_classes, ignore_class=None):
    """Pixels (num_classes,) of each class in label maps."""
    num_classes = as_integer(num_classes, "num_classes")
    total = np.zeros(num_classes, "int64")
    for label in label_maps(labels):
        known = label[known_pixels(label, num_classes, ignore_class)]
        total += np.bincount(known, minlength=num_classes)
    return total


def frequency_change(original, sampled):
    """`class_frequency_change` of two counts (classes,) of pixels."""
    original, sampled = (to_numpy(counts).astype("float64") for counts in (original, sampled))
    shares = [counts / max(counts.sum(), 1.0) for counts in (original, sampled)]
    missing = np.full(len(original), np.nan)
    return np.divide(shares[1], shares[0], out=missing, where=original > 0) - 1
