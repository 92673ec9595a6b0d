"""SaliencySampler: its map, grid, networks, warm-up blur, and every error it raises."""

from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import DeformationModule, SaliencySampler
from tests.layer_test_case import check_layer
from tests.layers.samplers.test_grid_sampler import VARIANT
from tests.numerics import assert_close, gradients, loss_gradients, project, to_numpy

IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 12, 3)).astype("float32")
SMALL = {"size": (5, 6), "grid_size": (4, 5)}
GRADIENT = {"entries": 6, "step": 2.0**-10}
GOLDENS = Path(__file__).parents[2] / "goldens" / "recasens_grid.npz"


def random_weights(layer):
    """Weights that move samples by a fraction of a cell; statistics and counters stay."""
    rng = np.random.default_rng(3)
    for weight in layer.trainable_weights:
        weight.assign(rng.uniform(-0.25, 0.25, weight.shape))


def sampler(**options):
    """A built layer with a random state, channels-last."""
    layer = SaliencySampler(**{**SMALL, "data_format": "channels_last", **options})
    layer.build(IMAGES.shape)
    random_weights(layer)
    return layer


@keras.saving.register_keras_serializable(package="keras_resample_tests")
class Brightness(keras.layers.Layer):
    """Saliency from the mean over the channels, of either data format."""

    def __init__(self, data_format, gain=3.0, **kwargs):
        super().__init__(**kwargs)
        self.data_format = data_format
        self.gain = gain

    def call(self, images):
        axis = 1 if self.data_format == "channels_first" else 3
        return self.gain * keras.ops.mean(images, axis=axis, keepdims=True)

    def compute_output_shape(self, shape):
        return tuple(
            1 if axis == (1 if self.data_format == "channels_first" else 3) else n
            for axis, n in enumerate(shape)
        )

    def get_config(self):
        config = {"data_format": self.data_format, "gain": self.gain}
        return {**super().get_config(), **config}


# The promises of every layer.


def test_default_network():
    check_layer(SaliencySampler, SMALL, IMAGES, prepare=random_weights, gradient=GRADIENT)


def test_learned_map():
    arguments = {**SMALL, "saliency": "learned", "sigma": 1.5, "radius": 2}
    only = [check for check in VARIANT if check != "gradient"]  # see test_gradient_of_the_map
    only += ["build", "unknown_size", "export"]
    check_layer(SaliencySampler, arguments, IMAGES, prepare=random_weights, only=only)


@pytest.mark.in_turn
def test_learned_map_by_factor_antialiased():
    arguments = {"factor": 0.5, "saliency": "learned", "grid_size": (4, 5), "antialias": True}
    only = ["config", "symbolic_shape", "data_format", "half_precision", "keras_file", "freezing"]
    check_layer(SaliencySampler, arguments, IMAGES, prepare=random_weights, only=only)


@pytest.mark.in_turn
def test_deformation_module_in_front():
    check_layer(
        SaliencySampler,
        lambda: {**SMALL, "saliency": DeformationModule((4, 3), data_format="channels_last")},
        IMAGES,
        only=["build", "symbolic_shape", "unknown_size", "keras_file", "freezing", "reuse"],
    )


@pytest.mark.in_turn
def test_bytes():
    images = (255 * IMAGES).astype("uint8")
    only = ["build", "symbolic_shape", "unknown_size", "data_format", "half_precision", "reuse"]
    check_layer(SaliencySampler, SMALL, images, prepare=random_weights, only=only)


@pytest.mark.in_turn
def test_warm_up_blur_is_part_of_no_promise_of_inference():
    arguments = {**SMALL, "saliency": "learned", "blur_steps": 3, "seed": 1}
    only = ["config", "build", "keras_file", "fit", "freezing"]
    check_layer(SaliencySampler, arguments, IMAGES, prepare=random_weights, only=only)


# What is uniform.


