"""The smallest box around what is bright."""

import numpy as np
import pytest

import keras_resample as kr

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((6, 9, 12)) * (RANDOM.random((6, 9, 12)) < 0.06)


def loop(image, threshold):
    rows, columns = np.nonzero(image > threshold)
    height, width = image.shape
    x0, x1 = columns.min() / width, (columns.max() + 1) / width
    y0, y1 = rows.min() / height, (rows.max() + 1) / height
    return [(x0, y0), (x1, y0), (x0, y1), (x1, y1), ((x0 + x1) / 2, (y0 + y1) / 2)]


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_it_equals_a_loop(threshold):
    found = kr.datasets.foreground_keypoints(IMAGES, threshold)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, [loop(image, threshold) for image in IMAGES], atol=1e-6)


def test_channels_and_formats():
    expected = kr.datasets.foreground_keypoints(IMAGES)
    parts = np.where(RANDOM.random(IMAGES.shape) < 0.5, [IMAGES, 0 * IMAGES], [0 * IMAGES, IMAGES])
    first = np.moveaxis(parts, 0, 1)
    found = kr.datasets.foreground_keypoints(first, data_format="channels_first")
    np.testing.assert_array_equal(found, expected)
    found = kr.datasets.foreground_keypoints((np.moveaxis(parts, 0, 3) * 255).astype("uint8"))
    np.testing.assert_array_equal(found, expected)


def test_nothing_is_missing_for_itself_alone():
    images = IMAGES.copy()
    images[1] = 0
    found = kr.datasets.foreground_keypoints(images)
    assert np.isnan(found[1]).all()
    np.testing.assert_array_equal(
        np.delete(found, 1, 0), kr.datasets.foreground_keypoints(np.delete(images, 1, 0))
    )


def test_moving_the_foreground_moves_the_keypoints():
    image = np.zeros((1, 8, 10))
    image[0, 2:5, 3:4] = 1
    moved = kr.datasets.foreground_keypoints(np.roll(image, (1, 2), axis=(1, 2)))
    step = np.array([2 / 10, 1 / 8])
    np.testing.assert_allclose(moved, kr.datasets.foreground_keypoints(image) + step, atol=1e-6)


def test_bad_arguments():
    with pytest.raises(ValueError, match="`images` must have shape"):
        kr.datasets.foreground_keypoints(np.zeros((8, 8)))
    with pytest.raises(ValueError, match="`threshold` must be a finite number"):
        kr.datasets.foreground_keypoints(IMAGES, threshold="0")
