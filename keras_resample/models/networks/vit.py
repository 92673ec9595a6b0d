"""The plain vision transformer for faces, with a choice of position encodings."""

import keras

from keras_resample.arguments import as_bool, as_integer, check_choice
from keras_resample.layers.attention.image_relative_position import ImageRelativePosition
from keras_resample.layers.attention.relative_bias import RelativeBias
from keras_resample.layers.attention.rotary_position_2d import RotaryPosition2D
from keras_resample.models.networks.face_layers import ALIGNED_FACE
from keras_resample.models.networks.torch_layers import as_input_shape
from keras_resample.models.networks.transformer_layers import (
    SIZES,
    Transformer,
    TransformerLayers,
    as_measures,
)

POSITIONS = ("absolute", "relative", "irpe", "rotary")


def ViT(
    size="small",
    input_shape=None,
    patch_size=8,
    embedding_dim=512,
    position="absolute",
    absolute=True,
    drop_path=0.1,
    mask_ratio=0.0,
    attention="auto",
    name=None,
    data_format=None,
):
    """Vision transformer from face images to embeddings, as in CVLface.

    Patches become tokens, each with a learned vector of its place. There is no class token: the
    last tokens are flattened and projected to the embedding, which is not normalised to length 1.

    | size | width, depth, heads, MLP | parameters at 112 x 112 | GFLOPs as in the paper, true |
    |---|---|---|---|
    | `"small"` | 512, 12, 8, 2560 | 95,952,384 | 17.42, 18.35 |
    | `"base"` | 512, 24, 16, 1536 | 114,869,760 | 24.83, 26.69 |

    Keras counts 2,048 more, the running statistics of the batch normalizations. GFLOPs count two
    for a multiplication and an addition; the paper leaves the two products of attention out.

    Args:
        size: `"small"`, `"base"`, or the measures of another one in a dict: `"width"`, `"depth"`,
            `"num_heads"` and `"mlp_ratio"` (4).
        input_shape: (height, width, channels) of the images, each known, or (channels, height,
            width) in the channels_first format. Default: 112 x 112 with three channels.
        patch_size: Side of a patch in pixels.
        embedding_dim: Length of the embedding.
        position: What attention knows of places, besides the vector of each token: `"absolute"`
            nothing, `"relative"` a `RelativeBias`, `"irpe"` an `ImageRelativePosition` on queries,
            keys and values, `"rotary"` a `RotaryPosition2D`.
        absolute: Whether each token has a learned vector of its place. Without, only `position`
            tells attention of places, so it may not be `"absolute"`.
        drop_path: Rate in [0, 1) of the last block's stochastic depth; it grows linearly from 0.
        mask_ratio: Share in [0, 1) of the tokens that training puts a learned one for, before the
            first block. Published networks mask nothing.
        attention: As of `RelativeAttention`, of all attentions. "fused" goes without "irpe", which
            needs the weights of attention.
        name: Name of the model.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting. The
            weights are the same in both.

    Returns:
        A Functional `keras.Model` from images to (b, embedding_dim). Under a half precision
        policy the last normalization, the projections and the embedding are float32.

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> tiny = {"width": 32, "depth": 2, "num_heads": 4}
    >>> kr.models.ViT(tiny, input_shape=(28, 28, 1), patch_size=7, embedding_dim=16).output_shape
    (None, 16)

    Reference:
        - [An Image is Worth 16x16 Words](https://arxiv.org/abs/2010.11929)
        - [CVLface](https://github.com/mk-minchul/CVLface)
    """
    plan = as_measures(size, SIZES, Transformer)
    make = TransformerLayers(drop_path, plan.depth, attention, data_format)
    input_shape = as_input_shape(input_shape, ALIGNED_FACE, make.data_format)
    embedding_dim = as_integer(embedding_dim, "embedding_dim")
    check_choice(position, "position", POSITIONS)
    if not as_bool(absolute, "absolute") and position == "absolute":
        raise ValueError(
            "`absolute` must be True where `position` is 'absolute'. "
            f"Received: absolute={absolute!r}"
        )
    grid_size = make.grid_size(input_shape, patch_size)
    inputs = keras.Input(input_shape, name="image")
    x = make.tokens(inputs, patch_size, plan.width, mask_ratio, absolute)
    for index in range(plan.depth):
        x = make.block(x, plan, index, _position(position, plan, grid_size))
    return keras.Model(inputs, make.head(x, plan.width, embedding_dim), name=name or "vit")


def _position(name, plan, grid_size):
    """The layer that an attention gets of its own."""
    heads, key_dim = plan.num_heads, plan.width // plan.num_heads
    if name == "relative":
        return RelativeBias(heads, grid_size)
    if name == "irpe":
        return ImageRelativePosition(heads, key_dim, grid_size, on="qkv")
    return RotaryPosition2D(heads, key_dim, grid_size) if name == "rotary" else None
