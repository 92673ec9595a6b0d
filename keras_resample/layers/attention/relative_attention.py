"""Attention of all tokens with all, with anything added that says where they are."""

import keras
from keras import ops

from keras_resample.arguments import as_bool, as_integer, check_choice
from keras_resample.layers.attention.products import (
    PRODUCTS,
    attend,
    dense_of,
    fits,
    is_fused,
    weights_of,
)


@keras.saving.register_keras_serializable(package="keras_resample")
class RelativeAttention(keras.layers.Layer):
    """Multi-head self-attention `softmax(q k^T / sqrt(d) + B) v`, with a bias or an encoding of
    positions.

    Queries, keys and values are one dense layer, as is what joins the heads, so that `quantize` and
    `enable_lora` of Keras reach them. (As of Keras's own attention, a `.keras` file of a quantized
    one is not loaded: save it before, and quantize what was loaded.)

    Args:
        num_heads: number of heads.
        key_dim: numbers of a query, a key and a value of a head; by default the tokens' channels
            over `num_heads`.
        position: a layer that encodes positions, such as `RelativeBias`, `ImageRelativePosition` or
            `RotaryPosition2D`: called with queries and keys `(batch, n, heads, key_dim)` it gives
            both as they are used, and a bias or `None`. One that has `on_values` gives by
            `values(weights)` what is added to the output of the heads.
        qkv_bias: whether queries, keys and values have biases.
        attention: `"fused"` is `keras.ops.dot_product_attention`, `"einsum"` two products and a
            softmax. `"auto"` is einsum on TensorFlow, where it is faster, on PyTorch while a bias
            is trained, where the fused one is slower and on a GPU may add in no fixed order, on JAX
            in training on a CPU, where it is slower, and in float16, which its fused one does not
            compute on a CPU, and where `position` needs the weights. On a TPU it is einsum too, and
            "fused" is refused: Keras gives its kernel no bias.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        tokens: `(batch, n, channels)`.
        bias: what is added to the logits, query by key: `(batch, heads, n, n)`, where batch and
            heads may be 1. Default: nothing.
        training: whether it is; on a CPU JAX's fused product is the quicker one only in inference.

    Output shape:
        `(batch, n, channels)`, of the layer's compute dtype.

    Raises:
        ValueError: for an argument out of its range, channels that the heads do not divide, or
            tokens or a bias of another shape.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> position = kr.layers.RelativeBias(num_heads=4, grid_size=3)
    >>> attention = kr.layers.RelativeAttention(num_heads=4, position=position)
    >>> attention(np.random.rand(2, 9, 32).astype("float32")).shape == (2, 9, 32)
    True

    Reference:
        "Attention Is All You Need", 2017
    """

    def __init__(
        self, num_heads, key_dim=None, position=None, qkv_bias=False, attention="auto", **kwargs
    ):
        super().__init__(autocast=False, **kwargs)
        self.num_heads = as_integer(num_heads, "num_heads")
        self.key_dim = None if key_dim is None else as_integer(key_dim, "key_dim")
        if position is not None and not isinstance(position, keras.Layer):
            raise ValueError(
                f"`position` must be a Keras layer or None. Received: position={position!r}"
            )
        self.position = position
        if position is not None and not self.trainable:
            position.trainable = False  # Keras hands it on only when it is set later
        self.qkv_bias = as_bool(qkv_bias, "qkv_bias")
        check_choice(attention, "attention", PRODUCTS)
        self.attention = attention
        if attention == "fused" and self._on_values:
            raise ValueError(
                "`attention` must be 'einsum' or 'auto' for a position that acts on values, as "
                f"fused kernels give no weights. Received: attention={attention!r}"
            )

    def build(self, tokens_shape, bias_shape=None):
        channels = self._check_tokens(tokens_shape)
        self.width = self.num_heads * (self.key_dim or channels // self.num_heads)
        self.qkv = dense_of(self, 3 * self.width, "qkv", use_bias=self.qkv_bias)
        self.qkv.build(tokens_shape)
        self.projection = dense_of(self, channels, "projection")
        self.projection.build((*tokens_shape[:-1], self.width))
        if self.position is not None and not self.position.built:
            heads = (*tokens_shape[:-1], self.num_heads, self.width // self.num_heads)
            self.position.build(heads, heads)
        self.built = True

    def call(self, tokens, bias=None, training=None):
        tokens = ops.cast(tokens, self.compute_dtype)
        self._check_tokens(tokens.shape)
        if bias is not None:
            self._check_bias(bias.shape, tokens.shape)
            bias = ops.cast(bias, self.compute_dtype)
        batch, count, _ = ops.shape(tokens)
        shape = (batch, count, 3, self.num_heads, self.width // self.num_heads)
        heads = ops.reshape(self.qkv(tokens), shape)
        queries, keys, values = heads[:, :, 0], heads[:, :, 1], heads[:, :, 2]
        if self.position is not None:
            queries, keys, own = self._positioned(queries, keys)
            bias = own if bias is None or own is None else bias + own
        outputs = self._attended(queries, keys, values, bias, training)
        return self.projection(ops.reshape(outputs, (batch, count, self.width)))

    def compute_output_shape(self, tokens_shape, bias_shape=None):
        self._check_tokens(tokens_shape)
        return tuple(tokens_shape)

    def compute_output_spec(self, tokens, bias=None, training=None):
        if bias is not None:
            self._check_bias(bias.shape, tokens.shape)
        return keras.KerasTensor(self.compute_output_shape(tokens.shape), dtype=self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "position": keras.saving.serialize_keras_object(self.position),
            "qkv_bias": self.qkv_bias,
            "attention": self.attention,
        }

    @classmethod
    def from_config(cls, config):
        position = keras.saving.deserialize_keras_object(config["position"])
        return cls(**{**config, "position": position})

    @property
    def _on_values(self):
        return getattr(self.position, "on_values", False)

    def _positioned(self, queries, keys):
        """Queries, keys and the bias of `position`, which may have another dtype policy."""
        results = self.position(queries, keys)
        return [None if x is None else ops.cast(x, self.compute_dtype) for x in results]

    def _attended(self, queries, keys, values, bias, training):
        """What the heads read, (batch, n, heads, key_dim)."""
        scale = (self.width // self.num_heads) ** -0.5
        if not self._on_values:
            fused = is_fused(self.attention, bias, self.compute_dtype, training)
            return attend(queries, keys, values, bias, scale, fused)
        weights = weights_of(queries, keys, bias, scale)
        outputs = ops.einsum("bhqk,bkhd->bqhd", weights, values)
        return outputs + ops.cast(self.position.values(weights), self.compute_dtype)

    def _check_tokens(self, shape):
        if len(shape) != 3 or shape[2] is None:
            raise ValueError(
                "`tokens` must have shape (batch, n, channels). "
                f"Received: tokens of shape {tuple(shape)}"
            )
        if self.key_dim is None and shape[2] % self.num_heads:
            raise ValueError(
                f"`num_heads` must divide the {shape[2]} channels of the tokens, or `key_dim` be "
                f"given. Received: num_heads={self.num_heads}"
            )
        return shape[2]

    def _check_bias(self, shape, tokens_shape):
        batch, count, _ = tokens_shape
        sides = (batch, 1), (self.num_heads, 1), (count,), (count,)
        if not fits(shape, sides):
            raise ValueError(
                f"`bias` must have shape (batch, {self.num_heads}, n, n), query by key, with the n "
                f"tokens of {tuple(tokens_shape)}; batch and heads may be 1. "
                f"Received: bias of shape {tuple(shape)}"
            )
