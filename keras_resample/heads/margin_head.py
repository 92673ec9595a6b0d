"""The head every angular margin is built on."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_integer, as_number, as_seed, check_choice
from keras_resample.heads.class_means import class_means
from keras_resample.heads.class_sampling import ABSENT, sample_classes, spread
from keras_resample.heads.cosines import as_constant, class_cosines, column
from keras_resample.heads.kernel_checks import (
    check_dimension,
    kernel_mismatch,
    row_constraint,
)
from keras_resample.heads.labels import check_label_range, check_labels

GRADIENTS = ("exact", "straight_through")


@keras.saving.register_keras_serializable(package="keras_resample")
class MarginHead(keras.layers.Layer):
    """Scaled cosines between embeddings and one learned direction per class.

    With `cos_j` the cosine between an embedding and row `j` of the kernel, and `y` its label,
    the logits are

        logit_j = scale * cos_j                 (j != y)
        logit_y = scale * target(cos_y)         in training, where labels are given
        logit_y = scale * cos_y                 otherwise

    to be trained by `SparseCategoricalCrossentropy(from_logits=True)`. This class has no margin
    (`target(c) = c`). A subclass says what `target` is; one whose margin depends on more than the
    target cosine overrides `adjust` instead, and one whose scale is no number `factor`.

    The labels are an input of the layer. `keras_resample.models.Recognizer` passes those of
    `fit(images, labels)` to it; a Functional model has them as its second input.

    The mathematics is float32 whatever the dtype policy, because half precision cannot tell
    cosines near 1 apart. Gradients are finite everywhere; an embedding of length 0 has cosine 0
    with every class and gets no gradient.

    Args:
        num_classes: Number of classes, at least 1.
        scale: Positive factor of the cosines, the inverse of the softmax temperature.
        gradient: "exact" differentiates the margin; "straight_through" adds it as a constant, so
            that every logit has derivative `scale` with respect to its cosine, as in the
            training code of insightface and CVLface. The logits are the same.
        subcenters: Directions per class, at least 1. The cosine of a class is the largest of
            them, so that mislabelled or unusual images need not move the main one.
        sample_rate: Fraction of the classes that a training step computes, in (0, 1]: those of
            the batch, and negatives drawn uniformly up to `int(sample_rate * num_classes)` in
            all. Evaluation and prediction use all classes.
        interclass_threshold: Where a cosine with another class exceeds it in training, that
            cosine and its gradient become 0: the class is taken for the same person. In [-1, 1],
            or `None`.
        kernel_initializer: Initializer of the kernel; `None` is a normal distribution with
            standard deviation 0.01. The length of a row does not change the logits, but the
            gradient of a row is proportional to the inverse of its length.
        kernel_regularizer: Regularizer of the kernel, of all rows whatever the sample rate.
        kernel_constraint: Constraint of the kernel, along its rows: "unit_norm", or
            `UnitNorm(axis=1)`.
        seed: Integer seed of the sampled classes, or `None` for a random one.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        embeddings: Float tensor (b, dim), of any length.
        labels: Integer tensor (b,) or (b, 1) of classes in [0, num_classes), or `None`.
        training: Whether to apply the margin.

    Input shape:
        (b, dim), and (b,) or (b, 1) for the labels.

    Output shape:
        (b, num_classes), float32. In training with `sample_rate < 1` the logits of the classes
        left out are -1e9; `training_logits` returns the others without them.

    Raises:
        ValueError: For arguments, shapes or dtypes out of the ranges above, and for a label out
            of range wherever its value can be read. Inside a compiled step it cannot: there the
            logits of that row are NaN, and so is the loss.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.MarginHead(num_classes=10, scale=30.0)
    >>> head(np.ones((4, 16), "float32")).shape[1]
    10
    >>> tuple(head.kernel.shape)
    (10, 16)

    Reference:
        - [Sub-center ArcFace, Deng et al., 2020](https://ibug.doc.ic.ac.uk/media/uploads/documents/eccv_1445.pdf)
        - [Partial FC, An et al., 2022](https://arxiv.org/abs/2203.15565)
    """

    def __init__(
        self,
        num_classes,
        scale=64.0,
        gradient="exact",
        subcenters=1,
        sample_rate=1.0,
        interclass_threshold=None,
        kernel_initializer=None,
        kernel_regularizer=None,
        kernel_constraint=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_choice(gradient, "gradient", GRADIENTS)
        if interclass_threshold is not None:
            interclass_threshold = as_number(
                interclass_threshold, "interclass_threshold", "[-1, 1]"
            )
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.RandomNormal(stddev=0.01)
        self.num_classes = as_integer(num_classes, "num_classes")
        self.scale = as_number(scale, "scale", "(0, inf)")
        self.gradient = gradient
        self.subcenters = as_integer(subcenters, "subcenters")
        self.sample_rate = as_number(sample_rate, "sample_rate", "(0, 1]")
        self.interclass_threshold = interclass_threshold
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = row_constraint(kernel_constraint)
        self.seed = as_seed(seed)
        self._mismatch = None
        if self.sample_rate < 1:
            self.seed_generator = keras.random.SeedGenerator(self.seed)
        # A float32 embedding must not become float16 on its way in.
        self.autocast = False

    def build(self, embeddings_shape, labels_shape=None):
        if len(embeddings_shape) != 2 or embeddings_shape[-1] is None:
            raise ValueError(
                "`embeddings` must have shape (b, dim) with a known dim. "
                f"Received: embeddings.shape={tuple(embeddings_shape)}"
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_classes * self.subcenters, embeddings_shape[-1]),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            autocast=False,
        )

    def call(self, embeddings, labels=None, training=None):
        check_dimension(embeddings, self.kernel)
        if labels is None:
            cosines, length = self._cosines(embeddings)
            return ops.multiply(cosines, column(self.factor(length)))
        labels = self._checked(labels, embeddings)
        if not training:
            cosines, length = self._cosines(embeddings)
            return ops.multiply(cosines, column(self._factor(length, labels)))
        logits, _, classes = self._training_logits(embeddings, labels)
        return logits if classes is None else spread(logits, classes, num_classes=self.num_classes)

    def training_logits(self, embeddings, labels):
        """The logits that a training step needs, and where the targets are among them.

        `call(embeddings, labels, training=True)` without the classes that are not sampled.

        Args:
            embeddings: Float tensor (b, dim).
            labels: Integer tensor (b,) or (b, 1).

        Returns:
            Logits (b, n), float32, and the column of each target, int32 (b,), the labels of a
            cross-entropy. Without sampling n is `num_classes` and the columns are the labels;
            else n is `int(sample_rate * num_classes)` or the size of the batch, if that is more.
        """
        if not self.built:
            self.build(tuple(embeddings.shape))
        check_dimension(embeddings, self.kernel)
        return self._training_logits(embeddings, self._checked(labels, embeddings))[:2]

    def set_class_means(self, embeddings, labels):
        """Gives each class the mean of its embeddings, of length 1, as its direction.

        So a network that comes without its classifier gets one. Sub-centres all get the mean.

        Args:
            embeddings: Float array (n, dim), finite, of every class at least one.
            labels: Integers (n,) or (n, 1).
        """
        means = class_means(embeddings, labels, self.num_classes)
        if not self.built:
            self.build(means.shape)
        check_dimension(means, self.kernel)
        self.kernel.assign(np.repeat(means, self.subcenters, axis=0))

    def target(self, cosine):
        """What the target cosines (b,) become in training; the same here."""
        return cosine

    def adjust(self, cosines, cosine, length):
        """What all cosines become in training, for margins that depend on more than the target.

        Args:
            cosines: (b, n), of the embeddings with the classes. The column of the target may be
                left as it is.
            cosine: (b,), with the target.
            length: (b,), of the embeddings.

        Returns:
            Both as the loss is to see them: (b, n), and (b,) for the target.
        """
        return cosines, self.target(cosine)

    def factor(self, length):
        """What the cosines are multiplied by: a number, or a tensor (b,) or ()."""
        return self.scale

    def statistics(self):
        """The scalar weights that training updates and a log should show, a dict by name."""
        return {}

    def update_average(self, weight, value, momentum):
        """Move a scalar weight towards the value of a batch, as `update_statistic` does."""
        self.update_statistic(weight, weight * (1.0 - momentum) + value * momentum)

    def update_statistic(self, weight, value):
        """Assign a scalar weight, unless the layer is frozen or the value is not finite."""
        if self.trainable:
            value = ops.stop_gradient(value)
            old = ops.convert_to_tensor(weight)
            weight.assign(ops.where(ops.isfinite(value), value, old))

    def add_statistic(self, name, value):
        """A scalar that training updates and that is saved with the model."""
        return self.add_weight(
            name=name,
            shape=(),
            initializer=keras.initializers.Constant(value),
            trainable=False,
            dtype="float32",
            autocast=False,
        )

    def compute_output_shape(self, embeddings_shape, labels_shape=None):
        return (embeddings_shape[0], self.num_classes)

    def compute_output_spec(self, embeddings, labels=None, training=None):
        if self.built:
            check_dimension(embeddings, self.kernel)
        if labels is not None:
            check_labels(labels, embeddings)
        return keras.KerasTensor(self.compute_output_shape(embeddings.shape), dtype="float32")

    def load_own_variables(self, store):
        """As `keras.Layer.load_own_variables`, of a file with the same classes."""
        # Keras looks for a layer in several places of a file, and shows the last error alone.
        if len(store.keys()):
            self._mismatch = kernel_mismatch(store, self)
        if self._mismatch:
            raise ValueError(self._mismatch)
        super().load_own_variables(store)

    def _checked(self, labels, embeddings):
        """The labels as int32 (b,), checked as far as they can be seen."""
        labels = ops.convert_to_tensor(labels)
        check_labels(labels, embeddings)
        labels = ops.reshape(labels, (-1,))
        check_label_range(labels, self.num_classes)
        return ops.cast(labels, "int32")

    def _cosines(self, embeddings, classes=None):
        kernel = ops.convert_to_tensor(self.kernel)
        return class_cosines(embeddings, kernel, classes, subcenters=self.subcenters)

    def _factor(self, length, labels):
        """`factor`, and NaN in the rows whose label is out of range.

        No class would be the target: loss 0 on some backends, a crash on others.
        """
        known = ops.logical_and(labels >= 0, labels < self.num_classes)
        return ops.where(known, self.factor(length), np.nan)

    def _training_logits(self, embeddings, labels):
        """Logits (b, n), the columns (b,) of the targets, and the classes (n,) if sampled."""
        classes, columns = None, labels
        if self.sample_rate < 1:
            known = ops.clip(labels, 0, self.num_classes - 1)
            classes, filled, columns = sample_classes(
                known, self.num_classes, self.sample_rate, self.seed_generator
            )
        cosines, length = self._cosines(embeddings, classes)
        places = ops.arange(ops.shape(cosines)[1], dtype="int32")
        is_target = ops.equal(places[None, :], columns[:, None])
        cosine = ops.sum(ops.where(is_target, cosines, 0.0), axis=-1)
        if self.interclass_threshold is not None:
            cosines = ops.where(cosines > self.interclass_threshold, 0.0, cosines)
        others, shifted = self.adjust(cosines, cosine, length)
        if self.gradient == "straight_through":
            others, shifted = as_constant(others, cosines), as_constant(shifted, cosine)
        logits = ops.where(is_target, shifted[:, None], others)
        logits = ops.multiply(logits, column(self._factor(length, labels)))
        if classes is not None:
            logits = ops.where(filled[None, :], logits, ABSENT)
        return logits, columns, classes

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "scale": self.scale,
            "gradient": self.gradient,
            "subcenters": self.subcenters,
            "sample_rate": self.sample_rate,
            "interclass_threshold": self.interclass_threshold,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
            "seed": self.seed,
        }
