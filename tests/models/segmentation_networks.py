"""What the tests of the segmentation networks share."""

import keras
import numpy as np

from tests.numerics import in_one_piece, random_like, to_numpy


def counts(build, **arguments):
    """Trainable parameters and running statistics. Only shapes are made."""
    with keras.StatelessScope():
        model = build(**arguments)
    sizes = [(v.trainable, int(np.prod(v.shape))) for v in model.weights]
    return sum(n for t, n in sizes if t), sum(n for t, n in sizes if not t)


class Count:
    """Adds up parameters as a network is written down; each call returns the channels made."""

    def __init__(self):
        self.parameters = self.statistics = 0

    def convolution(self, inputs, outputs, size, bias=False):
        self.parameters += inputs * outputs * size * size + bias * outputs
        return outputs

    def unit(self, inputs, outputs, size, bias=False):
        """A convolution and its batch normalization."""
        self.parameters += 2 * outputs
        self.statistics += 2 * outputs
        return self.convolution(inputs, outputs, size, bias)

    def bottleneck(self, inputs, filters, changed_size=False):
        if changed_size or inputs != 4 * filters:
            self.unit(inputs, 4 * filters, 1)
        self.unit(inputs, filters, 1)
        self.unit(filters, filters, 3)
        return self.unit(filters, 4 * filters, 1)

    @property
    def result(self):
        return self.parameters, self.statistics


def randomise(model):
    """Every weight different, of a size that keeps activations near one."""
    for i, weight in enumerate(model.weights):
        noise = random_like(weight, seed=i)
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(np.exp(0.3 * noise))
        elif weight.name == "kernel":
            weight.assign(noise / np.sqrt(np.prod(weight.shape[:-1])))
        else:
            weight.assign(0.1 * noise)


def images(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def run(model, x):
    """Outputs of a model, not compiled where that costs more than running it once."""
    x = keras.tree.map_structure(keras.ops.convert_to_tensor, x)
    return keras.tree.map_structure(to_numpy, in_one_piece(model, x))
