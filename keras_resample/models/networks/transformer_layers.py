"""The layers of vision transformers for faces, named as in CVLface."""

import dataclasses

import keras
from keras import layers, ops

from keras_resample.arguments import (
    as_bool,
    as_data_format,
    as_integer,
    as_number,
    check_choice,
)
from keras_resample.layers.attention.absolute_position import AbsolutePosition
from keras_resample.layers.attention.masked_tokens import MaskedTokens
from keras_resample.layers.attention.products import PRODUCTS
from keras_resample.layers.attention.relative_attention import RelativeAttention
from keras_resample.models.networks.face_layers import projection_dtype

EPSILON, HEAD_EPSILON, MOMENTUM = 1e-5, 2e-5, 0.9


@dataclasses.dataclass(frozen=True)
class Transformer:
    """The measures of a vision transformer.

    Args:
        width: channels of a token.
        depth: number of blocks.
        num_heads: heads of each attention.
        mlp_ratio: channels inside of a block's two dense layers, over `width`.
    """

    width: int
    depth: int
    num_heads: int
    mlp_ratio: float = 4.0

    def __post_init__(self):
        for name in ("width", "depth", "num_heads"):
            object.__setattr__(self, name, as_integer(getattr(self, name), name))
        object.__setattr__(self, "mlp_ratio", as_number(self.mlp_ratio, "mlp_ratio", "(0, inf)"))
        if self.width % self.num_heads:
            raise ValueError(
                "`width` must be a multiple of `num_heads`. "
                f"Received: width={self.width}, num_heads={self.num_heads}"
            )


# Those of CVLface, which are not those of DeiT.
SIZES = {
    "small": Transformer(512, 12, 8, 5.0),
    "base": Transformer(512, 24, 16, 3.0),
}


def as_measures(size, sizes, kind):
    """A name of `sizes`, or a dict of measures, as one of the dataclass `kind`."""
    if isinstance(size, str) and size in sizes:
        return sizes[size]
    fields = dataclasses.fields(kind)
    names = [field.name for field in fields]
    needed = {field.name for field in fields if field.default is dataclasses.MISSING}
    if not isinstance(size, dict) or not needed <= set(size) <= set(names):
        raise ValueError(
            f"`size` must be one of {', '.join(map(repr, sizes))}, or a dict of "
            f"{', '.join(names)}. Received: size={size!r}"
        )
    return kind(**size)


