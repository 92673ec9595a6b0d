"""Confusion matrices of label maps and the intersections over unions in them."""

import keras
import numpy as np

from keras_resample.arguments import as_integer
from keras_resample.metrics.arrays import to_numpy


def confusion_matrix(labels, predictions, num_classes, ignore_class=None):
    """Pixels of each class (row) that were predicted as each class (column).

    Matrices of several batches add up to that of a dataset.

    Args:
        labels: Integer array (n, H, W), or an iterable of maps (H, W) of any sizes.
        predictions: Integer maps of the same sizes.
        num_classes: Number of classes; labels are in [0, num_classes).
        ignore_class: Label of pixels that are left out, or `None`.

    Returns:
        Integer array (num_classes, num_classes).

    Raises:
        ValueError: For maps that are no integers or of different sizes, and for class ids out of
            range.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.confusion_matrix([[[0, 1, 255]]], [[[0, 0, 1]]], 2, ignore_class=255)
    array([[1, 0],
           [1, 0]])
    """
    num_classes = as_integer(num_classes, "num_classes")
    total = np.zeros(num_classes**2, "int64")
    for label, prediction in map_pairs(labels, predictions):
        valid = known_pixels(label, num_classes, ignore_class, "labels")
        known_pixels(prediction, num_classes, None, "predictions")
        cell = label[valid].astype("int64") * num_classes + prediction[valid]
        total += np.bincount(cell, minlength=num_classes**2)
    return total.reshape(num_classes, num_classes)


def class_ious(confusion, ignore_class=None):
    """Intersection over union of each class: TP / (TP + FP + FN).

    Args:
        confusion: Array (classes, classes) of `confusion_matrix`, or a sum of such.
        ignore_class: Label of the pixels that were left out; if it is a class of the network, it
            gets no IoU.

    Returns:
        Float array (classes,), NaN for classes that neither occur nor are predicted.

    Example:
    >>> import keras_resample as kr
    >>> kr.metrics.class_ious([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    array([0.75, 0.8 ,  nan])
    """
    confusion = to_numpy(confusion).astype("float64")
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(
            "`confusion` must have shape (classes, classes). "
            f"Received: confusion.shape={confusion.shape}"
        )
    correct = np.diagonal(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - correct
    ious = np.divide(correct, union, out=np.full(len(correct), np.nan), where=union > 0)
    if ignore_class in range(len(ious)):
        ious[ignore_class] = np.nan
    return ious


def mean_iou(confusion, ignore_class=None):
    """Mean IoU over the classes that occur or are predicted.

    Args:
        confusion: Array (classes, classes) of `confusion_matrix`, or a sum of such.
        ignore_class: Label of the pixels that were left out; if it is a class of the network, it
            gets no IoU.

    Returns:
        A float, NaN for a matrix of zeros.

    Example:
    >>> import keras_resample as kr
    >>> round(kr.metrics.mean_iou([[3, 1, 0], [0, 4, 0], [0, 0, 0]]), 4)
    0.775
    """
    ious = class_ious(confusion, ignore_class)
    return float(np.mean(ious[~np.isnan(ious)])) if not np.isnan(ious).all() else float("nan")


def map_pairs(labels, predictions):
    """Pairs of maps (H, W) of the same size, checked, one at a time."""
    if not all(hasattr(maps, "__iter__") for maps in (labels, predictions)):
        raise ValueError(
            "`labels` and `predictions` must be arrays (n, H, W) or iterables of maps. "
            f"Received: {type(labels)} and {type(predictions)}"
        )
    for label, prediction in zip(label_maps(labels), label_maps(predictions), strict=True):
        if label.shape != prediction.shape:
            raise ValueError(
                "`predictions` must be of the size of the labels. "
                f"Received: a label map {label.shape} and a prediction {prediction.shape}"
            )
        yield label, prediction


def label_maps(maps):
    """Integer maps (H, W) of an array (n, H, W) or an iterable, checked, one at a time."""
    if keras.ops.is_tensor(maps):
        maps = to_numpy(maps)
    for one in maps:
        one = to_numpy(one)
        if one.ndim != 2 or one.dtype.kind not in "iu":
            raise ValueError(
                "Label maps must be integers (H, W), together (n, H, W). "
                f"Received: a map of shape {one.shape} and dtype {one.dtype}"
            )
        yield one


def known_pixels(label, num_classes, ignore_class, name="labels"):
    """Which pixels (H, W) of a map have a class; one that does not exist raises."""
    valid = np.ones(label.shape, bool) if ignore_class is None else label != ignore_class
    unknown = valid & ((label < 0) | (label >= num_classes))
    if unknown.any():
        ids = sorted(np.unique(label[unknown]).tolist())
        raise ValueError(
            f"`{name}` must be in [0, num_classes), or the labels `ignore_class`. "
            f"Received: class ids {ids[:5]}, {num_classes=}, {ignore_class=}"
        )
    return valid
