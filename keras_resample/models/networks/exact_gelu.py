"""The gelu of Swin, as an activation that all files of a model can have."""

import keras

from keras_resample import backend


@keras.saving.register_keras_serializable(package="keras_resample")
def exact_gelu(x):
    """`x` times the normal distribution's share below `x`, not its approximation by a tanh."""
    return backend.gelu(x)
