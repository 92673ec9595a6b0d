"""Models as files that a server runs without Python code."""

from keras_resample.export.check import check
from keras_resample.export.litert import litert
from keras_resample.export.onnx import onnx
from keras_resample.export.openvino import openvino
from keras_resample.export.remap_tables import remap_tables
from keras_resample.export.saved_model import saved_model
from keras_resample.export.torch import torch

__all__ = [
    "check",
    "litert",
    "onnx",
    "openvino",
    "remap_tables",
    "saved_model",
    "torch",
]


def __dir__():
    return __all__
