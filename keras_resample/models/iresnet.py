"""The residual networks of ArcFace."""

import keras
from keras import layers

from keras_resample.models.frozen_scale_batch_normalization import FrozenScaleBatchNormalization

FILTERS = (64, 128, 256, 512)
EPSILON = 1e-5
MOMENTUM = 0.9


def IResNet(
    depths,
    filters=FILTERS,
    input_shape=(112, 112, 3),
    embedding_dim=512,
    dropout=0.0,
    name=None,
):
    """Residual network from face images to embeddings, as in insightface's arcface_torch.

    A 3x3 convolution at full resolution, then one stage per entry of `depths`; the first block of
    a stage halves the height and width (rounding up). A block is `BN, 3x3 convolution, BN, PReLU,
    3x3 convolution, BN` plus its unchanged input, with nothing after the addition. The last
    feature map is flattened and projected to the embedding, which is not normalised to length 1.

    The weights are those of the original one for one: layer `layer1_0_conv1` holds what the
    torch module `layer1.0.conv1` does. The network is channels-last whatever the global data
    format; the rows of the kernel of `fc` are therefore in (height, width, channel) order.

    Args:
        depths: Blocks of each stage, positive integers.
        filters: Channels of each stage. The stem has those of the first.
        input_shape: (height, width, channels) of the images, each known. insightface feeds RGB
            scaled to [-1, 1]; others may be trained.
        embedding_dim: Length of the embedding.
        dropout: Rate in [0, 1) of dropout before the projection.
        name: Name of the model.

    Returns:
        A Functional `keras.Model` from (b, height, width, channels) to (b, embedding_dim). Under
        a half precision policy the projection and the embedding are float32.

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> kr.models.IResNet((1, 1), (8, 16), input_shape=(28, 28, 1), embedding_dim=32).output_shape
    (None, 32)

    Reference:
        - [ArcFace, Deng et al., 2019](https://arxiv.org/abs/1801.07698)
    """
    _check(depths, filters, input_shape, embedding_dim)
    inputs = keras.Input(input_shape, name="image")
    x = _convolution(inputs, filters[0], 3, 1, "conv1")
    x = _normalization(x, "bn1")
    x = _prelu(x, "prelu")
    for stage, (depth, width) in enumerate(zip(depths, filters, strict=True), 1):
        for i in range(depth):
            x = _block(x, width, 2 if i == 0 else 1, f"layer{stage}_{i}")
    x = _normalization(x, "bn2")
    x = layers.Flatten(data_format="channels_last", name="flatten")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    # As in the original, the projection is never computed in half precision.
    dtype = "float64" if keras.config.dtype_policy().compute_dtype == "float64" else "float32"
    limit = x.shape[-1] ** -0.5
    x = layers.Dense(
        embedding_dim,
        # Both are uniform in [-limit, limit], the default of torch.
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        bias_initializer=keras.initializers.RandomUniform(-limit, limit),
        dtype=dtype,
        name="fc",
    )(x)
    outputs = FrozenScaleBatchNormalization(
        momentum=MOMENTUM, epsilon=EPSILON, dtype=dtype, name="features"
    )(x)
    return keras.Model(inputs, outputs, name=name or "iresnet")


def IResNet18(input_shape=(112, 112, 3), embedding_dim=512, dropout=0.0, name="iresnet18"):
    """`IResNet` with 2, 2, 2, 2 blocks: 24.0 M parameters at 112 x 112."""
    return IResNet((2, 2, 2, 2), FILTERS, input_shape, embedding_dim, dropout, name)


def IResNet34(input_shape=(112, 112, 3), embedding_dim=512, dropout=0.0, name="iresnet34"):
    """`IResNet` with 3, 4, 6, 3 blocks: 34.1 M parameters at 112 x 112."""
    return IResNet((3, 4, 6, 3), FILTERS, input_shape, embedding_dim, dropout, name)


def IResNet50(input_shape=(112, 112, 3), embedding_dim=512, dropout=0.0, name="iresnet50"):
    """`IResNet` with 3, 4, 14, 3 blocks: 43.6 M parameters at 112 x 112."""
    return IResNet((3, 4, 14, 3), FILTERS, input_shape, embedding_dim, dropout, name)


def IResNet100(input_shape=(112, 112, 3), embedding_dim=512, dropout=0.0, name="iresnet100"):
    """`IResNet` with 3, 13, 30, 3 blocks: 65.2 M parameters at 112 x 112."""
    return IResNet((3, 13, 30, 3), FILTERS, input_shape, embedding_dim, dropout, name)


def IResNet200(input_shape=(112, 112, 3), embedding_dim=512, dropout=0.0, name="iresnet200"):
    """`IResNet` with 6, 26, 60, 6 blocks: 118.8 M parameters at 112 x 112."""
    return IResNet((6, 26, 60, 6), FILTERS, input_shape, embedding_dim, dropout, name)


def _block(x, filters, strides, name):
    y = _normalization(x, f"{name}_bn1")
    y = _convolution(y, filters, 3, 1, f"{name}_conv1")
    y = _normalization(y, f"{name}_bn2")
    y = _prelu(y, f"{name}_prelu")
    y = _convolution(y, filters, 3, strides, f"{name}_conv2")
    y = _normalization(y, f"{name}_bn3")
    if strides > 1 or x.shape[-1] != filters:
        x = _convolution(x, filters, 1, strides, f"{name}_downsample_0")
        x = _normalization(x, f"{name}_downsample_1")
    return layers.Add(name=f"{name}_add")([y, x])


def _convolution(x, filters, size, strides, name):
    # torch pads both sides; "same" pads only bottom and right where the stride is 2.
    if size > 1 and strides > 1:
        x = layers.ZeroPadding2D(size // 2, data_format="channels_last", name=f"{name}_pad")(x)
    return layers.Conv2D(
        filters,
        size,
        strides,
        padding="valid" if strides > 1 else "same",
        use_bias=False,
        data_format="channels_last",
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.1),
        name=name,
    )(x)


def _normalization(x, name):
    return layers.BatchNormalization(axis=-1, momentum=MOMENTUM, epsilon=EPSILON, name=name)(x)


def _prelu(x, name):
    return layers.PReLU(
        alpha_initializer=keras.initializers.Constant(0.25), shared_axes=[1, 2], name=name
    )(x)


def _check(depths, filters, input_shape, embedding_dim):
    if len(depths) != len(filters) or not depths or min(*depths, *filters) < 1:
        raise ValueError(
            "`depths` and `filters` must be positive integers, one per stage. "
            f"Received: {depths=}, {filters=}"
        )
    if len(input_shape) != 3 or None in input_shape:
        raise ValueError(
            "`input_shape` must be a known (height, width, channels): the embedding is a "
            f"projection of the whole feature map. Received: {input_shape=}"
        )
    if embedding_dim < 1:
        raise ValueError(f"`embedding_dim` must be at least 1. Received: {embedding_dim=}")
