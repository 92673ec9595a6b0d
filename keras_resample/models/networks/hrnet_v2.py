"""The high-resolution network for segmentation."""

import keras
from keras import layers

from keras_resample.arguments import as_integer, as_integers
from keras_resample.models.networks.residual_layers import IMAGE_OF_ANY_SIZE
from keras_resample.models.networks.segmentation_layers import SegmentationLayers
from keras_resample.models.networks.torch_layers import as_input_shape

STEM_FILTERS = 64


def HRNetV2(
    width=48,
    num_classes=19,
    input_shape=None,
    classifier_activation=None,
    full_resolution=False,
    include_preprocessing=True,
    num_bottlenecks=4,
    num_modules=(1, 4, 3),
    num_blocks=4,
    align_corners=False,
    name=None,
    data_format=None,
):
    """HRNetV2 from images to class maps, as in the authors' HRNet-Semantic-Segmentation.

    Two 3x3 convolutions of stride 2, a stage of bottlenecks, and three stages of modules with
    two, three and four branches: branch i has `width * 2**i` channels at 1 / 2^(i+2) of the side.
    In a module every branch passes `num_blocks` residual blocks, then receives the sum of all
    branches, brought to its size by 3x3 convolutions of stride 2 (from finer ones) or a 1x1
    convolution and a bilinear resize (from coarser ones). The head enlarges all branches to the
    finest, concatenates them, and classifies by two 1x1 convolutions.

    | network | arguments | parameters |
    |---|---|---|
    | W48 | `width=48` | 65,859,379 (published: 65.8 M) |
    | W18 | `width=18` | 9,641,119 (published: 9.6 M) |
    | W18-Small-v2 | `18, num_bottlenecks=2, num_modules=(1, 3, 2), num_blocks=2` | 3,939,579 |

    Parameters are the trainable ones with 19 classes, those that a torch count has; running
    statistics come on top. Strided convolutions pad both sides as torch does, and layers have the
    names of the original's modules with "_" for ".".

    Args:
        width: Channels of the finest branch.
        num_classes: Channels of the output.
        input_shape: (height, width, channels), or (channels, height, width) in the channels_first
            format; height and width may be `None`. Any size works, a multiple of 32 or not.
            Default: three channels of any size.
        classifier_activation: Activation of the output, such as `"softmax"` (over the classes);
            `None` for logits.
        full_resolution: Whether the logits are resized to the images; else they have a quarter of
            the side (rounded up), as wanted by `Segmenter`, which resizes them itself.
        include_preprocessing: Whether the images have values of 0 to 255 (R, G, B) and are
            normalized here by ImageNet's mean and deviation, as by the authors. With `False` they
            enter the first convolution as they are.
        num_bottlenecks: Bottleneck blocks of the first stage.
        num_modules: Modules of the stages with two, three and four branches.
        num_blocks: Residual blocks of each branch of a module.
        align_corners: How maps are enlarged; `True` for weights of the branch with OCR.
        name: Name of the model.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.

    Returns:
        A Functional `keras.Model` from images to float32 (b, h', w', num_classes), or
        (b, num_classes, h', w').

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> model = kr.models.HRNetV2(4, 5, (33, 48, 3), num_modules=(1, 1, 1), num_blocks=1,
    ...                           data_format="channels_last")
    >>> model.output_shape
    (None, 9, 12, 5)

    Reference:
        - [Deep High-Resolution Representation Learning for Visual Recognition, Wang et al.,
          2019](https://arxiv.org/abs/1908.07919)
    """
    width, num_classes = as_integer(width, "width"), as_integer(num_classes, "num_classes")
    num_bottlenecks = as_integer(num_bottlenecks, "num_bottlenecks")
    num_modules = as_integers(num_modules, "num_modules", length=3)
    num_blocks = as_integer(num_blocks, "num_blocks")
    make = SegmentationLayers(data_format, align_corners)
    input_shape = as_input_shape(input_shape, IMAGE_OF_ANY_SIZE, make.data_format)
    inputs = keras.Input(input_shape, name="image")
    x = make.preprocessed(inputs, include_preprocessing)
    for i in (1, 2):
        x = make.unit(x, STEM_FILTERS, 3, 2, f"conv{i}", f"bn{i}")
    for i in range(num_bottlenecks):
        x = make.bottleneck(x, STEM_FILTERS, 1, 1, f"layer1_{i}")
    branches = [x]
    for stage, modules in enumerate(num_modules, 2):
        widths = [width * 2**i for i in range(stage)]
        branches = _transition(make, branches, widths, f"transition{stage - 1}")
        for i in range(modules):
            branches = _module(make, branches, num_blocks, f"stage{stage}_{i}")
    finest, *coarser = branches
    parts = [make.resize_like(x, finest, f"resize{i}") for i, x in enumerate(coarser, 1)]
    x = make.concatenate([finest, *parts], "concatenate")
    x = make.unit(x, make.channels(x), 1, 1, "last_layer_0", "last_layer_1", use_bias=True)
    x = make.logits(x, num_classes, "last_layer_3")
    outputs = make.outputs(x, inputs, full_resolution, classifier_activation, "predictions")
    return keras.Model(inputs, outputs, name=name or f"hrnet_v2_w{width}")


def _transition(make, branches, widths, name):
    """The branches with the channels of the next stage, and its new one of half the size."""
    result = []
    for i, filters in enumerate(widths):
        if i == len(branches):
            x = make.unit(branches[-1], filters, 3, 2, f"{name}_{i}_0_0", f"{name}_{i}_0_1")
        elif make.channels(branches[i]) != filters:
            x = make.unit(branches[i], filters, 3, 1, f"{name}_{i}_0", f"{name}_{i}_1")
        else:
            x = branches[i]
        result.append(x)
    return result


def _module(make, branches, num_blocks, name):
    """Residual blocks on every branch, then every branch the sum of all."""
    branches = list(branches)
    for i in range(len(branches)):
        for block in range(num_blocks):
            filters = make.channels(branches[i])
            block_name = f"{name}_branches_{i}_{block}"
            branches[i] = make.basic_block(branches[i], filters, 1, block_name)
    fused = []
    for i, like in enumerate(branches):
        parts = [
            _bring(make, x, like, j - i, f"{name}_fuse_layers_{i}_{j}")
            for j, x in enumerate(branches)
        ]
        x = layers.Add(name=f"{name}_fuse_layers_{i}_add")(parts)
        fused.append(make.relu(x, f"{name}_fuse_layers_{i}_relu"))
    return fused


def _bring(make, x, like, coarser, name):
    """Branch `x` with the size and channels of `like`, which is finer by a factor 2^coarser."""
    filters = make.channels(like)
    if coarser > 0:
        x = make.unit(x, filters, 1, 1, f"{name}_0", f"{name}_1", relu=False)
        return make.resize_like(x, like, f"{name}_resize")
    for k in range(-coarser):
        last = k == -coarser - 1
        width = filters if last else make.channels(x)
        x = make.unit(x, width, 3, 2, f"{name}_{k}_0", f"{name}_{k}_1", relu=not last)
    return x
