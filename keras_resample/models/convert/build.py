"""The model that published weights belong to, from the names and shapes of the weights."""

import math
import re

import keras

from keras_resample.models.convert.layouts import IRESNET, MOBILEFACENET
from keras_resample.models.networks.iresnet import BLOCKS, IResNet
from keras_resample.models.networks.mobilefacenet import MobileFaceNet

# Every published network halves its input four times.
DOWNSAMPLING = 16
NUMBERS = {blocks: number for number, blocks in BLOCKS.items()}


def build(one, family, tensors):
    """A network with the depths, widths and sizes of the tensors; its weights are not loaded."""
    shape = _Shapes(tensors)
    if one is MOBILEFACENET:
        return _mobilefacenet(shape)
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
        input_shape=_input_shape(side, shape.of(f"{first}.weight", 4)[1]),
        embedding_dim=embedding_dim,
        family=family,
        name=f"iresnet{NUMBERS.get(tuple(depths), '')}",
    )


def _mobilefacenet(shape):
    filters, channels = shape.of("layers.0.layers.0.weight", 4)[:2]
    stages = [
        max(_lengths(shape.tensors, rf"(layers)\.{2 * s + 1}\.layers\.(\d+)\.layers\."), default=1)
        for s in range(4)
    ]
    return MobileFaceNet(
        _input_shape(shape.of("features.layers.0.layers.0.weight", 4)[2] * DOWNSAMPLING, channels),
        embedding_dim=shape.of("features.layers.2.weight", 2)[0],
        depths=stages,
        filters=filters,
    )


def _input_shape(side, channels):
    last = keras.config.image_data_format() == "channels_last"
    return (side, side, channels) if last else (channels, side, side)


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
