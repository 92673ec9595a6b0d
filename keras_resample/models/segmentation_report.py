"""Everything by which samplers are compared, in one pass over a dataset."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_integer
from keras_resample.metrics.segmentation.segmentation_scores import SegmentationScores
from keras_resample.metrics.segmentation.upsampling import sampled_and_restored
from keras_resample.models.segmenter import Segmenter
from keras_resample.models.steps.labelled_model import IMAGES, LABELS
from keras_resample.models.steps.sampled_segmentation import CLASSES, GRID, SAMPLED_PROBABILITIES


def segmentation_report(segmenter, images, labels=None, trimap_widths=(), batch_size=4):
    """Scores of a segmenter at full resolution, and of its sampler alone.

    Args:
        segmenter: A `Segmenter`.
        images: Array `(n, H, W, channels)`, or an iterable of batches `(images, labels)`: a
            `PyDataset`, a `tf.data.Dataset`, a `DataLoader`. Batches may differ in size.
        labels: Integer array `(n, H, W)` for an array of images.
        trimap_widths: Widths in pixels of the bands of `keras_resample.metrics.trimap_accuracy`.
        batch_size: Images per step, for arrays.

    Returns:
        Dict of `"mean_iou"` and `"class_ious"` (classes,) of the restored predictions;
        `"sampled_mean_iou"` and `"class_sampled_ious"` of those of the samples;
        `"upsampling_iou"` and `"class_upsampling_ious"`, those of a perfect segmentation of the
        samples; `"trimap_accuracy"` (widths,); `"class_frequency_change"` (classes,) by sampling.

    Raises:
        ValueError: For a model of another type, and for labels that `Segmenter` refuses.

    Example:
    >>> import keras
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> network = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 1)])
    >>> segmenter = kr.models.Segmenter(kr.layers.UniformDownsample(0.5), network)
    >>> images = np.random.rand(4, 32, 32, 3)
    >>> labels = np.random.randint(0, 2, (4, 32, 32))
    >>> report = kr.models.segmentation_report(segmenter, images, labels, trimap_widths=[1, 2])
    >>> report["trimap_accuracy"].shape
    (2,)
    """
    if not isinstance(segmenter, Segmenter):
        raise ValueError(f"`segmenter` must be a Segmenter. Received: {segmenter=}")
    scores, batch_size = None, as_integer(batch_size, "batch_size")
    for batch, target in _batches(images, labels, batch_size):
        segmenter.build_for(batch)
        segmenter.check_labels(batch, target)
        if scores is None:
            arguments = segmenter.num_classes, segmenter.ignore_class, trimap_widths
            scores = SegmentationScores(*arguments)
        found = segmenter.predict_on_batch({IMAGES: batch, LABELS: target})
        sampled, restored = sampled_and_restored(target, found[GRID])
        classes = found[SAMPLED_PROBABILITIES].argmax(-1)
        scores.update(target, found[CLASSES], sampled, restored, classes)
    if scores is None:
        raise ValueError("`images` must hold at least one batch. Received: none")
    return scores.result()


def _batches(images, labels, batch_size):
    """Pairs of numpy arrays."""
    if labels is not None:
        for start in range(0, len(images), batch_size):
            one = slice(start, start + batch_size)
            yield ops.convert_to_numpy(images[one]), ops.convert_to_numpy(labels[one])
        return
    if hasattr(images, "shape"):
        raise ValueError("`labels` are needed for an array of images. Received: labels=None")
    is_indexed = isinstance(images, keras.utils.PyDataset)
    for batch in (images[i] for i in range(len(images))) if is_indexed else images:
        yield tuple(np.asarray(part) for part in batch[:2])
