"""Any Keras model with a (batch, dim) output is an encoder, behind any sampler."""

import keras
import numpy as np
import pytest

from keras_resample.heads import ArcFace
from keras_resample.layers import FlowWarpDownsample
from keras_resample.models import Recognizer
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP

SIZE = (32, 32, 3)


def pooled(backbone):
    """An embedding from a backbone that ends in a feature map."""
    return keras.Sequential(
        [backbone, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(16)]
    )


def keras_applications():
    return keras.applications.MobileNet(
        SIZE, alpha=0.25, weights=None, include_top=False, pooling="avg"
    )


def keras_hub():
    hub = pytest.importorskip("keras_hub")
    return pooled(
        hub.models.ResNetBackbone(
            input_conv_filters=[64],
            input_conv_kernel_sizes=[3],
            stackwise_num_filters=[64, 64],
            stackwise_num_blocks=[1, 1],
            stackwise_num_strides=[1, 2],
            block_type="basic_block",
            image_shape=SIZE,
        )
    )


def keras_cv():
    cv = pytest.importorskip("keras_cv")
    return pooled(
        cv.models.DenseNetBackbone(
            stackwise_num_repeats=[1, 1],
            growth_rate=8,
            compression_ratio=0.5,
            include_rescaling=False,
            input_shape=SIZE,
        )
    )


@pytest.mark.parametrize("make", [keras_applications, keras_hub, keras_cv])
def test_trains_behind_a_sampler(make):
    network = make()
    inputs = keras.Input((64, 64, 3))
    encoder = keras.Model(inputs, network(FlowWarpDownsample(0.5)(inputs)))
    model = Recognizer(encoder, ArcFace(4))
    model.compile(keras.optimizers.Adam(1e-3), **STEP_BY_STEP)
    rng = np.random.default_rng(0)
    labels = np.arange(8) % 4
    images = rng.normal(size=(8, 64, 64, 3)).astype("float32") + labels[:, None, None, None]
    before = [to_numpy(v) for v in encoder.trainable_variables]
    assert np.isfinite(model.fit(images, labels, epochs=2, verbose=0).history["loss"]).all()
    moved = [
        np.any(to_numpy(v) != b) for v, b in zip(encoder.trainable_variables, before, strict=True)
    ]
    assert np.mean(moved) > 0.9
    assert model.embed(images).shape == (8, encoder.output_shape[-1])