@pytest.mark.parametrize("saliency", [None, "learned"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_the_start_is_a_resize(saliency, data_format):
    images = IMAGES if data_format == "channels_last" else IMAGES.transpose(0, 3, 1, 2).copy()
    layer = SaliencySampler(size=(4, 7), saliency=saliency, data_format=data_format)
    expected = keras.ops.image.resize(
        images, (4, 7), "bilinear", antialias=False, data_format=data_format
    )
    outputs, grid = layer(images, return_grid=True)
    assert_close(outputs, expected, 1e-5)
    batch = 1 if saliency == "learned" else 2
    uniform = np.repeat(to_numpy(kr.ops.uniform_grid((4, 7))), batch, axis=0)
    assert np.array_equal(to_numpy(grid), uniform)


@pytest.mark.parametrize("value", [0.1, -7.3, 1e4])
def test_equal_logits_of_another_size_are_exactly_uniform(value):
    layer = SaliencySampler(
        size=(4, 7), saliency=Constant(value), grid_size=(5, 6), saliency_input_size=(7, 9),
        data_format="channels_last",
    )  # fmt: skip
    uniform = np.repeat(to_numpy(kr.ops.uniform_grid((4, 7))), 2, axis=0)
    assert np.array_equal(to_numpy(layer.grid(IMAGES)), uniform)
    assert_close(layer.density(IMAGES), np.ones((2, 4, 7)), 1e-5)


class Constant(keras.layers.Layer):
    """The same logit everywhere."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def call(self, images):
        return self.value * keras.ops.ones_like(images[..., :1])


# The map.


@pytest.mark.parametrize("name", ["smooth14", "peaky14", "hot14", "corner14", "noise31"])
def test_map_and_grid_of_recasens(name):
    """Logits of 14x14 become the released map of 31x31 and its grid."""
    goldens = np.load(GOLDENS)
    logits = goldens[f"{name}_logits"].astype("float32")[None, ..., None]
    layer = SaliencySampler(
        size=(31, 31),
        saliency=Brightness("channels_last", gain=1.0),
        saliency_input_size=logits.shape[1:3],
        data_format="channels_last",
    )
    images = keras.ops.convert_to_numpy(
        keras.ops.repeat(keras.ops.repeat(logits, 5, axis=1), 5, axis=2)
    )
    found = to_numpy(layer.saliency_map(images))
    assert_close(found[0] * 961, goldens[f"{name}_saliency"] * 961, 3e-5)
    grid = (30 * (goldens[f"{name}_grid31"] + 1) / 2 + 0.5) / 31
    assert_close(layer.grid(images)[0], grid, 1e-5)


def test_it_sums_to_one_and_is_float32_under_half_precision():
    for dtype in ("float32", "mixed_float16", "mixed_bfloat16", "float64"):
        layer = sampler(dtype=dtype)
        saliency, grid = layer.saliency_map(IMAGES), layer.grid(IMAGES)
        for tensor in (saliency, grid):
            assert keras.backend.standardize_dtype(tensor.dtype) == "float32"
        assert_close(np.sum(to_numpy(saliency), axis=(1, 2)), np.ones(2), 1e-5)


def test_bright_parts_are_sampled_densely():
    images = np.zeros((1, 40, 40, 1), "float32")
    images[:, 24:36, 4:16] = 1
    layer = SaliencySampler(
        0.5, saliency=Brightness("channels_last"), sigma=4.0, data_format="channels_last"
    )
    saliency = to_numpy(layer.saliency_map(images))[0]
    assert saliency[23, 7] > 10 * saliency[7, 23]
    density = to_numpy(layer.density(images))[0]
    assert density[15, 5] > 2 and density[5, 15] < 1.1
    assert_close(1 / density, layer.jacobian(images)[0], 1e-5)
    outputs = to_numpy(layer(images))
    assert outputs.mean() > 2 * images.mean()


def test_density_is_bounded_where_samples_coincide():
    layer = SaliencySampler(
        size=(4, 5), saliency="learned", grid_size=(4, 5), data_format="channels_last"
    )
    layer.build(IMAGES.shape)
    logits = np.zeros((4, 5), "float32")
    logits[1, 2] = 1e4
    layer.set_weights([logits])
    assert_close(layer.density(IMAGES), np.full((1, 4, 5), 20.0), 1e-5)


def test_mirrored_images_give_mirrored_samples():
    layer = SaliencySampler(
        size=(4, 5), saliency=Brightness("channels_last"), grid_size=(6, 7),
        saliency_input_size=(9, 12), data_format="channels_last",
    )  # fmt: skip
    expected = to_numpy(layer(IMAGES))
    assert np.abs(expected - to_numpy(kr.layers.UniformDownsample(
        size=(4, 5), data_format="channels_last")(IMAGES))).max() > 0.02  # fmt: skip
    assert_close(layer(IMAGES[:, :, ::-1].copy()), expected[:, :, ::-1], 1e-5)
    assert_close(layer(IMAGES[:, ::-1].copy()), expected[:, ::-1], 1e-5)


def test_call_is_its_three_parts():
    layer = sampler(antialias=True)
    outputs, grid = layer(IMAGES, return_grid=True)
    saliency = layer.saliency_map(IMAGES)
    found = layer.grid_from_saliency(saliency, IMAGES)
    assert_close(found, grid, 1e-6)
    assert_close(layer.grid(IMAGES), grid, 1e-6)
    assert_close(layer.sample(IMAGES, found), outputs, 1e-5)
    expected = kr.ops.resize_grid(
        kr.ops.saliency_grid(saliency, tuple(13 / 2.35482 / 31 * n for n in (4, 5))), (5, 6)
    )
    assert_close(found, expected, 1e-6)


def test_labels_and_the_way_back():
    layer = sampler()
    grid = layer.grid(IMAGES)
    labels = np.arange(2 * 9 * 12).reshape(2, 9, 12, 1).astype("int32")
    sampled = layer.sample(labels, grid, interpolation="nearest")
    restored = to_numpy(layer.restore(sampled, grid, (9, 12)))
    assert restored.shape == labels.shape and restored.dtype == np.int32
    assert set(restored.ravel()) <= set(to_numpy(sampled).ravel())


def test_logits_of_any_size_stay_finite():
    for gain in (1e4, -1e4, 3e38):
        layer = SaliencySampler(
            **SMALL, saliency=Brightness("channels_last", gain=gain), data_format="channels_last"
        )
        outputs, grid = layer(2 * IMAGES - 1 if gain < 1e38 else IMAGES, return_grid=True)
        assert np.isfinite(to_numpy(outputs)).all() and np.isfinite(to_numpy(grid)).all()


# The network and what it sees.


def test_the_network_sees_means_of_reads():
    seen = []

    class Record(Brightness):
        def call(self, images):
            seen.append(to_numpy(images))
            return super().call(images)

    images = np.random.default_rng(0).uniform(size=(2, 32, 24, 3)).astype("float32")
    for size, reads in (((32, 24), 1), ((16, 12), 1), ((8, 6), 2)):
        layer = SaliencySampler(
            size=(4, 3), saliency=Record("channels_last"), saliency_input_size=size,
            data_format="channels_last",
        )  # fmt: skip
        seen.clear()
        layer.saliency_map(images)
        if reads == 1 and size == (32, 24):
            expected = images
        else:  # two pixels a read: every pixel counts the same
            fine = 32 // size[0]
            expected = images.reshape(2, size[0], fine, size[1], fine, 3).mean(axis=(2, 4))
        assert_close(seen[-1], expected, 1e-5)


def test_config_of_a_network():
    layer = SaliencySampler(0.5, saliency=DeformationModule((5, 2)), sigma=2, radius=(3, 4))
    config = layer.get_config()
    again = SaliencySampler.from_config(config)
    assert again.get_config() == config
    assert isinstance(again.saliency, DeformationModule) and again.saliency.filters == (5, 2)
    assert again.sigma == (2.0, 2.0) and again.radius == (3, 4)


def test_any_keras_model():
    images = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, data_format="channels_last")(images)
    x = keras.layers.Dropout(0.5)(x)
    network = keras.Model(images, keras.layers.Conv2D(1, 1, data_format="channels_last")(x))
    layer = SaliencySampler(**SMALL, saliency=network, data_format="channels_last")
    assert tuple(layer(IMAGES).shape) == (2, 5, 6, 3)
    first, second = (to_numpy(layer.saliency_map(IMAGES, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 0, "dropout is off in training"
    first, second = (to_numpy(layer.saliency_map(IMAGES)) for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("antialias", [False, True])
def test_gradient_of_the_map(antialias):
    """It is that of the functions the layer is made of, each compared to finite differences."""
    layer = sampler(saliency="learned", sigma=1.5, radius=2, antialias=antialias)
    (weight,) = layer.trainable_weights
    (found,) = loss_gradients(layer, IMAGES)

    def sampled(logits):
        saliency = keras.ops.reshape(
            keras.ops.softmax(keras.ops.reshape(logits, (1, -1))), (1, 4, 5)
        )
        grid = kr.ops.resize_grid(kr.ops.saliency_grid(saliency, 1.5, 2), (5, 6))
        options = {"antialias": antialias, "data_format": "channels_last"}
        return project(kr.ops.sample(IMAGES, grid, **options))

    (expected,) = gradients(sampled, to_numpy(weight))
    assert np.abs(expected).max() > 0.01
    assert_close(found, expected, 1e-4)


def test_channels_first():
    last = SaliencySampler(
        **SMALL, saliency=Brightness("channels_last"), data_format="channels_last"
    )
    first = SaliencySampler(
        **SMALL, saliency=Brightness("channels_first"), data_format="channels_first"
    )
    swapped = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    assert_close(to_numpy(first(swapped)).transpose(0, 2, 3, 1), last(IMAGES), 1e-5)


@pytest.mark.in_turn
@pytest.mark.parametrize("saliency", [None, "learned"])
def test_training_moves_the_samples_to_what_matters(saliency):
    """Images get brighter towards a corner, and a bright mean is wanted: the map grows there."""
    noise = np.random.default_rng(0).uniform(-0.1, 0.1, (64, 16, 16, 1))
    ramp = np.add.outer(np.linspace(0.5, 0, 16), np.linspace(0.5, 0, 16))
    images = (ramp[..., None] + noise).astype("float32")
    targets = np.ones((64, 1), "float32")
    zoom = SaliencySampler(
        size=(4, 4), saliency=saliency, grid_size=(4, 4), sigma=1.5, data_format="channels_last"
    )
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            zoom,
            keras.layers.GlobalAveragePooling2D(data_format="channels_last"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.1), "mse")
    losses = model.fit(images, targets, batch_size=16, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]
    saliency = to_numpy(zoom.saliency_map(images)).mean(axis=0)
    assert saliency[:2, :2].mean() > 1.5 * saliency[2:, 2:].mean()


# The warm-up blur.


def blurring(steps=2, **options):
    return SaliencySampler(
        0.5, saliency="learned", blur_steps=steps, seed=7, data_format="channels_last", **options
    )


def test_blur_lasts_for_its_steps_of_training():
    images = np.random.default_rng(0).uniform(size=(2, 32, 40, 3)).astype("float32")
    layer = blurring(steps=5)
    sharp = to_numpy(layer(images))
    calls = [to_numpy(layer(images, training=True)) for _ in range(7)]
    contrast = [np.std(x) / np.std(sharp) for x in calls]
    assert min(contrast[:5]) < 0.8 and np.std(contrast[:5]) > 0.01, "each step draws a size"
    for later in (*calls[5:], to_numpy(layer(images))):
        assert np.array_equal(later, sharp)


@pytest.mark.parametrize("fraction, bins", [(1.0, 12), (0.5, 6), (0.25, 3), (1 / 12, 1)])
def test_blur_is_pooling_and_a_resize(fraction, bins):
    from keras_resample.layers.samplers.warm_up_blur import pooled_and_back

    images = np.random.default_rng(0).uniform(size=(2, 12, 24, 3)).astype("float32")
    pooled = images.reshape(2, bins, 12 // bins, 2 * bins, 12 // bins, 3).mean(axis=(2, 4))
    expected = keras.ops.image.resize(
        pooled, (12, 24), "bilinear", antialias=False, data_format="channels_last"
    )
    found = pooled_and_back(images, keras.ops.convert_to_tensor(fraction), "channels_last")
    assert_close(found, expected, 1e-5)
    swapped = images.transpose(0, 3, 1, 2)
    found = pooled_and_back(swapped, keras.ops.convert_to_tensor(fraction), "channels_first")
    assert_close(to_numpy(found).transpose(0, 2, 3, 1), expected, 1e-5)


def test_blur_of_sides_that_do_not_divide_keeps_the_mean_of_a_constant():
    from keras_resample.layers.samplers.warm_up_blur import pooled_and_back

    images = np.full((1, 11, 7, 2), 0.3, "float32")
    for fraction in (0.3, 0.62, 0.9):
        found = pooled_and_back(images, keras.ops.convert_to_tensor(fraction), "channels_last")
        assert_close(found, images, 1e-6)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_blur_counts_in_compiled_fit(jit_compile):
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("torch.compile is not used here")
    images = np.random.default_rng(0).uniform(size=(6, 16, 16, 3)).astype("float32")
    layer = blurring(steps=4)
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), layer, keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse", jit_compile=jit_compile)
    for expected in (3, 4):
        model.fit(images, np.ones((6, 1)), batch_size=2, epochs=1, verbose=0)
        (count,) = (w for w in layer.non_trainable_weights if w.name == "blur_step")
        assert int(to_numpy(count)) == expected


# Bad input.


def test_images_smaller_than_the_size():
    layer = SaliencySampler(size=(5, 13), data_format="channels_last")
    message = r"`size` must not exceed.*Received: size=\(5, 13\), images of size \(9, 12\)"
    with pytest.raises(ValueError, match=message):
        layer(IMAGES)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"saliency": "predicted"}, '`saliency` must be None, "learned" or a Keras layer.*Receiv'),
        ({"saliency": np.zeros}, "`saliency` must be .*Received: saliency=<"),
        ({"grid_size": 31}, "`grid_size` must be two positive integers.*Received: grid_size=31"),
        ({"saliency_input_size": (0, 4)}, "`saliency_input_size` must be two.*Received: saliency_"),
        (
            {"saliency": "learned", "saliency_input_size": (4, 4)},
            r"no network for `saliency_input_size`. Received: saliency_input_size=\(4, 4\)",
        ),
        ({"sigma": 0}, r"`sigma` must be a number in \(0, inf\). Received: sigma=0"),
        ({"radius": 2.5}, "`radius` must be a positive integer.*Received: radius=2.5"),
        (
            {"blur_steps": -1},
            "`blur_steps` must be an integer of .* 0. Received: blur_steps=-1",
        ),
        (
            {"blur_steps": 1.5},
            "`blur_steps` must be an integer of .* 0. Received: blur_steps=1.5",
        ),
        (
            {"blur_steps": 2, "interpolation": "nearest"},
            "A blur needs.*Received: blur_steps=2, interpolation='nearest'",
        ),
    ],
    ids=str,
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        SaliencySampler(0.5, **options)


@pytest.mark.parametrize(
    "network",
    [
        keras.layers.Conv2D(2, 3, data_format="channels_last"),
        keras.layers.GlobalAveragePooling2D(data_format="channels_last"),
        keras.layers.Flatten(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_network_with_the_wrong_output(network):
    layer = SaliencySampler(0.5, saliency=network, data_format="channels_last")
    with pytest.raises(ValueError, match="one channel per place.*Received: saliency with output"):
        layer(IMAGES)


@pytest.mark.parametrize("saliency", [None, "learned"])
def test_no_images(saliency):
    """The last batch of a distributed evaluation may be empty."""
    layer = sampler(saliency=saliency)
    outputs, grid = layer(IMAGES[:0], return_grid=True)
    assert tuple(outputs.shape) == (0, 5, 6, 3)
    assert tuple(grid.shape) == (1 if saliency else 0, 5, 6, 2)


def test_names_of_the_default_network_are_the_same_in_every_layer():
    """So that one's weights, by their names, are the other's."""
    paths = [[w.path.split("/", 1)[1] for w in sampler().weights] for _ in range(2)]
    assert paths[0] == paths[1]
    assert "saliency_network/conv1/kernel" in paths[0]
