"""Attention that is told where the keypoints of an image are."""

import keras
from keras import ops

from keras_resample.layers.attention.keypoint_relative_bias import KeypointRelativeBias
from keras_resample.layers.attention.relative_attention import RelativeAttention

# What its own bias layer has from it.
OF_THE_BIAS = ("grid_size", "mode", "num_class_tokens", "method", "alpha", "beta", "gamma")
OF_THE_BIAS += ("stop_gradient",)


@keras.saving.register_keras_serializable(package="keras_resample")
class KeypointRelativeAttention(RelativeAttention):
    """Self-attention of patches whose bias moves with the keypoints of their image (KP-RPE).

    It takes the keypoints, for which it owns a `KeypointRelativeBias`, or the bias that one such
    layer gives to all attentions of a network.

    Args:
        num_heads, key_dim, position, qkv_bias, attention: as of `RelativeAttention`.
        grid_size, mode, num_class_tokens, method, alpha, beta, gamma, stop_gradient: as of
            `KeypointRelativeBias`, of keypoints that are given to this layer.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        tokens: `(batch, n, channels)`, patches of the grid row by row, behind class tokens.
        keypoints: `(batch, num_keypoints, 2)`, relative (x, y).
        bias: `(batch, heads, n, n)`, what is added to the logits; with keypoints to theirs.
        present: bool `(batch, num_keypoints)`, False for keypoints that are not known.
        training: as of `RelativeAttention`.

    Output shape:
        `(batch, n, channels)`, of the layer's compute dtype.

    Raises:
        ValueError: as of both layers, and for tokens that are not those of the grid.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> tokens = np.random.rand(2, 16, 32).astype("float32")
    >>> keypoints = np.random.rand(2, 5, 2).astype("float32")
    >>> attention = kr.layers.KeypointRelativeAttention(num_heads=4, grid_size=4)
    >>> attention(tokens, keypoints).shape == (2, 16, 32)
    True
    >>> bias = kr.layers.KeypointRelativeBias(num_heads=4, depth=6, grid_size=4)
    >>> attention = kr.layers.KeypointRelativeAttention(num_heads=4)
    >>> attention(tokens, bias=bias(keypoints, index=0)).shape == (2, 16, 32)
    True

    Reference:
        "KeyPoint Relative Position Encoding for Face Recognition", CVPR 2024
    """

    def __init__(
        self,
        num_heads,
        key_dim=None,
        position=None,
        qkv_bias=False,
        attention="auto",
        grid_size=14,
        mode="multihead",
        num_class_tokens=0,
        method="product",
        alpha=1.9,
        beta=3.8,
        gamma=15.2,
        stop_gradient=True,
        **kwargs,
    ):
        super().__init__(num_heads, key_dim, position, qkv_bias, attention, **kwargs)
        self.keypoint_bias = KeypointRelativeBias(
            num_heads,
            grid_size=grid_size,
            mode=mode,
            num_class_tokens=num_class_tokens,
            method=method,
            alpha=alpha,
            beta=beta,
            gamma=gamma,
            stop_gradient=stop_gradient,
            trainable=self.trainable,
            dtype=self.dtype_policy,
            name="keypoint_bias",
        )
        for name in OF_THE_BIAS:
            setattr(self, name, getattr(self.keypoint_bias, name))

    def build(self, tokens_shape, keypoints_shape=None, bias_shape=None, present_shape=None):
        super().build(tokens_shape)
        if keypoints_shape is not None:
            self.keypoint_bias.check_tokens(tokens_shape[1], "tokens")
            self.keypoint_bias.build(keypoints_shape)

    def call(self, tokens, keypoints=None, bias=None, present=None, training=None):
        self._check_given(keypoints, present)
        if bias is not None:
            self._check_bias(bias.shape, tokens.shape)
        if keypoints is not None:
            self.keypoint_bias.check_tokens(tokens.shape[1], "tokens")
            own = self.keypoint_bias(keypoints, present, index=0)
            bias = own if bias is None else ops.cast(bias, self.compute_dtype) + own
        return super().call(tokens, bias, training)

    def compute_output_shape(
        self, tokens_shape, keypoints_shape=None, bias_shape=None, present_shape=None
    ):
        return super().compute_output_shape(tokens_shape)

    def compute_output_spec(self, tokens, keypoints=None, bias=None, present=None, training=None):
        self._check_given(keypoints, present)
        return super().compute_output_spec(tokens, bias)

    def get_config(self):
        return {**super().get_config(), **{name: getattr(self, name) for name in OF_THE_BIAS}}

    def _check_given(self, keypoints, present):
        if keypoints is None and present is not None:
            raise ValueError("`present` must come with `keypoints`. Received: keypoints=None")
        if keypoints is not None and self.built and not self.keypoint_bias.built:
            raise ValueError(
                "`keypoints` must be given from the first call on, which makes their weights. "
                "Received: keypoints, after a call without"
            )
