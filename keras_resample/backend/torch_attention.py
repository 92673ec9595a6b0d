"""The kernels of attention on PyTorch."""

import functools
import math

import torch

from keras_resample.backend import attention
from keras_resample.backend.torch import gather, is_traced

ONES = 2**22  # numbers of a product with ones and zeros, made at a time


class ReadTable(torch.autograd.Function):
    """`table[m, i, ids[i, j]]` of a table (m, n, k), (m, n, n), whose gradient is a product with
    ones and zeros: faster than to add each number where it belongs, and always in the same order.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(table, ids):
        return read_rows(table, ids)

    @staticmethod
    def setup_context(context, inputs, output):
        table, ids = inputs
        context.save_for_backward(ids)
        context.buckets = table.shape[2]

    @staticmethod
    def backward(context, upstream):
        (ids,), buckets = context.saved_tensors, context.buckets
        queries = max(1, ONES // (ids.shape[1] * buckets))
        parts = zip(upstream.transpose(0, 1).split(queries), ids.split(queries), strict=True)
        gradients = []
        for values, places in parts:
            ones = values.new_zeros(*places.shape, buckets).scatter_(2, places[..., None], 1.0)
            gradients.append(values @ ones)
        return torch.cat(gradients).transpose(0, 1), None


def read_rows(table, ids):
    """`table[m, i, ids[i, j]]`, the rows of an image read as one."""
    images, rows, buckets = table.shape
    first = torch.arange(rows, device=ids.device)[:, None] * buckets
    return gather(table.flatten(1), (ids + first).flatten(), axis=1).reshape(images, *ids.shape)


def read_tables(ids, tables):
    """See `attention.read_tables`, which takes over while torch.export or torch.compile traces."""
    if is_traced():
        return attention.read_tables(ids, tables, gather)
    table = functools.reduce(torch.add, tables)
    *outer, _, buckets = table.shape
    is_trained = table.requires_grad and torch.is_grad_enabled()
    if not is_trained or math.prod(outer) < buckets:
        return attention.read_tables(ids, (table,), gather)
    table = table.expand(*outer, len(ids), buckets).flatten(0, -3)
    places = torch.from_numpy(ids).to(table.device, torch.int64)
    return ReadTable.apply(table, places).reshape(*outer, *ids.shape)


def attention_logits(queries, keys, bias, scale):
    """See `attention.attention_logits`: the bias is added to while it is copied."""
    batch, count, heads, width = queries.shape
    if is_traced() or bias is None or bias.shape[:2] != (batch, heads):
        return attention.attention_logits(queries, keys, bias, scale)
    queries = queries.transpose(1, 2).reshape(batch * heads, count, width)
    keys = keys.permute(0, 2, 3, 1).reshape(batch * heads, width, keys.shape[1])
    logits = torch.baddbmm(bias.flatten(0, 1), queries, keys, alpha=scale)
    return logits.reshape(bias.shape)


def fuses_attention(bias, dtype, training=None):
    """See `attention.fuses_attention`: its gradient to a bias is slower on a CPU, and may add in
    no fixed order on a GPU.
    """
    return bias is None or not (bias.requires_grad and torch.is_grad_enabled())
