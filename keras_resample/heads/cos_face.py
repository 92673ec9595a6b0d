"""The additive cosine margin of CosFace."""

import keras
from keras import ops

from keras_resample.arguments import as_number
from keras_resample.heads.margin_head import MarginHead


@keras.saving.register_keras_serializable(package="keras_resample")
class CosFace(MarginHead):
    """Margin head that lowers the target cosine by a constant.

        target(c) = c - m

    Exact and straight-through gradients are the same.

    Args:
        num_classes: Number of classes, at least 1.
        margin: m in [0, 2]. The paper uses 0.35, insightface and AdaFace's code 0.4.
        **kwargs: Arguments of `MarginHead`: `scale=64.0`, `gradient="exact"`, the kernel's.

    Raises:
        ValueError: For a margin out of range, and what `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.CosFace(num_classes=10)
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10

    Reference:
        - [CosFace, Wang et al., 2018](https://arxiv.org/abs/1801.09414)
    """

    def __init__(self, num_classes, margin=0.35, **kwargs):
        super().__init__(num_classes, **kwargs)
        self.margin = as_number(margin, "margin", "[0, 2]")

    def target(self, cosine):
        return ops.subtract(cosine, self.margin)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin}
