"""Weights of CVLface's vision transformers, with keypoints and without."""

import math
import re

from keras_resample.models.convert.variables import LEAVES, models_in
from keras_resample.models.networks.keypoint_vit import KeypointViT
from keras_resample.models.networks.transformer_layers import SIZES
from keras_resample.models.networks.vit import ViT

NUM_BUCKETS = 49
# Left out of networks that mask no tokens.
MASK_TOKEN = "mask_token"
KEYPOINTS = "keypoint_linear"


class TransformerSlot:
    """One variable of a transformer and the tensor that fills it; see `variables.Slot`."""

    def __init__(self, layer, variable):
        self.layer, self.variable = layer, variable

    @property
    def torch_shape(self):
        """Shape of the tensor in the file."""
        shape = tuple(self.variable.shape)
        if self.layer.name == KEYPOINTS:
            tables = math.prod(shape[-3:])
            return (tables, *shape[:-3])
        if len(shape) == 4:
            return (shape[3], shape[2], *shape[:2])
        return shape[::-1] if len(shape) == 2 else shape

    def to_keras(self, array):
        """The tensor in the layout of the variable."""
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0)
        return (array.T if array.ndim == 2 else array).reshape(self.variable.shape)


def find_transformer(model):
    """The network inside `model`."""
    marks = {"patch_embed", "pos_embed", "feature_3"}
    found = [part for part in models_in(model) if marks <= {layer.name for layer in part.layers}]
    if len(found) != 1:
        raise ValueError(
            "`model` must contain exactly one `ViT` or `KeypointViT` of keras_resample.models. "
            f"Received: {model} with {len(found)}"
        )
    return found[0]


def transformer_slots(network):
    """`TransformerSlot` of every torch name that the network needs."""
    return {
        name: TransformerSlot(layer, variable)
        for layer in network.layers
        for name, variable in _named(layer)
    }


def without_mask_token(places, tensors):
    """The tensors without the one that only a network with masked tokens needs."""
    return {key: value for key, value in tensors.items() if key != MASK_TOKEN or key in places}


def build_transformer(shape, depth):
    """A network with the measures of the tensors; its weights are not loaded.

    Args:
        shape: the shapes of the tensors, as in `build`.
        depth: number of blocks.
    """
    _, count, width = shape.of("pos_embed", 3)
    _, channels, patch_size, _ = shape.of("patch_embed.proj.weight", 4)
    side = math.isqrt(count) * patch_size
    measures = {"width": width, "depth": depth}
    measures["mlp_ratio"] = shape.of("blocks.0.mlp.fc1.weight", 2)[0] / width
    options = {
        "input_shape": shape.image(side, channels),
        "patch_size": patch_size,
        "embedding_dim": shape.of("feature.2.weight", 2)[0],
    }
    if f"{KEYPOINTS}.weight" not in shape.tensors:
        return ViT({**measures, "num_heads": _known_heads(measures)}, **options)
    tables, numbers = shape.of(f"{KEYPOINTS}.weight", 2)
    heads, rest = divmod(tables, NUM_BUCKETS * depth)
    if rest or heads < 2:  # tables that heads share look as those of one head
        raise ValueError(
            "`model` must be given for another KP-RPE than the multi-head one, as its weights do "
            f"not say how many heads it has. Received: model=None, {KEYPOINTS} of {tables} rows"
        )
    measures["num_heads"] = heads
    return KeypointViT(measures, num_keypoints=numbers // 2, **options)


def _known_heads(measures):
    """Heads of the published network of these measures; weights do not say how many there are."""
    for plan in SIZES.values():
        if all(getattr(plan, name) == value for name, value in measures.items()):
            return plan.num_heads
    raise ValueError(
        "`model` must be given for a transformer that is none of "
        f"{', '.join(SIZES)}, as its weights do not say how many heads it has. "
        f"Received: model=None, weights of {measures}"
    )


def _named(layer):
    """Torch name and variable of all weights of a layer."""
    if layer.name == "pos_embed":
        return [("pos_embed", layer.embedding)]
    if layer.name == MASK_TOKEN:
        return [(MASK_TOKEN, layer.token)]
    if match := re.fullmatch(r"blocks_(\d+)_attn", layer.name):
        start = f"blocks.{match[1]}.attn"
        parts = {f"{start}.qkv": layer.qkv, f"{start}.proj": layer.projection}
    elif match := re.fullmatch(r"blocks_(\d+)_(norm[12]|mlp_fc[12])", layer.name):
        parts = {f"blocks.{match[1]}.{match[2].replace('_', '.')}": layer}
    elif match := re.fullmatch(r"feature_(\d)", layer.name):
        parts = {f"feature.{match[1]}": layer}
    else:
        names = {"patch_embed": "patch_embed.proj", "norm": "norm", KEYPOINTS: KEYPOINTS}
        parts = {names[layer.name]: layer} if layer.name in names else {}
    return [
        (f"{name}.{LEAVES[variable.name]}", variable)
        for name, part in parts.items()
        for variable in part.weights
    ]
