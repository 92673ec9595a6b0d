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
# The released forms of tables of keypoints: which of heads and depths share one.
FORMS = {
    "keypoint": {"mode": "absolute", "share_heads": True, "share_depth": True},
    "rel_keypoint": {"mode": "relative", "share_heads": True, "share_depth": True},
    "rel_keypoint_unshared": {"mode": "relative", "share_heads": True, "share_depth": False},
    "rel_keypoint_splithead": {"mode": "multihead", "share_heads": False, "share_depth": True},
    "rel_keypoint_splithead_unshared": {
        "mode": "multihead",
        "share_heads": False,
        "share_depth": False,
    },
}


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
    known = [
        plan.num_heads
        for plan in SIZES.values()
        if all(getattr(plan, name) == value for name, value in measures.items())
    ]
    if f"{KEYPOINTS}.weight" in shape.tensors:
        rows, numbers = shape.of(f"{KEYPOINTS}.weight", 2)
        heads, form = _only_form(rows, depth, known or _divisors(width))
        options |= {"num_keypoints": numbers // 2, **form}
        return KeypointViT({**measures, "num_heads": heads}, **options)
    if known:
        return ViT({**measures, "num_heads": known[0]}, **options)
    raise ValueError(
        "`model` must be given for a transformer that is none of "
        f"{', '.join(SIZES)}, as its weights do not say how many heads it has. "
        f"Received: model=None, weights of {measures}"
    )


def check_form(network, tensors):
    """Raises unless the tables of keypoints in a file are of the form that the network has."""
    names = [f"{KEYPOINTS}.weight", f"{KEYPOINTS}.bias"]
    layers = [layer for layer in network.layers if layer.name == KEYPOINTS]
    if not layers or not set(names) <= set(tensors):
        return
    (layer,) = layers
    weight, bias = (tensors[name] for name in names)
    if weight.ndim != 2:
        return
    own = {name: getattr(layer, name) for name in FORMS["keypoint"]}
    if own["mode"] == "relative" and not own["share_heads"]:
        own["mode"] = "multihead"  # the same by another name
    found = _forms_of(len(weight), layer.num_heads, layer.depth)
    if own not in [FORMS[form] for form in found]:
        raise ValueError(
            f"`model` must have tables of keypoints as the file, whose {len(weight)} rows are "
            f"{_named_forms(found)} for {layer.num_heads} heads and a depth of {layer.depth}. "
            f"Received: model with {_named_forms(n for n, form in FORMS.items() if form == own)}"
        )
    if own["mode"] == "absolute" and (weight.any() or bias.any()):
        raise ValueError(
            "`model` must be of another mode than 'absolute' for tables that are not zero: the "
            "released 'keypoint' has one token, for which they change nothing, and 'rel_keypoint' "
            f"is of mode 'relative'. Received: model of mode={own['mode']!r}"
        )


def _only_form(rows, depth, heads):
    """Heads and form of the only network that has so many rows; there may be several."""
    found = [(count, form) for count in heads for form in _forms_of(rows, count, depth)]
    if len(found) != 1:
        raise ValueError(
            "`model` must be given for tables of keypoints of which the weights do not say how "
            f"many heads there are, and which share one. Received: model=None, {rows} rows, "
            f"{_named_forms(dict.fromkeys(form for _, form in found))}"
        )
    return found[0][0], FORMS[found[0][1]]


def _forms_of(rows, heads, depth):
    """Names of the released forms that have so many rows."""
    counts = {
        name: (1 if form["share_heads"] else heads) * (1 if form["share_depth"] else depth)
        for name, form in FORMS.items()
    }
    return [name for name, count in counts.items() if rows == NUM_BUCKETS * count]


def _named_forms(names):
    return " or ".join(map(repr, names)) or "none of the released forms"


def _divisors(width):
    return [heads for heads in range(1, width + 1) if width % heads == 0]


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
