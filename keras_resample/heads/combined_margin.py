"""The three margins of ArcFace's Eq. 4 in one head."""

import keras

from keras_resample.arguments import as_number
from keras_resample.heads.angles import as_angle, check_beyond_pi, multiply_add_margin
from keras_resample.heads.margin_head import MarginHead


@keras.saving.register_keras_serializable(package="keras_resample")
class CombinedMargin(MarginHead):
    """Margin head that multiplies and shifts the angle of the target and lowers its cosine.

        target(cos t) = cos(m1 t + m2) - m3     (Eq. 4)      where m1 t + m2 <= pi

    Published settings (m1, m2, m3): (1, 0.5, 0) is ArcFace, (1, 0, 0.35) CosFace, (1.35, 0, 0)
    SphereFace, (1, 0.3, 0.2) CM1, (0.9, 0.4, 0.15) CM2. Beyond pi, with the angle
    `d = pi - (pi - m2) / m1` that has been added where pi is reached:

    | `beyond_pi` | target for m1 t + m2 > pi                                           |
    |-------------|---------------------------------------------------------------------|
    | "hard"      | cos t - d sin d - m3, as in `ArcFace`; needs m1 < 3.8 to fall        |
    | "plain"     | cos(m1 t + m2) - m3                                                 |
    | "easy"      | cos t - m3, for all t >= pi/2                                       |
    | "clip"      | -1 - m3                                                             |
    | "reflect"   | (-1)^k cos(m1 t + m2) - 2 k - m3, k = floor((m1 t + m2) / pi)        |

    insightface's class of this name is not Eq. 4. It computes `CombinedMargin(m2=m2,
    beyond_pi="plain", gradient="straight_through")` where m1 = 1 and m3 = 0, and
    `CombinedMargin(m3=m3, gradient="straight_through")`, whatever m1 and m2 are, where m3 > 0.

    Args:
        num_classes: Number of classes, at least 1.
        m1: Factor of the angle, positive.
        m2: Angle added, in radians, in [0, pi).
        m3: Cosine subtracted, in [0, 2].
        beyond_pi: One of the names above.
        **kwargs: Arguments of `MarginHead`: `scale=64.0`, `gradient="exact"`, the kernel's.

    Raises:
        ValueError: For arguments out of range, and what `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.CombinedMargin(num_classes=10, m1=1.0, m2=0.3, m3=0.2)
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10

    Reference:
        - [ArcFace, Deng et al., 2019](https://arxiv.org/abs/1801.07698)
    """

    def __init__(self, num_classes, m1=1.0, m2=0.0, m3=0.0, beyond_pi="hard", **kwargs):
        super().__init__(num_classes, **kwargs)
        check_beyond_pi(beyond_pi)
        self.m1 = as_number(m1, "m1", "(0, inf)")
        self.m2 = as_angle(m2, "m2")
        self.m3 = as_number(m3, "m3", "[0, 2]")
        self.beyond_pi = beyond_pi

    def target(self, cosine):
        return multiply_add_margin(cosine, self.m1, self.m2, self.beyond_pi) - self.m3

    def get_config(self):
        return {
            **super().get_config(),
            "m1": self.m1,
            "m2": self.m2,
            "m3": self.m3,
            "beyond_pi": self.beyond_pi,
        }
