"""Published PyTorch weights in the models of this package."""

from keras_resample.models.convert.from_torch import from_torch

__all__ = [
    "from_torch",
]


def __dir__():
    return __all__
