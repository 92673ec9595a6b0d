"""What `ops.sample` takes: dtypes, data formats, unknown sizes, NaN, empty batches, bad input."""

import keras
import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from tests.numerics import (
    assert_close,
    check_gradients,
    gradients,
    project,
    random_like,
    second_gradients,
    to_numpy,
)
from tests.ops.test_sampling import (
    EVERY_WAY,
    FILL_MODES,
    displaced,
    every_way,
    random_grid,
    random_images,
    sample,
)

# Where every case is compiled as a whole.
FEW_WAYS = [
    {"fill_mode": "nearest", "antialias": True},
    {"fill_mode": "constant", "antialias": False},
    {"fill_mode": "reflect", "antialias": False},
]
NAN, INF = np.float32("nan"), np.float32("inf")


def dtype_of(x):
    return keras.backend.standardize_dtype(x.dtype)


# Gradients.


def smooth_grid(batch, rows, cols, height, width, seed=0):
    """Places at 0.2 to 0.8 between pixel centres, inside and up to two pixels outside."""
    rng = np.random.default_rng(seed)
    shape = (batch, rows, cols)
    axes = [rng.integers(-2, n + 1, shape) + rng.uniform(0.2, 0.8, shape) for n in (width, height)]
    return ((np.stack(axes, axis=-1) + 0.5) / np.array([width, height])).astype("float32")


@every_way
def test_gradients_equal_finite_differences(options):
    images = random_images(2, 5, 7, 2)
    # A shared grid under antialiasing, one for each image without: the kernels differ by that.
    grid = displaced(1, 3, 2) if options["antialias"] else smooth_grid(2, 3, 4, 5, 7)
    check_gradients(
        lambda images, grid: project(sample(images, grid, fill_value=0.3, **options)),
        images,
        grid,
        entries=6,
        step=2.0**-10,
        names=["images", "grid"],
    )


@pytest.mark.parametrize("channels", [2, 20])
def test_gradients_of_a_shared_grid_are_those_of_its_copies(channels):
    images, grid = random_images(3, 5, 7, channels), smooth_grid(1, 3, 4, 5, 7)

    def fn(images, grid):
        return project(sample(images, grid))

    to_images, to_grid = gradients(fn, images, grid)
    copies = gradients(fn, images, np.repeat(grid, 3, axis=0))
    assert_close(to_images, copies[0], 1e-5)
    assert_close(to_grid, copies[1].sum(axis=0, keepdims=True), 1e-5)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
def test_the_fill_has_no_slope_far_outside(fill_mode):
    images, grid = random_images(1, 5, 7, 2), random_grid(1, 3, 4) + np.float32(4.0)
    to_images, to_grid = gradients(
        lambda images, grid: project(sample(images, grid, fill_mode=fill_mode)), images, grid
    )
    flat = fill_mode in ("nearest", "constant")
    assert np.any(to_grid != 0) != flat
    assert np.any(to_images != 0) == (fill_mode != "constant")
    assert np.all(np.isfinite(to_grid))


def test_nearest_passes_gradients_to_the_images_only():
    images, grid = random_images(2, 5, 7, 2), random_grid(1, 3, 4)
    found = gradients(
        lambda images, grid: project(sample(images, grid, interpolation="nearest")), images, grid
    )
    assert np.any(found[0] != 0) and not np.any(found[1])


def test_gradient_of_integer_images_is_that_of_the_grid_alone():
    images = (255 * random_images(2, 5, 7, 2)).astype("uint8")
    grid = smooth_grid(2, 3, 4, 5, 7)
    check_gradients(lambda grid: project(sample(images, grid)) / 255.0, grid, step=2.0**-10)
    found = gradients(lambda images, grid: project(sample(images, grid)), images, grid)
    assert found[0] is None and np.any(found[1] != 0)


@pytest.mark.backends("tensorflow", "jax", reason="the torch kernel has no second derivative")
@pytest.mark.parametrize("options", FEW_WAYS, ids=str)
def test_second_derivatives(options):
    images, grid = random_images(2, 5, 7, 2), smooth_grid(2, 3, 4, 5, 7)

    def fn(images, grid):
        return project(sample(images, grid, **options))

    # Linear in the images: their gradient along v is the function of v, without a second order.
    to_images, to_grid = second_gradients(fn, images, grid, seed=3)
    along = random_like(images, 3)
    assert not np.any(to_images)
    assert_close(to_grid, gradients(lambda grid: fn(along, grid), grid)[0], 1e-5)
    # In the grid: the gradient's own difference along v.
    step, along = np.float32(2.0**-10), random_like(grid, 3)
    found, _ = second_gradients(lambda grid, images: fn(images, grid), grid, images, seed=3)
    if not options["antialias"]:  # its fine samples cross pixel borders
        above, below = (
            gradients(lambda grid: fn(images, grid), grid + s * along)[0] for s in (step, -step)
        )
        assert_close(found, (above - below) / (2 * step), 1e-2)
    assert np.all(np.isfinite(found))


