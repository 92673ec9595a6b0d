"""The margin of MagFace, which grows with the length of the embedding."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_interval, as_number, as_value_range
from keras_resample.heads.angles import ANGLES, add_margin, check_beyond_pi
from keras_resample.heads.margin_head import MarginHead


@keras.saving.register_keras_serializable(package="keras_resample")
class MagFace(MarginHead):
    """ArcFace whose margin grows with the length of the embedding, which so tells its quality.

    With `a` the length clipped to `lengths = (l_a, u_a)` and `margins = (l_m, u_m)`,

        target(cos t) = cos(t + m(a))
        m(a) = l_m + (u_m - l_m) (a - l_a) / (u_a - l_a)
        g(a) = a / u_a^2 + 1 / a

    and `length_weight * mean(g)` is added to the training loss. Gradients flow through `a`. For the
    loss to have its minimum inside of the range, `length_weight` must be at least
    `scale k u_a^2 l_a^2 / (u_a^2 - l_a^2)` with `k = (u_m - l_m) / (u_a - l_a)`: 22.6 by default.

    Args:
        num_classes: Number of classes, at least 1.
        margins: The least and the largest margin, in radians in [0, pi).
        lengths: The lengths they belong to, positive.
        length_weight: Weight of g, at least 0. 35 in the authors' training script.
        beyond_pi: What the target becomes where t + m(a) > pi, by the names of `ArcFace`; "easy"
            in the authors' training script.
        momentum: Weight of the batch in the running mean length, in [0, 1], which is a weight
            that nothing depends on.
        **kwargs: Arguments of `MarginHead`: `scale=64.0`, `gradient="exact"`, the kernel's.

    Raises:
        ValueError: For arguments out of range, and what `MarginHead` raises.

    Example:
    >>> import keras_resample as kr
    >>> import numpy as np
    >>> head = kr.heads.MagFace(num_classes=10)
    >>> head(np.ones((4, 16), "float32"), np.array([0, 1, 2, 3]), training=True).shape[1]
    10
    >>> float(head.losses[0])  # 35 g(10)
    3.528...

    Reference:
        - [MagFace, Meng et al., 2021](https://arxiv.org/abs/2103.06627)
    """

    def __init__(
        self,
        num_classes,
        margins=(0.45, 0.8),
        lengths=(10.0, 110.0),
        length_weight=35.0,
        beyond_pi="easy",
        momentum=0.01,
        **kwargs,
    ):
        super().__init__(num_classes, **kwargs)
        check_beyond_pi(beyond_pi)
        self.margins = as_interval(margins, "margins", ANGLES)
        self.lengths = as_value_range(lengths, "lengths")
        if self.lengths[0] <= 0:
            raise ValueError(f"`lengths` must be positive. Received: {lengths=}")
        self.length_weight = as_number(length_weight, "length_weight", "[0, inf)")
        self.beyond_pi = beyond_pi
        self.momentum = as_number(momentum, "momentum", "[0, 1]")

    def build(self, embeddings_shape, labels_shape=None):
        super().build(embeddings_shape, labels_shape)
        self.mean_length = self.add_statistic("mean_length", np.mean(self.lengths))

    def margin(self, length):
        """m(a) of the lengths (b,)."""
        (low, high), (least, largest) = self.lengths, self.margins
        return (self.clipped(length) - low) * ((largest - least) / (high - low)) + least

    def clipped(self, length):
        """a of the lengths (b,), with derivative 0 where they leave the range or reach its end."""
        low, high = self.lengths
        length = ops.where(length <= low, low, length)  # NaN is in no range and stays
        return ops.where(length >= high, high, length)

    def adjust(self, cosines, cosine, length):
        a = self.clipped(length)
        regularizer = ops.mean(a / self.lengths[1] ** 2 + 1.0 / a)
        self.add_loss(self.length_weight * regularizer)
        self.update_average(self.mean_length, ops.mean(length), self.momentum)
        return cosines, add_margin(cosine, self.margin(length), self.beyond_pi)

    def statistics(self):
        return {"mean_length": self.mean_length}

    def get_config(self):
        return {
            **super().get_config(),
            "margins": self.margins,
            "lengths": self.lengths,
            "length_weight": self.length_weight,
            "beyond_pi": self.beyond_pi,
            "momentum": self.momentum,
        }
