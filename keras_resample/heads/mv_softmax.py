"""The mis-classified vectors of MV-Softmax."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_number, check_choice
from keras_resample.heads.angles import add_angle, add_margin, as_angle, check_beyond_pi
from keras_resample.heads.margin_head import MarginHead

KINDS = ("arc", "am")


@keras.saving.register_keras_serializable(package="keras_resample")
class MVSoftmax(MarginHead):
    """Margin head that raises the cosines of the classes an embedding is taken for.

    | `kind` | shifted cosine s | target                        |
    |--------|------------------|-------------------------------|
    | "arc"  | cos(t + m)       | s where cos t > 0, else cos t |
    | "am"   | cos t - m        | s where cos t > m, else cos t |

        cos_j  ->  w cos_j + w - 1              where cos_j > s        (adaptive)
        cos_j  ->    cos_j + w - 1              where cos_j > s        (fixed)

    Args:
        num_classes: Number of classes, at least 1.
        margin: m, in radians in [0, pi) for "arc", in [0, 2] for "am".
        weight: w, at least 1; 1 leaves the other classes as they are.
        kind: "arc" or "am".
        adaptive: Which of the two weightings.
        scale: Positive factor of the cosines. The authors' code uses 32.
        beyond_pi: For "arc", what the target becomes where t + m > pi, by the names of `ArcFace`;
            `None` is "easy", the table above. "am" has no angle to leave [0, pi].
        **kwargs: Arguments of `MarginHead`.

    Raises:
        ValueError: For arguments out of range, `beyond_pi` given to "am", and what `MarginHead`
            raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.MVSoftmax(num_classes=10, kind="am")
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10

    Reference:
        - [MV-Softmax, Wang et al., 2019](https://arxiv.org/abs/1912.00833)
    """

    def __init__(
        self,
        num_classes,
        margin=0.35,
        weight=1.12,
        kind="arc",
        adaptive=True,
        scale=32.0,
        beyond_pi=None,
        **kwargs,
    ):
        super().__init__(num_classes, scale=scale, **kwargs)
        check_choice(kind, "kind", KINDS)
        if kind == "arc":
            self.margin = as_angle(margin)
            check_beyond_pi("easy" if beyond_pi is None else beyond_pi)
        else:
            self.margin = as_number(margin, "margin", "[0, 2]")
            if beyond_pi is not None:
                raise ValueError(f'`beyond_pi` must be None with kind="am". Received: {beyond_pi=}')
        self.weight = as_number(weight, "weight", "[1, inf)")
        self.kind = kind
        self.adaptive = as_bool(adaptive, "adaptive")
        self.beyond_pi = beyond_pi

    def shifted(self, cosine):
        """The cosine (b,) that another class must exceed to count as mis-classified."""
        if self.kind == "am":
            return ops.subtract(cosine, self.margin)
        return add_angle(cosine, self.margin)

    def target(self, cosine):
        if self.kind == "am":
            return ops.where(cosine > self.margin, self.shifted(cosine), cosine)
        return add_margin(cosine, self.margin, self.beyond_pi or "easy")

    def adjust(self, cosines, cosine, length):
        raised = ops.add(cosines * (self.weight if self.adaptive else 1.0), self.weight - 1.0)
        wrong = ops.greater(cosines, self.shifted(cosine)[:, None])
        return ops.where(wrong, raised, cosines), self.target(cosine)

    def get_config(self):
        return {
            **super().get_config(),
            "margin": self.margin,
            "weight": self.weight,
            "kind": self.kind,
            "adaptive": self.adaptive,
            "beyond_pi": self.beyond_pi,
        }
