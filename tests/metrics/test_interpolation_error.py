"""The estimate of what bilinear interpolation misses, and what it does not see."""

import keras
import numpy as np
import pytest

from keras_resample.metrics import interpolation_error

Y, X = np.mgrid[:9, :7].astype("float64")
OPERATOR = [[1, -2, 1], [-2, 4, -2], [1, -2, 1]]  # (12) of the paper


def looped(image):
    height, width, channels = image.shape
    total = 0
    for channel in range(channels):
        for y in range(1, height - 1):
            for x in range(1, width - 1):
                around = image[y - 1 : y + 2, x - 1 : x + 2, channel]
                total += abs(np.sum(OPERATOR * around)) / 64
    return total / ((height - 2) * (width - 2) * channels)


@pytest.mark.parametrize("shape", [(4, 9, 7, 3), (2, 3, 3, 1), (1, 3, 12, 2), (0, 5, 5, 3)])
def test_the_mean_of_each_image(shape):
    images = np.random.default_rng(0).normal(size=shape)
    found = interpolation_error(images)
    assert found.shape == shape[:1] and found.dtype == "float64"
    np.testing.assert_allclose(found, [looped(image) for image in images], rtol=1e-12)


def test_grey_images_and_channels():
    images = np.random.default_rng(0).random((3, 9, 7, 2))
    grey = [interpolation_error(images[..., channel]) for channel in (0, 1)]
    np.testing.assert_allclose(interpolation_error(images), np.mean(grey, axis=0), rtol=1e-12)


def test_bytes_do_not_wrap_around():
    images = np.random.default_rng(0).integers(0, 256, (2, 9, 7, 3), dtype="uint8")
    np.testing.assert_allclose(
        interpolation_error(images), 255 * interpolation_error(images / 255), rtol=1e-12
    )


def test_the_scale_is_that_of_the_values():
    images = np.random.default_rng(0).normal(size=(2, 9, 7))
    expected = 3 * interpolation_error(images)
    np.testing.assert_allclose(interpolation_error(5 - 3 * images), expected, rtol=1e-12)


def test_it_has_no_left_nor_right():
    images = np.random.default_rng(0).normal(size=(2, 9, 7))
    for same in (images[:, ::-1], images[:, :, ::-1], images.transpose(0, 2, 1)):
        np.testing.assert_allclose(interpolation_error(same), interpolation_error(images))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (X**2 * Y**2, 4 / 64),  # the fourth derivative is 4 everywhere
        ((-1.0) ** (X + Y), 16 / 64),  # and the operator can give no more of values in [-1, 1]
        (X * Y, 0),
        (X**3 * Y, 0),
    ],
)
def test_values_by_hand(image, expected):
    np.testing.assert_allclose(interpolation_error([image]), [expected], atol=1e-12)


def halfway(image):
    """Bilinear interpolation in the middle of the pixels."""
    rows = (image[:-1] + image[1:]) / 2
    return (rows[:, :-1] + rows[:, 1:]) / 2


def test_it_does_not_see_what_varies_along_one_axis():
    """No bound: x^2 is missed by 1/4, and any a(x) + b(y) by as much as you like."""
    a, b = np.random.default_rng(0).normal(size=(2, 9))
    for image in (X**2, 1000 * Y**3, np.sin(X), a[:7] + b[:, None]):
        np.testing.assert_allclose(interpolation_error([image]), [0], atol=1e-12)
    missed = halfway(X**2) - (X[:-1, :-1] + 0.5) ** 2
    np.testing.assert_allclose(missed, 0.25)


def test_tensors():
    images = np.random.default_rng(0).random((2, 9, 7, 3), dtype="float32")
    found = interpolation_error(keras.ops.convert_to_tensor(images))
    np.testing.assert_array_equal(found, interpolation_error(images))


@pytest.mark.parametrize("shape", [(9, 7), (2, 2, 9), (2, 9, 2, 3), (2, 9, 7, 0), (1, 2, 9, 7, 3)])
def test_wrong_shapes(shape):
    with pytest.raises(ValueError, match=r"`images` must be .*3 pixels.*Received: images.shape=\("):
        interpolation_error(np.zeros(shape))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite(value):
    images = np.zeros((3, 9, 7))
    images[1, 0, 0] = value
    with pytest.raises(ValueError, match="`images` must be finite. Received: image 1 that is not"):
        interpolation_error(images)