# Dtypes and data formats.


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize(
    "dtype", ["uint8", "int32", "bool", "float16", "bfloat16", "float32", "float64"]
)
def test_dtype_of_the_result(dtype, interpolation):
    if dtype == "float64" and keras.backend.backend() == "jax":
        dtype = "float32"  # JAX has no float64 unless it is switched on
    images = ops.cast(200 * random_images(2, 5, 7, 3), dtype)
    grid = random_grid(1, 4, 3)
    for antialias in (False, True) if interpolation == "bilinear" else (False,):
        found = sample(images, grid, interpolation=interpolation, antialias=antialias)
        is_float = "float" in dtype
        assert dtype_of(found) == (dtype if is_float or interpolation == "nearest" else "float32")
        exact = sample(
            to_numpy(images).astype("float32"),
            grid,
            interpolation=interpolation,
            antialias=antialias,
        )
        tolerance = {"float16": 2.0**-11, "bfloat16": 2.0**-8}.get(dtype, 1e-6)
        assert_close(to_numpy(found).astype("float32"), exact, tolerance)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_at_512_pixels(dtype, fill_mode):
    """Only the values are rounded: half precision coordinates would be off by half a pixel."""
    images = random_images(1, 512, 512, 1)
    grid = displaced(1, 64, 64, cells=3.0)
    exact = to_numpy(sample(images, grid, fill_mode=fill_mode))
    found = to_numpy(sample(ops.cast(images, dtype), grid, fill_mode=fill_mode))
    assert np.max(np.abs(found.astype("float32") - exact)) <= 0.01 * np.ptp(exact)


@pytest.mark.backends("tensorflow", "torch", reason="JAX has no float64 unless switched on")
def test_float64_images_keep_their_precision():
    images = np.random.default_rng(0).uniform(size=(2, 5, 7, 3))
    grid = smooth_grid(1, 3, 4, 5, 7)
    offset = sample(images + 1e6, grid) - 1e6
    assert_close(offset, sample(images, grid), 1e-8)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_channels_first(interpolation):
    images, grid = random_images(2, 5, 7, 3), random_grid(2, 4, 3)
    expected = to_numpy(sample(images, grid, interpolation=interpolation)).transpose(0, 3, 1, 2)
    first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    options = {"interpolation": interpolation}
    assert_close(
        kr.ops.sample(first, grid, data_format="channels_first", **options), expected, 1e-6
    )
    keras.config.set_image_data_format("channels_first")
    assert_close(kr.ops.sample(first, grid, **options), expected, 1e-6)


@every_way
def test_empty_batch(options):
    for grid_batch in (0, 1):
        images, grid = random_images(0, 8, 10, 3), random_grid(grid_batch, 4, 5)
        assert tuple(sample(images, grid, **options).shape) == (0, 4, 5, 3)


def test_empty_batch_of_nearest():
    found = sample(random_images(0, 8, 10, 3), random_grid(1, 4, 5), interpolation="nearest")
    assert tuple(found.shape) == (0, 4, 5, 3)


def test_lists_and_integers_as_images():
    assert_close(sample([[[[1], [3]]]], [[[[0.5, 0.5]]]]), [[[[2.0]]]])


# NaN and infinities.


@every_way
@pytest.mark.parametrize("shared", [True, False])
def test_nan_in_the_grid_stays_in_its_own_output(options, shared):
    images, grid = random_images(2, 12, 15, 3), displaced(1 if shared else 2, 6, 5)
    expected = to_numpy(sample(images, grid, **options)).copy()
    grid[0, 2, 3, 0] = NAN
    found = to_numpy(sample(images, grid, **options))
    touched = np.zeros(found.shape, "bool")
    # The refined grid of antialiasing interpolates between neighbours.
    near = 1 if options["antialias"] else 0
    of_images = slice(None) if shared else slice(0, 1)
    touched[of_images, 2 - near : 3 + near, 3 - near : 4 + near] = True
    assert np.all(np.isnan(found[of_images, 2, 3]))
    assert not np.any(np.isnan(found[~touched]))
    assert_close(found[~touched], expected[~touched], 1e-6)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("value", [INF, -INF])
