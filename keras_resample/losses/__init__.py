"""Losses on embeddings that Keras does not have."""

from keras_resample.losses.batch_hard_triplet import BatchHardTriplet
from keras_resample.losses.edge_loss import EdgeLoss
from keras_resample.losses.influence_loss import InfluenceLoss

__all__ = [
    "BatchHardTriplet",
    "EdgeLoss",
    "InfluenceLoss",
]


def __dir__():
    return __all__
