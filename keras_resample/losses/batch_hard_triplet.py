"""The triplet loss of each embedding with its hardest positive and negative in the batch."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_bool, as_number
from keras_resample.backend.compiling import one_program
from keras_resample.heads.cosines import unit_vectors
from keras_resample.heads.labels import check_label_shape


@keras.saving.register_keras_serializable(package="keras_resample")
class BatchHardTriplet(keras.losses.Loss):
    """Triplet loss with the hardest positive and the hardest negative of each batch.

    With `d` the Euclidean distance (not squared), the term of the anchor `i` with label `y_i` is

        max(0, margin + max_p d(i, p) - min_n d(i, n))      for a number as margin
        log(1 + exp(max_p d(i, p) - min_n d(i, n)))         for margin="soft"

    over the other embeddings `p` of the same label and all embeddings `n` of other labels. The
    loss is the mean over the anchors that have both; the others are left out, and a batch without
    any gives 0. Batches of P identities with K images each suit it.

    It is computed in float32. The gradient is finite where embeddings coincide: a pair at
    distance 0 has gradient 0.

    Args:
        margin: A number of at least 0, or "soft".
        normalize: Whether embeddings are divided by their lengths first, so that distances lie in
            [0, 2]. It suits embeddings that are compared by their cosine, as those of a margin
            head; the paper does not normalise. An embedding of length 0 stays 0.
        reduction: As in `keras.losses.Loss`; the mean is that over the anchors described above.
        name: Name of the loss.

    Call arguments:
        y_true: Integer labels (b,) or (b, 1).
        y_pred: Embeddings (b, dim).
        sample_weight: (b,) or (b, 1). The weight of a sample multiplies its term as an anchor; a
            sample of weight 0 remains a positive and a negative of the others.

    Raises:
        ValueError: For a margin that is neither, and for shapes other than these.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> loss = kr.losses.BatchHardTriplet(margin=0.5)
    >>> embeddings = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 1.25], [0.0, 9.0]])
    >>> float(loss(np.array([0, 0, 1, 2]), embeddings))  # anchors 0 and 1: 0.25 and 1.25
    0.75

    Reference:
        - [In Defense of the Triplet Loss, Hermans et al., 2017](https://arxiv.org/abs/1703.07737)
    """

    def __init__(
        self,
        margin=0.3,
        normalize=False,
        reduction="sum_over_batch_size",
        name="batch_hard_triplet",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        is_soft = isinstance(margin, str) and margin == "soft"
        self.margin = margin if is_soft else as_number(margin, "margin", "[0, inf)", "or 'soft'")
        self.normalize = as_bool(normalize, "normalize")

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        same = _same_label(y_true, y_pred)
        weight = ops.cast(_has_both(same), "float32")
        if self.reduction in ("sum_over_batch_size", "mean"):
            # The base class divides by all of the batch.
            batch = ops.cast(ops.shape(y_pred)[0], "float32")
            weight = weight * batch / ops.maximum(ops.sum(weight), 1.0)
        if sample_weight is not None:
            weight = weight * ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        # The base class casts labels to float32, where numbers above 2^24 fall together. The
        # position of the first sample of the same label stands for it.
        first = ops.argmax(ops.cast(same, "int32"), axis=1)
        return super().__call__(first, y_pred, weight)

    def call(self, y_true, y_pred):
        """Terms (b,) of the anchors, 0 for those without a positive or a negative.

        All are NaN where an embedding is not finite.
        """
        same = _same_label(y_true, y_pred)
        embeddings = ops.cast(y_pred, "float32")
        if self.normalize:
            embeddings, _ = unit_vectors(embeddings)
        positive, negative = _hardest(same, ops.stop_gradient(embeddings))
        excess = ops.subtract(_distance(embeddings, positive), _distance(embeddings, negative))
        if self.margin == "soft":
            terms = ops.softplus(excess)
        else:
            terms = ops.relu(ops.add(excess, self.margin))
        # One NaN makes every choice of the hardest worthless.
        finite = ops.all(ops.isfinite(embeddings))
        return ops.where(_has_both(same), terms, 0.0) * ops.where(finite, 1.0, np.nan)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "normalize": self.normalize}


def _same_label(labels, embeddings):
    """Which samples share a label (b, b), each with itself."""
    if len(embeddings.shape) != 2:
        raise ValueError(
            "`y_pred` must be embeddings of shape (b, dim). "
            f"Received: y_pred.shape={tuple(embeddings.shape)}"
        )
    check_label_shape(labels, embeddings, "y_true")
    labels = ops.reshape(labels, (-1,))
    return ops.equal(labels[:, None], labels[None, :])


def _has_both(same):
    """Which anchors have a positive and a negative."""
    number = ops.sum(ops.cast(same, "int32"), axis=1)
    return ops.logical_and(number > 1, number < ops.shape(same)[0])


@one_program
def _hardest(same, embeddings):
    """Positions of the furthest positive and the nearest negative of each anchor."""
    # Products lose the small differences of large numbers: the mean is taken away first.
    embeddings = embeddings - ops.mean(embeddings, axis=0, keepdims=True)
    square = ops.sum(ops.square(embeddings), axis=1)
    products = ops.matmul(embeddings, ops.transpose(embeddings))
    distance = square[:, None] + square[None, :] - 2 * products
    index = ops.arange(ops.shape(embeddings)[0], dtype="int32")
    other = ops.not_equal(index[:, None], index[None, :])
    positive = ops.argmax(ops.where(ops.logical_and(same, other), distance, -np.inf), axis=1)
    negative = ops.argmin(ops.where(same, np.inf, distance), axis=1)
    return positive, negative


@one_program
def _distance(embeddings, index):
    """Distances (b,) to the embeddings at `index`, with gradient 0 at distance 0."""
    square = ops.sum(ops.square(embeddings - ops.take(embeddings, index, axis=0)), axis=1)
    meet = square == 0
    return ops.where(meet, 0.0, ops.sqrt(ops.where(meet, 1.0, square)))
