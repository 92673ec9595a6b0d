"""A flow on images of another size than it was built for, and of sizes that a graph learns late."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.layers import FlowWarpDownsample
from tests.numerics import assert_close, to_numpy

SMOOTH = np.stack(np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 4)), -1).astype("float32")


def images_of(height, width, batch=2):
    return np.random.default_rng(0).uniform(size=(batch, height, width, 3)).astype("float32")


def learned(**options):
    """Built for images of 8 x 12 pixels, whose frame it moves outwards by a pixel."""
    layer = FlowWarpDownsample(**{"factor": 0.5, **options}, data_format="channels_last")
    layer.build((None, 8, 12, 3))
    layer.set_flow(SMOOTH)
    return layer


def predicted(**options):
    conv = keras.layers.Conv2D(2, 3, padding="same", data_format="channels_last")
    return FlowWarpDownsample(flow=conv, data_format="channels_last", **options)


@pytest.mark.parametrize(
    "height, width, options",
    [
        (16, 24, {"antialias": True}),
        (8, 20, {"interpolation": "nearest"}),
        (5, 7, {}),
        (8, 12, {}),
    ],
)
def test_the_output_has_the_size_that_the_layer_says(height, width, options):
    layer, images = learned(**options), images_of(height, width)
    expected = layer.compute_output_shape(images.shape)
    assert expected[1:3] == (-(-height // 2), -(-width // 2))
    outputs, grid = layer(images, return_grid=True)
    assert tuple(outputs.shape) == expected and tuple(grid.shape) == (1, *expected[1:3], 2)
    assert tuple(layer.jacobian(images).shape) == expected[1:3]
    assert tuple(layer.jacobian().shape) == (4, 6) and tuple(layer.flow.shape) == (4, 6, 2)
    symbolic = layer(keras.Input((height, width, 3)))
    assert symbolic.shape == (None, *expected[1:])


def test_on_images_of_another_size_it_looks_at_the_same_places():
    """A scaling stays one: its relative displacement is the same at every size."""
    layer = learned()
    grid = to_numpy(layer.grid(images_of(8, 12)))
    assert_close(layer.grid(images_of(16, 24)), kr.ops.resize_grid(grid, (8, 12)), 1e-6)
    # In the middle, where a resize continues nothing: a pixel of 12 at both ends, here 2 of 24.
    found = to_numpy(layer.grid(images_of(8, 24)))[0, 0, 1:-1, 0]
    places = (np.arange(12) + 0.5)[1:-1] / 12
    # The ends of the flow are the centres of its outer cells, 5 / 12 from the middle.
    assert_close(found, places + (places - 0.5) / (5 / 12) / 12, 1e-6)


def test_it_trains_on_images_of_another_size():
    layer = learned()
    layer(images_of(16, 24), training=True)
    assert len(layer.losses) == 2 and all(np.isfinite(to_numpy(loss)) for loss in layer.losses)
    own = learned()
    own(images_of(8, 12), training=True)
    penalties = [max(float(to_numpy(loss)) for loss in x.losses) for x in (layer, own)]
    assert 0.3 < penalties[0] / penalties[1] < 3  # in cells of the output


@pytest.mark.parametrize("kind", [learned, predicted])
def test_no_images(kind):
    outputs = kind(factor=0.5)(images_of(8, 12, batch=0))
    assert tuple(outputs.shape) == (0, 4, 6, 3)


@pytest.mark.backends("tensorflow", reason="only its graphs have unknown sizes")
def test_in_a_graph_of_unknown_sizes_too():
    import tensorflow as tf

    layer = learned()
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 3])])
    for height, width in ((8, 12), (16, 24), (5, 7)):
        images = images_of(height, width)
        assert_close(traced(images), layer(images), 1e-5)


@pytest.mark.backends("tensorflow", reason="only its graphs have unknown sizes")
def test_a_predicted_flow_that_preserves_the_aspect_ratio_of_images_of_unknown_size():
    import tensorflow as tf

    layer = predicted(size=(6, 6), preserve_aspect_ratio=True)
    layer.build((None, None, None, 3))
    traced = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, 3])])
    for height, width, size in ((8, 12, (4, 6)), (12, 8, (6, 4)), (9, 9, (6, 6))):
        images = images_of(height, width)
        found = traced(images)
        assert tuple(found.shape[1:3]) == size
        assert_close(found, layer(images), 1e-5)


# Weights that let a grid fold.


@pytest.mark.parametrize("diffeo, shrink", [(1.0, 1.0), (0.5, 1.0), (0.0, 0.1)])
def test_folding_should_cost_more_than_shrinking_gains(diffeo, shrink):
    """The paper's equal weights run, and the penalty is what they say."""
    with pytest.warns(UserWarning, match="`diffeo_weight` exceeds .*Received: diffeo_weight="):
        layer = learned(smooth_weight=0.0, diffeo_weight=diffeo, shrink_weight=shrink)
    layer(images_of(8, 12), training=True)
    grid = layer.grid(None)
    folds, area = kr.ops.fold_penalty(grid, corners=True), kr.ops.shrink_penalty(grid)
    expected = diffeo * float(to_numpy(folds)) + shrink * float(to_numpy(area))
    assert_close(sum(float(to_numpy(loss)) for loss in layer.losses), expected, 1e-5)
