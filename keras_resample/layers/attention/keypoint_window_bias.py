"""The bias by keypoints for attention in windows."""

import keras
import numpy as np
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_integer
from keras_resample.layers.attention.keypoint_relative_bias import KeypointRelativeBias
from keras_resample.ops.relative_position import bucket_ids, read_tables
from keras_resample.ops.windows import places_in_windows, shift_of


@keras.saving.register_keras_serializable(package="keras_resample")
class KeypointWindowBias(KeypointRelativeBias):
    """`KeypointRelativeBias` for attention in windows of a map, as in Swin.

    f(P) is computed for the places of the whole map; then padded by zeros, shifted and cut as the
    map is, and read by the buckets of the window. (The paper speaks of a grid for each window; this
    is its code.)

    Args:
        num_heads, depth, mode, share_heads, share_depth: as of `KeypointRelativeBias`.
        grid_size: `(rows, columns)` of the map, or one integer for a square.
        window_size: side of a window in patches.
        method, alpha, beta, gamma, stop_gradient: as of `KeypointRelativeBias`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        keypoints, present: as of `KeypointRelativeBias`.
        index: depth to give the bias of; may be left out where there is one.
        shift: patches by which the windows are shifted; along a side of one window they are not.

    Output shape:
        `(batch, windows, heads, n, n)`, query by key, `n = window_size^2`.

    Raises:
        ValueError: as `KeypointRelativeBias`, for several depths without an index, and for a shift
            outside [0, window_size).

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> bias = kr.layers.KeypointWindowBias(num_heads=4, depth=2, grid_size=10, window_size=5)
    >>> bias(np.random.rand(2, 5, 2).astype("float32"), index=1, shift=2).shape == (2, 4, 4, 25, 25)
    True

    Reference:
        "KeyPoint Relative Position Encoding for Face Recognition", CVPR 2024
    """

    def __init__(
        self,
        num_heads,
        depth=1,
        grid_size=14,
        window_size=7,
        mode="multihead",
        share_heads=None,
        share_depth=None,
        method="product",
        alpha=1.9,
        beta=3.8,
        gamma=15.2,
        stop_gradient=True,
        **kwargs,
    ):
        super().__init__(
            num_heads,
            depth,
            grid_size,
            mode,
            share_heads,
            share_depth,
            num_class_tokens=0,
            method=method,
            alpha=alpha,
            beta=beta,
            gamma=gamma,
            stop_gradient=stop_gradient,
            **kwargs,
        )
        self.window_size = as_integer(window_size, "window_size")
        window = self.window_size, self.window_size
        self.ids = bucket_ids(window, self.method, self.alpha, self.beta, self.gamma, 0)

    def call(self, keypoints, present=None, index=None, shift=0):
        index = self._checked_index(index)
        keypoints = self._checked_keypoints(keypoints, present)
        with backend.fusion():
            bias = self._bias_in_windows(keypoints, present, index, shift)
        batch, windows, _, queries, keys = ops.shape(bias)
        bias = ops.broadcast_to(bias, (batch, windows, self.num_heads, queries, keys))
        return ops.cast(bias, self.compute_dtype)

    def compute_output_shape(self, keypoints_shape, present_shape=None, index=None, shift=0):
        batch = self._checked_batch(keypoints_shape, present_shape)
        self._checked_index(index)
        places = places_in_windows(self.grid_size, self.window_size, self._shift(shift))
        count = self.window_size**2
        return (batch, len(places), self.num_heads, count, count)

    def compute_output_spec(self, keypoints, present=None, index=None, shift=0):
        present_shape = None if present is None else present.shape
        shape = self.compute_output_shape(keypoints.shape, present_shape, index, shift)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        config = super().get_config()
        del config["num_class_tokens"]
        return {**config, "window_size": self.window_size}

    def _bias_in_windows(self, keypoints, present, index, shift):
        """Bias (batch, windows, 1 or heads, n, n) of one depth, in float32."""
        *slope, constant = self._tables(keypoints, present, 0 if self.share_depth else index)
        places = places_in_windows(self.grid_size, self.window_size, self._shift(shift))
        inside = (places >= 0).astype("float32")[:, None, :, None]
        bias = read_tables(self.ids, constant[:, None]) * ops.convert_to_tensor(inside)
        if slope:
            batch, heads, count, buckets = ops.shape(slope[0])
            slope = ops.pad(slope[0], ((0, 0), (0, 0), (0, 1), (0, 0)))  # a row for padding
            order = ops.convert_to_tensor(np.where(places < 0, count, places).reshape(-1))
            slope = backend.gather(slope, order, axis=2)
            slope = ops.reshape(slope, (batch, heads, *places.shape, buckets))
            bias += read_tables(self.ids, ops.transpose(slope, (0, 2, 1, 3, 4)))
        return bias

    def _checked_index(self, index):
        if index is None and self.depth > 1:
            raise ValueError(
                f"`index` must say which of depth={self.depth} the bias is for. "
                "Received: index=None"
            )
        return super()._checked_index(0 if index is None else index)

    def _shift(self, shift):
        shift = as_integer(shift, "shift", 0)
        if shift >= self.window_size:
            raise ValueError(
                f"`shift` must be below window_size={self.window_size}. Received: shift={shift}"
            )
        return shift_of(self.grid_size, self.window_size, shift)
