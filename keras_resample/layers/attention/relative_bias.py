"""The plain relative position bias: a number for each offset of two patches."""

import keras

from keras_resample.arguments import as_integer
from keras_resample.layers.attention.patch_grid import PatchGridLayer
from keras_resample.ops.relative_position import offset_ids, read_tables


@keras.saving.register_keras_serializable(package="keras_resample")
class RelativeBias(PatchGridLayer):
    """A learned number for each head and offset of query and key, added to their logit.

    `B[h, i, j] = W[h, offset of i and j]`, with a number for each of the `(2 rows - 1)(2 columns -
    1)` offsets, and one for all pairs with a class token. It starts at zero. A `position` of
    `RelativeAttention`.

    Args:
        num_heads: heads of the attention.
        grid_size: `(rows, columns)` of the patches, or one integer for a square.
        num_class_tokens: tokens before the patches.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        queries, keys: `(batch, n, heads, key_dim)`.

    Returns:
        `(queries, keys, bias)`: the first two as they came, and `(1, heads, n, n)`, query by key.

    Raises:
        ValueError: for an argument out of its range, or tokens or heads of another number.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> heads = np.random.rand(2, 12, 4, 8).astype("float32")
    >>> queries, keys, bias = kr.layers.RelativeBias(4, grid_size=(3, 4))(heads, heads)
    >>> bias.shape == (1, 4, 12, 12)
    True

    Reference:
        "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", 2021, Eq. 4
    """

    def __init__(self, num_heads, grid_size=14, num_class_tokens=0, **kwargs):
        super().__init__(grid_size, num_class_tokens, **kwargs)
        self.num_heads = as_integer(num_heads, "num_heads")
        self.ids, self.num_buckets = offset_ids(self.grid_size, self.num_class_tokens)

    def build(self, queries_shape, keys_shape=None):
        self.check_heads(self.num_heads, queries=queries_shape)
        shape = (self.num_heads, self.num_buckets)
        self.table = self.add_weight(shape=shape, initializer="zeros", name="table")
        self.built = True

    def call(self, queries, keys):
        self.check_heads(self.num_heads, queries=queries.shape, keys=keys.shape)
        table = keras.ops.cast(self.table, self.compute_dtype)
        return queries, keys, read_tables(self.ids, table[None, :, None])

    def compute_output_spec(self, queries, keys):
        self.check_heads(self.num_heads, queries=queries.shape, keys=keys.shape)
        shape = (1, self.num_heads, self.num_tokens, self.num_tokens)
        return queries, keys, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}
