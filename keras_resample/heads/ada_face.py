"""The margin of AdaFace, which depends on the quality that the length of the embedding shows."""

import keras
from keras import ops

from keras_resample.arguments import as_number
from keras_resample.heads.angles import add_margin, check_beyond_pi
from keras_resample.heads.margin_head import MarginHead

# The range the lengths are clipped to, and what is added to their standard deviation.
LENGTHS = (1e-3, 100.0)
LEAST_STD = 1e-3


@keras.saving.register_keras_serializable(package="keras_resample")
class AdaFace(MarginHead):
    """Margin head whose margin is angular for short embeddings and additive for long ones.

        target(cos t) = cos(t + g_angle) - g_add
        g_angle = -m z,     g_add = m + m z
        z = clip(h (|x| - mean) / (std + 0.001), -1, 1)

    so that z = -1 is ArcFace, z = 0 is CosFace, and z = 1 is cos(t - m) - 2 m. The lengths |x| are
    clipped to [0.001, 100] and have no gradient. `mean` and `std` (with n - 1) are running
    averages, updated from the batch before they are used there, in training only:

        mean  <-  (1 - momentum) mean + momentum (mean of the batch)

    A batch of one has no standard deviation and leaves the old one.

    Args:
        num_classes: Number of classes, at least 1.
        margin: m in radians, in [0, pi/2].
        h: Positive concentration: how far from the mean in standard deviations is 1 / h.
        momentum: Weight of the batch in the running averages, in [0, 1].
        epsilon: Cosines are clipped to [-1 + epsilon, 1 - epsilon] in training, as in the
            authors' code. CVLface has no such clip and is straight-through:
            `AdaFace(num_classes, epsilon=0, gradient="straight_through")`.
        beyond_pi: What `cos(t + g_angle)` becomes where the angle exceeds pi, by the names of
            `ArcFace`. An angle below 0 becomes 0.
        **kwargs: Arguments of `MarginHead`: `scale=64.0`, `gradient="exact"`, the kernel's.

    Raises:
        ValueError: For arguments out of range, and what `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.AdaFace(num_classes=10)
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10
    >>> float(head.mean)  # 0.99 * 20 + 0.01 * 4
    19.84...

    Reference:
        - [AdaFace, Kim et al., 2022](https://arxiv.org/abs/2204.00964)
    """

    def __init__(
        self,
        num_classes,
        margin=0.4,
        h=0.333,
        momentum=0.01,
        epsilon=1e-3,
        beyond_pi="clip",
        **kwargs,
    ):
        super().__init__(num_classes, **kwargs)
        check_beyond_pi(beyond_pi)
        self.margin = as_number(margin, "margin", "[0, 1.5708]")  # a right angle, rounded up
        self.h = as_number(h, "h", "(0, inf)")
        self.momentum = as_number(momentum, "momentum", "[0, 1]")
        self.epsilon = as_number(epsilon, "epsilon", "[0, 1)")
        self.beyond_pi = beyond_pi

    def build(self, embeddings_shape, labels_shape=None):
        super().build(embeddings_shape, labels_shape)
        self.mean = self.add_statistic("mean", 20.0)
        self.std = self.add_statistic("std", 100.0)

    def quality(self, length):
        """z (b,) in [-1, 1] of the lengths (b,), by the running averages."""
        z = (ops.clip(length, *LENGTHS) - self.mean) / (self.std + LEAST_STD)
        return ops.clip(z * self.h, -1.0, 1.0)

    def adjust(self, cosines, cosine, length):
        length = ops.clip(ops.stop_gradient(length), *LENGTHS)
        mean, count = ops.mean(length), ops.cast(ops.size(length), "float32")
        variance = ops.sum(ops.square(length - mean)) / (count - 1.0)  # NaN of one
        self.update_average(self.mean, mean, self.momentum)
        self.update_average(self.std, ops.sqrt(variance), self.momentum)
        z = self.quality(length)
        if self.epsilon:
            cosines = self._clipped(cosines)
            cosine = self._clipped(cosine)
        angle = self.margin * -z
        shifted = add_margin(cosine, angle, self.beyond_pi)
        below = ops.logical_and(angle < 0, cosine > ops.cos(angle))
        return cosines, ops.where(below, 1.0, shifted) - self.margin * (1.0 + z)

    def _clipped(self, cosine):
        return ops.clip(cosine, self.epsilon - 1.0, 1.0 - self.epsilon)

    def statistics(self):
        return {"mean_length": self.mean, "std_length": self.std}

    def get_config(self):
        return {
            **super().get_config(),
            "margin": self.margin,
            "h": self.h,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "beyond_pi": self.beyond_pi,
        }
