"""The arithmetic of vision transformers, as the paper of KP-RPE counts it and as it is."""

import math

import keras
import pytest

from keras_resample import layers, models
from keras_resample.compare.keypoints import networks


def paper_gflops(model):
    """As counted by DeepSpeed: without the two products of attention, but with f(P) as a dense
    layer of every query, the products of iRPE with its vectors, and five operations for each number
    of a layer normalization.
    """
    macs, numbers = 0, 0
    for layer in networks.flat_layers(model):
        if isinstance(layer, layers.KeypointRelativeBias):
            macs += layer.num_tokens * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.LayerNormalization):
            numbers += math.prod(layer.output.shape[1:])
    for attention in networks.attentions(model):
        count, width, position = attention.output.shape[1], attention.width, attention.position
        macs -= 2 * count**2 * width
        if isinstance(position, layers.ImageRelativePosition):
            macs += 2 * count * width * position.num_buckets + count**2 * width
    return models.gflops(model) + 1e-9 * (2 * macs + 5 * numbers)


@pytest.mark.backends("torch", reason="shapes are counted")
@pytest.mark.parametrize(
    ("size", "paper", "true", "of_keypoints", "of_irpe"),
    [("small", 17.42, 18.35, 17.44, 0.71), ("base", 24.83, 26.69, 24.90, 1.42)],
)
def test_gflops_of_the_paper(monkeypatch, size, paper, true, of_keypoints, of_irpe):
    keras.config.set_image_data_format("channels_last")
    zeros = keras.initializers.Zeros()  # 115 million weights are not drawn, nor touched
    for name in ("TruncatedNormal", "VarianceScaling"):
        monkeypatch.setattr(getattr(keras.initializers, name), "__call__", zeros.__call__)
    plain = models.ViT(size)
    assert paper_gflops(plain) == pytest.approx(paper, abs=0.005)
    assert models.gflops(plain) == pytest.approx(true, abs=0.005)
    found = paper_gflops(models.KeypointViT(size))
    assert found == pytest.approx(of_keypoints, abs=0.005)
    found = paper_gflops(models.ViT(size, position="irpe")) - paper_gflops(plain)
    assert found == pytest.approx(of_irpe, abs=0.005)
