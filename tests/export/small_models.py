"""A model that is exported in no time."""

import keras
import pytest

NATIVE = pytest.mark.backends("tensorflow", "jax", reason="PyTorch exports through TensorFlow")


def pooled(size=(None, None), channels=3, dtype="float32", name="features"):
    inputs = keras.Input((*size, channels), dtype=dtype)
    x = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(inputs)
    return keras.Model(inputs, keras.layers.Dense(4, name=name)(x))


def load(path):
    import tensorflow as tf

    return tf.saved_model.load(str(path))
