"""What `ops.sample` and `ops.restore` refuse: too many pixels, a fill that does not fit.

Their images of 2 GB cost nothing: they are traced, or zeros that nobody has touched.
"""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample import backend
from tests.numerics import to_numpy

BACKEND = keras.backend.backend()
SIDE = 46_400  # of an image that has more than 2^31 pixels
GRID = np.full((1, 1, 1, 2), 1.0, "float32")


def shape_only(fn, shape, dtype="uint8"):
    """`fn` of images of that shape, which take no memory."""
    if BACKEND == "jax":
        import jax

        return jax.eval_shape(fn, jax.ShapeDtypeStruct(shape, dtype))
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(fn).get_concrete_function(tf.TensorSpec(shape, dtype))
    import torch

    return fn(torch.zeros((), dtype=getattr(torch, dtype)).expand(shape))


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_an_image_of_too_many_pixels(interpolation, data_format):
    shape = (1, SIDE, SIDE, 1) if data_format == "channels_last" else (1, 1, SIDE, SIDE)
    with pytest.raises(ValueError, match="`images` .*2.31 .*windows.*Received: .*46400 x 46400"):
        shape_only(
            lambda images: kr.ops.sample(images, GRID, interpolation, data_format=data_format),
            shape,
        )


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_restoring_to_too_many_pixels_or_from_too_many(interpolation):
    values = np.zeros((1, 1, 1, 1), "float32")
    with pytest.raises(ValueError, match="`size` .*2.31 .*Received: size of 46400 x 46400"):
        kr.ops.restore(values, GRID, (SIDE, SIDE), interpolation, "channels_last")
    with pytest.raises(ValueError, match="`values` .*2.31 .*Received: values of 46400 x 46400"):
        backend.check_pixels("values", SIDE, SIDE)
    backend.check_pixels("values", 46_340, 46_340)


@pytest.mark.backends("tensorflow", reason="only its graphs have unknown sizes")
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_a_graph_of_unknown_size_stops_at_too_many_pixels(interpolation):
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 1], "uint8")])
    def last_pixel(images):
        return kr.ops.sample(images, GRID, interpolation, data_format="channels_last")

    assert last_pixel(np.full((1, 3, 4, 1), 7, "uint8")).numpy().ravel() == 7
    with pytest.raises(tf.errors.InvalidArgumentError, match="`images` .*2.31 .*windows"):
        backend.check_pixels("images", tf.constant(SIDE), tf.constant(SIDE))


@pytest.mark.backends("torch", reason="the others would copy 2 GB")
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("grids", [1, 2])
def test_a_batch_of_more_pixels_than_one_index_counts(interpolation, grids):
    import torch

    images = torch.zeros((2, 33_000, 33_000, 1), dtype=torch.uint8)
    images[1, -1, -1] = 7
    grid = np.repeat(GRID, grids, axis=0)
    found = kr.ops.sample(images, grid, interpolation, data_format="channels_last")
    assert to_numpy(found).ravel().tolist() == [0, 7]


@pytest.mark.backends("tensorflow", "jax", reason="PyTorch has no trace that takes no memory")
def test_the_gradient_to_a_batch_of_more_pixels_than_one_index_counts():
    grid = np.repeat(GRID, 2, axis=0)

    def read(images):
        return kr.ops.sample(images, grid, data_format="channels_last")

    def gradient(images):
        if BACKEND == "jax":
            import jax

            return jax.grad(lambda images: read(images).sum())(images)
        import tensorflow as tf

        return tf.gradients(read(images), images)[0]

    shape_only(gradient, (2, 33_000, 33_000, 1), "float16")


# A fill that does not fit.


def fill(dtype, fill_value, interpolation):
    images = np.ones((1, 4, 4, 1), "float32").astype(dtype)
    options = {"fill_mode": "constant", "fill_value": fill_value, "data_format": "channels_last"}
    grid = to_numpy(kr.ops.uniform_grid((1, 2))) * [[2.0, 1.0]]  # inside and outside
    return to_numpy(kr.ops.sample(images, grid, interpolation, **options)).ravel().tolist()


@pytest.mark.parametrize(
    "dtype, value, interpolation, kind",
    [
        ("uint8", 300, "nearest", "an integer from 0 to 255"),
        ("uint8", -1.0, "nearest", "an integer from 0 to 255"),
        ("uint8", 0.5, "nearest", "an integer from 0 to 255"),
        ("int32", 2**31, "nearest", "an integer from -2147483648 to 2147483647"),
        ("bool", 2, "nearest", "an integer from 0 to 1"),
        ("float16", 65520.0, "nearest", "a number"),
        ("float16", -70000, "bilinear", "a number"),
        ("float32", 1e39, "bilinear", "a number"),
        ("uint8", 1e39, "bilinear", "a number"),
    ],
)
def test_a_fill_that_the_samples_cannot_hold(dtype, value, interpolation, kind):
    with pytest.raises(ValueError, match=f"`fill_value` must be {kind} .*Received: fill_value="):
        fill(dtype, value, interpolation)


@pytest.mark.parametrize(
    "dtype, value, interpolation",
    [
        ("uint8", 255.0, "nearest"),
        ("uint8", 300, "bilinear"),
        ("bool", 0, "nearest"),
        ("int32", -(2**31), "nearest"),
        ("float16", 65504, "bilinear"),
        ("float32", -3.4e38, "bilinear"),
    ],
)
def test_a_fill_at_the_limit_stays_outside(dtype, value, interpolation):
    assert fill(dtype, value, interpolation) == [1, pytest.approx(value)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -np.float32("inf")])
def test_a_fill_is_finite(value):
    with pytest.raises(ValueError, match="`fill_value` must be a finite number. Received: fill"):
        fill("float32", value, "bilinear")
