"""A ResNet of torch modules with torchvision's names, of any width."""

import torch
from torch import nn


def convolution(inputs, outputs, size, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)


class Block(nn.Module):
    """`BasicBlock` and `Bottleneck`; the stride of the latter is in the 3x3 convolution."""

    def __init__(self, inputs, planes, stride, block, groups, width_per_group):
        super().__init__()
        width = planes * width_per_group // 64 * groups
        if block == "basic":
            outputs = planes
            sizes = [(inputs, planes, 3, stride), (planes, planes, 3)]
        else:
            outputs = 4 * planes
            sizes = [(inputs, width, 1), (width, width, 3, stride, groups), (width, outputs, 1)]
        self.count = len(sizes)
        for i, arguments in enumerate(sizes, 1):
            setattr(self, f"conv{i}", convolution(*arguments))
            setattr(self, f"bn{i}", nn.BatchNorm2d(arguments[1]))
        self.downsample = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )
        self.outputs = outputs

    def forward(self, x):
        y = x
        for i in range(1, self.count + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = y.relu() if i < self.count else y
        return (y + self.downsample(x)).relu()


class ResNet(nn.Module):
    def __init__(
        self, depths, filters=64, block="bottleneck", groups=1, width_per_group=64, classes=1000
    ):
        super().__init__()
        self.conv1 = nn.Conv2d(3, filters, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = filters
        for stage, depth in enumerate(depths, 1):
            blocks = []
            for i in range(depth):
                stride = 2 if i == 0 and stage > 1 else 1
                planes = filters * 2 ** (stage - 1)
                blocks.append(Block(channels, planes, stride, block, groups, width_per_group))
                channels = blocks[-1].outputs
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)

    def forward(self, x):
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def filled(seed=0, **arguments):
    """In evaluation, with random statistics too."""
    torch.manual_seed(seed)
    network = ResNet(**arguments).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.7, 1.3)
            for tensor in (module.bias, module.running_mean):
                nn.init.uniform_(tensor, -0.2, 0.2)
    return network
