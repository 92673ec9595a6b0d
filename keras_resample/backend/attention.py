"""The kernels of attention in `keras.ops` alone, as `reference.py` has the others."""

import functools

import numpy as np
from keras import ops

from keras_resample.backend import reference


def has_fused_attention():
    """Whether Keras's fused product of attention computes the product."""
    return True


def fuses_attention(bias, dtype, training=None):
    """Whether Keras's fused product of attention is the better one, with this bias or None.

    `training`: whether a gradient is wanted, as far as Keras knows.
    """
    return True


def attention_logits(queries, keys, bias, scale):
    """`scale q k + bias` or without: (b, heads, n, n), of queries and keys (b, n, heads, d)."""
    logits = ops.einsum("bqhd,bkhd->bhqk", queries * scale, keys)
    return logits if bias is None else logits + bias


def read_tables(ids, tables, gather=reference.gather):
    """The sum over tables (..., n or 1, k) of `table[..., i, ids[i, j]]`: (..., n, n)."""

    def read(table):
        *outer, rows, buckets = ops.shape(table)
        rows, buckets = int(rows), int(buckets)  # where PyTorch traces they are tensors
        first = buckets * np.arange(rows)[:, None]
        flat = ops.convert_to_tensor((ids + first).astype("int32").reshape(-1))
        values = gather(ops.reshape(table, (*outer, rows * buckets)), flat, axis=len(outer))
        return ops.reshape(values, (*outer, *ids.shape))

    return functools.reduce(ops.add, map(read, tables))
