"""A network with two branches, and their training."""

import keras
import numpy as np

import keras_resample as kr
from keras_resample.models import BranchTrainer, BTNet
from tests.numerics import to_numpy

RESOLUTIONS = [(8, 8), (4, 4)]
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(12, 16, 16, 1)).astype("float32")
LABELS = np.arange(12) % 3


def trunk_of(seed=0, embedding_dim=6):
    keras.utils.set_random_seed(seed)
    return kr.models.IResNet((1, 1), (4, 8), (16, 16, 1), embedding_dim)


def make(seed=0, **arguments):
    return BTNet(trunk_of(seed), **{"resolutions": RESOLUTIONS, **arguments})


def influence():
    keras.utils.set_random_seed(1)
    head = kr.heads.CosFace(3, margin=0.1, scale=8.0)
    head.build((None, 6))
    return kr.losses.InfluenceLoss(head)


def trained(network, resolution=(4, 4), epochs=1, rate=0.05, weight=0.5, **mode):
    trainer = BranchTrainer(network, resolution, weight)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, weight_decay=1e-3)
    trainer.compile(optimizer, influence(), **mode)
    history = trainer.fit(IMAGES, LABELS, batch_size=6, epochs=epochs, verbose=0).history
    return history["loss"]


def values_of(weights):
    return [to_numpy(weight).copy() for weight in weights]
