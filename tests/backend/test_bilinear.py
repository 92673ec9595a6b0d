"""Every bilinear kernel against a loop, in values and derivatives, and in the ways it is called."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import reference

BACKEND = keras.backend.backend()
CASES = [  # images, samples in a sum, and whether they have weights
    ((2, 5, 7, 3), 1, False),
    ((2, 5, 7, 3), 4, True),
    ((3, 1, 6, 2), 1, True),
    ((3, 6, 1, 1), 4, False),
    ((2, 1, 1, 4), 1, False),
    ((2, 6, 5, 20), 1, True),
    ((2, 6, 5, 20), 4, False),
]


def bilinear(images, x, y, weights=None, kernel=backend.bilinear):
    """The kernel with x and y apart, to look at the derivatives to each."""
    return kernel(images, ops.stack([x, y], axis=-1), weights)


def bilinear_reference(images, x, y, weights=None):
    return bilinear(images, x, y, weights, kernel=reference.bilinear)


KERNELS = {"kernel": bilinear, "reference": bilinear_reference}


def case(shape, shared=True, k=1, weighted=False, seed=0):
    """Images, coordinates (integers, both borders and beyond them), weights and an upstream."""
    rng = np.random.default_rng(seed)
    batch, height, width, channels = shape
    grids, samples = 1 if shared else batch, 6
    x = rng.uniform(0, width - 1, (grids, samples, k)).astype("float32")
    y = rng.uniform(0, height - 1, (grids, samples, k)).astype("float32")
    x[0, :4, 0], y[0, :4, 0] = [0, width - 1, width // 2, 0], [0, height - 1, 0, height // 2]
    x[0, 4, 0], y[0, 5, 0] = -1.5, height + 2.0
    x[-1, 5, -1], y[-1, 4, -1] = width - 0.75, -0.25
    weights = rng.normal(size=x.shape).astype("float32") if weighted else None
    images = rng.normal(size=shape).astype("float32")
    upstream = rng.normal(size=(batch, samples, channels)).astype("float32")
    return [images, x, y] + ([weights] if weighted else []), upstream


def tap(coordinate, size):
    """The two pixels, the fraction, and the slope of the coordinate, 0 outside of the image."""
    inside = min(max(coordinate, 0), size - 1)
    low = min(int(np.floor(inside)), max(size - 2, 0))
    return (low, min(low + 1, size - 1)), inside - low, float(inside == coordinate)


def loop(tensors, upstream):
    """The definition, one sample at a time: the output and the gradient to each tensor."""
    images, x, y, *rest = [np.asarray(t, "float64") for t in tensors]
    weights = rest[0] if rest else np.ones_like(x)
    batch, height, width, channels = images.shape
    output = np.zeros((batch, x.shape[1], channels))
    to_images, to_x, to_y, to_w = (np.zeros_like(t) for t in (images, x, y, weights))
    for b, p, k in np.ndindex(batch, x.shape[1], x.shape[2]):
        at = (b if len(x) > 1 else 0, p, k)
        (left, right), fx, slope_x = tap(x[at], width)
        (top, bottom), fy, slope_y = tap(y[at], height)
        for row, wy, dy in ((top, 1 - fy, -1), (bottom, fy, 1)):
            for col, wx, dx in ((left, 1 - fx, -1), (right, fx, 1)):
                pixel = images[b, row, col]
                output[b, p] += weights[at] * wy * wx * pixel
                to_images[b, row, col] += weights[at] * wy * wx * upstream[b, p]
                dot = np.dot(pixel, upstream[b, p])
                to_x[at] += weights[at] * slope_x * wy * dx * dot
                to_y[at] += weights[at] * slope_y * dy * wx * dot
                to_w[at] += wy * wx * dot
    return output, [to_images, to_x, to_y] + ([to_w] if rest else [])


def gradients(function, tensors, upstream):
    """The gradient of `sum(function(*tensors) * upstream)` to every tensor, as tensors."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            output = function(*tensors)
        return tape.gradient(output, tensors, output_gradients=upstream)
    if BACKEND == "jax":
        import jax

        return jax.vjp(function, *tensors)[1](upstream)
    import torch

    tensors = [t if t.requires_grad else t.clone().requires_grad_() for t in tensors]
    return torch.autograd.grad(function(*tensors), tensors, upstream, create_graph=True)


