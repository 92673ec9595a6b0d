"""The normalised softmax of NormFace."""

import keras

from keras_resample.arguments import as_bool
from keras_resample.heads.margin_head import MarginHead


@keras.saving.register_keras_serializable(package="keras_resample")
class NormFace(MarginHead):
    """Softmax of scaled cosines, without a margin.

        logit_j = scale * cos_j

    The loss cannot fall below `log(1 + (C - 1) exp(-scale C / (C - 1)))` for C classes (Eq. 8 of
    the paper with normalised features): a small scale leaves a floor.

    Args:
        num_classes: Number of classes, at least 1.
        scale: Positive factor of the cosines. 20 is a softmax temperature of 0.05.
        learn_scale: Whether the scale is a weight, trained from this value.
        **kwargs: Arguments of `MarginHead`.

    Raises:
        ValueError: What `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.NormFace(num_classes=10, learn_scale=True)
    >>> head(np.ones((4, 16), "float32")).shape[1]
    10
    >>> len(head.trainable_weights)
    2

    Reference:
        - [NormFace, Wang et al., 2017](https://arxiv.org/abs/1704.06369)
    """

    def __init__(self, num_classes, scale=20.0, learn_scale=False, **kwargs):
        super().__init__(num_classes, scale=scale, **kwargs)
        self.learn_scale = as_bool(learn_scale, "learn_scale")

    def build(self, embeddings_shape, labels_shape=None):
        super().build(embeddings_shape, labels_shape)
        if self.learn_scale:
            self.learned_scale = self.add_weight(
                name="scale",
                shape=(),
                initializer=keras.initializers.Constant(self.scale),
                constraint=keras.constraints.NonNeg(),
                dtype="float32",
                autocast=False,
            )

    def factor(self, length):
        return keras.ops.convert_to_tensor(self.learned_scale) if self.learn_scale else self.scale

    def statistics(self):
        return {"scale": self.learned_scale} if self.learn_scale else {}

    def get_config(self):
        return {**super().get_config(), "learn_scale": self.learn_scale}
