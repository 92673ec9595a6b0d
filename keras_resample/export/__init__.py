"""Models as files that a server runs without Python code."""

from keras_resample.export.check import check
from keras_resample.export.remap_tables import remap_tables
from keras_resample.export.saved_model import saved_model

__all__ = [
    "check",
    "remap_tables",
    "saved_model",
]


def __dir__():
    return __all__
