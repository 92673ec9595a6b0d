"""The small face network of insightface."""

import keras
from keras import layers

from keras_resample.arguments import as_integer, as_integers
from keras_resample.models.networks.face_layers import ALIGNED_FACE, FaceLayers, projection_dtype
from keras_resample.models.networks.torch_layers import as_input_shape, kaiming

GROUPS = 64
# Channels inside the blocks of each stage, and of the block before it that halves the size.
STAGE_EXPANSION = (128, 128, 256, 256)
DOWN_EXPANSION = (None, 128, 256, 512)
EMBEDDING_FILTERS = 512


def MobileFaceNet(
    input_shape=None,
    embedding_dim=512,
    depths=(1, 4, 6, 2),
    filters=128,
    name="mobilefacenet",
    data_format=None,
):
    """MobileFaceNet from face images to embeddings, as in insightface's arcface_torch.

    A 3x3 convolution of stride 2, a 3x3 convolution in 64 groups, and three stages of residual
    blocks `1x1 convolution, 3x3 depthwise convolution, 1x1 linear convolution`, each stage after
    a block of the same form that halves the height and width (rounding up). A depthwise
    convolution as large as the last feature map reduces it to one vector, which is projected to
    the embedding. Every convolution is followed by BN, and by PReLU unless it is linear. The
    embedding is not normalised to length 1. 2,059,520 parameters at 112 x 112.

    Args:
        input_shape: (height, width, channels) of the images, each known, or (channels, height,
            width) in the channels_first format. Default: 112 x 112 with three channels.
        embedding_dim: Length of the embedding.
        depths: Blocks of the four stages, positive integers. With 1 as the first, the grouped
            convolution stands in place of the first stage. `(2, 8, 12, 4)` with 256 filters is
            insightface's large network, 6,314,880 parameters.
        filters: Channels of the first two stages, half of those of the others. A multiple of 64
            where there is a grouped convolution.
        name: Name of the model.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting. The
            weights are the same in both.

    Returns:
        A Functional `keras.Model` from images to (b, embedding_dim). Under a half precision
        policy everything after the last stage is float32.

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> model = kr.models.MobileFaceNet((56, 56, 1), embedding_dim=128, depths=(1, 1, 1, 1))
    >>> model.output_shape
    (None, 128)

    Reference:
        - [MobileFaceNets, Chen et al., 2018](https://arxiv.org/abs/1804.07573)
    """
    make = FaceLayers(data_format, epsilon=1e-5, momentum=0.9, initializer=kaiming)
    input_shape = as_input_shape(input_shape, ALIGNED_FACE, make.data_format)
    embedding_dim = as_integer(embedding_dim, "embedding_dim")
    depths = as_integers(depths, "depths", length=4)
    filters = as_integer(filters, "filters")
    if depths[0] == 1 and filters % GROUPS:
        raise ValueError(f"`filters` must be a multiple of {GROUPS}. Received: {filters=}")
    inputs = keras.Input(input_shape, name="image")
    x = _convolution(make, inputs, filters, 3, 2, "conv1")
    if depths[0] == 1:
        x = _convolution(make, x, filters, 3, 1, "conv2", GROUPS)
    for stage, depth in enumerate(depths):
        width = filters if stage < 2 else 2 * filters
        if stage:
            x = _block(make, x, width, DOWN_EXPANSION[stage], 2, f"down{stage}")
        elif depth == 1:
            continue
        for i in range(depth):
            name_i = f"stage{stage}_{i}"
            y = _block(make, x, width, STAGE_EXPANSION[stage], 1, name_i)
            x = layers.Add(name=f"{name_i}_add")([x, y])
    # As in the original, only the stages are computed in half precision.
    make.dtype = projection_dtype()
    x = _convolution(make, x, EMBEDDING_FILTERS, 1, 1, "conv_sep")
    x = make.depthwise(x, make.size(x), 1, "pool", pad=False)
    x = make.normalization(x, "pool_bn")
    x = make.flatten(x)
    x = layers.Dense(
        embedding_dim,
        use_bias=False,
        kernel_initializer=kaiming(),
        dtype=make.dtype,
        name="fc",
    )(x)
    outputs = make.normalization(x, "features")
    return keras.Model(inputs, outputs, name=name)


def _block(make, x, filters, expansion, strides, name):
    x = _convolution(make, x, expansion, 1, 1, f"{name}_expand")
    x = make.depthwise(x, 3, strides, f"{name}_depthwise")
    x = make.normalization(x, f"{name}_depthwise_bn")
    x = make.prelu(x, f"{name}_depthwise_prelu")
    x = make.convolution(x, filters, 1, 1, f"{name}_project")
    return make.normalization(x, f"{name}_project_bn")


def _convolution(make, x, filters, size, strides, name, groups=1):
    x = make.convolution(x, filters, size, strides, name, groups)
    x = make.normalization(x, f"{name}_bn")
    return make.prelu(x, f"{name}_prelu")