def test_infinite_places(fill_mode, value):
    """The edge pixel, the fill, or NaN where nothing can be folded; in their own output only."""
    images, grid = random_images(1, 5, 7, 2), smooth_grid(1, 3, 4, 5, 7)
    expected = to_numpy(sample(images, grid, fill_mode=fill_mode, fill_value=0.3)).copy()
    grid[0, 1, 2, 0] = value
    found = to_numpy(sample(images, grid, fill_mode=fill_mode, fill_value=0.3))
    if fill_mode == "constant":
        expected[0, 1, 2] = 0.3
    elif fill_mode == "nearest":
        at_edge = grid.copy()
        at_edge[0, 1, 2, 0] = 0.0 if value < 0 else 1.0
        expected[0, 1, 2] = to_numpy(sample(images, at_edge))[0, 1, 2]
    else:
        expected[0, 1, 2] = NAN
    assert_close(found, expected, 1e-6)


@pytest.mark.parametrize("fill_mode", FILL_MODES)
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_nearest_at_no_place_reads_some_pixel_or_the_fill(fill_mode, value):
    """Labels have no NaN; the read must stay inside the image whatever the grid holds."""
    labels = np.arange(1, 36, dtype="int32").reshape(1, 5, 7, 1)
    grid = np.full((1, 2, 2, 2), value, "float32")
    found = to_numpy(sample(labels, grid, interpolation="nearest", fill_mode=fill_mode))
    assert set(found.ravel()) <= {0, *labels.ravel()}


@every_way
@pytest.mark.parametrize("value", [NAN, INF])
def test_a_bad_pixel_reaches_only_the_outputs_that_read_it(options, value):
    images = random_images(2, 12, 15, 3)
    grid = to_numpy(kr.ops.uniform_grid((6, 5))) + np.float32(0.01)
    expected = to_numpy(sample(images, grid, **options))
    images[1, 4, 7, 2] = value
    found = to_numpy(sample(images, grid, **options))
    bad = ~np.isfinite(found)
    assert bad.any()
    # Its taps lie at most one pixel from a sample, the samples of a cell within the cell.
    near = np.zeros_like(bad)
    near[1, 1:4, 1:4, 2] = True
    assert not np.any(bad & ~near)
    assert_close(found[~bad], expected[~bad], 1e-6)


def test_gradients_with_nan_places_are_those_of_the_others():
    images, grid = random_images(2, 5, 7, 2), smooth_grid(2, 3, 4, 5, 7)

    def fn(grid):
        return project(ops.nan_to_num(sample(images, grid)))

    expected = gradients(fn, grid)[0]
    grid[0, 1, 2, 0] = NAN
    found = gradients(fn, grid)[0]
    others = np.ones(grid.shape, "bool")
    others[0, 1, 2] = False
    assert_close(found[others], expected[others], 1e-6)


# Tracing.


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_unknown_batch_height_and_width(interpolation, data_format):
    import tensorflow as tf

    shape = [None] * 3 + [3] if data_format == "channels_last" else [None, 3, None, None]
    for options in EVERY_WAY if interpolation == "bilinear" else [{"fill_mode": "reflect"}]:
        options = {**options, "interpolation": interpolation, "data_format": data_format}
        traced = tf.function(
            lambda images, grid, options=options: kr.ops.sample(images, grid, **options),
            input_signature=[tf.TensorSpec(shape), tf.TensorSpec([None, None, None, 2])],
        )
        for batch, height, width, rows, cols in [(2, 8, 9, 4, 3), (0, 5, 1, 2, 4)]:
            images = random_images(batch, height, width, 3)
            if data_format == "channels_first":
                images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
            grid = displaced(batch, rows, cols)
            assert_close(traced(images, grid), kr.ops.sample(images, grid, **options), 1e-5)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize(
    "options", [{}, {"antialias": True}, {"interpolation": "nearest"}], ids=str
)
def test_a_grid_shared_by_images_of_unknown_batch_and_size(options):
    import tensorflow as tf

    def fn(images, grid):
        return sample(images, grid, **options)

    spec = [tf.TensorSpec([None, None, None, 3]), tf.TensorSpec([1, None, None, 2])]
    traced = tf.function(fn, input_signature=spec)
    images, grid = random_images(3, 9, 8, 3), displaced(1, 4, 5)
    assert_close(traced(images, grid), fn(images, grid), 1e-5)
    # The batch of the grid is unknown too, and 1 when it runs.
    spec[1] = tf.TensorSpec([None, None, None, 2])
    traced = tf.function(fn, input_signature=spec)
    assert_close(traced(images, grid), fn(images, grid), 1e-5)


