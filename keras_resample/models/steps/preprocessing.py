"""What is known of how images become what a model takes: recorded once, for all who ask."""

import typing


class Preprocessing(typing.NamedTuple):
    """How an encoder is used, as far as its model knows.

    Attributes:
        value_range: values `(low, high)` of black and white, `None` where unknown.
        flip: whether an embedding is the sum of those of the image and of its mirror image.
        normalize: whether it has length 1.
        threshold: cosine from which on two images show one identity, `None` where unknown.
    """

    value_range: tuple[float, float] | None = None
    flip: bool = False
    normalize: bool = False
    threshold: float | None = None

    @property
    def scaling(self):
        """`(scale, offset)` by which a byte is `scale * byte + offset`."""
        low, high = self.value_range
        return (high - low) / 255.0, low
