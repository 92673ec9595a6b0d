"""Margin heads: embeddings and labels to the logits of a classification loss."""

from keras_resample.heads.ada_face import AdaFace
from keras_resample.heads.arc_face import ArcFace
from keras_resample.heads.combined_margin import CombinedMargin
from keras_resample.heads.cos_face import CosFace
from keras_resample.heads.curricular_face import CurricularFace
from keras_resample.heads.mag_face import MagFace
from keras_resample.heads.margin_head import MarginHead
from keras_resample.heads.mv_softmax import MVSoftmax
from keras_resample.heads.norm_face import NormFace
from keras_resample.heads.sphere_face import SphereFace

__all__ = [
    "AdaFace",
    "ArcFace",
    "CombinedMargin",
    "CosFace",
    "CurricularFace",
    "MVSoftmax",
    "MagFace",
    "MarginHead",
    "NormFace",
    "SphereFace",
]


def __dir__():
    return __all__
