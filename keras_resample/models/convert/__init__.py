"""Published weights in the models of this package."""

from keras_resample.models.convert.from_keras_applications import from_keras_applications
from keras_resample.models.convert.from_torch import from_torch

__all__ = [
    "from_keras_applications",
    "from_torch",
]


def __dir__():
    return __all__
