"""HRNetV2, PSPNet and MSGN written out in torch functions, with the weights of a Keras model.

The modules have the names of the authors' checkpoints; `Weights` finds a module's arrays in the
layer whose name has "_" for ".".
"""

import numpy as np
import torch
from torch.nn import functional

from tests.numerics import to_numpy


class Weights:
    """Convolutions and normalizations of a Keras model, by the name of the torch module."""

    def __init__(self, model):
        self.layers = {layer.name: layer for layer in model.layers if layer.weights}
        self.used = set()

    def __call__(self, name):
        name = name.replace(".", "_")
        self.used.add(name)
        return {w.name: torch.from_numpy(to_numpy(w)) for w in self.layers[name].weights}

    def convolution(self, x, name, stride=1, dilation=1):
        weights = self(name)
        kernel = weights["kernel"].permute(3, 2, 0, 1)
        padding = dilation * (kernel.shape[-1] // 2)
        groups = x.shape[1] // kernel.shape[1]
        return functional.conv2d(x, kernel, weights.get("bias"), stride, padding, dilation, groups)

    def normalization(self, x, name):
        w = self(name)
        return functional.batch_norm(
            x, w["moving_mean"], w["moving_variance"], w["gamma"], w["beta"], eps=1e-5
        )

    def unit(self, x, convolution, normalization, stride=1, dilation=1):
        x = self.convolution(x, convolution, stride, dilation)
        return self.normalization(x, normalization)

    def bottleneck(self, x, name, stride=1, dilation=1):
        y = self.unit(x, f"{name}.conv1", f"{name}.bn1").relu()
        y = self.unit(y, f"{name}.conv2", f"{name}.bn2", stride, dilation).relu()
        y = self.unit(y, f"{name}.conv3", f"{name}.bn3")
        if f"{name}.downsample.0".replace(".", "_") in self.layers:
            x = self.unit(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        return (x + y).relu()


def enlarge(x, like, align_corners):
    size = like.shape[2:]
    return functional.interpolate(x, size, mode="bilinear", align_corners=align_corners)


def hrnet_v2(model, images, num_bottlenecks, num_modules, num_blocks, align_corners):
    """Logits (b, classes, h', w') of a model without preprocessing, and the names it used."""
    weights = Weights(model)
    x = torch.from_numpy(np.moveaxis(images, -1, 1).copy())
    for i in (1, 2):
        x = weights.unit(x, f"conv{i}", f"bn{i}", stride=2).relu()
    for i in range(num_bottlenecks):
        x = weights.bottleneck(x, f"layer1.{i}")
    branches = [
        weights.unit(x, "transition1.0.0", "transition1.0.1").relu(),
        weights.unit(x, "transition1.1.0.0", "transition1.1.0.1", stride=2).relu(),
    ]
    for stage, modules in zip((2, 3, 4), num_modules, strict=True):
        if stage > 2:
            new = f"transition{stage - 1}.{stage - 1}.0"
            branches.append(weights.unit(branches[-1], f"{new}.0", f"{new}.1", stride=2).relu())
        for module in range(modules):
            branches = fuse(weights, branches, num_blocks, f"stage{stage}.{module}", align_corners)
    features = [branches[0]] + [enlarge(x, branches[0], align_corners) for x in branches[1:]]
    x = weights.unit(torch.cat(features, 1), "last_layer.0", "last_layer.1").relu()
    return weights.convolution(x, "last_layer.3").numpy(), weights.used


def fuse(weights, branches, num_blocks, name, align_corners):
    after = []
    for i, x in enumerate(branches):
        for block in range(num_blocks):
            path = f"{name}.branches.{i}.{block}"
            y = weights.unit(x, f"{path}.conv1", f"{path}.bn1").relu()
            x = (x + weights.unit(y, f"{path}.conv2", f"{path}.bn2")).relu()
        after.append(x)
    fused = []
    for i, target in enumerate(after):
        total = 0
        for j, x in enumerate(after):
            path = f"{name}.fuse_layers.{i}.{j}"
            if j > i:
                x = enlarge(weights.unit(x, f"{path}.0", f"{path}.1"), target, align_corners)
            for k in range(i - j):
                x = weights.unit(x, f"{path}.{k}.0", f"{path}.{k}.1", stride=2)
                x = x.relu() if k < i - j - 1 else x
            total = total + x
        fused.append(total.relu())
    return fused


def pspnet(model, images, depth, bins, align_corners):
    """Logits (b, classes, h', w') of both heads of a model without preprocessing, and the names."""
    weights = Weights(model)
    x = torch.from_numpy(np.moveaxis(images, -1, 1).copy())
    for i, stride in enumerate((2, 1, 1)):
        x = weights.unit(x, f"layer0.{3 * i}", f"layer0.{3 * i + 1}", stride).relu()
    x = functional.max_pool2d(x, 3, 2, 1)
    for stage, blocks in enumerate(depth, 1):
        stride, dilation = {1: (1, 1), 2: (2, 1), 3: (1, 2), 4: (1, 4)}[stage]
        for i in range(blocks):
            x = weights.bottleneck(x, f"layer{stage}.{i}", stride if i == 0 else 1, dilation)
        if stage == 3:
            auxiliary = x
    parts = [x]
    for i, count in enumerate(bins):
        y = functional.adaptive_avg_pool2d(x, count)
        y = weights.unit(y, f"ppm.features.{i}.1", f"ppm.features.{i}.2").relu()
        parts.append(enlarge(y, x, align_corners))
    outputs = []
    for name, x in (("cls", torch.cat(parts, 1)), ("aux", auxiliary)):
        x = weights.unit(x, f"{name}.0", f"{name}.1").relu()
        outputs.append(weights.convolution(x, f"{name}.4").numpy())
    return outputs, weights.used


def msgn(model, images, branches=0, pools=False, stride_in="3x3"):
    """Logits (b, classes) of a model without preprocessing, and the names of the layers it used.

    With `pools`, Conv3 and the local Conv4 stand behind an average pooling instead of a stride.
    """
    weights = Weights(model)
    x = torch.from_numpy(np.moveaxis(images, -1, 1).copy())
    x = weights.unit(x, "conv1", "bn1", stride=2).relu()
    if weights.layers["conv1"].kernel.shape[0] == 7:
        x = functional.max_pool2d(x, 3, 2, 1)
    x = resnet_stage(weights, x, "layer1", 1, stride_in)
    x = resnet_stage(weights, x, "layer2", "pool" if pools else 2, stride_in)
    vectors = []
    for branch in range(branches + 1):
        start = f"local{branch}_" if branch else ""
        y = resnet_stage(weights, x, f"{start}layer3", "pool" if branch else 2, stride_in)
        y = resnet_stage(weights, y, f"{start}layer4", 1 if branch else 2, stride_in)
        vectors.append(y.mean((2, 3)))
    fc = weights("fc")
    return (torch.cat(vectors, 1) @ fc["kernel"] + fc["bias"]).numpy(), weights.used


def resnet_stage(weights, x, name, stride, stride_in):
    if stride == "pool":
        x, stride = functional.avg_pool2d(x, 2), 1
    block = 0
    while f"{name}_{block}_conv1" in weights.layers:
        path = f"{name}.{block}"
        if f"{name}_{block}_conv3" in weights.layers:
            one, three = (stride, 1) if stride_in == "1x1" else (1, stride)
            y = weights.unit(x, f"{path}.conv1", f"{path}.bn1", one).relu()
            y = weights.unit(y, f"{path}.conv2", f"{path}.bn2", three).relu()
            y = weights.unit(y, f"{path}.conv3", f"{path}.bn3")
        else:
            y = weights.unit(x, f"{path}.conv1", f"{path}.bn1", stride).relu()
            y = weights.unit(y, f"{path}.conv2", f"{path}.bn2")
        if f"{name}_{block}_downsample_0" in weights.layers:
            x = weights.unit(x, f"{path}.downsample.0", f"{path}.downsample.1", stride)
        x = (x + y).relu()
        block, stride = block + 1, 1
    return x
