"""Random patches that a network does not see in training."""

import keras
from keras import ops

from keras_resample.arguments import as_number, as_seed


@keras.saving.register_keras_serializable(package="keras_resample")
class MaskedTokens(keras.layers.Layer):
    """Puts one learned token in the place of random ones, in training.

    Args:
        rate: share of the tokens of each image, in [0, 1); rounded to whole tokens.
        seed: integer seed, or `None`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        tokens: `(batch, n, channels)`.
        training: whether to mask; by default what Keras says.

    Output shape:
        That of the tokens.

    Raises:
        ValueError: for a rate outside [0, 1) or a seed that is no integer of at least 0.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> tokens = np.random.rand(2, 9, 32).astype("float32")
    >>> kr.layers.MaskedTokens(0.3)(tokens, training=True).shape == (2, 9, 32)
    True

    Reference:
        "SimMIM: A Simple Framework for Masked Image Modeling", 2022
    """

    def __init__(self, rate, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = as_number(rate, "rate", "[0, 1)")
        self.seed = as_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, tokens_shape):
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        shape = (1, 1, tokens_shape[-1])
        self.token = self.add_weight(shape=shape, initializer=initializer, name="token")
        self.built = True

    def call(self, tokens, training=None):
        count = round(self.rate * tokens.shape[1])
        if not training or not count:
            return tokens
        batch, length, _ = ops.shape(tokens)
        order = keras.random.uniform((batch, length), seed=self.seed_generator)
        ranks = ops.argsort(ops.argsort(order, axis=1), axis=1)
        token = ops.cast(self.token, tokens.dtype)
        return ops.where((ranks < count)[:, :, None], token, tokens)

    def compute_output_shape(self, tokens_shape):
        return tuple(tokens_shape)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
