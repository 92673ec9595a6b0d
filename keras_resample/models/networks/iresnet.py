"""The residual networks of ArcFace."""

import keras
from keras import layers

from keras_resample.arguments import as_integer, as_integers, as_number
from keras_resample.models.networks.face_layers import ALIGNED_FACE, FaceLayers, projection_dtype
from keras_resample.models.networks.families import as_family
from keras_resample.models.networks.torch_layers import as_input_shape

FILTERS = (64, 128, 256, 512)
# Blocks of each stage of the published networks, by number.
BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 14, 3),
    100: (3, 13, 30, 3),
    200: (6, 26, 60, 6),
}


def IResNet(
    depths,
    filters=FILTERS,
    input_shape=None,
    embedding_dim=512,
    dropout=None,
    name=None,
    family="insightface",
    data_format=None,
):
    """Residual network from face images to embeddings, as in insightface's arcface_torch.

    A 3x3 convolution at full resolution, then one stage per entry of `depths`; the first block of
    a stage halves the height and width (rounding up). A block is `BN, 3x3 convolution, BN, PReLU,
    3x3 convolution, BN` plus its unchanged input, with nothing after the addition. The last
    feature map is flattened and projected to the embedding, which is not normalised to length 1.

    The weights are those of the original one for one, see `convert.from_torch`. The other
    repositories of the field train the same network with differences that its weights need:

    | family | batch normalization | shortcut 64 -> 64 | dropout | embedding's BN |
    |---|---|---|---|---|
    | insightface | epsilon 1e-5 | convolution | 0 | gamma kept, beta |
    | magface | epsilon 2e-5, momentum 0.1 | convolution | 0.4, whole channels | gamma, beta |
    | adaface, cvlface | epsilon 1e-5 | every second pixel | 0.4 | neither |
    | curricularface | epsilon 1e-5, none before PReLU | every second pixel | 0.4 | neither |

    The network named IR_101 by the last three is `IResNet100` here.

    Args:
        depths: Blocks of each stage, positive integers.
        filters: Channels of each stage. The stem has those of the first.
        input_shape: (height, width, channels) of the images, each known, or (channels, height,
            width) in the channels_first format. Default: 112 x 112 with three channels.
        embedding_dim: Length of the embedding.
        dropout: Rate in [0, 1) of dropout before the projection. Default: the family's.
        name: Name of the model.
        family: `"insightface"`, `"magface"`, `"adaface"`, `"cvlface"` or `"curricularface"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting. The
            weights are the same in both: `fc` reads in (height, width, channel) order.

    Returns:
        A Functional `keras.Model` from images to (b, embedding_dim). Under a half precision
        policy the projection and the embedding are float32.

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> kr.models.IResNet((1, 1), (8, 16), input_shape=(28, 28, 1), embedding_dim=32).output_shape
    (None, 32)

    Reference:
        - [ArcFace, Deng et al., 2019](https://arxiv.org/abs/1801.07698)
        - [MagFace, Meng et al., 2021](https://arxiv.org/abs/2103.06627)
        - [AdaFace, Kim et al., 2022](https://arxiv.org/abs/2204.00964)
        - [CurricularFace, Huang et al., 2020](https://arxiv.org/abs/2004.00288)
    """
    style = as_family(family)
    make = FaceLayers(data_format, style.epsilon, style.momentum, style.initializer)
    input_shape = as_input_shape(input_shape, ALIGNED_FACE, make.data_format)
    filters = as_integers(filters, "filters")
    depths = as_integers(depths, "depths", length=len(filters))
    embedding_dim = as_integer(embedding_dim, "embedding_dim")
    rate = style.dropout if dropout is None else as_number(dropout, "dropout", "[0, 1)")
    inputs = keras.Input(input_shape, name="image")
    x = make.convolution(inputs, filters[0], 3, 1, "conv1")
    x = make.normalization(x, "bn1")
    x = make.prelu(x, "prelu")
    for stage, (depth, width) in enumerate(zip(depths, filters, strict=True), 1):
        for i in range(depth):
            x = _block(make, style, x, width, 2 if i == 0 else 1, f"layer{stage}_{i}")
    x = make.normalization(x, "bn2")
    if style.drop_channels:
        x = layers.SpatialDropout2D(rate, data_format=make.data_format, name="dropout")(x)
    x = make.flatten(x)
    if not style.drop_channels:
        x = layers.Dropout(rate, name="dropout")(x)
    dtype = projection_dtype()
    x = layers.Dense(
        embedding_dim, dtype=dtype, name="fc", **_linear_initializers(style, x.shape[-1])
    )(x)
    outputs = style.output_normalization(
        momentum=style.momentum, epsilon=style.epsilon, dtype=dtype, name="features"
    )(x)
    return keras.Model(inputs, outputs, name=name or "iresnet")


def _published(number):
    """One of the published networks, a function with the arguments they all have."""

    def network(
        input_shape=None,
        embedding_dim=512,
        dropout=None,
        name=f"iresnet{number}",
        family="insightface",
        data_format=None,
    ):
        return IResNet(
            BLOCKS[number], FILTERS, input_shape, embedding_dim, dropout, name, family, data_format
        )

    blocks = ", ".join(map(str, BLOCKS[number]))
    network.__name__ = network.__qualname__ = f"IResNet{number}"
    network.__doc__ = f"`IResNet` with {blocks} blocks."
    return network


IResNet18 = _published(18)
"""`IResNet` of 24.0 M parameters at 112 x 112; its arguments from `input_shape` on."""
IResNet34 = _published(34)
"""`IResNet` of 34.1 M parameters at 112 x 112; its arguments from `input_shape` on."""
IResNet50 = _published(50)
"""`IResNet` of 43.6 M parameters at 112 x 112; its arguments from `input_shape` on."""
IResNet100 = _published(100)
"""`IResNet` of 65.2 M parameters at 112 x 112; its arguments from `input_shape` on."""
IResNet200 = _published(200)
"""`IResNet` of 118.8 M parameters at 112 x 112; its arguments from `input_shape` on."""


def _block(make, style, x, filters, strides, name):
    y = make.normalization(x, f"{name}_bn1")
    y = make.convolution(y, filters, 3, 1, f"{name}_conv1")
    if style.inner_normalization:
        y = make.normalization(y, f"{name}_bn2")
    y = make.prelu(y, f"{name}_prelu")
    y = make.convolution(y, filters, 3, strides, f"{name}_conv2")
    y = make.normalization(y, f"{name}_bn3")
    if make.channels(x) != filters or (strides > 1 and style.project_shortcuts):
        x = make.convolution(x, filters, 1, strides, f"{name}_downsample_0")
        x = make.normalization(x, f"{name}_downsample_1")
    elif strides > 1:
        x = layers.MaxPooling2D(
            1, strides, data_format=make.data_format, name=f"{name}_downsample"
        )(x)
    return layers.Add(name=f"{name}_add")([y, x])


def _linear_initializers(style, inputs):
    if style.linear_initializer:
        return {"kernel_initializer": style.linear_initializer()}
    # Both are uniform in [-limit, limit], the default of torch.
    limit = inputs**-0.5
    return {
        f"{weight}_initializer": keras.initializers.RandomUniform(-limit, limit)
        for weight in ("kernel", "bias")
    }
