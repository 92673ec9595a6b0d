"""The additive angular margin of ArcFace."""

import keras

from keras_resample.heads.angles import add_margin, as_angle, check_beyond_pi
from keras_resample.heads.margin_head import MarginHead


@keras.saving.register_keras_serializable(package="keras_resample")
class ArcFace(MarginHead):
    """Margin head that adds a constant to the angle of the target.

        target(cos t) = cos(t + m)              where t + m <= pi

    Beyond `pi` the cosine would rise again. What happens there differs between the published
    implementations and has a name here (the values are those at t = 2.7, m = 0.5):

    | `beyond_pi` | target for t + m > pi      | value   | in the code of                      |
    |-------------|----------------------------|---------|-------------------------------------|
    | "hard"      | cos t - m sin m            | -1.1438 | CurricularFace, pytorch-metric-learning |
    | "plain"     | cos(t + m)                 | -0.9983 | insightface                         |
    | "easy"      | cos t, already for t >= pi/2 | -0.9041 | ArcFace's easy margin             |
    | "clip"      | -1                         | -1.0000 | AdaFace                             |
    | "reflect"   | -2 - cos(t + m)            | -1.0017 | Keras_insightface                   |

    The angle is never formed: `cos(t + m) = cos t cos m - sin t sin m`, which has a finite
    derivative at every float32 cosine.

    Args:
        num_classes: Number of classes, at least 1.
        margin: m in radians, in [0, pi).
        beyond_pi: One of the names above.
        **kwargs: Arguments of `MarginHead`: `scale=64.0`, `gradient="exact"`, the kernel's.

    Raises:
        ValueError: For arguments out of range, and what `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.ArcFace(num_classes=10)
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10

    Reference:
        - [ArcFace, Deng et al., 2019](https://arxiv.org/abs/1801.07698)
    """

    def __init__(self, num_classes, margin=0.5, beyond_pi="hard", **kwargs):
        super().__init__(num_classes, **kwargs)
        check_beyond_pi(beyond_pi)
        self.margin = as_angle(margin)
        self.beyond_pi = beyond_pi

    def target(self, cosine):
        return add_margin(cosine, self.margin, self.beyond_pi)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "beyond_pi": self.beyond_pi}
