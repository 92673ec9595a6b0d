"""The residual networks of ImageNet, stage by stage."""

import dataclasses
from collections.abc import Mapping

from keras_resample.arguments import as_bool, as_integer, as_integers, check_choice
from keras_resample.models.networks.residual_layers import ResidualLayers

BLOCKS = ("basic", "bottleneck")
STRIDE_PLACES = ("3x3", "1x1")
# Channels that torch's `width_per_group` is counted for.
BASE_FILTERS = 64
STAGES = 4


@dataclasses.dataclass(frozen=True)
class Backbone:
    """The measures of a residual network.

    Args:
        depths: Blocks of each of the four stages.
        filters: Channels of the stem, and of the first stage before `EXPANSION`.
        block: `"basic"`, two 3x3 convolutions, or `"bottleneck"`, 1x1, 3x3 and 1x1.
        groups, width_per_group: Of a bottleneck's 3x3 convolution: it has
            `filters * width_per_group / 64 * groups` channels where the block has `filters`.
        small_stem: Whether the stem is one 3x3 convolution with a stride of 2, for small images,
            instead of a 7x7 convolution with a stride of 2 and a pooling with another.
    """

    depths: tuple
    filters: int = 64
    block: str = "bottleneck"
    groups: int = 1
    width_per_group: int = 64
    small_stem: bool = False

    def __post_init__(self):
        # The arguments are those of `backbone`, a dict, by whose name they are known to the user.
        checked = {
            "depths": as_integers(self.depths, "depths", length=STAGES),
            "filters": as_integer(self.filters, "filters"),
            "groups": as_integer(self.groups, "groups"),
            "width_per_group": as_integer(self.width_per_group, "width_per_group"),
            "small_stem": as_bool(self.small_stem, "small_stem"),
        }
        check_choice(self.block, "block", BLOCKS)
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if self.block == "basic" and (self.groups, self.width_per_group) != (1, BASE_FILTERS):
            raise ValueError(
                "`groups` and `width_per_group` are of a bottleneck: leave them out of a basic "
                f"block. Received: groups={self.groups}, width_per_group={self.width_per_group}"
            )
        if self.width(1) < self.groups:
            raise ValueError(
                "`filters` must give each group a channel, filters * width_per_group >= "
                f"{BASE_FILTERS}. Received: filters={self.filters}, "
                f"width_per_group={self.width_per_group}"
            )

    def width(self, stage):
        """Channels inside the bottlenecks of a stage."""
        filters = self.filters * 2 ** (stage - 1)
        return filters * self.width_per_group // BASE_FILTERS * self.groups


BACKBONES = {
    "resnet18": Backbone((2, 2, 2, 2), block="basic"),
    "resnet34": Backbone((3, 4, 6, 3), block="basic"),
    "resnet50": Backbone((3, 4, 6, 3)),
    "resnet101": Backbone((3, 4, 23, 3)),
    "resnext101_32x4d": Backbone((3, 4, 23, 3), groups=32, width_per_group=4),
    "resnext101_32x8d": Backbone((3, 4, 23, 3), groups=32, width_per_group=8),
}


def as_backbone(backbone):
    """The `Backbone` of this name, or of these measures in a dict."""
    if not isinstance(backbone, Mapping):
        check_choice(backbone, "backbone", tuple(BACKBONES), "or a dict of its measures")
        return BACKBONES[backbone]
    known = [field.name for field in dataclasses.fields(Backbone)]
    if "depths" not in backbone or not set(backbone) <= set(known):
        raise ValueError(
            f"`backbone` must be a dict with 'depths' and any of {', '.join(map(repr, known[1:]))}."
            f" Received: backbone={backbone!r}"
        )
    return Backbone(**backbone)


class ResNetLayers(ResidualLayers):
    """The stem and the stages of a residual network, named as torchvision's.

    Args:
        backbone: Its `Backbone`.
        stride_in: The convolution of a bottleneck that has the stride, `"3x3"` or `"1x1"`.
        data_format: `"channels_last"`, `"channels_first"` or `None` for the global setting.
    """

    def __init__(self, backbone, stride_in, data_format):
        super().__init__(data_format)
        self.backbone, self.stride_in = backbone, stride_in

    def stem(self, images):
        if self.backbone.small_stem:
            return self.unit(images, self.backbone.filters, 3, 2, "conv1", "bn1")
        x = self.unit(images, self.backbone.filters, 7, 2, "conv1", "bn1")
        return self.max_pool(x, "maxpool")

    def stage(self, x, number, strides, prefix=""):
        """Stage 1 to 4, torchvision's `layer1` to `layer4`; `strides` are its first block's."""
        for i in range(self.backbone.depths[number - 1]):
            x = self._block(x, number, strides if i == 0 else 1, f"{prefix}layer{number}_{i}")
        return x

    def _block(self, x, number, strides, name):
        filters = self.backbone.filters * 2 ** (number - 1)
        if self.backbone.block == "basic":
            return self.basic_block(x, filters, strides, name)
        return self.bottleneck(
            x,
            filters,
            strides,
            1,
            name,
            width=self.backbone.width(number),
            groups=self.backbone.groups,
            first=self.stride_in == "1x1",
        )
