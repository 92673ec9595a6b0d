"""What is compared, and the recognizer behind it."""

import keras

from keras_resample import heads, layers, models
from keras_resample.compare.recognition.names import FULL, MEAN, SEARCHED

# The network of a comparison that has to end in minutes on a laptop.
SMALL = {"depths": (1, 1, 1, 1), "filters": (16, 32, 64, 128), "embedding_dim": 128}
# Longest sides of a saliency map, and of what the network that predicts it sees.
MAP, SEEN = 16, 64
# Of the window of "Learning to Downsample": its radius, and its full width at half maximum.
JIN_RADIUS = 4
JIN = {"sigma": JIN_RADIUS / 2.355, "radius": JIN_RADIUS}


def build(front_end, settings, image_shape, num_classes, seed):
    """The recognizer behind one front end.

    Args:
        front_end: one of `names.FRONT_ENDS` or `names.SEARCHED`.
        settings: `Settings`.
        image_shape: (h, w, channels).
        num_classes: identities in training.
        seed: of the initial weights; the same seed gives every front end the same ones, as far
            as the shapes agree.

    Returns:
        `keras_resample.models.Recognizer`, not compiled.
    """
    keras.utils.set_random_seed(seed)
    images = keras.Input(image_shape, name="image")
    x = images
    if front_end != FULL:
        x = make(front_end, settings.factor, image_shape[:2])(images)
    network = backbone(settings.encoder, tuple(x.shape[1:]))
    encoder = keras.Model(images, network(x), name="encoder")
    head = heads.ArcFace(num_classes, margin=settings.margin, scale=settings.scale)
    return models.Recognizer(encoder, head)


def make(front_end, factor, image_size):
    """The sampler of a front end."""
    if front_end == MEAN:
        return layers.GridSampler(factor, antialias=True)
    if front_end in SEARCHED:
        return layers.CropDownsample(factor, margin=SEARCHED[front_end], antialias=True)
    name = front_end.removesuffix(" antialiased")
    common = {"factor": factor, "antialias": name != front_end}
    if name == "uniform":
        return layers.UniformDownsample(**common)
    if name == "FlowWarp":
        return layers.FlowWarpDownsample(**common)
    if name == "flow predicted":
        return layers.FlowWarpDownsample(flow=flow_network(), **common)
    # A map no larger than what the images are sampled to.
    target = layers.UniformDownsample(factor).target_size(*image_size)
    common |= {"grid_size": tuple(min(side, MAP) for side in target)}
    common |= JIN if "of Jin" in name else {}
    if name.endswith("learned"):
        return layers.SaliencySampler(saliency="learned", **common)
    saliency = layers.DeformationModule() if "of Jin" in name else None
    seen = tuple(min(side, SEEN) for side in image_size)
    return layers.SaliencySampler(saliency=saliency, saliency_input_size=seen, **common)


def flow_network():
    """Small convolutional network from images to a flow, zero at the start."""
    conv = keras.layers.Conv2D
    return keras.Sequential(
        [
            conv(16, 3, strides=2, padding="same", activation="relu"),
            conv(16, 3, strides=2, padding="same", activation="relu"),
            conv(2, 3, padding="same", kernel_initializer="zeros"),
        ],
        name="flow_network",
    )


def backbone(name, input_shape):
    """The network from images of `input_shape` to embeddings."""
    if name == "small":
        return models.IResNet(input_shape=input_shape, **SMALL)
    return getattr(models, name.replace("iresnet", "IResNet"))(input_shape=input_shape)


def sampler(encoder):
    """The layer in front of an encoder made by `build`, `None` at full resolution."""
    found = [layer for layer in encoder.layers if isinstance(layer, layers.GridSampler)]
    return found[0] if found else None
