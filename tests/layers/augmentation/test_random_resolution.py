"""Each image is reduced by a factor of its own and brought back, in training alone."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.ops.reduction import reduced_and_back
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.normal(size=(2, 7, 9, 2)).astype("float32")
UNEQUAL = (0.3, 0.25, 0.2, 0.15, 0.1)
MANY = np.tile(np.arange(16.0, dtype="float32")[None, :, None, None], (2000, 1, 1, 1))


def resolution_of(factors, probabilities=None, seed=3, **arguments):
    arguments = {"data_format": "channels_last", **arguments}
    return kr.layers.RandomResolution(factors, probabilities, seed, **arguments)


def reduced_size(image, factor):
    return tuple(max(1, int(np.floor(factor * side + 0.5))) for side in image.shape[:2])


def resized(image, size, antialias):
    image = keras.ops.convert_to_tensor(image)
    return keras.ops.image.resize(
        image, size, "bilinear", antialias=antialias, data_format="channels_last"
    )


def axis_by_a_loop(pixels, count):
    """One axis of n pixels, reduced to `count` by a triangle filter and interpolated back."""
    ratio = len(pixels) / count
    reduced = []
    for k in range(count):
        centre = (k + 0.5) * ratio - 0.5
        shares = [max(0, 1 - abs(j - centre) / ratio) for j in range(len(pixels))]
        reduced.append(sum(s * p for s, p in zip(shares, pixels, strict=True)) / sum(shares))
    back = []
    for i in range(len(pixels)):
        place = min(max((i + 0.5) / ratio - 0.5, 0), count - 1)
        low = min(int(place), max(count - 2, 0))
        high = min(low + 1, count - 1)
        back.append((1 - (place - low)) * reduced[low] + (place - low) * reduced[high])
    return back


def test_one_factor():
    skip = {"exchange": "what is drawn differs between backends"}
    check_layer(
        kr.layers.RandomResolution,
        {"factors": (0.4,), "probabilities": (1.0,)},
        IMAGES,
        call_arguments={"training": True},
        gradient={"entries": 4},
        skip=skip,
    )


@pytest.mark.parametrize("size", [(7, 9), (16, 16), (1, 12)], ids=str)
def test_an_image_is_resized_there_and_back(size):
    factors = np.array([1, 0.8, 0.5, 0.3, 0.125, 0.01], "float32")
    images = RANDOM.normal(size=(6, *size, 3)).astype("float32")
    tensors = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(factors)
    found = to_numpy(reduced_and_back(*tensors, data_format="channels_last"))
    for image, factor, seen in zip(images, factors, found, strict=True):
        reduced = resized(image, reduced_size(image, factor), antialias=True)
        assert_close(seen, resized(reduced, size, antialias=False))


def test_an_image_is_what_a_loop_says():
    image = RANDOM.normal(size=(7, 9)).astype("float32")
    for factor in (0.8, 0.5, 0.25, 0.1):
        rows, cols = reduced_size(image, factor)
        expected = np.apply_along_axis(axis_by_a_loop, 0, image.astype("float64"), rows)
        expected = np.apply_along_axis(axis_by_a_loop, 1, expected, cols)
        layer = resolution_of([factor])
        assert_close(layer(image[None, ..., None], training=True)[0, ..., 0], expected)


def test_it_is_what_the_samplers_baseline_leaves_of_an_image():
    images = RANDOM.uniform(size=(2, 16, 24, 3)).astype("float32")
    reduce = kr.layers.UniformDownsample(0.25, antialias=True, data_format="channels_last")
    back = kr.layers.UniformDownsample(size=(16, 24), data_format="channels_last")
    assert_close(resolution_of([0.25])(images, training=True), back(reduce(images)))


def test_what_is_flat_and_what_is_bright_stay():
    flat = np.full((3, 13, 10, 1), 0.7, "float32")
    assert_close(resolution_of([0.6, 0.2, 0.05])(flat, training=True), flat, 1e-6)
    images = RANDOM.uniform(size=(4, 16, 16, 3)).astype("float32")
    seen = to_numpy(resolution_of([0.5, 0.25])(images, training=True))
    assert seen.min() >= images.min() and seen.max() <= images.max()


def test_a_side_of_half_a_pixel_more_is_rounded_up():
    """5 pixels by half are 3, and a side never vanishes."""
    image = RANDOM.normal(size=(1, 5, 3, 1)).astype("float32")
    for factor, size in ((0.5, (3, 2)), (0.1, (1, 1)), (0.01, (1, 1))):
        expected = resized(resized(image[0], size, antialias=True), (5, 3), antialias=False)
        assert_close(resolution_of([factor])(image, training=True)[0], expected)


def test_outside_of_training_it_is_exactly_nothing():
    for training in (False, None):
        images = resolution_of([0.2])(IMAGES, training=training)
        np.testing.assert_array_equal(to_numpy(images), IMAGES)


def test_the_whole_size_is_exactly_the_image():
    images = np.float32(1e4) * RANDOM.normal(size=(3, 31, 112, 1)).astype("float32")
    images[1, 4, 5] = np.inf
    for factors in ([1.0], [0.999]):
        found = resolution_of(factors)(images, training=True)
        np.testing.assert_array_equal(to_numpy(found), images)


def test_a_pixel_that_is_no_number_stays_where_it_has_a_part():
    images = np.zeros((1, 16, 16, 1), "float32")
    images[0, 1, 2] = np.nan
    seen = np.isnan(to_numpy(resolution_of([0.5])(images, training=True)))[0, ..., 0]
    assert seen[1, 2] and not seen[6:].any() and not seen[:, 7:].any()


@pytest.mark.parametrize("probabilities", [None, UNEQUAL, (0, 0.5, 0, 0.5, 0)], ids=str)
def test_factors_are_drawn_as_often_as_their_probabilities_say(probabilities):
    layer = resolution_of((1, 1 / 2, 1 / 4, 1 / 8, 1 / 16), probabilities)
    # A slope has fewer steps, the lower the resolution: its first pixel tells them apart.
    seen = to_numpy(layer(MANY, training=True))[:, 0, 0, 0]
    told = [axis_by_a_loop(np.arange(16.0), count)[0] for count in (16, 8, 4, 2, 1)]
    which = np.abs(seen[:, None] - told).argmin(axis=1)
    expected = probabilities or [0.2] * 5
    counts = np.bincount(which, minlength=5) / len(seen)
    assert np.abs(counts - expected).max() < 0.04  # 3.5 standard deviations
    assert not counts[np.equal(expected, 0)].any()


def test_any_size_of_an_interval_is_drawn():
    layer = resolution_of(np.arange(4, 17) / 16)
    seen = to_numpy(layer(MANY, training=True))[:, 0, 0, 0]
    told = {round(axis_by_a_loop(np.arange(16.0), count)[0], 3) for count in range(4, 17)}
    assert {round(float(value), 3) for value in seen} == told and len(told) == 13


def test_one_draw_serves_both_sides():
    """An image that depends on x alone and one that depends on y alone lose alike."""
    slope = np.arange(8.0, dtype="float32")
    images = np.tile((slope[:, None] + 100 * slope)[None, ..., None], (20, 1, 1, 1))
    first = to_numpy(resolution_of([1, 0.5, 0.25])(images, training=True))[:, 0, 0, 0]
    alike = [101 * axis_by_a_loop(slope, count)[0] for count in (8, 4, 2)]
    assert np.abs(first[:, None] - alike).min(axis=1).max() < 1e-3
    assert len(np.unique(first.round(2))) == 3


def test_a_seed_is_the_same_draws_and_the_next_call_others():
    factors = np.arange(4, 17) / 16
    first, second = resolution_of(factors), resolution_of(factors)
    drawn = to_numpy(first(MANY[:50], training=True))
    assert_close(second(MANY[:50], training=True), drawn)
    assert np.abs(to_numpy(second(MANY[:50], training=True)) - drawn).max() > 0.01


def test_bytes_become_floats():
    images = RANDOM.integers(0, 256, (2, 8, 8, 3)).astype("uint8")
    for training in (True, False):
        found = resolution_of([0.5])(images, training=training)
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
    expected = resolution_of([0.5])(images.astype("float32"), training=True)
    assert_close(resolution_of([0.5])(images, training=True), expected)


def test_it_reduces_inside_of_fit_and_not_inside_of_predict():
    images = keras.Input((7, 9, 2))
    same = keras.layers.Dense(2, use_bias=False, kernel_initializer="identity")
    model = keras.Model(images, same(resolution_of([0.3])(images)))
    model.compile("sgd", "mse")
    assert_close(model.predict(IMAGES, verbose=0), IMAGES)
    reduced = to_numpy(resolution_of([0.3])(IMAGES, training=True))
    assert model.test_on_batch(IMAGES, IMAGES) < 1e-9
    assert model.train_on_batch(IMAGES, reduced) < 1e-9


@pytest.mark.backends("tensorflow", reason="tf.data runs graphs of TensorFlow")
def test_in_a_pipeline_of_tensorflow():
    import tensorflow as tf

    layer = resolution_of(np.arange(4, 17) / 16)
    data = tf.data.Dataset.from_tensor_slices(MANY[:12]).batch(4)
    batches = list(data.map(lambda images: layer(images, training=True)))
    firsts = np.concatenate([batch.numpy()[:, 0, 0, 0] for batch in batches])
    assert len(np.unique(firsts.round(3))) > 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factors": 0.5}, "`factors` must be a list of numbers in"),
        ({"factors": ()}, "`factors` must be a list of numbers in"),
        ({"factors": (1, 0)}, "`factors` must be a list of numbers in"),
        ({"factors": (112, 56)}, "`factors` must be a list of numbers in"),
        ({"probabilities": (0.5, 0.5)}, "`probabilities` must be 5 numbers in"),
        ({"probabilities": (2, -1, 0, 0, 0)}, "`probabilities` must be 5 numbers in"),
        ({"probabilities": (0.3, 0.3, 0.2, 0.2, 0.2)}, "`probabilities` must have the sum 1"),
        ({"data_format": "first"}, "`data_format` must be one of"),
    ],
)
@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        kr.layers.RandomResolution(**arguments)


@pytest.mark.backends("torch", reason="shapes are checked in Python")
def test_bad_inputs():
    with pytest.raises(ValueError, match="`images` must have shape"):
        resolution_of([0.5])(np.zeros((3, 5, 2), "float32"))
