"""What is compared, and the recognizer behind it."""

import keras

from keras_resample import heads, layers, models

FULL = "full resolution"
FRONT_ENDS = {
    "uniform": lambda factor: layers.UniformDownsample(factor),
    "uniform antialiased": lambda factor: layers.UniformDownsample(factor, antialias=True),
    "FlowWarp": lambda factor: layers.FlowWarpDownsample(factor),
    "FlowWarp antialiased": lambda factor: layers.FlowWarpDownsample(factor, antialias=True),
    FULL: None,
}
LEARNED = ("FlowWarp", "FlowWarp antialiased")

# The network of a comparison that has to end in minutes on a laptop.
SMALL = {"depths": (1, 1, 1, 1), "filters": (16, 32, 64, 128), "embedding_dim": 128}


def build(front_end, settings, image_shape, num_classes, seed):
    """The recognizer behind one front end.

    Args:
        front_end: a key of `FRONT_ENDS`.
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
    make = FRONT_ENDS[front_end]
    x = images if make is None else make(settings.factor)(images)
    network = backbone(settings.encoder, tuple(x.shape[1:]))
    encoder = keras.Model(images, network(x), name="encoder")
    head = heads.ArcFace(num_classes, margin=settings.margin, scale=settings.scale)
    return models.Recognizer(encoder, head)


def backbone(name, input_shape):
    """The network from images of `input_shape` to embeddings."""
    if name == "small":
        return models.IResNet(input_shape=input_shape, **SMALL)
    return getattr(models, name.replace("iresnet", "IResNet"))(input_shape=input_shape)


def sampler(encoder):
    """The layer in front of an encoder made by `build`, `None` at full resolution."""
    found = [layer for layer in encoder.layers if isinstance(layer, layers.GridSampler)]
    return found[0] if found else None
