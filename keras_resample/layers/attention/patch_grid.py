"""What the encodings of a grid of patches share: their grid, and the buckets of its offsets."""

import keras
from keras import ops

from keras_resample.arguments import as_integer, as_size
from keras_resample.layers.attention.products import fits
from keras_resample.ops.relative_position import as_bucket_plan, bucket_ids, num_buckets


def as_grid_size(grid_size):
    """`grid_size` as `(rows, columns)`; one integer is a square."""
    is_pair = isinstance(grid_size, (tuple, list)) or hasattr(grid_size, "__len__")
    return as_size(grid_size if is_pair else (grid_size, grid_size), "grid_size")


class PatchGridLayer(keras.layers.Layer):
    """A layer for tokens that are patches of a grid, row by row, behind those of classes."""

    def __init__(self, grid_size, num_class_tokens, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.grid_size = as_grid_size(grid_size)
        self.num_class_tokens = as_integer(num_class_tokens, "num_class_tokens", 0)

    @property
    def num_tokens(self):
        """Patches and class tokens together."""
        return self.grid_size[0] * self.grid_size[1] + self.num_class_tokens

    def check_tokens(self, count, name):
        """Raises where another number of tokens came; an unknown one passes."""
        if count not in (None, self.num_tokens):
            raise ValueError(
                f"`{name}` must have {self.num_tokens} tokens, {self.num_class_tokens} of classes "
                f"and a grid of {self.grid_size}. Received: {count} tokens"
            )

    def check_heads(self, num_heads, key_dim=None, **shapes):
        """Raises unless shapes, by their names, are `(batch, n, num_heads, key_dim)` of the grid;
        without a `key_dim` of any.
        """
        for name, shape in shapes.items():
            if not fits(shape, ((None,), (None,), (num_heads,), (key_dim,))):
                raise ValueError(
                    f"`{name}` must have shape (batch, n, {num_heads}, {key_dim or 'key_dim'}). "
                    f"Received: {name} of shape {tuple(shape)}"
                )
            self.check_tokens(shape[1], name)

    def get_config(self):
        return {
            **super().get_config(),
            "grid_size": self.grid_size,
            "num_class_tokens": self.num_class_tokens,
        }


class BucketLayer(PatchGridLayer):
    """A layer that has something for each bucket of an offset between two patches.

    Attributes:
        has_class_bucket: whether pairs with a class token are in `ids`, in a bucket of their own.
    """

    has_class_bucket = False

    def __init__(self, grid_size, num_class_tokens, method, alpha, beta, gamma, **kwargs):
        super().__init__(grid_size, num_class_tokens, **kwargs)
        skip = self.num_class_tokens if self.has_class_bucket else 0
        plan = as_bucket_plan(self.grid_size, method, alpha, beta, gamma, skip, "grid_size")
        self.method, self.alpha, self.beta, self.gamma = plan[1:5]
        self.ids, self.num_buckets = bucket_ids(*plan), num_buckets(method, self.beta, skip)

    def get_config(self):
        config = {name: getattr(self, name) for name in ("method", "alpha", "beta", "gamma")}
        return {**super().get_config(), **config}


def beside_class_tokens(bias, count):
    """A bias (..., n, n) of patches with zeros for `count` class tokens before them."""
    if not count:
        return bias
    return ops.pad(bias, [(0, 0)] * (len(bias.shape) - 2) + [(count, 0), (count, 0)])
