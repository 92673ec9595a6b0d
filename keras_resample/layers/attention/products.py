"""The two products and the softmax of attention, in one piece or step by step."""

import keras
from keras import ops

PRODUCTS = ("auto", "fused", "einsum")


def is_fused(attention, dtype):
    """Whether the product is Keras's fused one; "auto" is the faster one of the backend."""
    if attention != "auto":
        return attention == "fused"
    backend = keras.backend.backend()
    return backend != "tensorflow" and not (backend == "jax" and dtype == "float16")


def weights_of(queries, keys, bias, scale):
    """What each query takes of each key, (b, heads, n, n), by a softmax in float32 at least.

    Args:
        queries, keys: `(b, n, heads, d)`.
        bias: what is added to the logits, or None.
        scale: of the products.
    """
    logits = ops.einsum("bqhd,bkhd->bhqk", queries * scale, keys)
    if bias is not None:
        logits = logits + bias
    dtype = keras.backend.standardize_dtype(logits.dtype)
    if dtype in ("float16", "bfloat16"):
        return ops.cast(ops.softmax(ops.cast(logits, "float32"), axis=-1), dtype)
    return ops.softmax(logits, axis=-1)


def attend(queries, keys, values, bias, scale, fused):
    """What the heads read of the values, `(b, n, heads, d)`."""
    if fused:
        return ops.dot_product_attention(queries, keys, values, bias=bias, scale=scale)
    return ops.einsum("bhqk,bkhd->bqhd", weights_of(queries, keys, bias, scale), values)
