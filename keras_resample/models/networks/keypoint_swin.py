"""The Swin transformer whose attention follows keypoints (KP-RPE)."""

import dataclasses

import keras
from keras import layers

from keras_resample.arguments import as_integer, as_integers, as_number
from keras_resample.layers.attention.keypoint_window_bias import KeypointWindowBias
from keras_resample.layers.attention.window_attention import WindowAttention
from keras_resample.layers.blocks.patch_merging import PatchMerging
from keras_resample.models.networks.exact_gelu import exact_gelu
from keras_resample.models.networks.face_layers import ALIGNED_FACE
from keras_resample.models.networks.torch_layers import as_input_shape
from keras_resample.models.networks.transformer_layers import TransformerLayers, as_measures


@dataclasses.dataclass(frozen=True)
class Swin:
    """The measures of a Swin transformer.

    Args:
        width: channels of a token of the first stage; each next one has twice as many.
        depths: blocks of each stage.
        num_heads: heads of the attentions of each stage.
        mlp_ratio: channels inside of a block's two dense layers, over those of a token.
    """

    width: int
    depths: tuple
    num_heads: tuple
    mlp_ratio: float = 4.0

    def __post_init__(self):
        object.__setattr__(self, "width", as_integer(self.width, "width"))
        object.__setattr__(self, "depths", as_integers(self.depths, "depths"))
        heads = as_integers(self.num_heads, "num_heads", length=len(self.depths))
        object.__setattr__(self, "num_heads", heads)
        object.__setattr__(self, "mlp_ratio", as_number(self.mlp_ratio, "mlp_ratio", "(0, inf)"))


SIZES = {
    "small": Swin(128, (2, 2, 12, 2), (4, 8, 16, 32)),
    "base": Swin(128, (2, 2, 18, 2), (4, 8, 16, 32)),
}


def KeypointSwin(
    size="small",
    input_shape=None,
    patch_size=3,
    window_size=5,
    embedding_dim=512,
    num_keypoints=5,
    mode="multihead",
    share_heads=None,
    share_depth=None,
    drop_path=0.1,
    mask_ratio=0.0,
    missing_keypoints=False,
    attention="auto",
    stop_gradient=True,
    name=None,
    data_format=None,
):
    """Swin V2 whose attention in windows has a bias that moves with keypoints (KP-RPE).

    Blocks of windows, every second one shifted by half of one; between stages two by two patches
    become one. A `KeypointWindowBias` of each stage takes the place of Swin's own bias: its weights
    start at zero, and f(P) is of the whole map. All tokens of the last stage are flattened and
    projected to the embedding, as in `ViT`, which is not normalised to length 1.

    | size | blocks of the stages | heads | parameters at 112 x 112, 5 keypoints |
    |---|---|---|---|
    | `"small"` | 2, 2, 12, 2 | 4, 8, 16, 32 | 81,272,736 |
    | `"base"` | 2, 2, 18, 2 | 4, 8, 16, 32 | 100,235,808 |

    Keras counts 2,048 more, the running statistics of the batch normalizations. At 112 x 112 the
    sides of the maps are 37, 19, 10 and 5.

    Args:
        size: `"small"`, `"base"`, or the measures of another one in a dict: `"width"`, `"depths"`,
            `"num_heads"` and `"mlp_ratio"` (4).
        input_shape, embedding_dim, mask_ratio, name, data_format: As of `ViT`.
        patch_size: Side of a patch in pixels.
        window_size: Side of a window in patches.
        num_keypoints, mode, missing_keypoints: As of `KeypointViT`.
        share_heads, share_depth: As of `KeypointViT`, of the heads and blocks of a stage.
        drop_path: Rate in [0, 1) of the last block's stochastic depth; it grows linearly from 0.
        attention: As of `WindowAttention`, of all attentions.
        stop_gradient: As of `KeypointWindowBias`.

    Returns:
        A Functional `keras.Model` from a dict of `"images"` and `"keypoints"` `(b, num_keypoints,
        2)`, relative (x, y), to (b, embedding_dim).

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> tiny = {"width": 16, "depths": (1, 2), "num_heads": (2, 4)}
    >>> model = kr.models.KeypointSwin(tiny, (28, 28, 1), embedding_dim=8)
    >>> [tensor.name for tensor in model.inputs], model.output_shape
    (['images', 'keypoints'], (None, 8))

    Reference:
        - "KeyPoint Relative Position Encoding for Face Recognition", CVPR 2024
        - [Swin Transformer V2](https://arxiv.org/abs/2111.09883)
    """
    plan = as_measures(size, SIZES, Swin)
    make = TransformerLayers(drop_path, sum(plan.depths), attention, data_format)
    input_shape = as_input_shape(input_shape, ALIGNED_FACE, make.data_format)
    embedding_dim = as_integer(embedding_dim, "embedding_dim")
    num_keypoints = as_integer(num_keypoints, "num_keypoints")
    make.grid_size(input_shape, patch_size)
    images, keypoints, present = make.keypoint_inputs(input_shape, num_keypoints, missing_keypoints)
    x = make.patches(images, patch_size, plan.width)
    x = make.masked(make.normalization(x, "patch_norm"), mask_ratio)
    number = 0
    for stage, (depth, heads) in enumerate(zip(plan.depths, plan.num_heads, strict=True)):
        if stage:
            x = PatchMerging(name=f"merge{stage}")(x)
            x = make.dense(x, x.shape[3] // 2, f"merge{stage}_reduction", use_bias=False)
            x = make.normalization(x, f"merge{stage}_norm")
        bias = KeypointWindowBias(
            heads,
            depth,
            x.shape[1:3],
            window_size,
            mode,
            share_heads,
            share_depth,
            stop_gradient=stop_gradient,
            name=f"keypoint_linear_{stage}",
        )
        for index in range(depth):
            shift = window_size // 2 if index % 2 else 0
            moved = bias(keypoints, *present, index=index, shift=shift)
            block = f"layers_{stage}_{index}"
            attend = WindowAttention(heads, window_size, shift, attention, name=f"{block}_attn")
            x = _block(make, x, attend(x, bias=moved), plan.mlp_ratio, block, number)
            number += 1
    inputs = {"images": images, "keypoints": keypoints}
    outputs = make.head(x, embedding_dim, embedding_dim)
    return keras.Model(inputs, outputs, name=name or "keypoint_swin")


def _block(make, x, attended, mlp_ratio, name, number):
    """Normalizations behind what is added, as in the second version of Swin."""
    width = x.shape[3]
    x = make.added(x, make.normalization(attended, f"{name}_norm1"), number, f"{name}_1")
    y = make.dense(x, round(mlp_ratio * width), f"{name}_mlp_fc1")
    y = layers.Activation(exact_gelu, name=f"{name}_mlp_act")(y)
    y = make.dense(y, width, f"{name}_mlp_fc2")
    return make.added(x, make.normalization(y, f"{name}_norm2"), number, f"{name}_2")
