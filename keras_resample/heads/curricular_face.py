"""The margin of CurricularFace, which turns to hard negatives as training succeeds."""

import keras
from keras import ops

from keras_resample.arguments import as_number
from keras_resample.heads.angles import add_angle, add_margin, as_angle, check_beyond_pi
from keras_resample.heads.margin_head import MarginHead


@keras.saving.register_keras_serializable(package="keras_resample")
class CurricularFace(MarginHead):
    """ArcFace whose hard negatives count the more, the higher the target cosines have become.

        target(cos t) = cos(t + m)
        cos_j  ->  cos_j (t + cos_j)            where cos_j > cos(t_y + m)
        t  <-  (1 - momentum) t + momentum mean(cos_y)

    `t` starts at 0, so that hard negatives count less at first. It is updated from the batch
    before it is used there, without gradient, in training only; it is a weight of the head.

    Args:
        num_classes: Number of classes, at least 1.
        margin: m in radians, in [0, pi).
        momentum: Weight of the batch in t, in [0, 1]. The paper's alpha is 1 minus this.
        beyond_pi: What the target becomes where t_y + m > pi, by the names of `ArcFace`. Which
            negatives are hard is told by `cos(t_y + m)` itself, as in the authors' code.
        **kwargs: Arguments of `MarginHead`: `scale=64.0`, `gradient="exact"`, the kernel's.

    Raises:
        ValueError: For arguments out of range, and what `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.CurricularFace(num_classes=10)
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10
    >>> list(head.statistics())
    ['t']

    Reference:
        - [CurricularFace, Huang et al., 2020](https://arxiv.org/abs/2004.00288)
    """

    def __init__(self, num_classes, margin=0.5, momentum=0.01, beyond_pi="hard", **kwargs):
        super().__init__(num_classes, **kwargs)
        check_beyond_pi(beyond_pi)
        self.margin = as_angle(margin)
        self.momentum = as_number(momentum, "momentum", "[0, 1]")
        self.beyond_pi = beyond_pi

    def build(self, embeddings_shape, labels_shape=None):
        super().build(embeddings_shape, labels_shape)
        self.t = self.add_statistic("t", 0.0)

    def target(self, cosine):
        return add_margin(cosine, self.margin, self.beyond_pi)

    def adjust(self, cosines, cosine, length):
        self.update_average(self.t, ops.mean(cosine), self.momentum)
        hard = ops.greater(cosines, add_angle(cosine, self.margin)[:, None])
        others = ops.where(hard, ops.multiply(cosines, ops.add(cosines, self.t)), cosines)
        return others, self.target(cosine)

    def statistics(self):
        return {"t": self.t}

    def get_config(self):
        return {
            **super().get_config(),
            "margin": self.margin,
            "momentum": self.momentum,
            "beyond_pi": self.beyond_pi,
        }
