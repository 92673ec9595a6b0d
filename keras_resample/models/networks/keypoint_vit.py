"""The vision transformer whose attention follows keypoints (KP-RPE)."""

import keras

from keras_resample.arguments import as_bool, as_integer
from keras_resample.layers.attention.keypoint_relative_bias import KeypointRelativeBias
from keras_resample.models.networks.face_layers import ALIGNED_FACE
from keras_resample.models.networks.torch_layers import as_input_shape
from keras_resample.models.networks.transformer_layers import (
    SIZES,
    Transformer,
    TransformerLayers,
    as_measures,
)


def KeypointViT(
    size="small",
    input_shape=None,
    patch_size=8,
    embedding_dim=512,
    num_keypoints=5,
    mode="multihead",
    share_heads=None,
    share_depth=None,
    absolute=True,
    drop_path=0.1,
    mask_ratio=0.0,
    missing_keypoints=False,
    attention="auto",
    stop_gradient=True,
    name=None,
    data_format=None,
):
    """`ViT` with a bias in all attentions that moves with the keypoints of the image (KP-RPE).

    Trained on aligned images, it works on images that are not, where it is told the keypoints. One
    `KeypointRelativeBias` has the weights of all attentions; they start at zero, where the network
    is the plain one.

    | size | parameters at 112 x 112, 5 keypoints | GFLOPs as in the paper |
    |---|---|---|
    | `"small"` | 96,004,128 | 17.44 |
    | `"base"` | 115,076,736 | 24.90 |

    Keras counts 2,048 more, the running statistics of the batch normalizations.

    Args:
        size, input_shape, patch_size, embedding_dim, drop_path, mask_ratio: As of `ViT`.
        attention, name, data_format: As of `ViT`.
        num_keypoints: Keypoints of an image, such as 5 of a face and 17 of a body.
        mode, share_heads, share_depth, stop_gradient: As of `KeypointRelativeBias`.
        absolute: Whether each token has a learned vector of its place, which does not move with the
            keypoints.
        missing_keypoints: Whether a keypoint may be NaN or infinite, which leaves it out, as in
            `ops.similarity_matrix`. It costs tables of all places for each image; without, such a
            keypoint gives NaN for its own image, and in training for all, by the batch
            normalizations.

    Returns:
        A Functional `keras.Model` from a dict of `"images"` and `"keypoints"` `(b, num_keypoints,
        2)`, relative (x, y), to (b, embedding_dim).

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> tiny = {"width": 32, "depth": 2, "num_heads": 4}
    >>> model = kr.models.KeypointViT(tiny, (28, 28, 1), patch_size=7, embedding_dim=16)
    >>> [tensor.name for tensor in model.inputs], model.output_shape
    (['images', 'keypoints'], (None, 16))

    Reference:
        - "KeyPoint Relative Position Encoding for Face Recognition", CVPR 2024
        - [CVLface](https://github.com/mk-minchul/CVLface)
    """
    plan = as_measures(size, SIZES, Transformer)
    make = TransformerLayers(drop_path, plan.depth, attention, data_format)
    input_shape = as_input_shape(input_shape, ALIGNED_FACE, make.data_format)
    embedding_dim = as_integer(embedding_dim, "embedding_dim")
    num_keypoints = as_integer(num_keypoints, "num_keypoints")
    grid_size = make.grid_size(input_shape, patch_size)
    images, keypoints, present = make.keypoint_inputs(input_shape, num_keypoints, missing_keypoints)
    bias = KeypointRelativeBias(
        plan.num_heads,
        plan.depth,
        grid_size,
        mode,
        share_heads,
        share_depth,
        stop_gradient=stop_gradient,
        name="keypoint_linear",
    )
    x = make.tokens(images, patch_size, plan.width, mask_ratio, as_bool(absolute, "absolute"))
    for index in range(plan.depth):
        x = make.block(x, plan, index, bias=bias(keypoints, *present, index=index))
    inputs = {"images": images, "keypoints": keypoints}
    outputs = make.head(x, plan.width, embedding_dim)
    return keras.Model(inputs, outputs, name=name or "keypoint_vit")
