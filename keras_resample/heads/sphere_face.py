"""The multiplicative angular margin of SphereFace."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_number, as_numbers
from keras_resample.heads.angles import check_beyond_pi, multiply_add_margin
from keras_resample.heads.margin_head import MarginHead

# lambda of the authors' training: base, gamma, power and the least value.
ANNEALING = (1000.0, 0.12, 1.0, 5.0)


@keras.saving.register_keras_serializable(package="keras_resample")
class SphereFace(MarginHead):
    """Margin head that multiplies the angle of the target.

        target(cos t) = psi(t) = (-1)^k cos(m t) - 2 k,     k = floor(m t / pi)

    psi falls from 1 to 1 - 2 m over [0, pi]. The default is A-Softmax, the paper's own form: the
    embeddings keep their length |x|, and the margin is mixed in by a weight lambda that falls with
    the number of training steps n,

        logit_j = |x| cos_j                             (j != y)
        logit_y = |x| (lambda cos_y + psi) / (1 + lambda)
        lambda = max(least, base (1 + gamma n)^-power)

    `SphereFace(num_classes, margin=1.5, annealing=None, keep_length=False)` is the modern form:
    cosines times a scale of 30. OpenSphere trains it with `gradient="straight_through"`; its
    SphereFace-R v1 is `beyond_pi="clip"` there.

    Args:
        num_classes: Number of classes, at least 1.
        margin: m, at least 1.
        annealing: (base, gamma, power, least), or `None` for lambda = 0. The steps are counted
            by a weight, so that training resumes where it stopped.
        keep_length: Whether the logits are proportional to the length of the embedding.
        scale: Positive factor of the cosines; `None` is 1 where the length is kept and 30
            otherwise.
        beyond_pi: What follows where m t > pi: "reflect" is psi, the others are those of
            `CombinedMargin`.
        **kwargs: Arguments of `MarginHead`.

    Raises:
        ValueError: For arguments out of range, and what `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.SphereFace(num_classes=10)
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10
    >>> float(head.annealing_weight())  # 1000 / 1.12
    892.857...

    Reference:
        - [SphereFace, Liu et al., 2017](https://arxiv.org/abs/1704.08063)
        - [SphereFace revived, Liu et al., 2022](https://arxiv.org/abs/2109.05565)
    """

    def __init__(
        self,
        num_classes,
        margin=4,
        annealing=ANNEALING,
        keep_length=True,
        scale=None,
        beyond_pi="reflect",
        **kwargs,
    ):
        keep_length = as_bool(keep_length, "keep_length")
        if scale is None:
            scale = 1.0 if keep_length else 30.0
        super().__init__(num_classes, scale=scale, **kwargs)
        check_beyond_pi(beyond_pi)
        if annealing is not None:
            annealing = as_numbers(annealing, "annealing", "[0, inf)", length=4)
        self.margin = as_number(margin, "margin", "[1, inf)")
        self.annealing = annealing
        self.keep_length = keep_length
        self.beyond_pi = beyond_pi

    def build(self, embeddings_shape, labels_shape=None):
        super().build(embeddings_shape, labels_shape)
        if self.annealing:
            self.steps = self.add_statistic("steps", 0.0)

    def annealing_weight(self):
        """lambda after the training steps so far, a scalar."""
        if not self.annealing:
            return ops.zeros(())
        base, gamma, power, least = self.annealing
        return ops.maximum(base * ops.power(1.0 + gamma * self.steps, -power), least)

    def target(self, cosine):
        return multiply_add_margin(cosine, self.margin, 0.0, self.beyond_pi)

    def adjust(self, cosines, cosine, length):
        target = self.target(cosine)
        if self.annealing:
            self.update_statistic(self.steps, self.steps + 1.0)
            weight = self.annealing_weight()
            target = (weight * cosine + target) / (1.0 + weight)
        return cosines, target

    def factor(self, length):
        return length * self.scale if self.keep_length else self.scale

    def statistics(self):
        return {"annealing": self.annealing_weight()} if self.annealing else {}

    def get_config(self):
        return {
            **super().get_config(),
            "margin": self.margin,
            "annealing": self.annealing,
            "keep_length": self.keep_length,
            "beyond_pi": self.beyond_pi,
        }
