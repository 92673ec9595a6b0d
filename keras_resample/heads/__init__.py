"""Margin heads: embeddings and labels to the logits of a classification loss."""

from keras_resample.heads.arc_face import ArcFace
from keras_resample.heads.cos_face import CosFace
from keras_resample.heads.margin_head import MarginHead
