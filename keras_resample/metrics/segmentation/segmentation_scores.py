"""The numbers of a comparison of samplers, accumulated over batches."""

import numpy as np

from keras_resample.arguments import as_integer
from keras_resample.metrics.arrays import to_numpy
from keras_resample.metrics.segmentation.class_frequency import class_counts, frequency_change
from keras_resample.metrics.segmentation.confusion import (
    class_ious,
    confusion_matrix,
    map_pairs,
    mean_iou,
)
from keras_resample.metrics.segmentation.trimap import accuracy_of, as_widths, trimap_counts
from keras_resample.metrics.segmentation.upsampling import upsampling_confusion


class SegmentationScores:
    """Scores of label maps over a dataset that need not fit into memory.

    Args:
        num_classes: Number of classes; labels are in [0, num_classes).
        ignore_class: Label of pixels that are left out, or `None`.
        trimap_widths: Widths in pixels of the bands of `trimap_accuracy`.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> scores = kr.metrics.SegmentationScores(num_classes=2, trimap_widths=[1, 3])
    >>> for seed in range(3):
    ...     labels = np.random.default_rng(seed).integers(0, 2, (4, 32, 32))
    ...     scores.update(labels, predictions=labels, sampled_labels=labels[:, ::2, ::2])
    >>> scores.result()["mean_iou"]
    1.0
    >>> sorted(scores.result())
    ['class_frequency_change', 'class_ious', 'mean_iou', 'trimap_accuracy']
    """

    def __init__(self, num_classes, ignore_class=None, trimap_widths=()):
        self.num_classes = as_integer(num_classes, "num_classes")
        self.ignore_class = ignore_class
        self.trimap_widths = as_widths(trimap_widths)
        self.reset()

    def reset(self):
        """Forget all batches."""
        self._confusion = self._in_samples = self._upsampling = self._trimap = 0
        self._original = self._sampled = 0

    def update(
        self,
        labels,
        predictions=None,
        sampled_labels=None,
        restored_labels=None,
        sampled_predictions=None,
    ):
        """Add a batch.

        Args:
            labels: Integer array (b, H, W), or a sequence of maps (H, W).
            predictions: Predicted classes of the same size, for the IoU and the trimap.
            sampled_labels: Array (b, h', w') of the labels as sampled, for the change of
                frequencies.
            restored_labels: Array (b, H, W) of the sampled labels as restored, for the intrinsic
                upsampling error.
            sampled_predictions: Predicted classes (b, h', w') of the samples, for the IoU in the
                deformed space; needs `sampled_labels`.
        """
        of_classes = self.num_classes, self.ignore_class
        if predictions is not None:
            self._confusion += confusion_matrix(labels, predictions, *of_classes)
            if len(self.trimap_widths):
                for label, prediction in map_pairs(labels, predictions):
                    counts = trimap_counts(label, prediction, self.trimap_widths, self.ignore_class)
                    self._trimap += counts
        if restored_labels is not None:
            pairs = to_numpy(labels), to_numpy(restored_labels)
            self._upsampling += upsampling_confusion(*pairs, *of_classes)
        if sampled_labels is not None:
            self._original += class_counts(labels, *of_classes)
            self._sampled += class_counts(sampled_labels, *of_classes)
        if sampled_predictions is not None:
            pairs = sampled_labels, sampled_predictions
            self._in_samples += confusion_matrix(*pairs, *of_classes)

    def result(self):
        """The scores of all batches, as far as they were given what they need.

        Returns:
            Dict of `"mean_iou"` and `"class_ious"` (classes,), `"sampled_mean_iou"` and
            `"class_sampled_ious"`, `"upsampling_iou"` and `"class_upsampling_ious"`,
            `"trimap_accuracy"` (widths,) and `"class_frequency_change"` (classes,): floats and
            float arrays.
        """
        result = {}
        for confusion, of_mean, of_classes in (
            (self._confusion, "mean_iou", "class_ious"),
            (self._in_samples, "sampled_mean_iou", "class_sampled_ious"),
            (self._upsampling, "upsampling_iou", "class_upsampling_ious"),
        ):
            if np.ndim(confusion):
                result[of_mean] = mean_iou(confusion, self.ignore_class)
                result[of_classes] = class_ious(confusion, self.ignore_class)
        if np.ndim(self._trimap):
            result["trimap_accuracy"] = accuracy_of(self._trimap)
        if np.ndim(self._sampled):
            result["class_frequency_change"] = frequency_change(self._original, self._sampled)
        return result
