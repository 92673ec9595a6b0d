"""The model that published weights belong to, from the names and shapes of the weights."""

import math
import re

import keras

from keras_resample.models.convert.layouts import IRESNET, MOBILEFACENET, RESNET, TRANSFORMER
from keras_resample.models.convert.transformers import build_transformer
from keras_resample.models.networks.iresnet import BLOCKS, IResNet
from keras_resample.models.networks.mobilefacenet import MobileFaceNet
from keras_resample.models.networks.msgn import MSGN
from keras_resample.models.networks.resnet import BACKBONES, BASE_FILTERS, STAGES, Backbone

# Every published face network halves its input four times.
DOWNSAMPLING = 16
NUMBERS = {blocks: number for number, blocks in BLOCKS.items()}
RESNETS = {measures: name for name, measures in BACKBONES.items()}


def build(one, family, tensors):
    """A network with the depths, widths and sizes of the tensors; its weights are not loaded."""
    shape = _Shapes(tensors)
    if one is MOBILEFACENET:
        return _mobilefacenet(shape)
    if one is RESNET:
        return _resnet(shape)
    if one is TRANSFORMER:
        return build_transformer(shape, max(_lengths(tensors, r"(blocks)\.(\d+)\."), default=1))
    if one is IRESNET:
        first, last = "conv1", ("bn2", "fc")
        depths = _lengths(tensors, r"layer(\d+)\.(\d+)\.")
        widths = [shape.of(f"layer{s}.0.conv1.weight", 4)[0] for s in range(1, len(depths) + 1)]
    else:
        first, last = "input_layer.0", ("output_layer.0", "output_layer.3")
        starts, blocks = _stages_of_body(tensors)
        depths = [b - a for a, b in zip(starts, [*starts[1:], blocks], strict=True)]
        widths = [shape.of(f"body.{start}.res_layer.1.weight", 4)[0] for start in starts]
    if one is IRESNET and family == "cvlface":
        family = "insightface"  # whose network it wraps
    embedding_dim, columns = shape.of(f"{last[1]}.weight", 2)
    (channels,) = shape.of(f"{last[0]}.weight", 1)
    side = math.isqrt(columns // channels) * DOWNSAMPLING
    return IResNet(
        depths,
        widths,
        input_shape=shape.image(side, shape.of(f"{first}.weight", 4)[1]),
        embedding_dim=embedding_dim,
        family=family,
        name=f"iresnet{NUMBERS.get(tuple(depths), '')}",
    )


def _resnet(shape):
    """The plain network, of images of any size."""
    for stage in range(1, STAGES + 1):
        shape.of(f"layer{stage}.0.conv1.weight", 4)
    measures = {
        "depths": _lengths(shape.tensors, rf"layer([1-{STAGES}])\.(\d+)\."),
        "filters": shape.of("conv1.weight", 4)[0],
        "block": "basic",
    }
    if "layer1.0.conv3.weight" in shape.tensors:
        width, inputs = shape.of("layer1.0.conv2.weight", 4)[:2]
        groups = max(1, width // inputs)
        width_per_group = max(1, width * BASE_FILTERS // (groups * measures["filters"]))
        measures |= {"block": "bottleneck", "groups": groups, "width_per_group": width_per_group}
    has_classifier = "fc.weight" in shape.tensors
    return MSGN(
        measures,
        num_local_branches=0,
        num_classes=shape.of("fc.weight", 2)[0] if has_classifier else None,
        conv3="stride",
        name=RESNETS.get(Backbone(**measures), "resnet"),
    )


def _mobilefacenet(shape):
    filters, channels = shape.of("layers.0.layers.0.weight", 4)[:2]
    stages = [
        max(_lengths(shape.tensors, rf"(layers)\.{2 * s + 1}\.layers\.(\d+)\.layers\."), default=1)
        for s in range(4)
    ]
    return MobileFaceNet(
        shape.image(shape.of("features.layers.0.layers.0.weight", 4)[2] * DOWNSAMPLING, channels),
        embedding_dim=shape.of("features.layers.2.weight", 2)[0],
        depths=stages,
        filters=filters,
    )


def _lengths(tensors, pattern):
    """How many second numbers there are for each first one, in order of the first."""
    lengths = {}
    for key in tensors:
        if match := re.match(pattern, key):
            stage, block = match.groups()
            lengths[stage] = max(lengths.get(stage, 0), int(block) + 1)
    return [lengths[stage] for stage in sorted(lengths)]


def _stages_of_body(tensors):
    """First block of every stage, which has a projected shortcut after the first stage."""
    blocks = sum(_lengths(tensors, r"(body)\.(\d+)\."))
    projected = re.compile(r"body\.(\d+)\.shortcut_layer\.0\.weight")
    starts = sorted(int(m[1]) for m in map(projected.fullmatch, tensors) if m)
    return [0, *starts], blocks


class _Shapes:
    """Shapes that a network is inferred from; one that is missing or of another rank raises."""

    def __init__(self, tensors):
        self.tensors = tensors

    def of(self, key, rank):
        if key not in self.tensors:
            raise ValueError(
                "`path_or_state_dict` must hold every tensor of its network. "
                f"Received: 1 missing: {key!r}"
            )
        shape = self.tensors[key].shape
        if len(shape) != rank or 0 in shape:
            raise ValueError(
                f"`path_or_state_dict` must hold {key!r} as a tensor of {rank} dimensions. "
                f"Received: 1 misshapen: {key!r} {tuple(shape)}"
            )
        return shape

    @staticmethod
    def image(side, channels):
        """`input_shape` of square images in the global data format."""
        last = keras.config.image_data_format() == "channels_last"
        return (side, side, channels) if last else (channels, side, side)
