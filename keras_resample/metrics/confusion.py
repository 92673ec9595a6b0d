"""Confusion matrices of label maps and the intersections over unions in them."""

import keras
import numpy as np


def mean_iou_metric(name, num_classes, ignore_class=None):
    """The Keras metric of integer maps: mean IoU over the classes that occur or are predicted."""
    classes = [i for i in range(num_classes) if i != ignore_class]
    return keras.metrics.IoU(num_classes, classes, name=name, ignore_class=ignore_class)


def ious_of(confusion, ignore_class=None):
    """IoU (classes,) of each class of a confusion matrix, NaN where it occurs nowhere."""
    confusion = np.asarray(confusion, "float64")
    correct = np.diagonal(confusion)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - correct
    ious = np.divide(correct, union, out=np.full(len(correct), np.nan), where=union > 0)
    if ignore_class is not None and 0 <= ignore_class < len(ious):
        ious[ignore_class] = np.nan
    return ious
