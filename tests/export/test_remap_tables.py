"""The tables of OpenCV's `remap` read what the layer reads."""

import keras
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

import keras_resample as kr


def remapped(image, x, y, rows, columns, mode="nearest"):
    """What OpenCV does: samples one by one, then the means of the blocks."""
    pixels = [map_coordinates(c, (y, x), order=1, mode=mode) for c in np.moveaxis(image, -1, 0)]
    blocks = np.stack(pixels, -1)
    shape = rows, len(x) // rows, columns, x.shape[1] // columns, -1
    return blocks.reshape(shape).mean((1, 3))


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("size", [(10, 14), (9, 13)])
def test_tables_of_a_learned_flow(antialias, size):
    images = np.random.default_rng(0).random((2, *size, 3)).astype("float32")
    layer = kr.layers.FlowWarpDownsample(
        size=(5, 4), antialias=antialias, data_format="channels_last"
    )
    layer.build(images.shape)
    layer.set_flow(np.random.default_rng(1).normal(size=(5, 4, 2)))
    expected = keras.ops.convert_to_numpy(layer(images))
    x, y = kr.export.remap_tables(layer)
    assert x.dtype == y.dtype == "float32" and len(x) == 5 * (-(-size[0] // 5) if antialias else 1)
    for image, samples in zip(images, expected, strict=True):
        found = remapped(image, x, y, 5, 4)
        np.testing.assert_allclose(found, samples, atol=1e-5)


@pytest.mark.parametrize("fill_mode", ["nearest", "reflect", "mirror"])
def test_places_outside_of_the_image(fill_mode):
    image = np.random.default_rng(0).random((1, 2, 8, 8)).astype("float32")
    layer = kr.layers.FlowWarpDownsample(
        1.0, fill_mode=fill_mode, data_format="channels_first", flow_initializer="zeros"
    )
    layer.build(image.shape)
    layer.set_flow(np.random.default_rng(1).uniform(-5, 5, (8, 8, 2)))
    x, y = kr.export.remap_tables(layer)
    assert x.min() < -0.5 and y.max() > 7.5
    found = remapped(np.moveaxis(image[0], 0, -1), x, y, 8, 8, fill_mode)
    expected = np.moveaxis(keras.ops.convert_to_numpy(layer(image))[0], 0, -1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_another_size_and_antialiasing_by_choice():
    layer = kr.layers.CropDownsample(size=(4, 4), margin=0.25, data_format="channels_last")
    image = np.random.default_rng(0).random((12, 16, 1)).astype("float32")
    x, y = kr.export.remap_tables(layer, image_size=(12, 16), antialias=True)
    assert x.shape == (12, 16)
    averaging = kr.layers.CropDownsample(
        size=(4, 4), margin=0.25, antialias=True, data_format="channels_last"
    )
    expected = keras.ops.convert_to_numpy(averaging(image[None]))[0]
    np.testing.assert_allclose(remapped(image, x, y, 4, 4), expected, atol=1e-5)
    np.testing.assert_array_equal(kr.export.remap_tables(averaging, (12, 16)), (x, y))


@pytest.mark.parametrize(
    ("layer", "size", "message"),
    [
        (keras.layers.Dense(2), None, "`layer` must be a sampler with one grid"),
        (kr.layers.SaliencySampler(0.5), (8, 8), "`layer` must be a sampler with one grid"),
        (kr.layers.FlowWarpDownsample(0.5), None, "`image_size` is needed"),
        (kr.layers.CropDownsample(0.5), 0, "`image_size` must"),
    ],
)
def test_what_has_no_tables(layer, size, message):
    with pytest.raises(ValueError, match=message):
        kr.export.remap_tables(layer, size)
