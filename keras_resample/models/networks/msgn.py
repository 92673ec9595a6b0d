"""The network of several scales and granularities, on residual networks."""

import keras
from keras import layers, ops

from keras_resample.arguments import as_bool, as_integer, as_number, check_choice
from keras_resample.layers.regions.adaptive_region_pooling import AdaptiveRegionPooling
from keras_resample.models.networks.residual_layers import IMAGE_OF_ANY_SIZE
from keras_resample.models.networks.resnet import STRIDE_PLACES, ResNetLayers, as_backbone
from keras_resample.models.networks.torch_layers import as_input_shape

# Mean per channel (B, G, R) that the networks of `keras.applications.resnet` subtract.
CAFFE_MEAN = (103.939, 116.779, 123.68)
STRIDE = "stride"
RATE = 0.5
CONV3_K = 1.0


def MSGN(
    backbone="resnet50",
    num_local_branches=1,
    num_classes=1000,
    input_shape=None,
    conv3=None,
    conv4=STRIDE,
    local_conv4=None,
    classifier_activation=None,
    dropout=0.0,
    include_preprocessing=True,
    stride_in="3x3",
    name=None,
    data_format=None,
):
    """Multiple Scale and Granularity Network: a ResNet that looks at parts in full detail.

    A residual network whose last two stages exist several times. All branches read the same map:
    the global one with strides, a local one through a pooling that cuts the part of it that matters
    and leaves it in detail. The means of their last maps, concatenated, are the embedding.

    | stage of the paper | its layers | what halves the map |
    |---|---|---|
    | Conv1 | `conv1` | strides, a quarter of the side |
    | Conv2 | `layer1` | nothing |
    | Conv3 | `layer2` | `conv3`: adaptive region pooling with k = 1 |
    | Conv4, global | `layer3` | `conv4`: a stride |
    | Conv5, global | `layer4` | a stride |
    | Conv4, local | `local1_layer3`, ... | `local_conv4`: adaptive region pooling with k = 0.7 |
    | Conv5, local | `local1_layer4`, ... | nothing |

    A layer in place of a stride acts on the input of the stage, whose blocks then have none. With
    `num_local_branches=0` and `conv3="stride"` it is torchvision's ResNet, name by name.

    | `backbone` | parameters of the ResNet, GFLOPs | of the MSGN, GFLOPs |
    |---|---|---|
    | `"resnet18"` | 11,689,512, 3.63 | 22,694,952, 7.74 |
    | `"resnet34"` | 21,797,672, 7.33 | 42,246,440, 15.14 |
    | `"resnet50"` | 25,557,032, 8.17 | 49,668,136, 16.65 |
    | `"resnet101"` | 44,549,160, 15.60 | 87,652,392, 31.50 |
    | `"resnext101_32x4d"` | 44,177,704, 15.94 | 86,941,992, 31.54 |
    | `"resnext101_32x8d"` | 88,791,336, 32.82 | 174,745,896, 65.03 |

    Parameters are the trainable ones with 1000 classes; GFLOPs two for each multiplication of a
    convolution, of images of 224 x 224.

    Args:
        backbone: `"resnet50"`, `"resnet101"`, `"resnext101_32x8d"`, `"resnext101_32x4d"`,
            `"resnet18"`, `"resnet34"`, or the measures of another one in a dict: `"depths"`, blocks
            of the four stages; `"filters"` (64), channels of the first stage; `"block"`,
            `"bottleneck"` or `"basic"`; `"groups"` (1) and `"width_per_group"` (64) of a
            bottleneck, as in torchvision; `"small_stem"` (False), for small images one 3x3
            convolution that halves the side, where the usual stem quarters it.
        num_local_branches: Local branches, 0 or more.
        num_classes: Length of the output; `None` for the embedding itself, as wanted by
            `Recognizer`: (1 + branches) times 2048, or 512 for basic blocks of 64 filters.
        input_shape: (height, width, channels), or (channels, height, width) in the channels_first
            format; height and width may be `None`. Default: three channels of any size.
        conv3: What halves the map of Conv3: `"stride"` or a Keras layer such as
            `AdaptiveRegionPooling(0.5)`. Default: that, with k = 1.
        conv4: The same for Conv4 of the global branch.
        local_conv4: The same for Conv4 of the local branches, each of which has a copy of a layer
            from its config: they share nothing. Default: `AdaptiveRegionPooling(0.5, k)` with
            k = 0.7 for one branch and 0.5 for several.
        classifier_activation: Activation of the output, such as `"softmax"`; `None` for logits.
        dropout: Rate in [0, 1) of dropout of the embedding.
        include_preprocessing: What is done with images of values 0 to 255 (R, G, B): with `True`
            they are normalized by ImageNet's mean and deviation, as for torchvision's weights; with
            `"caffe"` as `keras.applications.resnet.preprocess_input` does, for those of
            `keras.applications`; with `False` they enter the first convolution as they are.
        stride_in: Which convolution of a bottleneck has the stride: `"3x3"` as in torchvision,
            `"1x1"`, the first, as in `keras.applications`.
        name: Name of the model.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting; layers
            that are given have their own.

    Returns:
        A Functional `keras.Model` from images to float32 (b, num_classes), or to embeddings.

    Raises:
        ValueError: For arguments out of the ranges above, and `local_conv4` without branches.

    Example:
    >>> import keras_resample as kr
    >>> small = {"depths": (1, 1, 1, 1), "filters": 8, "block": "basic", "small_stem": True}
    >>> model = kr.models.MSGN(small, num_local_branches=2, num_classes=10)
    >>> model.output_shape
    (None, 10)
    >>> kr.models.MSGN(small, num_local_branches=2, num_classes=None).output_shape
    (None, 192)

    Reference:
        - "Adaptive Region Pooling for Fine-Grained Representation Learning", submitted to ICLR
          2022, Section 3.3
    """
    plan = as_backbone(backbone)
    num_local_branches = as_integer(num_local_branches, "num_local_branches", minimum=0)
    if num_classes is not None:
        num_classes = as_integer(num_classes, "num_classes")
    dropout = as_number(dropout, "dropout", "[0, 1)")
    _check_stride_in(stride_in, plan)
    make = ResNetLayers(plan, stride_in, data_format)
    conv3 = _as_reduction(conv3, "conv3", make, CONV3_K, "conv3_pool")
    conv4 = _as_reduction(conv4, "conv4", make)
    local_conv4 = _as_local_reduction(local_conv4, num_local_branches, make)
    input_shape = as_input_shape(input_shape, IMAGE_OF_ANY_SIZE, make.data_format)

    inputs = keras.Input(input_shape, name="image")
    x = make.stage(make.stem(_preprocessed(make, inputs, include_preprocessing)), 1, 1)
    x = _reduced_stage(make, x, 2, conv3)
    parts = [_branch(make, x, conv4, 2)]
    for i in range(1, num_local_branches + 1):
        parts.append(_branch(make, x, _copy(local_conv4, f"local{i}_conv4_pool"), 1, f"local{i}_"))
    x = make.concatenate(parts, "embedding") if num_local_branches else parts[0]
    x = layers.Dropout(dropout, name="dropout")(x)
    if num_classes is not None:
        x = layers.Dense(num_classes, name="fc")(x)
    outputs = layers.Activation(
        classifier_activation or "linear", dtype="float32", name="predictions"
    )(x)
    return keras.Model(inputs, outputs, name=name or "msgn")


