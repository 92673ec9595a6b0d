"""The classification loss of embeddings under the frozen classifier of another model."""

import keras
import numpy as np
from keras import ops

from keras_resample.heads.classifier_outputs import PROBABILITIES, classifier_outputs
from keras_resample.heads.labels import check_label_range
from keras_resample.heads.margin_head import MarginHead

# The largest number below which float32, the dtype of labels inside a Keras loss, is exact.
MOST_CLASSES = 2**24


@keras.saving.register_keras_serializable(package="keras_resample")
class InfluenceLoss(keras.losses.Loss):
    """Cross-entropy of embeddings classified by a classifier that is already trained.

    Equation 1 of the paper: a new network `f` (a branch for small images) is to give embeddings
    that the classifier `W` of a trained network (the trunk) recognises,

        loss = -log softmax(W(f(x), y))_y

    with the margin of the trunk's training, and only `f` is trained. So the embeddings of both
    networks can be compared with each other.

    The classifier given is copied, and the copy never changes: its weights get no gradient and
    its statistics are not updated. A head that samples its classes uses all of them here, and
    terms that it adds by `add_loss` are left out.

    `Recognizer(encoder, head, auxiliary_losses=[InfluenceLoss(trunk.head)])` adds it to another
    loss; `model.compile(optimizer, kr.losses.InfluenceLoss(trunk.head))` trains any model from
    images to embeddings with it alone. The weights of the copy are saved in the `.keras` file of
    such a model. The configuration of the loss on its own has none.

    `Recognizer` and `BranchTrainer` check arrays of labels before they train. Any other model hands
    them to the loss step by step: a label of no class is an error where its value can be read, and
    makes the loss NaN inside of a compiled step, where it cannot.

    Args:
        classifier: A built `MarginHead`, such as `recognizer.head`, or any built layer from
            embeddings (b, dim) to logits (b, num_classes), such as a `Dense` without activation.
        reduction: As in `keras.losses.Loss`.
        name: Name of the loss.

    Call arguments:
        y_true: Integer labels (b,) or (b, 1), classes of the classifier.
        y_pred: Embeddings (b, dim).
        sample_weight: (b,) or (b, 1), or `None`.

    Raises:
        ValueError: For a classifier that is not a built layer, one that ends in a softmax, or one
            with more than 2^24 classes, and for labels of no class wherever they can be read.

    Example:
    >>> import keras
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.ArcFace(num_classes=10)  # of a trained recognizer
    >>> head.build((None, 16))
    >>> loss = kr.losses.InfluenceLoss(head)
    >>> float(loss(np.array([1, 2]), np.ones((2, 16), "float32"))) > 0
    True

    Reference:
        - [BTNet, Li et al., 2023](https://arxiv.org/abs/2310.09563)
    """

    def __init__(self, classifier, reduction="sum_over_batch_size", name="influence_loss"):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if not isinstance(classifier, keras.Layer) or not classifier.built:
            raise ValueError(
                "`classifier` must be a built layer from embeddings to logits. "
                f"Received: {classifier=}"
            )
        if classifier_outputs(classifier) == PROBABILITIES:
            raise ValueError(
                "`classifier` must return logits: leave out its softmax. "
                f"Received: classifier={classifier!r}, which returns probabilities"
            )
        if getattr(classifier, "num_classes", 0) > MOST_CLASSES:
            raise ValueError(
                f"`classifier` must have at most {MOST_CLASSES} classes. "
                f"Received: {classifier.num_classes} classes"
            )
        self.classifier = _frozen_copy(classifier)

    def call(self, y_true, y_pred):
        """Cross-entropy (b,) of each embedding."""
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        if self.num_classes is not None:
            check_label_range(labels, self.num_classes)
        values = [(v, ops.stop_gradient(v.value)) for v in self.classifier.variables]
        # What the layer assigns to its statistics is forgotten with the scope.
        with keras.StatelessScope(values, initialize_variables=False):
            if isinstance(self.classifier, MarginHead):
                logits = self.classifier(y_pred, labels, training=True)
            else:
                logits = self.classifier(y_pred, training=False)
        logits = ops.cast(logits, "float32")
        found = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        # Of a label out of range some backends make the loss 0.
        known = ops.logical_and(labels >= 0, labels < logits.shape[-1])
        return ops.where(known, found, np.nan)

    @property
    def num_classes(self):
        """Of the classifier, `None` where its shapes do not say."""
        if isinstance(self.classifier, MarginHead):
            return self.classifier.num_classes
        shape = (self.classifier.get_build_config() or {}).get("input_shape")
        return None if shape is None else self.classifier.compute_output_shape(shape)[-1]

    def get_config(self):
        return {
            **super().get_config(),
            "classifier": keras.saving.serialize_keras_object(self.classifier),
        }

    @classmethod
    def from_config(cls, config):
        classifier = keras.saving.deserialize_keras_object(config["classifier"])
        return cls(**{**config, "classifier": classifier})


def _frozen_copy(classifier):
    config = classifier.get_config()
    if "sample_rate" in config:
        config = {**config, "sample_rate": 1.0}
    copy = type(classifier).from_config(config)
    copy.build_from_config(classifier.get_build_config())
    copy.set_weights(classifier.get_weights())
    copy.trainable = False
    return copy
