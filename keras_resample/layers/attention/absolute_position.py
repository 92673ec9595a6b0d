"""The learned absolute position embedding: a vector for each patch."""

import keras

from keras_resample.layers.attention.patch_grid import PatchGridLayer


@keras.saving.register_keras_serializable(package="keras_resample")
class AbsolutePosition(PatchGridLayer):
    """Adds a learned vector to each token, by its place in the grid: `x_i + w_i`.

    Args:
        grid_size: `(rows, columns)` of the patches, or one integer for a square.
        num_class_tokens: tokens before the patches, each with a vector too.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        tokens: `(batch, n, channels)`.

    Output shape:
        That of the tokens.

    Raises:
        ValueError: for an argument out of its range, or another number of tokens than the grid's.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> tokens = np.random.rand(2, 9, 32).astype("float32")
    >>> kr.layers.AbsolutePosition(grid_size=3)(tokens).shape == (2, 9, 32)
    True

    Reference:
        "An Image is Worth 16x16 Words", 2021, Eq. 1
    """

    def __init__(self, grid_size=14, num_class_tokens=0, **kwargs):
        super().__init__(grid_size, num_class_tokens, **kwargs)

    def build(self, tokens_shape):
        self.check_tokens(tokens_shape[1], "tokens")
        self.embedding = self.add_weight(
            shape=(1, self.num_tokens, tokens_shape[2]),
            initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            name="embedding",
        )
        self.built = True

    def call(self, tokens):
        self.check_tokens(tokens.shape[1], "tokens")
        tokens = keras.ops.cast(tokens, self.compute_dtype)
        return tokens + keras.ops.cast(self.embedding, self.compute_dtype)

    def compute_output_shape(self, tokens_shape):
        self.check_tokens(tokens_shape[1], "tokens")
        return tuple(tokens_shape)
