"""The kernels on PyTorch.

The bilinear one is a weighted `embedding_bag` over a table of pixels, or `grid_sample`. A row of
the table is a pixel of one image; or, for few channels and a grid shared by the batch, a pixel of
several images, for the price of two transpositions.
`grid_sample` is faster for few channels at a grid per image. It places a sample to 1e-7 of the
side, as exact as the relative float32 coordinates of a grid. On a CPU it spends most of its time
waiting for pixels, so a few images at a time are read in order, then sampled from the cache.
"""

import torch
from torch.nn.functional import channel_shuffle, embedding_bag, grid_sample, hardtanh

from keras_resample.backend import reference

FEW_CHANNELS = 16  # below this a pixel of one image is too short a row of a table
VECTOR = 8  # images transposed at once: of more, each write is but a part of a cache line
ROW = 32  # numbers that a row of pixels may have to be made of more images than that
DENSE = 16  # pixels per sample up to which it is worth it to read them all
CACHE = 2**22  # bytes that are in the cache after they were read
TABLE = 3 * 2**23  # bytes of a table of rows; more take longer to get from the system than to fill
READ_TOGETHER = 2**14  # reads of integer images at a time
SPARSE = 8  # pixels per sample above which integer images are cast after they are read


def constant(function):
    """See `reference.constant`. Dynamo takes it as one operation, and traces no numpy."""
    return torch.compiler.allow_in_graph(reference.constant(function))


def is_traced():
    """Whether torch.compile, torch.export or torch.jit.trace looks on."""
    compiler = torch.compiler
    return compiler.is_compiling() or compiler.is_exporting() or torch.jit.is_tracing()


def untraced(function):
    """See `reference.untraced`."""
    return torch.compiler.disable(function)


def taps(positions, height, width):
    """The flat indices (b, p, k, 4) of the taps of samples (b, p, k, 2), and their shares."""
    if height == width:
        first, last, cells = 0, width - 1, (0, width - 2)
    else:
        last = positions.new_tensor([width - 1, height - 1])
        first = torch.zeros_like(last)
        cells = (first.int(), last.int() - 1)
    positions = positions.clamp(first, last)
    low = positions.detach().to(torch.int32).clamp(*cells)
    fx, fy = (positions - low).unbind(-1)
    left, top = low.unbind(-1)
    index = torch.add(left, top, alpha=width)
    indices = torch.stack([index, index + 1, index + width, index + (width + 1)], -1)
    both = fx * fy
    below = fy - both
    return indices, torch.stack([1 - fx - below, fx - both, below, both], -1)


def bag(table, indices, weights):
    """Weighted sums (p, c) of rows of `table` (n, c), by `indices` and `weights` (p, n)."""
    return embedding_bag(indices, table, per_sample_weights=weights, mode="sum")


class Transposition(torch.autograd.Function):
    """Transposed matrices (n, rows, cols) by `channel_shuffle`: faster than by a copy."""

    generate_vmap_rule = True

    @staticmethod
    def forward(matrices):
        count, rows, cols = matrices.shape
        channels_last = matrices.reshape(count, 1, 1, -1).permute(0, 3, 1, 2)
        return channel_shuffle(channels_last, rows).reshape(count, cols, rows)

    @staticmethod
    def setup_context(context, inputs, output):
        """Its gradient needs nothing kept."""

    @staticmethod
    def backward(context, upstream):
        return Transposition.apply(upstream)


def cached(images, *others):
    """Parts of a batch, given away when their images have just been read."""
    size = CACHE // (images[0].numel() * images.element_size())
    size = max(torch.get_num_threads(), size)
    for part in zip(*(values.split(size) for values in (images, *others)), strict=True):
        part[0].sum()
        yield part


class CachedGridSample(torch.autograd.Function):
    """`grid_sample` of a few images at a time, for CPUs."""

    generate_vmap_rule = True

    @staticmethod
    def forward(images, places):
        parts = [grid_sample(*part, align_corners=True) for part in cached(images, places)]
        return torch.cat(parts)

    @staticmethod
    def setup_context(context, inputs, output):
        context.save_for_backward(*inputs)

    @staticmethod
    def backward(context, upstream):
        images, places = context.saved_tensors
        needed = context.needs_input_grad
        parts = [
            torch.ops.aten.grid_sampler_2d_backward(values, image, place, 0, 0, True, needed)
            for image, place, values in cached(images, places, upstream)
        ]
        return tuple(
            torch.cat(gradients) if need else None
            for gradients, need in zip(zip(*parts, strict=True), needed, strict=True)
        )


def take_bilinear(images, positions, training):
    """Samples (b, p, k, c) by `grid_sample`, which normalizes coordinates to [-1, 1].

    It is given one long row of places: it is fast along rows.
    """
    batch, height, width, channels = images.shape
    _, samples, count, _ = positions.shape
    if width == height:
        scale = 2 / (width - 1)
    else:
        scale = positions.new_tensor([2 / (width - 1), 2 / (height - 1)])
    places = (positions * scale).sub_(1)
    margin = 2 * torch.finfo(images.dtype).eps
    if training:
        places = hardtanh(places, -1 - margin, 1 + margin)  # its derivative is 1 on the edges
    with torch.no_grad():  # the last pixel belongs to the last cell
        places.clamp_(-1, 1 - margin)
    places = places.expand(batch, -1, -1, -1).reshape(batch, 1, samples * count, 2)
    images = images.permute(0, 3, 1, 2)
    fits = batch > 1 and images[0].numel() * images.element_size() <= CACHE
    if images.is_cpu and fits and height * width <= DENSE * samples * count:
        taken = CachedGridSample.apply(images, places)
    else:
        taken = grid_sample(images, places, align_corners=True)
    return taken.permute(0, 2, 3, 1).reshape(batch, samples, count, channels)