def _branch(make, x, conv4, conv5_strides, prefix=""):
    """(b, channels): the mean of the map after Conv4 and Conv5."""
    x = _reduced_stage(make, x, 3, conv4, prefix)
    x = make.stage(x, 4, conv5_strides, prefix)
    return layers.GlobalAveragePooling2D(make.data_format, name=f"{prefix}avgpool")(x)


def _reduced_stage(make, x, number, reduction, prefix=""):
    """A stage with a stride, or behind a layer that takes its place."""
    if reduction == STRIDE:
        return make.stage(x, number, 2, prefix)
    return make.stage(reduction(x), number, 1, prefix)


def _as_reduction(value, name, make, k=None, layer_name=None):
    if value is None and k is not None:
        return AdaptiveRegionPooling(RATE, k, data_format=make.data_format, name=layer_name)
    is_stride = isinstance(value, str) and value == STRIDE
    if not is_stride and not isinstance(value, keras.Layer):
        raise ValueError(
            f"`{name}` must be 'stride' or a Keras layer that halves a map. "
            f"Received: {name}={value!r}"
        )
    return value


def _as_local_reduction(value, branches, make):
    if value is not None and branches == 0:
        raise ValueError(
            "`local_conv4` is for local branches: leave it out where there are none. "
            f"Received: local_conv4={value!r}, num_local_branches=0"
        )
    return _as_reduction(value, "local_conv4", make, 0.7 if branches == 1 else 0.5)


def _copy(reduction, name):
    if reduction == STRIDE:
        return reduction
    return type(reduction).from_config({**reduction.get_config(), "name": name})


def _preprocessed(make, images, include_preprocessing):
    if include_preprocessing == "caffe":
        images = ops.flip(images, make.channel_axis)
        return make.preprocessing(images, CAFFE_MEAN, (1.0, 1.0, 1.0))
    if as_bool(include_preprocessing, "include_preprocessing"):
        return make.preprocessing(images)
    return images


def _check_stride_in(stride_in, plan):
    check_choice(stride_in, "stride_in", STRIDE_PLACES)
    if stride_in == "1x1" and plan.block == "basic":
        raise ValueError(
            "`stride_in` must be '3x3' for basic blocks, which have no 1x1 convolution. "
            f"Received: stride_in={stride_in!r}, block='basic'"
        )
