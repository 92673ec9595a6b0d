"""The bilinear kernel on PyTorch: a weighted `embedding_bag` over the pixels.

Two layouts of the table. "Flat" has a row of C numbers per pixel and image; "rows" has one of B * C
numbers per pixel and serves a grid shared by the batch with a quarter of the indices and with a far
cheaper gradient, for the price of a transposition.
"""

import torch
from torch.autograd.function import once_differentiable
from torch.nn.functional import embedding_bag

from keras_resample.backend import reference

FEW_CHANNELS = 16  # below this the rows of the flat table are too short for its gradient


def corners(x, y, height, width):
    """The flat index of the four taps of each sample, and the sample's place between them."""

    def split(coordinate, size):
        low = torch.floor(coordinate.detach()).to(torch.int32).clamp(0, max(size - 2, 0))
        return low, coordinate - low

    left, fx = split(x, width)
    top, fy = split(y, height)
    right, below = min(width - 1, 1), width * min(height - 1, 1)
    first = top * width + left
    return torch.stack([first, first + right, first + below, first + below + right], -1), fx, fy


def tap_weights(fx, fy):
    gx, gy = 1 - fx, 1 - fy
    return torch.stack([gy * gx, gy * fx, fy * gx, fy * fx], -1)


def bag(table, indices, weights):
    return embedding_bag(indices, table, per_sample_weights=weights, mode="sum")


class ShortRows(torch.autograd.Function):
    """One bilinear sample per row: x, y get their gradient from two more bags, not from dots."""

    @staticmethod
    def forward(ctx, table, indices, fx, fy):
        ctx.save_for_backward(table, indices, fx, fy)
        return bag(table, indices, tap_weights(fx, fy))

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream):
        table, indices, fx, fy = ctx.saved_tensors
        gx, gy = 1 - fx, 1 - fy
        to_table = to_x = to_y = None
        if ctx.needs_input_grad[0]:
            values = (upstream[:, None] * tap_weights(fx, fy)[..., None]).flatten(0, 1)
            to_table = torch.zeros_like(table).index_add_(0, indices.flatten(), values)
        if ctx.needs_input_grad[2]:
            to_x = (bag(table, indices, torch.stack([-gy, gy, -fy, fy], -1)) * upstream).sum(-1)
        if ctx.needs_input_grad[3]:
            to_y = (bag(table, indices, torch.stack([-gx, -fx, gx, fx], -1)) * upstream).sum(-1)
        return to_table, None, to_x, to_y


def bilinear(images, x, y, weights=None):
    """See `reference.bilinear`, which takes over while torch.export or torch.compile traces and
    for an empty batch, which `embedding_bag` refuses.

    There is no second derivative here: `embedding_bag` has none, and says so.
    """
    if torch.compiler.is_compiling() or torch.compiler.is_exporting() or images.shape[0] == 0:
        return reference.bilinear(images, x, y, weights)
    dtype = torch.promote_types(images.dtype, torch.float32)
    images, x, y = images.to(dtype), x.to(dtype), y.to(dtype)
    batch, height, width, channels = images.shape
    shared, samples, count = x.shape[0] == 1, x.shape[1], x.shape[2]
    indices, fx, fy = corners(x, y, height, width)
    inputs = (images, x, y) if weights is None else (images, x, y, weights)
    training = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)

    if shared and channels < FEW_CHANNELS and (training or count > 1):
        table = images.permute(1, 2, 0, 3).reshape(height * width, batch * channels)
        taps = tap_weights(fx, fy)
        taps = taps if weights is None else taps * weights.to(dtype)[..., None]
        result = bag(table, indices.reshape(samples, -1), taps.reshape(samples, -1))
        return result.reshape(samples, batch, channels).permute(1, 0, 2)

    table = images.reshape(-1, channels)
    if batch * height * width >= 2**31:
        indices = indices.long()
    first = torch.arange(batch, dtype=indices.dtype, device=indices.device) * (height * width)
    indices = indices + first.reshape(-1, 1, 1, 1)
    if training and channels < FEW_CHANNELS and count == 1 and weights is None:
        result = ShortRows.apply(table, indices.reshape(-1, 4), fx.reshape(-1), fy.reshape(-1))
        return result.reshape(batch, samples, channels)
    taps = tap_weights(fx, fy)
    taps = taps if weights is None else taps * weights.to(dtype)[..., None]
    taps = taps.expand(batch, -1, -1, -1).reshape(batch * samples, -1)
    result = bag(table, indices.reshape(batch * samples, -1), taps)
    return result.reshape(batch, samples, channels)
