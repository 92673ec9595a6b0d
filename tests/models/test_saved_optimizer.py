"""A file saved on PyTorch, where Keras names that backend's optimizers, trains on elsewhere."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample.heads import ArcFace
from keras_resample.models import Recognizer
from tests.numerics import to_numpy


def recognizer():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model = Recognizer(encoder, ArcFace(3))
    model.build((None, 3))
    return model


def as_saved_on_torch(config):
    """Names the class of an optimizer as Keras does on PyTorch, also of one inside of another."""
    inner = config["config"].get("inner_optimizer")
    if inner is not None:
        return {
            **config,
            "config": {**config["config"], "inner_optimizer": as_saved_on_torch(inner)},
        }
    name = config["class_name"]
    module = f"keras.src.backend.torch.optimizers.torch_{name.lower()}"
    return {**config, "module": module, "registered_name": name}


def loaded(optimizer):
    """A model with the optimizer, and one compiled by what a file on PyTorch says of the first."""
    model, copy = recognizer(), recognizer()
    model.compile(optimizer)
    model.optimizer.build(model.trainable_variables)
    config = model.get_compile_config()
    assert config["optimizer"]["module"] == "keras.optimizers"
    copy.compile_from_config({**config, "optimizer": as_saved_on_torch(config["optimizer"])})
    return model, copy


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
def test_it_trains_on(name):
    options = {"momentum": 0.9} if name == "SGD" else {}
    model, copy = loaded(getattr(keras.optimizers, name)(0.1, **options))
    assert type(copy.optimizer) is type(model.optimizer)
    for one in (model, copy):
        one.optimizer.apply([ops.ones(v.shape) for v in one.trainable_variables])
    for found, expected in zip(copy.weights, model.weights, strict=True):
        assert np.array_equal(to_numpy(found), to_numpy(expected))
    assert np.any(to_numpy(model.weights[0]) != to_numpy(recognizer().weights[0]))


def test_the_optimizer_under_loss_scaling():
    model, copy = loaded(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()))
    assert type(copy.optimizer.inner_optimizer) is type(model.optimizer.inner_optimizer)