def compiled(function):
    """`function` in every mode in which the backend runs it, by name."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return {
            "eager": function,
            "graph": tf.function(function, autograph=False),
            "xla": tf.function(function, autograph=False, jit_compile=True),
        }
    if BACKEND == "jax":
        import jax

        return {"eager": function, "jit": jax.jit(function)}
    return {"eager": function}


def tensor(value, dtype=None):
    return ops.convert_to_tensor(value, dtype)


def array(value):
    return ops.convert_to_numpy(ops.cast(value, "float64" if BACKEND != "jax" else "float32"))


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("shape", "k", "weighted"), CASES)
def test_equals_the_loop_with_gradients(name, shared, shape, k, weighted):
    tensors, upstream = case(shape, shared, k, weighted)
    expected, expected_gradients = loop(tensors, upstream)
    tensors = [tensor(t) for t in tensors]
    np.testing.assert_allclose(array(KERNELS[name](*tensors)), expected, atol=1e-5)
    found = gradients(KERNELS[name], tensors, tensor(upstream))
    for gradient, loop_gradient in zip(found, expected_gradients, strict=True):
        np.testing.assert_allclose(array(gradient), loop_gradient, atol=2e-5)


@pytest.mark.parametrize(("shared", "k"), [(True, 1), (True, 4), (False, 1)])
def test_every_mode_gives_the_same(shared, k):
    tensors, upstream = case((3, 6, 7, 3), shared, k, weighted=k > 1)
    expected, expected_gradients = loop(tensors, upstream)
    tensors, upstream = [tensor(t) for t in tensors], tensor(upstream)
    for function in compiled(bilinear).values():
        for _ in range(4):  # TensorFlow compiles a scope at its third call
            np.testing.assert_allclose(array(function(*tensors)), expected, atol=1e-5)
    for function in compiled(lambda *t: gradients(bilinear, list(t), upstream)).values():
        for gradient, loop_gradient in zip(function(*tensors), expected_gradients, strict=True):
            np.testing.assert_allclose(array(gradient), loop_gradient, atol=2e-5)


@pytest.mark.backends("torch", reason="it reads a few images at a time")
@pytest.mark.parametrize(("shared", "function"), [(True, "bag"), (False, "grid_sample")])
@pytest.mark.parametrize("k", [1, 4])
def test_every_part_of_a_batch_is_read(monkeypatch, shared, function, k):
    import torch

    tensors, upstream = case((19, 8, 9, 3), shared, k)
    kernel, parts = backend.bilinear.__globals__, []
    monkeypatch.setitem(kernel, "CACHE", tensors[0][0].nbytes)
    monkeypatch.setitem(kernel, "TABLE", tensors[0][:8].nbytes)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)

    def read(values, *arguments, called=kernel[function], **options):
        parts.append(values.shape[1] // 3 if shared else len(values))
        return called(values, *arguments, **options)

    monkeypatch.setitem(kernel, function, read)
    expected, expected_gradients = loop(tensors, upstream)
    tensors, upstream = [tensor(t) for t in tensors], tensor(upstream)
    np.testing.assert_allclose(array(bilinear(*tensors)), expected, atol=1e-5)
    assert parts == [8, 8, 3]
    found = gradients(bilinear, tensors, upstream)
    for gradient, loop_gradient in zip(found, expected_gradients, strict=True):
        np.testing.assert_allclose(array(gradient), loop_gradient, atol=2e-5)


@pytest.mark.parametrize(("channels", "k"), [(1, 1), (3, 4), (20, 1)])
def test_a_grid_shared_by_many_images(channels, k):
    """More images than a kernel takes at a time, the last time fewer; no gradient is asked."""
    tensors, upstream = case((19, 5, 6, channels), True, k, weighted=k > 1)
    expected, _ = loop(tensors, upstream)
    np.testing.assert_allclose(array(bilinear(*map(tensor, tensors))), expected, atol=1e-5)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "bfloat16", "float32", "float64"])
def test_dtypes(dtype, shared):
    if BACKEND == "jax" and dtype == "float64":
        pytest.skip("jax has no float64 unless its x64 mode is on")
    (images, x, y), upstream = case((2, 5, 6, 3), shared)
    images = tensor(np.round(images * 20) + 100, dtype)
    expected, _ = loop((array(images), x, y), upstream)
    output = bilinear(images, tensor(x), tensor(y))
    wide = "float64" if dtype == "float64" else "float32"
    assert keras.backend.standardize_dtype(output.dtype) == wide
    np.testing.assert_allclose(array(output), expected, rtol=1e-12 if "64" in dtype else 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_gradient_to_half_precision_images_has_their_dtype(dtype):
    (images, x, y), upstream = case((2, 5, 6, 3))
    _, (expected, *_) = loop((images, x, y), upstream)
    tensors = [tensor(images, dtype), tensor(x), tensor(y)]
    found = gradients(bilinear, tensors, tensor(upstream))
    assert [keras.backend.standardize_dtype(g.dtype) for g in found] == [dtype] + ["float32"] * 2
    np.testing.assert_allclose(array(found[0]), expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_at_512_is_within_a_percent_of_the_range(dtype):
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(1, 512, 512, 1)).astype("float32")
    x, y = rng.uniform(0, 511, (2, 1, 500, 16)).astype("float32")
    weights = np.full_like(x, 1 / 16)
    grid = [tensor(t) for t in (x, y, weights)]
    exact, half = bilinear(tensor(images), *grid), bilinear(tensor(images, dtype), *grid)
    np.testing.assert_allclose(array(half), array(exact), atol=0.01)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("shared", [True, False])
def test_a_nan_coordinate_stays_in_its_own_output(name, shared):
    (images, x, y), upstream = case((2, 5, 6, 3), shared)
    clean = KERNELS[name](tensor(images), tensor(x), tensor(y))
    x[0, 1], y[0, 4] = np.nan, np.nan
    tensors = [tensor(t) for t in (images, x, y)]
    output = array(KERNELS[name](*tensors))
    bad = np.isnan(x + y)[..., 0] & np.ones((2, 1), bool)
    assert np.isnan(output[bad]).all()
    np.testing.assert_array_equal(output[~bad], array(clean)[~bad])
    _, to_x, to_y = gradients(KERNELS[name], tensors, tensor(upstream))
    assert np.isfinite(array(to_x)[~np.isnan(y)]).all()
    assert np.isfinite(array(to_y)[~np.isnan(x)]).all()


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_bad_pixel_reaches_only_the_outputs_that_touch_it(value, shared):
    images = np.ones((2, 5, 6, 3), "float32")
    images[0, 2, 3], images[0, 4, 4] = value, value
    count = 1 if shared else 2
    x = tensor([[[0.5], [2.5], [4.5], [5.0]]] * count, "float32")
    y = tensor([[[0.5], [1.5], [2.5], [4.0]]] * count, "float32")
    output = array(bilinear(tensor(images), x, y))
    assert not np.isfinite(output[0, [1, 3]]).any()
    output[0, [1, 3]] = 1
    np.testing.assert_allclose(output, 1, rtol=1e-6)


@pytest.mark.parametrize(("shared", "weighted"), [(True, True), (False, False), (False, True)])
def test_second_derivative(shared, weighted):
    tensors, upstream = case((2, 5, 6, 3), shared, 2 if weighted else 1, weighted)
    tensors, upstream = [tensor(t) for t in tensors], tensor(upstream)

    def twice(kernel):
        def slope(*tensors):
            return gradients(kernel, list(tensors), upstream)[1]

        return gradients(slope, tensors, ops.ones_like(tensors[1]))

    if BACKEND == "torch" and shared:  # documented: it says so instead of being wrong
        with pytest.raises((RuntimeError, NotImplementedError)):
            twice(bilinear)
        return
    for found, expected in zip(twice(bilinear), twice(bilinear_reference), strict=True):
        if expected is not None and found is not None:
            np.testing.assert_allclose(array(found), array(expected), atol=1e-5)


@pytest.mark.parametrize("size", [(5, 6), (50, 60)], ids=["dense", "sparse"])
@pytest.mark.parametrize("shared", [True, False])
def test_integer_images_leave_a_gradient_to_the_grid(shared, size):
    (images, x, y), upstream = case((2, *size, 3), shared)
    images = np.round(images * 20 + 100).astype("uint8")
    expected_output, (_, *expected) = loop((images, x, y), upstream)
    images = tensor(images)
    output = bilinear(images, tensor(x), tensor(y))
    np.testing.assert_allclose(array(output), expected_output, rtol=1e-5)
    found = gradients(lambda x, y: bilinear(images, x, y), [tensor(x), tensor(y)], tensor(upstream))
    for gradient, loop_gradient in zip(found, expected, strict=True):
        np.testing.assert_allclose(array(gradient), loop_gradient, rtol=1e-5, atol=1e-3)


def test_nearest_copies_pixels():
    images = np.arange(2 * 4 * 5 * 3, dtype="uint8").reshape(2, 4, 5, 3)
    rows, cols = np.array([[3, 0], [1, 2]], "int32"), np.array([[4, 0], [2, 1]], "int32")
    output = reference.nearest(tensor(images), tensor(rows), tensor(cols))
    assert keras.backend.standardize_dtype(output.dtype) == "uint8"
    expected = np.stack([images[b][rows[b], cols[b]] for b in range(2)])
    np.testing.assert_array_equal(ops.convert_to_numpy(output), expected)
    shared = reference.nearest(tensor(images), tensor(rows[:1]), tensor(cols[:1]))
    expected = np.stack([images[b][rows[0], cols[0]] for b in range(2)])
    np.testing.assert_array_equal(ops.convert_to_numpy(shared), expected)
