"""The pyramid scene parsing network."""

import keras
from keras import layers

from keras_resample.arguments import as_bool, as_integer, as_integers, as_number, check_choice
from keras_resample.layers.blocks.adaptive_pooling import AdaptivePooling
from keras_resample.models.networks.residual_layers import EXPANSION, IMAGE_OF_ANY_SIZE
from keras_resample.models.networks.segmentation_layers import SegmentationLayers
from keras_resample.models.networks.torch_layers import as_input_shape

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
STRIDES = (1, 2, 1, 1)
# The last two stages keep an eighth of the side and look further instead.
DILATIONS = (1, 1, 2, 4)


def PSPNet(
    depth=50,
    num_classes=19,
    input_shape=None,
    classifier_activation=None,
    full_resolution=False,
    include_preprocessing=True,
    auxiliary=False,
    width=64,
    stem_filters=None,
    bins=(1, 2, 3, 6),
    dropout=0.1,
    align_corners=True,
    name=None,
    data_format=None,
):
    """PSPNet from images to class maps, as in the authors' semseg.

    A residual network with a stem of three 3x3 convolutions, whose last two stages have dilation
    2 and 4 in place of strides, so that features have an eighth of the side; their means over
    1, 4, 9 and 36 windows, each through a 1x1 convolution, enlarged and concatenated with them;
    a 3x3 convolution, dropout of channels and the classifier.

    | network | arguments | parameters | with the auxiliary head |
    |---|---|---|---|
    | PSPNet50 | `50` | 46,715,347 | 49,080,038 |
    | PSPNet101 | `101` | 65,707,475 (published: 65.7 M) | 68,072,166 |
    | R50-d8 v1c | `50, stem_filters=(32, 32, 64)` | 46,610,803 | 48,975,494 |
    | R101-d8 v1c | `101, stem_filters=(32, 32, 64)` | 65,602,931 | 67,967,622 |

    Parameters are the trainable ones with 19 classes, those that a torch count has; running
    statistics come on top. The v1c form is that of other repositories. Strided layers pad both
    sides as torch does, and layers have the names of the original's modules with "_" for ".".

    Args:
        depth: 50, 101 or 152, of the residual network; or the blocks of its four stages.
        num_classes: Channels of the output.
        input_shape: (height, width, channels), or (channels, height, width) in the channels_first
            format; height and width may be `None`. Any size works, not only 8 n + 1 as in the
            original. Default: three channels of any size.
        classifier_activation: Activation of the output, such as `"softmax"` (over the classes);
            `None` for logits.
        full_resolution: Whether the logits are resized to the images; else they have an eighth of
            the side (rounded up), as wanted by `Segmenter`, which resizes them itself.
        include_preprocessing: Whether the images have values of 0 to 255 (R, G, B) and are
            normalized here by ImageNet's mean and deviation, as by the authors. With `False` they
            enter the first convolution as they are.
        auxiliary: Whether the model has a second output, of a head on the third stage. The authors
            train with its loss times 0.4 added and leave it out afterwards.
        width: Channels inside the blocks of the first stage.
        stem_filters: Channels of the three convolutions of the stem. Default:
            `(width, width, 2 * width)`.
        bins: Windows per side of each level of the pyramid.
        dropout: Rate in [0, 1) of the dropout before the classifiers.
        align_corners: How maps are enlarged, see `ResizeLike`.
        name: Name of the model.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.

    Returns:
        A Functional `keras.Model` from images to float32 (b, h', w', num_classes), or
        (b, num_classes, h', w'); to a list of two such with `auxiliary=True`.

    Raises:
        ValueError: For arguments out of the ranges above.

    Example:
    >>> import keras_resample as kr
    >>> model = kr.models.PSPNet((1, 1, 1, 1), 5, (33, 48, 3), width=4, data_format="channels_last")
    >>> model.output_shape
    (None, 5, 6, 5)

    Reference:
        - [Pyramid Scene Parsing Network, Zhao et al., 2017](https://arxiv.org/abs/1612.01105)
    """
    blocks = _as_blocks(depth)
    num_classes, width = as_integer(num_classes, "num_classes"), as_integer(width, "width")
    stem_filters = (width, width, 2 * width) if stem_filters is None else stem_filters
    stem_filters = as_integers(stem_filters, "stem_filters", length=3)
    bins, dropout = as_integers(bins, "bins"), as_number(dropout, "dropout", "[0, 1)")
    make = SegmentationLayers(data_format, align_corners)
    input_shape = as_input_shape(input_shape, IMAGE_OF_ANY_SIZE, make.data_format)
    inputs = keras.Input(input_shape, name="image")
    x = make.preprocessed(inputs, include_preprocessing)
    x = _stem(make, x, stem_filters)
    features = []
    for stage, count in enumerate(blocks):
        for i in range(count):
            strides = STRIDES[stage] if i == 0 else 1
            filters = width * 2**stage
            x = make.bottleneck(x, filters, strides, DILATIONS[stage], f"layer{stage + 1}_{i}")
        features.append(x)
    x = _pyramid(make, x, bins)

    def head(x, filters, name, output):
        x = make.unit(x, filters, 3, 1, f"{name}_0", f"{name}_1")
        x = layers.SpatialDropout2D(dropout, data_format=make.data_format, name=f"{name}_3")(x)
        x = make.logits(x, num_classes, f"{name}_4")
        return make.outputs(x, inputs, full_resolution, classifier_activation, output)

    outputs = head(x, 2 * EXPANSION * width, "cls", "predictions")
    if as_bool(auxiliary, "auxiliary"):
        filters = EXPANSION * width
        outputs = [outputs, head(features[2], filters, "aux", "auxiliary_predictions")]
    return keras.Model(inputs, outputs, name=name or "pspnet")


def _stem(make, x, stem_filters):
    for i, filters in enumerate(stem_filters):
        names = f"layer0_{3 * i}", f"layer0_{3 * i + 1}"
        x = make.unit(x, filters, 3, 2 if i == 0 else 1, *names)
    return make.max_pool(x, "layer0_9")


def _pyramid(make, x, bins):
    """The features, and their means over ever smaller windows."""
    parts = [x]
    for i, count in enumerate(bins):
        name = f"ppm_features_{i}"
        y = AdaptivePooling(count, data_format=make.data_format, name=f"{name}_0")(x)
        y = make.unit(y, make.channels(x) // len(bins), 1, 1, f"{name}_1", f"{name}_2")
        parts.append(make.resize_like(y, x, f"{name}_resize"))
    return make.concatenate(parts, "ppm_concatenate")


def _as_blocks(depth):
    """The blocks of the four stages of a network of this depth."""
    if hasattr(depth, "__len__"):
        return as_integers(depth, "depth", length=len(STRIDES))
    depth = as_integer(depth, "depth")
    check_choice(depth, "depth", tuple(DEPTHS), "or the blocks of four stages")
    return DEPTHS[depth]
