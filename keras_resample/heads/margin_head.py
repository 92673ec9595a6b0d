"""The head every angular margin is built on."""

import keras
import numpy as np
from keras import ops

GRADIENTS = ("exact", "straight_through")

# Vectors shorter than this have cosine 0 with everything and gradient 0. The derivative of
# 1/|x| contains |x|^-3, which is still finite in float32 here and not much below.
SHORTEST = 1e-12


@keras.saving.register_keras_serializable(package="keras_resample")
class MarginHead(keras.layers.Layer):
    """Scaled cosines between embeddings and one learned direction per class.

    With `cos_j` the cosine between an embedding and row `j` of the kernel, and `y` its label,
    the logits are

        logit_j = scale * cos_j                 (j != y)
        logit_y = scale * target(cos_y)         in training, where labels are given
        logit_y = scale * cos_y                 otherwise

    to be trained by `SparseCategoricalCrossentropy(from_logits=True)`. This class has no margin
    (`target(c) = c`): it is the normalised softmax NormFace with a fixed scale. A subclass says
    what `target` is.

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
        kernel_initializer: Initializer of the kernel; `None` is a normal distribution with
            standard deviation 0.01. The length of a row does not change the logits, but the
            gradient of a row is proportional to the inverse of its length.
        kernel_regularizer: Regularizer of the kernel.
        kernel_constraint: Constraint of the kernel.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        embeddings: Float tensor (b, dim), of any length.
        labels: Integer tensor (b,) or (b, 1) of classes in [0, num_classes), or `None`.
        training: Whether to apply the margin.

    Input shape:
        (b, dim), and (b,) or (b, 1) for the labels.

    Output shape:
        (b, num_classes), float32.

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
        - [NormFace, Wang et al., 2017](https://arxiv.org/abs/1704.06369)
    """

    def __init__(
        self,
        num_classes,
        scale=64.0,
        gradient="exact",
        kernel_initializer=None,
        kernel_regularizer=None,
        kernel_constraint=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(num_classes, (int, np.integer)) or num_classes < 1:
            raise ValueError(
                f"`num_classes` must be an integer of at least 1. Received: {num_classes=}"
            )
        if not 0 < scale < float("inf"):
            raise ValueError(f"`scale` must be a positive number. Received: {scale=}")
        if gradient not in GRADIENTS:
            raise ValueError(f"`gradient` must be one of {GRADIENTS}. Received: {gradient=}")
        if kernel_initializer is None:
            kernel_initializer = keras.initializers.RandomNormal(stddev=0.01)
        self.num_classes = int(num_classes)
        self.scale = float(scale)
        self.gradient = gradient
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
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
            shape=(self.num_classes, embeddings_shape[-1]),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            autocast=False,
        )

    def call(self, embeddings, labels=None, training=None):
        if labels is None:
            return self.logits(embeddings)
        labels = self._checked(labels, embeddings)
        logits = self.logits(embeddings, labels)
        return self.apply_margin(logits, labels) if training else logits

    def logits(self, embeddings, labels=None):
        """Scaled cosines (b, num_classes); NaN in the rows whose label is out of range."""
        embeddings = ops.cast(embeddings, "float32")
        kernel = ops.cast(self.kernel, "float32")
        factor = ops.multiply(_inverse_length(embeddings), self.scale)
        if labels is not None:
            # No class would be the target: loss 0 on some backends, a crash on others.
            known = ops.logical_and(labels >= 0, labels < self.num_classes)
            factor = ops.where(known, factor, np.nan)
        # The scale joins the small array, and the products are scaled instead of the kernel.
        products = ops.matmul(ops.multiply(embeddings, factor[:, None]), ops.transpose(kernel))
        return ops.multiply(products, _inverse_length(kernel)[None, :])

    def apply_margin(self, logits, labels):
        """Logits (b, num_classes) with `target` applied to the cosines of the labels."""
        classes = ops.arange(self.num_classes, dtype="int32")
        is_target = ops.equal(classes[None, :], labels[:, None])
        old = ops.sum(ops.where(is_target, logits, 0.0), axis=-1)
        cosine = ops.divide(old, self.scale)
        shifted = ops.multiply(self.target(cosine), self.scale)
        if self.gradient == "straight_through":
            shifted = ops.add(old, ops.stop_gradient(ops.subtract(shifted, old)))
        return ops.where(is_target, shifted[:, None], logits)

    def target(self, cosine):
        """What the target cosines (b,) become in training; the same here."""
        return cosine

    def compute_output_shape(self, embeddings_shape, labels_shape=None):
        return (embeddings_shape[0], self.num_classes)

    def compute_output_spec(self, embeddings, labels=None, training=None):
        if labels is not None:
            check_labels(labels, embeddings)
        return keras.KerasTensor(self.compute_output_shape(embeddings.shape), dtype="float32")

    def _checked(self, labels, embeddings):
        """The labels as int32 (b,), checked as far as they can be seen."""
        labels = ops.convert_to_tensor(labels)
        check_labels(labels, embeddings)
        labels = ops.reshape(labels, (-1,))
        check_range(labels, self.num_classes)
        return ops.cast(labels, "int32")

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "scale": self.scale,
            "gradient": self.gradient,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
        }


def check_range(labels, num_classes):
    """Raise unless the labels are in [0, num_classes); tensors of a traced step are not seen."""
    try:
        values = ops.convert_to_numpy(labels)
    except (TypeError, NotImplementedError):  # what JAX and TensorFlow raise while tracing
        return
    wrong = values[(values < 0) | (values >= num_classes)]
    if wrong.size:
        raise ValueError(
            f"`labels` must be in [0, num_classes) with num_classes={num_classes}. "
            f"Received: labels with values {sorted({int(v) for v in wrong})[:5]}"
        )


def check_labels(labels, embeddings=None):
    """Raise unless the labels are integers (b,) or (b, 1), one for each embedding."""
    dtype, shape = keras.backend.standardize_dtype(labels.dtype), tuple(labels.shape)
    if "int" not in dtype:
        raise ValueError(f"`labels` must be integers. Received: labels.dtype={dtype}")
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(f"`labels` must have shape (b,) or (b, 1). Received: labels.shape={shape}")
    batch = shape[0] if embeddings is None else embeddings.shape[0]
    if None not in (batch, shape[0]) and batch != shape[0]:
        raise ValueError(
            "`labels` must have one entry per embedding. Received: "
            f"labels.shape={shape}, embeddings.shape={tuple(embeddings.shape)}"
        )


def _inverse_length(vectors):
    """1 / |v| of each row, and 0 with gradient 0 where |v| < SHORTEST."""
    square = ops.sum(ops.square(vectors), axis=-1)
    usable = square > SHORTEST**2
    return ops.where(usable, ops.rsqrt(ops.where(usable, square, 1.0)), 0.0)