def bilinear_of_few(images, positions, weights):
    """Casts the pixels that are read, not the images; a part of one image's samples at a time."""
    size = max(1, READ_TOGETHER // positions.shape[2])
    places = (positions,) if weights is None else (positions, weights)
    places = [values.expand(len(images), *values.shape[1:]).split(1) for values in places]
    results = []
    for image, *of_image in zip(images.split(1), *places, strict=True):
        parts = zip(*(values.split(size, 1) for values in of_image), strict=True)
        results.append(torch.cat([reference.bilinear(image, *part) for part in parts], 1))
    return torch.cat(results)


def bilinear(images, positions, weights=None):
    """See `reference.bilinear`, which takes over while a graph is traced, for an empty batch, which
    `embedding_bag` refuses, and for images one pixel high or wide.

    `embedding_bag` has no second derivative, and says so.
    """
    if is_traced():  # Keras's own `take` squeezes, which an ONNX file cannot undo
        return reference.bilinear_by(gather, images, positions, weights)
    if images.shape[0] == 0 or min(images.shape[1:3]) == 1:
        return reference.bilinear(images, positions, weights)
    pixels, reads = images.shape[1] * images.shape[2], positions.shape[1] * positions.shape[2]
    if not images.is_floating_point() and pixels > SPARSE * reads:
        return bilinear_of_few(images, positions, weights)
    dtype = torch.promote_types(images.dtype, torch.float32)
    images, positions = images.to(dtype), positions.to(dtype)
    weights = None if weights is None else weights.to(dtype)
    inputs = (images, positions) if weights is None else (images, positions, weights)
    training = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)

    channels, shared = images.shape[3], positions.shape[0] == 1
    if channels < FEW_CHANNELS and not shared:
        taken = take_bilinear(images, positions, training)
        taken = taken if weights is None else taken * weights[..., None]
        return taken[:, :, 0] if taken.shape[2] == 1 else taken.sum(2)
    if channels < FEW_CHANNELS and (training or pixels <= DENSE * reads):
        return sample_in_rows(images, positions, weights, training)
    return sample_table(images, positions, weights)


def sample_table(images, positions, weights):
    """By a table with a row for each pixel of each image."""
    batch, height, width, channels = images.shape
    samples = positions.shape[1]
    indices, shares = taps(positions, height, width)
    shares = shares if weights is None else shares * weights[..., None]
    if batch * height * width >= 2**31:
        indices = indices.long()
    first = torch.arange(batch, dtype=indices.dtype, device=indices.device) * (height * width)
    indices = (indices + first.reshape(-1, 1, 1, 1)).reshape(batch * samples, -1)
    shares = shares.expand(batch, -1, -1, -1).reshape(batch * samples, -1)
    return bag(images.reshape(-1, channels), indices, shares).reshape(batch, samples, channels)


def sample_in_rows(images, positions, weights, training):
    """By a table whose rows are the same pixel of several images, which share the grid.

    In training of as many as there are: its gradient is the quicker, the longer the rows.
    """
    batch, height, width, channels = images.shape
    most = max(1, TABLE // (images[0].numel() * images.element_size())) if images.is_cpu else batch
    few = most if training or not images.is_cpu else max(VECTOR, ROW // channels // VECTOR * VECTOR)
    together = min(few, batch)
    whole = max(1, min(most, batch) // together) * together
    if whole < batch:
        parts = images.split(whole)
        return torch.cat([sample_in_rows(part, positions, weights, training) for part in parts])
    rows = Transposition.apply(images.reshape(-1, together, height * width * channels))
    rows = rows.reshape(-1, height, width, channels * together)
    samples = sample_table(rows, positions, weights)
    samples = Transposition.apply(samples.reshape(len(rows), -1, together))
    return samples.reshape(batch, -1, channels)


def significance(maps, floor):
    """See `reference.significance`, which takes over while torch.export or torch.compile traces,
    for what fits in the cache as it is, and on a GPU.
    """
    if is_traced() or not maps.is_cpu or 4 * maps.numel() <= CACHE:
        return reference.significance(maps, floor)
    return torch.stack([significance_of_one(one, floor) for one in maps])


def significance_of_one(one, floor):
    """Of one map (h, w, c): (h, w)."""
    height, width, channels = one.shape
    pixels = one.reshape(-1, channels).float()
    centered = pixels - pixels.mean(0)
    scale = torch.rsqrt(centered.square().mean(0) + floor) / channels
    return (centered @ scale).reshape(height, width)


def gather(table, index, axis=0):
    """See `reference.gather`; `index_select` is faster where few axes come before its own."""
    shape = *table.shape[:axis], *index.shape, *table.shape[axis + 1 :]
    if axis > 1:
        table, axis = table.flatten(0, axis - 1), 1
    return table.index_select(axis, index.reshape(-1)).reshape(shape)


def smallest(values, count):
    """See `reference.smallest`; `topk` finds the first of integers: bits of the value, index."""
    if count == 1:
        found, indices = values.min(0, keepdim=True)
        return found, indices.int()
    index = torch.arange(len(values), device=values.device)
    index = index.reshape(-1, *(1,) * (values.ndim - 1))
    keys = (values.view(torch.int32).long() << 32) + index
    keys = keys.topk(count, 0, largest=False).values
    return (keys >> 32).int().view(torch.float32), keys.int()