class TransformerLayers:
    """What vision transformers are made of.

    Args:
        drop_path: rate of the last block's stochastic depth; those before have less, the first 0.
        depth: number of blocks.
        attention: which product the attentions take, as of `RelativeAttention`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.
    """

    def __init__(self, drop_path, depth, attention, data_format):
        self.drop_path = as_number(drop_path, "drop_path", "[0, 1)")
        self.depth = depth
        check_choice(attention, "attention", PRODUCTS)
        self.attention = attention
        self.data_format = as_data_format(data_format)

    def grid_size(self, input_shape, patch_size):
        """`(rows, columns)` of the patches; pixels beyond the last whole one are left out."""
        last = self.data_format == "channels_last"
        sides = input_shape[:2] if last else input_shape[1:]
        patch_size = as_integer(patch_size, "patch_size")
        if min(sides) < patch_size:
            raise ValueError(
                f"`patch_size` must be at most the sides of {tuple(input_shape)}. "
                f"Received: patch_size={patch_size}"
            )
        return sides[0] // patch_size, sides[1] // patch_size

    def keypoint_inputs(self, input_shape, num_keypoints, missing_keypoints):
        """Images, keypoints, and a tuple of which are present, empty where all have to be."""
        images = keras.Input(input_shape, name="images")
        keypoints = keras.Input((num_keypoints, 2), dtype="float32", name="keypoints")
        if not as_bool(missing_keypoints, "missing_keypoints"):
            return images, keypoints, ()
        return images, keypoints, (ops.all(ops.isfinite(keypoints), axis=-1),)

    def patches(self, images, patch_size, width):
        """Maps (b, rows, columns, width) of patches, whatever the format of the images."""
        x = layers.Conv2D(
            width,
            patch_size,
            strides=patch_size,
            data_format=self.data_format,
            kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"),
            name="patch_embed",
        )(images)
        if self.data_format == "channels_first":
            x = layers.Permute((2, 3, 1), name="channels_last")(x)
        return x

    def tokens(self, images, patch_size, width, mask_ratio, absolute=True):
        """Tokens (b, n, width), with a learned vector of the place of each if `absolute`."""
        x = self.patches(images, patch_size, width)
        grid_size = x.shape[1:3]
        x = layers.Reshape((grid_size[0] * grid_size[1], width), name="tokens")(x)
        if absolute:
            x = AbsolutePosition(grid_size, name="pos_embed")(x)
        return self.masked(x, mask_ratio)

    def masked(self, x, mask_ratio):
        """Tokens or maps of them; training puts a learned one for a share of each image's."""
        if not as_number(mask_ratio, "mask_ratio", "[0, 1)"):
            return x
        shape = x.shape[1:]
        if len(shape) == 2:
            return MaskedTokens(mask_ratio, name="mask_token")(x)
        x = layers.Reshape((shape[0] * shape[1], shape[2]), name="tokens")(x)
        x = MaskedTokens(mask_ratio, name="mask_token")(x)
        return layers.Reshape(shape, name="maps")(x)

    def block(self, x, plan, index, position=None, bias=None):
        """Attention and two dense layers, each with a normalization before, added to the input."""
        name = f"blocks_{index}"
        y = self.normalization(x, f"{name}_norm1")
        attention = RelativeAttention(
            plan.num_heads, position=position, attention=self.attention, name=f"{name}_attn"
        )
        y = attention(y) if bias is None else attention(y, bias=bias)
        x = self.added(x, y, index, f"{name}_1")
        y = self.normalization(x, f"{name}_norm2")
        y = self.dense(y, round(plan.mlp_ratio * plan.width), f"{name}_mlp_fc1")
        y = layers.ReLU(6.0, name=f"{name}_mlp_act")(y)
        y = self.dense(y, plan.width, f"{name}_mlp_fc2")
        return self.added(x, y, index, f"{name}_2")

    def head(self, x, width, embedding_dim):
        """Embeddings of all tokens, which keep their places; never in half precision."""
        dtype = projection_dtype()
        x = self.normalization(x, "norm", dtype)
        x = layers.Flatten(data_format="channels_last", dtype=dtype, name="flatten")(x)
        for index, units in enumerate((width, embedding_dim)):
            x = self.dense(x, units, f"feature_{2 * index}", use_bias=False, dtype=dtype)
            name = f"feature_{2 * index + 1}"
            x = layers.BatchNormalization(
                momentum=MOMENTUM, epsilon=HEAD_EPSILON, dtype=dtype, name=name
            )(x)
        return x

    def normalization(self, x, name, dtype=None):
        return layers.LayerNormalization(epsilon=EPSILON, dtype=dtype, name=name)(x)

    def dense(self, x, width, name, use_bias=True, dtype=None):
        initializer = keras.initializers.TruncatedNormal(stddev=0.02)
        return layers.Dense(
            width, use_bias=use_bias, kernel_initializer=initializer, dtype=dtype, name=name
        )(x)

    def added(self, x, y, index, name):
        """The sum; in training a part of the images goes without y (stochastic depth)."""
        rate = self.drop_path * index / max(self.depth - 1, 1)
        if rate:
            shape = (None, *(1,) * (len(y.shape) - 1))
            y = layers.Dropout(rate, noise_shape=shape, name=f"{name}_drop_path")(y)
        return layers.Add(name=f"{name}_add")([x, y])