@pytest.mark.backends("tensorflow")
@pytest.mark.parametrize("grids", [1, 2])
def test_the_gradient_to_images_of_unknown_channels(grids):
    import tensorflow as tf

    def fn(images, grid):
        return tf.gradients(sample(images, grid) ** 2, images)[0]

    images, grid = random_images(2, 5, 7, 3), smooth_grid(grids, 3, 4, 5, 7)
    spec = [tf.TensorSpec([None] * 4), tf.TensorSpec([grids, None, None, 2])]
    expected = gradients(lambda images: sample(images, grid) ** 2, images)[0]
    assert_close(tf.function(fn, input_signature=spec)(images, grid), expected, 1e-5)


@pytest.mark.backends("jax")
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_jit_and_vmap(interpolation):
    import jax

    images, grid = random_images(3, 8, 9, 3), displaced(3, 4, 3)
    for options in FEW_WAYS if interpolation == "bilinear" else [{"fill_mode": "reflect"}]:

        def fn(images, grid, options=options):
            return sample(images, grid, interpolation=interpolation, **options)

        expected = fn(images, grid)
        assert_close(jax.jit(fn)(images, grid), expected, 1e-5)
        mapped = jax.jit(jax.vmap(lambda i, g, fn=fn: fn(i[None], g[None])[0]))
        assert_close(mapped(images, grid), expected, 1e-5)


# Bad input.

IMAGES, GRID = np.zeros((2, 4, 4, 3), "float32"), np.zeros((2, 2, 2, 2), "float32")


@pytest.mark.parametrize(
    "images, grid, message",
    [
        (IMAGES[0], GRID, r"`images` must .*Received: images of shape \(4, 4, 3\)$"),
        (IMAGES[:, :0], GRID, r"`images` .*no empty side.*shape \(2, 0, 4, 3\)$"),
        (IMAGES[..., :0], GRID, r"`images` .*no empty side.*shape \(2, 4, 4, 0\)$"),
        (IMAGES, GRID[0], r"`grid` must .*Received: grid of shape \(2, 2, 2\)$"),
        (IMAGES, GRID[..., :1], r"`grid` must .*Received: grid of shape \(2, 2, 2, 1\)$"),
        (IMAGES, GRID[:, :0], r"`grid` must .*Received: grid of shape \(2, 0, 2, 2\)$"),
        (IMAGES, np.repeat(GRID, 2, axis=0), r"`grid` must .*batch of 1.*\(4, 2, 2, 2\)$"),
        (IMAGES[:1], GRID, r"`grid` must .*batch of 1.*images, 1\..*\(2, 2, 2, 2\)$"),
        (IMAGES, GRID[:0], r"`grid` must .*batch of 1.*\(0, 2, 2, 2\)$"),
    ],
)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_bad_shapes(images, grid, message, interpolation):
    with pytest.raises(ValueError, match=message):
        sample(images, grid, interpolation=interpolation)


@pytest.mark.parametrize(
    "options",
    [
        {"interpolation": "cubic"},
        {"interpolation": None},
        {"fill_mode": "wrap"},
        {"fill_mode": None},
        {"fill_value": "0"},
        {"fill_value": True},
        {"fill_value": None},
        {"antialias": "yes"},
        {"antialias": 1},
        {"data_format": "channels"},
    ],
    ids=str,
)
def test_bad_options(options):
    ((name, value),) = options.items()
    with pytest.raises(ValueError, match=f"`{name}` must .*Received: {name}={value!r}$"):
        kr.ops.sample(IMAGES, GRID, **options)


def test_nearest_cannot_average():
    with pytest.raises(ValueError, match="`antialias=True` .*Received: interpolation='nearest'$"):
        sample(IMAGES, GRID, interpolation="nearest", antialias=True)


@pytest.mark.parametrize("images, grid", [(False, True), (True, False)])
def test_symbolic_tensors_need_a_layer(images, grid):
    images = keras.Input((4, 4, 3)) if images else IMAGES
    grid = keras.Input((2, 2, 2)) if grid else GRID
    with pytest.raises(ValueError, match="`(images|grid)` must .*SampleAt.*Received: .*KerasTen"):
        sample(images, grid)
