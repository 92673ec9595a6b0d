"""Any Keras model from images to a map of classes is a network, behind any sampler."""

import keras
import numpy as np
import pytest

from keras_resample.layers import LearnedResizer, SaliencySampler
from keras_resample.models import HRNetV2, PSPNet, Segmenter
from tests.numerics import to_numpy
from tests.steps import STEP_BY_STEP

SIZE = (32, 32)
CLASSES = 3
SLOW_ON_JAX = pytest.mark.backends(
    "tensorflow", "torch", reason="compiling it takes a minute on JAX; its own tests train it"
)


def rescaled(network):
    """A network for pixels of 0 to 255 from one for values of -1 to 1."""
    inputs = keras.Input((*SIZE, 3))
    return keras.Model(inputs, network(keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)))


def hrnet_v2():
    return HRNetV2(4, CLASSES, num_bottlenecks=1, num_modules=(1, 1, 1), num_blocks=1)


def pspnet():
    return PSPNet((1, 1, 1, 1), CLASSES, width=8, dropout=0.0)


def keras_hub_deep_lab_v3():
    models = pytest.importorskip("keras_hub").models
    encoder = models.ResNetBackbone(
        input_conv_filters=[16],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 16, 16],
        stackwise_num_blocks=[1, 1, 1],
        stackwise_num_strides=[1, 2, 2],
        block_type="bottleneck_block",
        image_shape=(*SIZE, 3),
    )
    backbone = models.DeepLabV3Backbone(
        image_encoder=encoder,
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P4",
        upsampling_size=4,
        dilation_rates=[1, 2],
        projection_filters=8,
        image_shape=(*SIZE, 3),
    )
    return rescaled(models.DeepLabV3ImageSegmenter(backbone=backbone, num_classes=CLASSES))


def keras_hub_segformer():
    models = pytest.importorskip("keras_hub").models
    encoder = models.MiTBackbone(
        layerwise_depths=[1, 1],
        num_layers=2,
        layerwise_num_heads=[1, 2],
        layerwise_sr_ratios=[2, 1],
        max_drop_path_rate=0.0,
        layerwise_patch_sizes=[7, 3],
        layerwise_strides=[4, 2],
        hidden_dims=[16, 32],
        image_shape=(*SIZE, 3),
    )
    backbone = models.SegFormerBackbone(image_encoder=encoder, projection_filters=16)
    return rescaled(models.SegFormerImageSegmenter(backbone=backbone, num_classes=CLASSES))


def saliency_sampler():
    return SaliencySampler(size=SIZE, grid_size=(8, 8))


def learned_resizer():
    return LearnedResizer(SIZE, filters=4)


@pytest.mark.parametrize(
    ("make_sampler", "make_network"),
    [
        (saliency_sampler, keras_hub_deep_lab_v3),
        (saliency_sampler, keras_hub_segformer),
        pytest.param(saliency_sampler, hrnet_v2, marks=SLOW_ON_JAX),
        (learned_resizer, pspnet),
    ],
)
def test_trains_behind_a_sampler(make_sampler, make_network):
    network = make_network()
    sampler = make_sampler()
    segmenter = Segmenter(sampler, network, ignore_class=255)
    segmenter.compile(keras.optimizers.Adam(1e-3), **STEP_BY_STEP)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, (2, 4, 5)).repeat(16, 1).repeat(16, 2).astype("uint8")
    images = (80 * labels[..., None] + rng.integers(0, 80, (2, 64, 80, 3))).astype("uint8")
    labels[:, :8] = 255
    segmenter(images)
    variables = segmenter.trainable_variables
    before = [to_numpy(v) for v in variables]
    history = segmenter.fit(images, labels, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    moved = [np.any(to_numpy(v) != b) for v, b in zip(variables, before, strict=True)]
    assert np.mean(moved) > 0.9
    probabilities = segmenter.predict(images, verbose=0)
    assert probabilities.shape == (2, 64, 80, CLASSES)
    np.testing.assert_allclose(probabilities.sum(-1), 1.0, atol=1e-5)
