"""Rotary position encoding of two dimensions, with learned frequencies (RoPE-Mixed)."""

import math

import keras
import numpy as np
from keras import ops

from keras_resample.arguments import as_bool, as_integer, as_number, as_seed
from keras_resample.layers.attention.patch_grid import PatchGridLayer


@keras.saving.register_keras_serializable(package="keras_resample")
class RotaryPosition2D(PatchGridLayer):
    """Turns pairs of numbers of queries and keys by angles that grow with the place of the patch.

    Pair m of head h at column x and row y is turned by `x f_x[h, m] + y f_y[h, m]`, so that a logit
    depends on the offset of its two patches (Eq. 14). Frequencies are learned; they begin in random
    directions, two at a right angle of each length `base^(-4 m / key_dim)`. A `position` of
    `RelativeAttention`.

    Args:
        num_heads: heads of the attention.
        key_dim: length of a query of a head, a multiple of 4.
        grid_size: `(rows, columns)` of the patches, or one integer for a square.
        base: of the lengths of the first frequencies, above 1.
        learned: whether the frequencies are trained.
        num_class_tokens: tokens before the patches, which are not turned.
        seed: integer seed of the first directions, or `None`.
        **kwargs: `name`, `dtype`, `trainable` of `keras.layers.Layer`.

    Call arguments:
        queries, keys: `(batch, n, heads, key_dim)`.

    Returns:
        `(queries, keys, None)`: the first two turned, of the layer's compute dtype.

    Raises:
        ValueError: for an argument out of its range, or tokens, heads or lengths of another number.

    Example:

    >>> import numpy as np
    >>> import keras_resample as kr
    >>> position = kr.layers.RotaryPosition2D(num_heads=4, key_dim=8, grid_size=3)
    >>> heads = np.random.rand(2, 9, 4, 8).astype("float32")
    >>> queries, keys, bias = position(heads, heads)
    >>> queries.shape == (2, 9, 4, 8) and bias is None
    True

    Reference:
        "Rotary Position Embedding for Vision Transformer", 2024
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        grid_size=14,
        base=10.0,
        learned=True,
        num_class_tokens=0,
        seed=None,
        **kwargs,
    ):
        super().__init__(grid_size, num_class_tokens, **kwargs)
        self.num_heads = as_integer(num_heads, "num_heads")
        self.key_dim = as_integer(key_dim, "key_dim")
        if self.key_dim % 4:
            raise ValueError(f"`key_dim` must be a multiple of 4. Received: key_dim={key_dim}")
        self.base = as_number(base, "base", "(1, inf)")
        self.learned = as_bool(learned, "learned")
        self.seed = as_seed(seed)

    def build(self, queries_shape, keys_shape=None):
        self.check_heads(self.num_heads, self.key_dim, queries=queries_shape)
        self.frequencies = self.add_weight(
            shape=(2, self.num_heads, self.key_dim // 2),
            initializer=self._first_frequencies,
            trainable=self.learned,
            autocast=False,
            name="frequencies",
        )
        self.built = True

    def call(self, queries, keys):
        self.check_heads(self.num_heads, self.key_dim, queries=queries.shape, keys=keys.shape)
        rows, cols = np.indices(self.grid_size).reshape(2, -1)
        places = np.pad(np.stack([cols, rows], axis=1), ((self.num_class_tokens, 0), (0, 0)))
        places = ops.convert_to_tensor(places.astype("float32"))
        angles = ops.tensordot(places, ops.cast(self.frequencies, "float32"), axes=1)
        turn = ops.cos(angles), ops.sin(angles)
        return self._turned(queries, *turn), self._turned(keys, *turn), None

    def compute_output_spec(self, queries, keys):
        self.check_heads(self.num_heads, self.key_dim, queries=queries.shape, keys=keys.shape)
        turned = [keras.KerasTensor(x.shape, dtype=self.compute_dtype) for x in (queries, keys)]
        return (*turned, None)

    def get_config(self):
        names = ("num_heads", "key_dim", "base", "learned", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

    def _first_frequencies(self, shape, dtype=None):
        quarter = self.key_dim // 4
        lengths = self.base ** (-np.arange(quarter) / quarter)
        uniform = keras.initializers.RandomUniform(0.0, 2 * math.pi, seed=self.seed)
        angles = uniform((shape[1], 1), dtype="float32")
        angles = ops.concatenate([angles, angles + math.pi / 2], axis=1)[:, :, None]
        lengths = ops.convert_to_tensor(lengths.astype("float32"))
        parts = [lengths * ops.cos(angles), lengths * ops.sin(angles)]
        return ops.cast(ops.reshape(ops.stack(parts), shape), dtype or "float32")

    def _turned(self, heads, cos, sin):
        pairs = ops.reshape(ops.cast(heads, "float32"), (*ops.shape(heads)[:3], -1, 2))
        x, y = pairs[..., 0], pairs[..., 1]
        turned = ops.stack([x * cos - y * sin, x * sin + y * cos], axis=-1)
        return ops.cast(ops.reshape(turned, ops.shape(heads)), self.compute_dtype)
