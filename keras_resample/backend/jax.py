"""The bilinear kernel on JAX: four gathers that XLA fuses, and one scatter for their gradient."""

import jax
import jax.numpy as jnp

from keras_resample.backend.reference import tap_weights

FEW_CHANNELS = 16  # below this the gradient to a shared grid is taken of all images at once


def places(images, x, y):
    """The flat index of the top left tap, the steps to the four taps, and the fractions."""
    _, height, width, _ = images.shape
    dtype = jnp.promote_types(images.dtype, "float32")

    def split(coordinate, size):
        coordinate = jnp.where(coordinate < 0, 0, coordinate)
        coordinate = jnp.where(coordinate > size - 1, size - 1, coordinate)
        low = jnp.floor(coordinate).astype("int32")
        low = jnp.maximum(jnp.minimum(low, size - 2), 0)
        return low, coordinate - low

    left, fx = split(x.astype(dtype), width)
    top, fy = split(y.astype(dtype), height)
    right, below = jnp.minimum(width - 1, 1), width * jnp.minimum(height - 1, 1)
    return top * width + left, (0, right, below, below + right), fx, fy


def take(images, indices):
    """Reads pixels of (b, h, w, c) images at flat `indices` (b or 1, ...) -> (b, ..., c)."""
    batch, height, width, channels = images.shape
    table = images.reshape(batch, height * width, channels)
    if indices.shape[0] == 1:
        return table.at[:, indices[0]].get(mode="promise_in_bounds")
    return jax.vmap(lambda t, i: t.at[i].get(mode="promise_in_bounds"))(table, indices)


def samples(images, x, y, weights):
    first, steps, fx, fy = places(images, x, y)
    taps = tap_weights(fx, fy, weights)
    result = 0
    for k in range(x.shape[2]):  # one fused loop; a reduction over k is five times slower
        for step, tap in zip(steps, taps, strict=True):
            pixels = take(images, first[..., k] + step).astype(fx.dtype)
            result = result + pixels * tap[..., k, None]
    return result


def bilinear(images, positions, weights=None):
    """See `reference.bilinear`. The derivative can be derived again (reverse mode)."""
    return weighted_samples(images, positions[..., 0], positions[..., 1], weights)


@jax.custom_vjp
def weighted_samples(images, x, y, weights):
    return samples(images, x, y, weights)


def forward(images, x, y, weights):
    return samples(images, x, y, weights), (images, x, y, weights)


def backward(saved, upstream):
    """Under `jit` XLA drops the part of the gradient that nobody asks for."""
    images, *grid = saved
    batch, height, width, channels = images.shape
    pixels, to_pixels = images, upstream
    if grid[0].shape[0] == 1 and channels < FEW_CHANNELS:  # one image of all images' channels
        pixels = images.transpose(1, 2, 0, 3).reshape(1, height, width, batch * channels)
        to_pixels = upstream.transpose(1, 0, 2).reshape(1, -1, batch * channels)
    to_grid = jax.vjp(lambda *grid: samples(pixels, *grid), *grid)[1](to_pixels)
    if not jnp.issubdtype(images.dtype, jnp.floating):
        return None, *to_grid
    x, y, weights = grid
    first, steps, fx, fy = places(images, x, y)
    indices = jnp.stack([first + step for step in steps], axis=-1)
    taps = jnp.stack(tap_weights(fx, fy, weights), axis=-1)
    pull_back = jax.vjp(lambda images: take(images, indices).astype(fx.dtype), images)[1]
    return *pull_back(taps[..., None] * upstream[:, :, None, None]), *to_grid


weighted_samples.defvjp(forward, backward)
