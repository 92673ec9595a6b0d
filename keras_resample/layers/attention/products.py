"""What attentions share: dense layers, and two products and a softmax, in one piece or in steps."""

import keras
from keras import layers, ops

from keras_resample import backend

PRODUCTS = ("auto", "fused", "einsum")


def is_fused(attention, bias, dtype, training):
    """Whether the product is Keras's fused one; "auto" is the faster one of the backend."""
    if attention == "fused" and not backend.has_fused_attention():
        raise ValueError(
            "`attention` must be 'einsum' or 'auto' on a TPU, whose fused kernel Keras gives no "
            f"bias. Received: attention={attention!r}"
        )
    if attention == "auto":
        return backend.fuses_attention(bias, dtype, training)
    return attention == "fused"


def dense_of(layer, units, name, **options):
    """A dense layer inside of an attention, with an initializer of its own.

    One that several share gives them the same numbers.
    """
    return layers.Dense(
        units,
        kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),  # as of timm
        dtype=layer.dtype_policy,
        trainable=layer.trainable,
        name=name,
        **options,
    )


def fits(shape, sides):
    """Whether each side of a shape is one of those it may be; what is unknown fits."""
    return len(shape) == len(sides) and all(
        None in (side, *known) or side in known for side, known in zip(shape, sides, strict=True)
    )


def weights_of(queries, keys, bias, scale):
    """What each query takes of each key, (b, heads, n, n), by a softmax in float32 at least.

    Args:
        queries, keys: `(b, n, heads, d)`.
        bias: what is added to the logits, or None.
        scale: of the products.
    """
    logits = backend.attention_logits(queries, keys, bias, scale)
    dtype = keras.backend.standardize_dtype(logits.dtype)
    if dtype in ("float16", "bfloat16"):
        return ops.cast(ops.softmax(ops.cast(logits, "float32"), axis=-1), dtype)
    return ops.softmax(logits, axis=-1)


def attend(queries, keys, values, bias, scale, fused):
    """What the heads read of the values, `(b, n, heads, d)`."""
    if fused:
        return ops.dot_product_attention(queries, keys, values, bias=bias, scale=scale)
    return ops.einsum("bhqk,bkhd->bqhd", weights_of(queries, keys, bias, scale), values)
