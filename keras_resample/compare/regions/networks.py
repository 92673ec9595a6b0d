"""The networks that are compared: one backbone, other ways of looking at its fourth stage."""

import re

import keras
import numpy as np

from keras_resample import layers, models
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.regions.names import ADAPTIVE, parts

# Side of a map behind each downsampling, over that before it.
RATE = 0.5
# Of the crop of the middle, which is copied as it is.
MARGIN = (1 - RATE) / 2
CONV3_K, CONV3 = 1.0, "conv3_pool"


def build(name, settings, num_classes, seed):
    """The network of a training, from bytes to logits; one seed gives all the same first branch."""
    method, k, count = parts(name)
    conv3, conv4, local = "stride", "stride", _local(method, k)
    if method == "adaptive":
        conv4 = layers.AdaptiveRegionPooling(RATE, k)
    elif count and settings.conv3 == "adaptive":
        conv3 = layers.AdaptiveRegionPooling(RATE, CONV3_K, name=CONV3)
    keras.utils.set_random_seed(seed)
    network = models.MSGN(
        _backbone(settings),
        num_local_branches=count,
        num_classes=num_classes,
        input_shape=(*settings.size, 3),
        conv3=conv3,
        conv4=conv4,
        local_conv4=local,
    )
    if settings.weights is not None:
        start_from(network, settings.weights)
    return network


def start_from(network, path):
    """Gives a network the weights of a trained one without local branches, but the last layer's.

    Raises:
        SettingError: for a file of something else.
    """
    try:
        source = keras.models.load_model(path, compile=False)
    except (OSError, TypeError, ValueError) as error:
        must = f"must be a model that Keras reads ({error})"
        raise SettingError("weights", must, path) from error
    values = {layer.name: layer.get_weights() for layer in source.layers}
    filled = {layer: _origin(layer.name) for layer in network.layers}
    filled = {layer: origin for layer, origin in filled.items() if origin is not None}
    for layer, origin in filled.items():
        found = [value.shape for value in values.get(origin, [])]
        if found != [tuple(weight.shape) for weight in layer.weights]:
            must = f"must be the network `stride` of these settings; it has no such {origin}"
            raise SettingError("weights", must, path)
    for layer, origin in filled.items():
        layer.set_weights(values.get(origin, []))


def region_models(network):
    """Models from images to the regions that the poolings of a network keep.

    Returns:
        `(conv3, conv4)`: a list of at most one of Conv3, and a list of those of Conv4, one for each
        branch that has one.
    """
    conv3, conv4 = [], []
    for layer in list(network.layers):
        if isinstance(layer, (layers.AdaptiveRegionPooling, layers.RegionPooling)):
            again = type(layer).from_config(layer.get_config())
            _, regions = again(layer.input, return_regions=True)
            (conv3 if layer.name == CONV3 else conv4).append(keras.Model(network.input, regions))
    return conv3, conv4


def coverage(network, method, part, images, batch_size):
    """Mean share of what tells classes apart that the pooling of Conv4 keeps in some branch.

    Args:
        network: a trained network.
        method: its method.
        part: the `Part` that is looked at.
        images: bytes (n, h, w, 3), its images as the network sees them.
        batch_size: images at a time.

    Returns:
        A number in [0, 1], or `None` where the places are unknown or no pooling keeps a part.
    """
    conv3, conv4 = region_models(network)
    if part.boxes is None or not (conv4 or method == "local-center-crop"):
        return None
    seen = np.tile([0.0, 0.0, 1.0, 1.0], (len(part), 1))
    for model in conv3:
        seen = model.predict(images, batch_size, verbose=0)["boxes"]
    if conv4:
        views = [model.predict(images, batch_size, verbose=0)["boxes"] for model in conv4]
    else:
        views = [np.tile([MARGIN, MARGIN, 1 - MARGIN, 1 - MARGIN], (len(part), 1))]
    shares = [covered(part.boxes, within(seen, boxes)) for boxes in views]
    return float(np.max(shares, axis=0).mean())


def within(outer, boxes):
    """Boxes (n, 4) relative to `outer` as boxes of the image."""
    low, extent = outer[:, :2], outer[:, 2:] - outer[:, :2]
    return np.concatenate([low + boxes[:, :2] * extent, low + boxes[:, 2:] * extent], axis=1)


def covered(boxes, views):
    """Share of the area of boxes (n, 4) that lies in the views (n, 4): (n,)."""
    low, high = np.maximum(boxes[:, :2], views[:, :2]), np.minimum(boxes[:, 2:], views[:, 2:])
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.prod(np.maximum(high - low, 0), axis=1) / area


def _origin(name):
    """The layer of a network without local branches whose weights a layer starts from."""
    name = re.sub(r"^local\d+_(?=layer)", "", name)
    return None if name.startswith(("local", "fc")) else name


def _backbone(settings):
    if settings.network != "small":
        return settings.network
    depths = (1, 1, 1, 1)
    return {"depths": depths, "filters": settings.width, "block": "basic", "small_stem": True}


def _local(method, k):
    """What halves the map of Conv4 in the local branches, `None` where there are none."""
    return {
        "local-stride": "stride",
        "local-center-crop": layers.CropDownsample(RATE, margin=MARGIN),
        "local-spatial-transformer": layers.SpatialTransformer(RATE),
        "local-region": layers.RegionPooling(RATE),
        ADAPTIVE: layers.AdaptiveRegionPooling(RATE, 1.0 if k is None else k),
    }.get(method)
