"""What sampling alone costs a segmentation."""

import numpy as np

from keras_resample.arguments import as_integer_array
from keras_resample.metrics.arrays import to_numpy
from keras_resample.metrics.segmentation.confusion import confusion_matrix, mean_iou
from keras_resample.ops.restoring.restoring import restore
from keras_resample.ops.sampling import sample


def upsampling_iou(labels, grid, num_classes, ignore_class=None):
    """Mean IoU of a perfect segmentation of the samples: the intrinsic upsampling error.

        IoU(Y', Y),   Y' = restore(sample(Y))

    with both by the nearest neighbour. It is the best mean IoU that the grid allows, but for luck.

    Args:
        labels: Integer array (b, H, W).
        grid: Float array (b, h', w', 2), or (1, h', w', 2) for all images: relative (x, y), as a
            sampler's `grid(images)` returns it.
        num_classes: Number of classes; labels are in [0, num_classes).
        ignore_class: Label of pixels that are left out, or `None`. Pixels that are restored from
            an ignored one are left out too.

    Returns:
        A float in [0, 1].

    Raises:
        ValueError: For labels that are no integers (b, H, W) or out of range, and for a grid of
            another shape.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> labels = np.eye(8, dtype="uint8")[None]
    >>> kr.metrics.upsampling_iou(labels, kr.ops.uniform_grid((8, 8)), num_classes=2)
    1.0
    >>> kr.metrics.upsampling_iou(labels, kr.ops.uniform_grid((4, 4)), num_classes=2) < 1
    True

    Reference:
        - [Jin et al., 2022](https://arxiv.org/abs/2109.11071), Section 2.1
    """
    labels = to_numpy(labels)
    _, restored = sampled_and_restored(labels, grid)
    confusion = upsampling_confusion(labels, restored, num_classes, ignore_class)
    return mean_iou(confusion, ignore_class)


def upsampling_confusion(labels, restored, num_classes, ignore_class=None):
    """`confusion_matrix` of labels and those restored, where neither is ignored."""
    if ignore_class is not None:
        labels = np.where(restored == ignore_class, ignore_class, labels)
        restored = np.where(restored == ignore_class, 0, restored)
    return confusion_matrix(labels, restored, num_classes, ignore_class)


def sampled_and_restored(labels, grid):
    """Labels (b, h', w') at the places of a grid, and those (b, H, W) restored to the images."""
    labels = as_integer_array(labels, "labels", "integers (b, H, W)", (None, None, None))
    values = np.ascontiguousarray(labels[..., None], "int32")
    sampled = sample(values, grid, "nearest", data_format="channels_last")
    restored = restore(sampled, grid, labels.shape[1:], data_format="channels_last")
    return to_numpy(sampled)[..., 0], to_numpy(restored)[..., 0]
