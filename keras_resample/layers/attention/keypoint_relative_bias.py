"""A bias of attention that moves with the keypoints of an image (KP-RPE)."""

import keras
from keras import ops

from keras_resample import backend
from keras_resample.arguments import as_bool, as_integer, check_choice
from keras_resample.layers.attention.patch_grid import BucketLayer, beside_class_tokens
from keras_resample.ops.grids import uniform_grid
from keras_resample.ops.keypoints import check_batches, check_keypoints
from keras_resample.ops.relative_position import read_tables

MODES = ("multihead", "relative", "absolute")


@keras.saving.register_keras_serializable(package="keras_resample")
class KeypointRelativeBias(BucketLayer):
    """What attention adds to the logit of two patches, by where both are from the keypoints.

    The table of relative positions is a function of the keypoints P (Eqs. 7-11):

    `B[i, j] = f(P)[i, bucket(i, j)]`,  `f(P) = (M - P) W + b`

    with the centres M of the patches, and `bucket` as in `ops.relative_position_buckets`. All
    weights start at zero, where attention is what it is without. As f is linear, it is computed as
    `M W + b` of all images and `P W` of each, which is the smaller by the number of patches.

    | `mode` | f | tables by default |
    |---|---|---|
    | `"multihead"` | `(M - P) W + b`, of the query i | one for each head and depth |
    | `"relative"` | the same | one for all heads and depths |
    | `"absolute"` | `P W + b`, the same for all queries | one for all heads and depths |

    Args:
        num_heads: heads of the attention.
        depth: number of attention layers that the bias is for.
        grid_size: `(rows, columns)` of the patches, or one integer for a square. Default: 14, of
            112 pixels in patches of 8.
        mode: a row of the table.
        share_heads, share_depth: whether all heads, or depths, have one table; by default as the
            table says. `"multihead"` with `share_depth=True` and `"relative"` with
            `share_depth=False` are what the reference calls "splithead" and "unshared".
        num_class_tokens: tokens before the patches, whose pairs have no bias.
        method, alpha, beta, gamma: of the buckets.
        stop_gradient: whether no gradient reaches the keypoints, as in the reference.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        keypoints: `(batch, num_keypoints, 2)`, relative (x, y) with edges at 0 and 1; also outside.
            NaN or infinity gives NaN for its own image: leave such a keypoint out by `present`.
        present: bool `(batch, num_keypoints)`, False for keypoints that are not known and add
            nothing, whatever their coordinates. Default: all are.
        index: depth to give the bias of, in [0, depth). Default: all of them.

    Output shape:
        `(depth, batch, heads, n, n)`, with an `index` `(batch, heads, n, n)`; query by key, with
        `n = num_class_tokens + rows * columns`. Of the layer's compute dtype, computed in float32.

    Raises:
        ValueError: for an argument out of its range, heads that share one table in "multihead"
            mode, another number of keypoints than at first, keypoints and `present` of two batches,
            or an `index` outside [0, depth).

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> bias = kr.layers.KeypointRelativeBias(num_heads=8, depth=12, grid_size=4)
    >>> faces = np.random.rand(2, 5, 2).astype("float32")
    >>> bias(faces).shape == (12, 2, 8, 16, 16) and bias(faces, index=3).shape == (2, 8, 16, 16)
    True

    Reference:
        "KeyPoint Relative Position Encoding for Face Recognition", CVPR 2024
    """

    def __init__(
        self,
        num_heads,
        depth=1,
        grid_size=14,
        mode="multihead",
        share_heads=None,
        share_depth=None,
        num_class_tokens=0,
        method="product",
        alpha=1.9,
        beta=3.8,
        gamma=15.2,
        stop_gradient=True,
        **kwargs,
    ):
        super().__init__(grid_size, num_class_tokens, method, alpha, beta, gamma, **kwargs)
        self.num_heads = as_integer(num_heads, "num_heads")
        self.depth = as_integer(depth, "depth")
        check_choice(mode, "mode", MODES)
        self.mode = mode
        shared = mode != "multihead"
        self.share_heads = shared if share_heads is None else as_bool(share_heads, "share_heads")
        self.share_depth = shared if share_depth is None else as_bool(share_depth, "share_depth")
        if mode == "multihead" and self.share_heads:
            raise ValueError(
                "`share_heads` must be False in mode 'multihead'; 'relative' is what its heads "
                "share. Received: share_heads=True"
            )
        self.stop_gradient = as_bool(stop_gradient, "stop_gradient")

    def build(self, keypoints_shape, present_shape=None):
        check_keypoints(keypoints_shape)
        count = keypoints_shape[1]
        heads = 1 if self.share_heads else self.num_heads
        tables = 1 if self.share_depth else self.depth, heads, self.num_buckets
        options = {"initializer": "zeros", "autocast": False}
        self.kernel = self.add_weight(shape=(2 * count, *tables), name="kernel", **options)
        self.bias = self.add_weight(shape=tables, name="bias", **options)
        self.built = True

    def call(self, keypoints, present=None, index=None):
        index = self._checked_index(index)
        keypoints = self._checked_keypoints(keypoints, present)
        depths = range(self.depth) if index is None else [index]
        tables = range(1) if self.share_depth and index is None else depths
        biases = [self._bias_of(keypoints, present, 0 if self.share_depth else d) for d in tables]
        if index is not None:
            return biases[0]
        biases = ops.stack(biases)
        return ops.broadcast_to(biases, (self.depth, *ops.shape(biases)[1:]))

    def compute_output_shape(self, keypoints_shape, present_shape=None, index=None):
        batch = self._checked_batch(keypoints_shape, present_shape)
        one = batch, self.num_heads, self.num_tokens, self.num_tokens
        return one if self._checked_index(index) is not None else (self.depth, *one)

    def compute_output_spec(self, keypoints, present=None, index=None):
        present_shape = None if present is None else present.shape
        shape = self.compute_output_shape(keypoints.shape, present_shape, index)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self):
        names = ("num_heads", "depth", "mode", "share_heads", "share_depth", "stop_gradient")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _bias_of(self, keypoints, present, table):
        """Bias (batch, heads, n, n) of one depth."""
        with backend.fusion():
            bias = read_tables(self.ids, *self._tables(keypoints, present, table))
        batch, _, queries, keys = ops.shape(bias)
        bias = ops.broadcast_to(bias, (batch, self.num_heads, queries, keys))
        return ops.cast(beside_class_tokens(bias, self.num_class_tokens), self.compute_dtype)

    def _tables(self, keypoints, present, table):
        """f(P) of one depth in parts, which are summed.

        Returns:
            What the place of a query adds, (1 or batch, heads, patches, buckets), unless there is
            none; and the rest, (batch, heads, 1, buckets).
        """
        kernel = ops.cast(self.kernel[:, table], "float32")
        bias = ops.cast(self.bias[table], "float32")
        kernel = ops.reshape(kernel, (-1, 2, *kernel.shape[1:]))
        if present is not None:
            present = ops.cast(present, "bool")
            # By infinity, as tf2onnx multiplies by any other condition, and NaN times 0 is NaN.
            is_missing = ops.isinf(ops.where(present[:, :, None], 0.0, float("inf")))
            keypoints = ops.where(is_missing, 0.0, keypoints)
        moved = ops.tensordot(keypoints, kernel, axes=2)
        if self.mode == "absolute":
            return [(bias + moved)[:, :, None]]
        return [self._slope(kernel, present), (bias - moved)[:, :, None]]

    def _slope(self, kernel, present):
        """Tables (1 or batch, heads, patches, buckets) of what the place of a query adds."""
        if present is None:
            slope = ops.sum(kernel, axis=0)[None]
        else:
            slope = ops.tensordot(ops.cast(present, "float32"), kernel, axes=1)
        centers = ops.reshape(uniform_grid(self.grid_size), (-1, 2))
        return ops.einsum("nc,bchk->bhnk", centers, slope)

    def _checked_keypoints(self, keypoints, present):
        """Float32 keypoints, with their gradient or without."""
        keypoints = ops.cast(keypoints, "float32")
        self._checked_batch(keypoints.shape, None if present is None else present.shape)
        return ops.stop_gradient(keypoints) if self.stop_gradient else keypoints

    def _checked_index(self, index):
        if index is None:
            return None
        index = as_integer(index, "index", 0)
        if index >= self.depth:
            raise ValueError(f"`index` must be below depth={self.depth}. Received: index={index}")
        return index

    def _checked_batch(self, shape, present_shape):
        """The batch of keypoints and `present`, either of which may be one for all."""
        check_keypoints(shape)
        count = shape[1]
        if self.built and 2 * count != self.kernel.shape[0]:
            raise ValueError(
                f"`keypoints` must be {self.kernel.shape[0] // 2}, as at first. "
                f"Received: keypoints of shape {tuple(shape)}"
            )
        if present_shape is None:
            return shape[0]
        if tuple(present_shape[1:]) != (count,):
            raise ValueError(
                f"`present` must have shape (batch, {count}), one for each keypoint. "
                f"Received: present of shape {tuple(present_shape)}"
            )
        check_batches(shape, present_shape, "present")
        return present_shape[0] if shape[0] == 1 else shape[0]
