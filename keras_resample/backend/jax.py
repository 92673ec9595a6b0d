"""The bilinear kernel on JAX: four gathers that XLA fuses, and their derivative by hand."""

import jax
import jax.numpy as jnp

from keras_resample.backend import attention
from keras_resample.backend.reference import grid_gradients, tap_shares

FEW_CHANNELS = 16  # below this the gradient to a shared grid is taken of all images at once


def bilinear(images, positions, weights=None):
    """See `reference.bilinear`. The derivative can be derived again (reverse mode)."""
    positions = positions.astype(jnp.promote_types(images.dtype, "float32"))

    def inside(coordinate, size):
        coordinate = jnp.where(coordinate < 0, 0, coordinate)
        return jnp.where(coordinate > size - 1, size - 1, coordinate)

    _, height, width, _ = images.shape
    x, y = inside(positions[..., 0], width), inside(positions[..., 1], height)
    return samples(images, x, y, weights)


@jax.custom_vjp
def samples(images, x, y, weights):
    """Weighted samples (b, p, c) at places inside of the images."""
    indices, fx, fy = taps(images, x, y)
    shares = tap_shares(fx, fy, weights)
    result = 0
    for k in range(x.shape[2]):  # one fused loop; a reduction over k is five times slower
        for index, share in zip(indices, shares, strict=True):
            result = result + take(images, index[..., k]).astype(fx.dtype) * share[..., k, None]
    return result


def forward(images, x, y, weights):
    return samples(images, x, y, weights), (images, x, y, weights)


def backward(saved, upstream):
    """Under `jit` XLA drops the part of the gradient that nobody asks for."""
    images, x, y, weights = saved
    indices, fx, fy = taps(images, x, y)
    to_grid = grid_gradients(tap_products(images, indices, upstream), fx, fy, weights)
    if not jnp.issubdtype(images.dtype, jnp.floating):
        return None, *to_grid
    indices = jnp.stack(indices, axis=-1)
    shares = jnp.stack(tap_shares(fx, fy, weights), axis=-1)
    pull_back = jax.vjp(lambda images: take(images, indices).astype(fx.dtype), images)[1]
    return *pull_back(shares[..., None] * upstream[:, :, None, None]), *to_grid


samples.defvjp(forward, backward)


def taps(images, x, y):
    """The flat indices of the four taps, and the fractions."""
    _, height, width, _ = images.shape

    def split(coordinate, size):
        low = jnp.floor(coordinate).astype("int32")
        low = jnp.maximum(jnp.minimum(low, size - 2), 0)
        return low, coordinate - low

    left, fx = split(x, width)
    top, fy = split(y, height)
    first, right, below = top * width + left, min(width - 1, 1), width * min(height - 1, 1)
    return [first + step for step in (0, right, below, below + right)], fx, fy


def gather(table, index, axis=0):
    """See `reference.gather`."""
    place = (*(slice(None),) * axis, index)
    return table.at[place].get(mode="promise_in_bounds", wrap_negative_indices=False)


def has_fused_attention():
    """See `attention.has_fused_attention`: Keras's kernel of a TPU is not given the bias, nor a
    mask, without which it is causal.
    """
    return jax.devices()[0].platform != "tpu"


def read_tables(ids, tables):
    """See `attention.read_tables`."""
    return attention.read_tables(ids, tables, gather)


def fuses_attention(bias, dtype, training=None):
    """See `attention.fuses_attention`: a CPU has none for float16, and a slower gradient."""
    slower = training and jax.devices()[0].platform == "cpu"
    return not slower and dtype != "float16" and has_fused_attention()


def nearest(images, rows, cols):
    """See `reference.nearest`; no index counts the pixels of the whole batch."""
    return take(images, rows * images.shape[2] + cols)


def take(images, indices):
    """Reads pixels of (b, h, w, c) images at flat `indices` (b or 1, ...) -> (b, ..., c)."""
    batch, height, width, channels = images.shape
    table = images.reshape(batch, height * width, channels)
    if indices.shape[0] == 1:
        return table.at[:, indices[0]].get(mode="promise_in_bounds")
    return jax.vmap(lambda t, i: t.at[i].get(mode="promise_in_bounds"))(table, indices)


@jax.jit  # outside of a larger program too, where each call would compile its loop
def tap_products(images, indices, upstream):
    """Scalar products over the channels of `upstream` and each tap, (4, b or 1, p, k).

    One k after the other: it is quicker, and quicker to compile, than all of them in one piece.
    """
    batch, height, width, channels = images.shape
    shared = indices[0].shape[0] == 1
    if shared and channels < FEW_CHANNELS:  # one image of all images' channels
        images = images.transpose(1, 2, 0, 3).reshape(1, height, width, batch * channels)
        upstream = upstream.transpose(1, 0, 2).reshape(1, -1, batch * channels)

    def products(indices):
        return jnp.stack([jnp.sum(take(images, index) * upstream, axis=-1) for index in indices])

    found = jax.lax.map(products, jnp.moveaxis(jnp.stack(indices), -1, 0))
    found = jnp.moveaxis(found, 0, -1)
    return found.sum(1, keepdims=True) if shared else found
