"""What a compiled loss sees of a label map and the scores of its pixels."""

import keras
import numpy as np
from keras import ops

from keras_resample.heads.labels import missing_labels
from keras_resample.models.steps.fitting import check_class_weight, check_take_logits, takes_logits
from keras_resample.models.steps.sampled_segmentation import LOGITS, SAMPLED_PROBABILITIES, TARGETS
from keras_resample.ops.edges import edge_map
from keras_resample.ops.grids import uniform_grid_like
from keras_resample.ops.sampling import sample

REGION_LOSSES = (keras.losses.Dice, keras.losses.Tversky)
REGION_FUNCTIONS = (keras.losses.dice, keras.losses.tversky)
SPARSE = (
    keras.losses.SparseCategoricalCrossentropy,
    keras.losses.sparse_categorical_crossentropy,
)
KERAS_LOSSES = [value for value in vars(keras.losses).values() if callable(value)]


class SegmentationLoss:
    """How a loss wants the pixels of a batch.

    Losses of Keras get one-hot labels, except the sparse ones, which get integers as every loss of
    the user's own. Losses with `from_logits=True` get logits, others probabilities.
    """

    def __init__(self, loss, from_logits, ignore_class):
        self.ignore_class = ignore_class
        if not isinstance(loss, str) and not callable(loss):
            raise ValueError(f"`loss` must be one loss. Received: {loss=}")
        loss = keras.losses.get(loss)
        is_object = isinstance(loss, keras.losses.Loss)
        self.takes_logits = bool(takes_logits(loss))
        if self.takes_logits and not from_logits:
            raise ValueError(
                "A network that returns probabilities needs a loss with from_logits=False. "
                f"Received: from_logits=False and a loss {loss.get_config() if is_object else loss}"
            )
        reduction = getattr(loss, "reduction", "sum_over_batch_size")
        if reduction in (None, "none"):
            raise ValueError(f"`loss` must reduce to one number. Received: {reduction=}")
        self.divides_by_pixels = reduction in ("sum_over_batch_size", "mean")
        self.is_region = isinstance(loss, REGION_LOSSES) or loss in REGION_FUNCTIONS
        self.takes_classes = not self._compares_probabilities(loss, is_object)

    def check_metrics(self, metrics, weighted_metrics):
        """Raises where a metric given to `compile` takes other scores than the loss."""
        for given in (metrics, weighted_metrics):
            check_take_logits(given, "metrics", keras.metrics.get, self.takes_logits)

    @staticmethod
    def _compares_probabilities(loss, is_object):
        if not is_object:
            return loss in KERAS_LOSSES and loss not in SPARSE
        known = [k for k in KERAS_LOSSES if isinstance(k, type) and k is not keras.losses.Loss]
        return isinstance(loss, tuple(known)) and not isinstance(loss, SPARSE[0])

    def arguments(self, found, weights=None, class_weights=None):
        """What the loss is called with: labels, scores and weights of all pixels of the batch.

        Args:
            found: Dict of the labels TARGETS (b, h, w), integers, and the scores (b, h, w,
                classes): SAMPLED_PROBABILITIES and, where the network gives them, LOGITS.
            weights: None, or (b, h, w) or (b, 1, 1).
            class_weights: None, or a dict of weights of classes; 1 for those not in it.

        Returns:
            Labels (pixels,) or (pixels, classes), scores (pixels, classes), weights (pixels,) or
            None. The weights are such that a mean over all pixels is one over those not ignored,
            as with `ignore_class` or a mask in Keras. An unknown class id has the weight NaN.
        """
        classes, valid, known = self._classes(found)
        weight = ops.where(valid, ops.where(known, 1.0, np.nan), 0.0)
        if weights is not None:
            weight = ops.multiply(weight, _flat(weights, found[TARGETS]))
        if class_weights is not None:
            num_classes = found[SAMPLED_PROBABILITIES].shape[-1]
            check_class_weight(class_weights, num_classes)
            of_classes = [float(class_weights.get(i, 1.0)) for i in range(num_classes)]
            of_classes = ops.convert_to_tensor(of_classes, "float32")
            weight = ops.multiply(weight, ops.take(of_classes, classes))
        targets, scores = self._compared(classes, found)
        if self.is_region:
            if weights is not None or class_weights is not None:
                raise ValueError(
                    "A loss of regions such as Dice has no weights of pixels. "
                    "Received: `sample_weight` or `class_weight`"
                )
            weight = weight[:, None]
            return ops.multiply(targets, weight), ops.multiply(scores, weight), None
        if self.divides_by_pixels and self.ignore_class is not None:
            count = ops.sum(ops.cast(valid, "float32"))
            total = ops.cast(ops.size(valid), "float32")
            weight = ops.multiply(weight, ops.divide_no_nan(total, count))
        return targets, scores, weight

    def symbolic_arguments(self, labels, probabilities, channels_first):
        """Labels and scores in the shapes by which Keras builds the losses and metrics."""
        if labels is None:
            raise missing_labels()
        if channels_first:
            probabilities = ops.transpose(probabilities, (0, 2, 3, 1))
        found = dict.fromkeys((LOGITS, SAMPLED_PROBABILITIES), probabilities)
        return self.arguments({**found, TARGETS: labels})[:2]

    def metric_arguments(self, found, weights=None):
        """What compiled metrics see: as the loss, but weights only where something has one."""
        classes, valid, _ = self._classes(found)
        weight = None if weights is None else _flat(weights, found[TARGETS])
        if self.ignore_class is not None:
            weight = ops.where(valid, 1 if weight is None else weight, 0)
        return *self._compared(classes, found), weight

    def _compared(self, classes, found):
        scores = found[LOGITS if self.takes_logits else SAMPLED_PROBABILITIES]
        num_classes = scores.shape[-1]
        scores = ops.reshape(scores, (-1, num_classes))
        if self.takes_classes:
            return classes, scores
        return ops.one_hot(classes, num_classes, dtype="float32"), scores

    def _classes(self, found):
        """Of all pixels: an existing class, whether not ignored, whether the label exists."""
        labels = ops.reshape(ops.cast(found[TARGETS], "int32"), (-1,))
        num_classes = found[SAMPLED_PROBABILITIES].shape[-1]
        known = ops.logical_and(labels >= 0, labels < num_classes)
        valid = ops.ones_like(known)
        if self.ignore_class is not None:
            valid = ops.not_equal(labels, self.ignore_class)
        return ops.where(ops.logical_and(valid, known), labels, 0), valid, known


def _flat(weights, labels):
    weights = ops.broadcast_to(ops.cast(weights, "float32"), ops.shape(labels))
    return ops.reshape(weights, (-1,))


def saliency_and_edges(saliency, labels, sigma, binary, ignore_class):
    """A saliency map and the edges of labels (b, H, W) read uniformly at its size, (b, gh, gw)."""
    grid = uniform_grid_like(saliency[..., None])
    labels = sample(labels[..., None], grid, "nearest", data_format="channels_last")
    edges = edge_map(labels[..., 0], sigma, binary, ignore_class)
    # A learned map is one for all images.
    return ops.broadcast_to(saliency, ops.shape(edges)), edges
