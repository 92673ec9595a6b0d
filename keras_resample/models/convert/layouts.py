"""How the published networks name their modules, and which file is of which kind."""

import dataclasses
import re

LEAF = r"\.(weight|bias|running_mean|running_var)"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Names of one kind of network.

    Args:
        title: For messages.
        pattern: Every key of a file of this kind, and no other, matches it.
        families: Whose files are like this.
    """

    title: str
    pattern: re.Pattern
    families: tuple

    def matches(self, key):
        return self.pattern.fullmatch(key) is not None


def layout(title, pattern, *families):
    return Layout(title, re.compile(f"(?:{pattern}){LEAF}"), families)


RESNET = layout(
    "ResNet",
    r"conv1|bn1|fc|layer\d+\.\d+\.(bn[123]|conv[123]|downsample\.[01])",
    "torchvision",
)
IRESNET = layout(
    "IResNet",
    r"conv1|bn[12]|prelu|fc|features|"
    r"layer\d+\.\d+\.(bn[123]|conv[12]|prelu|downsample\.[01])",
    "insightface",
    "magface",
    "cvlface",
)
HEAD = r"input_layer\.[0-2]|output_layer\.[034]|body\.\d+\.shortcut_layer\.[01]"
IR = layout("IR", HEAD + r"|body\.\d+\.res_layer\.[0-5]", "adaface", "cvlface")
PLAIN_IR = layout("IR", HEAD + r"|body\.\d+\.res_layer\.[0-4]", "curricularface")
MOBILEFACENET = layout(
    "MobileFaceNet",
    r"(layers\.\d+\.(layers\.\d+\.){0,2}|conv_sep\.|features\.layers\.0\.)layers\.[0-2]|"
    r"features\.layers\.[23]",
    "insightface",
)
TRANSFORMER = Layout(
    "vision transformer",
    re.compile(
        r"pos_embed|mask_token|"
        rf"(?:patch_embed\.proj|norm|feature\.[0-3]|keypoint_linear|"
        rf"blocks\.\d+\.(?:norm[12]|attn\.(?:qkv|proj)|mlp\.fc[12])){LEAF}"
    ),
    ("cvlface",),
)
# Of two that fit as many keys the first counts: a ResNet of basic blocks has none of its own.
LAYOUTS = (RESNET, IRESNET, IR, PLAIN_IR, MOBILEFACENET, TRANSFORMER)

# What a wrapper may put before every name of the network, by family, and for all of them.
PREFIXES = {
    "insightface": (),
    "adaface": ("model.",),
    "magface": ("module.features.", "features.module."),
    "curricularface": (),
    "cvlface": ("net.", "model.net."),
    "torchvision": (),
}
COMMON_PREFIXES = ("", "module.", "_orig_mod.", "backbone.")
# Classification heads that are saved beside the network.
HEADS = {
    "adaface": re.compile(r"head\..*"),
    "magface": re.compile(r"module\.fc\.weight|parallel_fc\..*"),
}


def recognise(keys):
    """Layout and wrapper prefix that fit most of the keys, or two `None`."""
    prefixes = [*COMMON_PREFIXES, *(p for own in PREFIXES.values() for p in own)]
    best, found = 0, (None, None)
    for prefix in prefixes:
        bare = [key[len(prefix) :] for key in keys if key.startswith(prefix)]
        for one in LAYOUTS:
            count = sum(map(one.matches, bare))
            if count > best:
                best, found = count, (one, prefix)
    if found[0] in (IR, PLAIN_IR):
        # Only with an inner batch normalization are there statistics at index 2.
        inner = re.compile(r".*body\.\d+\.res_layer\.2\.running_(mean|var)")
        found = (IR if any(map(inner.fullmatch, keys)) else PLAIN_IR, found[1])
    return found


def families_of(one, prefix):
    """Families whose files have this layout and prefix."""
    return [f for f in one.families if prefix in COMMON_PREFIXES + PREFIXES[f]]


def modules(one, depths):
    """Torch module of every layer that a network of these depths may have, by layer name."""
    return _mobilefacenet(depths) if one is MOBILEFACENET else _residual(one, depths)


def _residual(one, depths):
    parts = ["bn1", "conv1", "bn2", "prelu", "conv2", "bn3"]
    shortcuts = ["downsample_0", "downsample_1"]
    blocks = [(s, i) for s, depth in enumerate(depths, 1) for i in range(depth)]
    if one in (RESNET, IRESNET):
        result = {name: name for name in ("conv1", "bn1", "prelu", "bn2", "fc", "features")}
        for s, i in blocks:
            for part in [*parts, "conv3", *shortcuts]:
                result[f"layer{s}_{i}_{part}"] = f"layer{s}.{i}.{part.replace('_', '.')}"
        return result
    result = {
        "conv1": "input_layer.0",
        "bn1": "input_layer.1",
        "prelu": "input_layer.2",
        "bn2": "output_layer.0",
        "fc": "output_layer.3",
        "features": "output_layer.4",
    }
    if one is PLAIN_IR:
        parts.remove("bn2")
    for number, (s, i) in enumerate(blocks):
        for index, part in enumerate(parts):
            result[f"layer{s}_{i}_{part}"] = f"body.{number}.res_layer.{index}"
        for index, part in enumerate(shortcuts):
            result[f"layer{s}_{i}_{part}"] = f"body.{number}.shortcut_layer.{index}"
    return result


def _mobilefacenet(depths):
    result = {
        "pool": "features.layers.0.layers.0",
        "pool_bn": "features.layers.0.layers.1",
        "fc": "features.layers.2",
        "features": "features.layers.3",
    }
    stems = {"conv1": "layers.0", "conv2": "layers.1", "conv_sep": "conv_sep"}
    blocks = {f"down{i}": f"layers.{2 * i}" for i in (1, 2, 3)}
    for stage, depth in enumerate(depths):
        for i in range(depth):
            blocks[f"stage{stage}_{i}"] = f"layers.{2 * stage + 1}.layers.{i}"
    for name, module in blocks.items():
        for index, part in enumerate(("expand", "depthwise", "project")):
            stems[f"{name}_{part}"] = f"{module}.layers.{index}"
    for name, module in stems.items():
        for index, part in enumerate(("", "_bn", "_prelu")):
            result[name + part] = f"{module}.layers.{index}"
    return result
