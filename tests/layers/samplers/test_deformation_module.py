"""DeformationModule: the published network, from images to logits."""

import numpy as np
import pytest

from keras_resample.layers import DeformationModule
from tests.layer_test_case import check_layer
from tests.numerics import assert_close, to_numpy

IMAGES = np.random.default_rng(0).uniform(size=(2, 9, 12, 3)).astype("float32")


def test_promises():
    check_layer(
        DeformationModule,
        {"filters": (4, 3)},
        IMAGES,
        half_tolerance=3e-2,
        gradient={"entries": 4, "step": 2.0**-12},
    )


def test_the_published_network():
    net = DeformationModule(data_format="channels_last")
    net.build((None, None, None, 3))
    convolutions = 9 * (3 * 24 + 24 * 24 + 24 * 3) + 3 + 1
    assert net.count_params() == convolutions + 4 * (24 + 24 + 3)
    assert tuple(net(IMAGES).shape) == (2, 9, 12, 1)


def test_training_normalizes_by_the_batch():
    net = DeformationModule(data_format="channels_last")
    bright = to_numpy(net(255 * IMAGES, training=True))
    assert_close(bright, net(IMAGES, training=True), 1e-2)
    assert np.abs(bright - to_numpy(net(255 * IMAGES))).max() > 0.1


@pytest.mark.in_turn
def test_bytes():
    net = DeformationModule(data_format="channels_last")
    images = (255 * IMAGES).astype("uint8")
    assert_close(net(images), net(images.astype("float32")), 1e-5)


@pytest.mark.parametrize("filters", [(), 24, (24, 0), (24, 1.5), (True,), None], ids=str)
def test_bad_filters(filters):
    with pytest.raises(ValueError, match="`filters` must be a list of.*Received: filters="):
        DeformationModule(filters)


def test_bad_data_format():
    with pytest.raises(ValueError, match="`data_format` must .*Received: data_format='last'"):
        DeformationModule(data_format="last")
