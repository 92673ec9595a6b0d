"""Random layers that draw the same numbers in an epoch, whether a run was stopped before or not."""

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_integer

# Draws of one layer in one epoch: more than any epoch has steps, for 2000 epochs in an int32.
DRAWS = 2**20


class EpochSeeds(keras.callbacks.Callback):
    """Starts every epoch of the random layers from their seed and the number of the epoch.

    Dropout, augmentation and noise layers count their draws, and Keras saves that count with
    neither a model nor its weights. With this callback the count starts from the number of the
    epoch, so that a training that is resumed by `keras.callbacks.BackupAndRestore` draws what it
    would have drawn. For the order of the images, `IdentityDataset.epoch_callback` does the same.

    The layers have to be seeded, by their `seed` or by `keras.utils.set_random_seed` before the
    model is built. What draws from the generators of Python, NumPy or the backend (unseeded dropout
    on PyTorch does) is seeded too, with `keras.utils.set_random_seed(seed + epoch)`.

    Args:
        seed: non-negative integer.

    Raises:
        ValueError: for another seed.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> import keras_resample as kr
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5, seed=1)])
    >>> model.add(keras.layers.Dense(1))
    >>> model.compile("sgd", "mse")
    >>> history = model.fit(
    ...     np.ones((8, 4)), np.ones((8, 1)), verbose=0, callbacks=[kr.callbacks.EpochSeeds()]
    ... )
    """

    def __init__(self, seed=0):
        super().__init__()
        self.seed = as_integer(seed, "seed", minimum=0)

    def on_epoch_begin(self, epoch, logs=None):
        keras.utils.set_random_seed((self.seed + epoch) % 2**32)
        for variable in self.model.variables:
            if variable.name == "seed_generator_state":
                seed, _ = ops.convert_to_numpy(variable)
                variable.assign(np.array([seed, epoch * DRAWS], variable.dtype))
