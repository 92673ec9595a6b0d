"""Attention inside of windows of a map, as in Swin V2."""

import math

import keras
from keras import ops

from keras_resample.arguments import as_integer, check_choice
from keras_resample.layers.attention.products import PRODUCTS, attend, dense_of, fits, is_fused
from keras_resample.ops.windows import (
    from_windows,
    shift_mask,
    shift_of,
    to_windows,
    window_counts,
)

# The logarithm of what cosines are multiplied with: at first, and at most.
FIRST_SCALE, LARGEST_SCALE = math.log(10.0), math.log(100.0)


@keras.saving.register_keras_serializable(package="keras_resample")
class WindowAttention(keras.layers.Layer):
    """Multi-head self-attention of the patches of a window, `softmax(s cos(q, k) + B) v`.

    The map is padded by zeros to whole windows and shifted up and left; what a shift brings
    together from two sides of the map does not see each other. The scale `s`, at most 100, is
    learned for each head.

    Args:
        num_heads: number of heads.
        window_size: side of a window in patches.
        shift: patches by which windows are shifted, in [0, window_size); along a side of one window
            they are not.
        attention: as of `RelativeAttention`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        maps: `(batch, height, width, channels)`, height and width known.
        bias: what is added to the logits: `(batch, windows, heads, n, n)`, such as that of
            `KeypointWindowBias` with the same window and shift; the first three may be 1. Default:
            nothing.
        training: whether it is; on a CPU JAX's fused product is the quicker one only in inference.

    Output shape:
        That of the maps, of the layer's compute dtype.

    Raises:
        ValueError: for an argument out of its range, channels that the heads do not divide, maps of
            another rank or unknown sides, or a bias of another shape.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> maps = np.random.rand(2, 7, 7, 16).astype("float32")
    >>> kr.layers.WindowAttention(num_heads=4, window_size=5, shift=2)(maps).shape == (2, 7, 7, 16)
    True

    Reference:
        "Swin Transformer V2: Scaling Up Capacity and Resolution", 2022
    """

    def __init__(self, num_heads, window_size=7, shift=0, attention="auto", **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.num_heads = as_integer(num_heads, "num_heads")
        self.window_size = as_integer(window_size, "window_size")
        self.shift = as_integer(shift, "shift", 0)
        if self.shift >= self.window_size:
            raise ValueError(
                f"`shift` must be below window_size={self.window_size}. Received: shift={shift}"
            )
        check_choice(attention, "attention", PRODUCTS)
        self.attention = attention

    def build(self, maps_shape, bias_shape=None):
        channels = self._check_maps(maps_shape)
        self.qkv = dense_of(self, 3 * channels, "qkv", use_bias=False)
        self.qkv.build((None, channels))
        self.projection = dense_of(self, channels, "projection")
        self.projection.build((None, channels))
        # Keys have none, as in Swin V2.
        self.query_bias, self.value_bias = (
            self.add_weight(shape=(channels,), initializer="zeros", name=f"{name}_bias")
            for name in ("query", "value")
        )
        self.logit_scale = self.add_weight(
            shape=(self.num_heads,),
            initializer=keras.initializers.Constant(FIRST_SCALE),
            autocast=False,
            name="logit_scale",
        )
        self.built = True

    def call(self, maps, bias=None, training=None):
        maps = ops.cast(maps, self.compute_dtype)
        channels = self._check_maps(maps.shape)
        if bias is not None:
            self._check_bias(bias.shape, maps.shape)
        grid_size = tuple(maps.shape[1:3])
        shift = shift_of(grid_size, self.window_size, self.shift)
        windows = to_windows(maps, self.window_size, shift)
        _, count, length, _ = windows.shape
        if any(shift):
            mask = ops.convert_to_tensor(shift_mask(grid_size, self.window_size, shift))
            mask = ops.cast(mask, self.compute_dtype)[None, :, None]
            bias = mask if bias is None else ops.cast(bias, self.compute_dtype) + mask
        queries, keys, values = self._heads(ops.reshape(windows, (-1, length, channels)))
        if bias is not None:
            bias = ops.cast(bias, self.compute_dtype)
            shape = (ops.shape(maps)[0], count, self.num_heads, length, length)
            bias = ops.reshape(ops.broadcast_to(bias, shape), (-1, *shape[2:]))
        fused = is_fused(self.attention, bias, self.compute_dtype, training)
        outputs = attend(queries, keys, values, bias, 1.0, fused)
        outputs = self.projection(ops.reshape(outputs, (-1, count, length, channels)))
        return from_windows(outputs, grid_size, self.window_size, shift)

    def compute_output_shape(self, maps_shape, bias_shape=None):
        self._check_maps(maps_shape)
        return tuple(maps_shape)

    def compute_output_spec(self, maps, bias=None, training=None):
        if bias is not None:
            self._check_bias(bias.shape, maps.shape)
        return keras.KerasTensor(self.compute_output_shape(maps.shape), dtype=self.compute_dtype)

    def get_config(self):
        names = ("num_heads", "window_size", "shift", "attention")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _heads(self, windows):
        """Queries, keys and values, (b, n, heads, d): the first two of length 1, scaled."""
        length, channels = windows.shape[1:]
        query_bias, value_bias = (
            ops.cast(bias, self.compute_dtype) for bias in (self.query_bias, self.value_bias)
        )
        biases = ops.concatenate([query_bias, ops.zeros_like(query_bias), value_bias])
        heads = self.qkv(windows) + biases
        heads = ops.reshape(heads, (-1, length, 3, self.num_heads, channels // self.num_heads))
        scale = ops.exp(ops.minimum(ops.cast(self.logit_scale, "float32"), LARGEST_SCALE))
        queries = _unit(heads[:, :, 0]) * scale[:, None]
        queries, keys = (ops.cast(x, self.compute_dtype) for x in (queries, _unit(heads[:, :, 1])))
        return queries, keys, heads[:, :, 2]

    def _check_maps(self, shape):
        if len(shape) != 4 or None in shape[1:]:
            raise ValueError(
                "`maps` must have shape (batch, height, width, channels), all but the batch known. "
                f"Received: maps of shape {tuple(shape)}"
            )
        if shape[3] % self.num_heads:
            raise ValueError(
                f"`num_heads` must divide the {shape[3]} channels of the maps. "
                f"Received: num_heads={self.num_heads}"
            )
        return shape[3]

    def _check_bias(self, shape, maps_shape):
        count = math.prod(window_counts(maps_shape[1:3], self.window_size))
        length = self.window_size**2
        sides = (maps_shape[0], 1), (count, 1), (self.num_heads, 1), (length,), (length,)
        if not fits(shape, sides):
            raise ValueError(
                f"`bias` must have shape (batch, {count}, {self.num_heads}, {length}, {length}): "
                "windows, heads, query by key; the first three may be 1. "
                f"Received: bias of shape {tuple(shape)}"
            )


def _unit(x):
    """Vectors of length 1, float32; a zero, as padding is, stays zero, with a gradient of zero."""
    x = ops.cast(x, "float32")
    squares = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return ops.where(squares > 0, x * ops.rsqrt(ops.where(squares > 0, squares, 1.0)), 0.0)
