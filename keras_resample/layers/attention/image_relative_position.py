"""Image relative position encoding (iRPE): buckets of offsets, read by the content of tokens."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_integer, check_choice
from keras_resample.layers.attention.patch_grid import BucketLayer
from keras_resample.ops.relative_position import read_tables

MODES = ("contextual", "bias")
PLACES = ("k", "qk", "qkv")


@keras.saving.register_keras_serializable(package="keras_resample")
class ImageRelativePosition(BucketLayer):
    """iRPE: what is added to a logit depends on the bucket of the offset and on the token.

    With a vector r for each bucket, `p = bucket(i, j)`, queries q and keys k, and d their length:

    | `on` | `"contextual"` adds | `"bias"` adds |
    |---|---|---|
    | `"k"` | `q_i . r_p / sqrt(d)` to the logit | a learned number for each p |
    | `"qk"` | and `k_j . r'_p / sqrt(d)`, with p of (j, i) | and another one, of (j, i) |
    | `"qkv"` | and `sum_j a_ij r''_p` to the output, with the weights a | (not with a bias) |

    All weights start at zero. A `position` of `RelativeAttention`.

    Args:
        num_heads: heads of the attention.
        key_dim: length of a query of a head. In "bias" mode, whose numbers do not depend on the
            token, it is but compared with that of the queries.
        grid_size: `(rows, columns)` of the patches, or one integer for a square.
        mode: `"contextual"` or `"bias"`.
        on: a row of the table.
        share_heads: whether all heads have the same vectors or numbers.
        num_class_tokens: tokens before the patches, whose pairs have a bucket of their own.
        method, alpha, beta, gamma: of the buckets, see `ops.relative_position_buckets`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        queries, keys: `(batch, n, heads, key_dim)`.

    Returns:
        `(queries, keys, bias)`: the first two as they came, and `(batch or 1, heads or 1, n, n)`,
        query by key.

    Raises:
        ValueError: for an argument out of its range, values in "bias" mode, or tokens, heads or
            lengths of another number.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> position = kr.layers.ImageRelativePosition(num_heads=4, key_dim=8, grid_size=3)
    >>> heads = np.random.rand(2, 9, 4, 8).astype("float32")
    >>> queries, keys, bias = position(heads, heads)
    >>> bias.shape == (2, 4, 9, 9)
    True

    Reference:
        "Rethinking and Improving Relative Position Encoding for Vision Transformer", 2021
    """

    has_class_bucket = True

    def __init__(
        self,
        num_heads,
        key_dim,
        grid_size=14,
        mode="contextual",
        on="k",
        share_heads=True,
        num_class_tokens=0,
        method="product",
        alpha=1.9,
        beta=3.8,
        gamma=15.2,
        **kwargs,
    ):
        super().__init__(grid_size, num_class_tokens, method, alpha, beta, gamma, **kwargs)
        self.num_heads = as_integer(num_heads, "num_heads")
        self.key_dim = as_integer(key_dim, "key_dim")
        check_choice(mode, "mode", MODES)
        check_choice(on, "on", PLACES)
        if mode == "bias" and on == "qkv":
            raise ValueError(f"`on` must be 'k' or 'qk' in mode 'bias'. Received: on={on!r}")
        self.mode, self.on = mode, on
        self.share_heads = as_bool(share_heads, "share_heads")

    @property
    def on_values(self):
        """Whether `values` adds something to the output of the heads."""
        return self.on == "qkv"

    def build(self, queries_shape, keys_shape=None):
        self.check_heads(self.num_heads, self.key_dim, queries=queries_shape)
        shape = (1 if self.share_heads else self.num_heads, self.num_buckets)
        if self.mode == "contextual":
            shape = (shape[0], self.key_dim, shape[1])
        names = {"k": "of_queries", "q": "of_keys", "v": "of_values"}
        self.tables = {
            place: self.add_weight(shape=shape, initializer="zeros", name=names[place])
            for place in sorted(self.on)
        }
        self.built = True

    def call(self, queries, keys):
        self.check_heads(self.num_heads, self.key_dim, queries=queries.shape, keys=keys.shape)
        bias = self._bias(self.tables["k"], queries)
        if "q" in self.on:
            bias = bias + ops.swapaxes(self._bias(self.tables["q"], keys), 2, 3)
        return queries, keys, bias

    def values(self, weights):
        """What is added to the output of the heads: `(batch, n, heads, key_dim)`.

        Args:
            weights: `(batch, heads, n, n)`, what each query takes of each key.
        """
        weights = ops.cast(weights, self.compute_dtype)
        vectors = self._of_pairs(ops.cast(self.tables["v"], self.compute_dtype))
        if self.share_heads:
            return ops.einsum("bhqk,dqk->bqhd", weights, vectors[0])
        return ops.einsum("bhqk,hdqk->bqhd", weights, vectors)

    def compute_output_spec(self, queries, keys):
        self.check_heads(self.num_heads, self.key_dim, queries=queries.shape, keys=keys.shape)
        batch, heads = queries.shape[0], self.num_heads
        if self.mode == "bias":
            batch, heads = 1, 1 if self.share_heads else heads
        shape = (batch, heads, self.num_tokens, self.num_tokens)
        return queries, keys, keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        names = ("num_heads", "key_dim", "mode", "on", "share_heads")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _bias(self, table, tokens):
        """`(batch or 1, heads or 1, n, n)`, a row for each of the tokens."""
        table = ops.cast(table, self.compute_dtype)
        if self.mode == "bias":
            return self._of_pairs(table)[None]
        tokens = ops.cast(tokens, self.compute_dtype) * self.key_dim**-0.5
        if self.share_heads:
            return read_tables(self.ids, ops.einsum("bnhd,dk->bhnk", tokens, table[0]))
        return read_tables(self.ids, ops.einsum("bnhd,hdk->bhnk", tokens, table))

    def _of_pairs(self, table):
        """`(..., buckets)` read for each pair: `(..., n, n)`."""
        return read_tables(self.ids, table[..., None, :])
