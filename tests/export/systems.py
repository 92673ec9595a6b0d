"""A small model of each system of the package, with weights unlike those of the start.

What can be exported where is tried with these: by the tests, and by the script that writes
`docs/results/export_formats.md`.
"""

import keras
import numpy as np

import keras_resample as kr
from tests.models.segmentation_networks import randomise

LAST = {"data_format": "channels_last"}


def flow_warp():
    images = keras.Input((12, 16, 3))
    warp = kr.layers.FlowWarpDownsample(0.5, **LAST)
    model = keras.Model(images, _embedded(warp(images)))
    randomise(model)
    random = np.random.default_rng(0)
    warp.set_flow(random.uniform(-1.0, 1.0, warp.flow.shape).astype("float32"))
    return model


def saliency_sampler():
    images = keras.Input((16, 16, 3))
    zoom = kr.layers.SaliencySampler(0.5, grid_size=(6, 6), **LAST)
    model = keras.Model(images, _embedded(zoom(images)))
    randomise(model)
    return model


def segmenter():
    sampler = kr.layers.SaliencySampler(size=(8, 8), grid_size=(6, 6), **LAST)
    scores = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, **LAST)])
    model = kr.models.Segmenter(sampler, scores)
    model.build((None, 16, 16, 3))
    randomise(model)
    return model


def class_maps():
    return segmenter().class_maps()


def region_network():
    small = {"depths": (1, 1, 1, 1), "filters": 4, "block": "basic", "small_stem": True}
    model = kr.models.MSGN(small, 1, num_classes=None, input_shape=(32, 32, 3), **LAST)
    randomise(model)
    return model


def keypoint_transformer():
    measures = {"width": 8, "depth": 1, "num_heads": 2}
    model = kr.models.KeypointViT(measures, (14, 14, 3), 7, embedding_dim=4)
    return _scattered(model)


def branch():
    network = kr.models.BTNet(_residual_network(), [(8, 8)], **LAST)
    randomise(network)
    return network


def recognizer():
    return kr.models.Recognizer(_residual_network(), kr.heads.ArcFace(3))


def _residual_network():
    model = kr.models.IResNet((1, 1), (4, 8), (16, 16, 3), embedding_dim=4, **LAST)
    randomise(model)
    return model


def _embedded(x):
    x = keras.layers.Conv2D(4, 3, activation="relu", **LAST)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(x)
    return keras.layers.Dense(4, name="embedding")(keras.layers.Flatten()(x))


def _scattered(model):
    random = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(random.normal(0, 0.5, weight.shape).astype("float32"))
    return model


# What a page calls it: the function, and what its export needs.
SYSTEMS = {
    "FlowWarpDownsample": (flow_warp, {}),
    "SaliencySampler": (saliency_sampler, {}),
    "Segmenter, probabilities of all pixels": (segmenter, {}),
    "Segmenter.class_maps": (class_maps, {}),
    "MSGN (AdaptiveRegionPooling)": (region_network, {}),
    "KeypointViT, images and keypoints": (keypoint_transformer, {}),
    "BTNet, a branch": (branch, {"image_size": (8, 8)}),
    "Recognizer (IResNet), its encoder": (recognizer, {}),
}
FORMATS = {"onnx": ".onnx", "openvino": ".xml", "litert": ".tflite", "torch": ".pt2"}
