"""Networks for images of several resolutions, trained in the ways that are compared."""

import math

import keras

from keras_resample import heads, layers, losses, models
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.flat_layers import flat_layers
from keras_resample.compare.resolutions.names import (
    ADAPTER,
    BTNET,
    FIXED_TRUNK,
    HEADS,
    INFLUENCE,
    MULTI,
    PRETRAINED,
    SCRATCH,
)

# A network of which a comparison ends in minutes.
SMALL = {"depths": (1, 1, 1, 1), "filters": (16, 32, 64, 128), "embedding_dim": 128}
NAMES = {"mobilefacenet": "MobileFaceNet"}
TRUNK, BRANCH = "trunk", "branch"


def check_resolutions(settings, image_shape):
    """Raises a `SettingError` unless the trunk has maps of every resolution."""
    trunk = _trunk(settings, image_shape)
    _, *sizes = settings.sizes().values()
    try:
        models.BTNet(trunk, sizes)
    except ValueError as error:
        must = f"must be heights of the trunk's maps ({error})"
        raise SettingError("resolutions", must, settings.resolutions) from error


def whole(method, settings, image_shape, num_classes, seed):
    """The `Recognizer` of one network for all resolutions, from images of the full size.

    Args:
        method: one of `TRUNKS`.
        settings: `ResolutionSettings`.
        image_shape: (height, width, channels).
        num_classes: identities in training.
        seed: of the initial weights.
    """
    keras.utils.set_random_seed(seed)
    trunk = _trunk(settings, image_shape)
    images = keras.Input(image_shape, name="images")
    x = images
    if method == MULTI:
        heights = (settings.size[0], *settings.resolutions)
        factors = [height / settings.size[0] for height in heights]
        x = layers.RandomResolution(factors, seed=seed)(images)
    encoder = keras.Model(images, trunk(x), name="encoder")
    return models.Recognizer(encoder, _head(settings, num_classes))


def trunk_of(recognizer):
    """The trunk inside of the encoder of `whole`."""
    return recognizer.encoder.get_layer(TRUNK)


def branch(method, size, recognizer, settings, seed):
    """A network for one resolution, from images of the full size, which it reduces itself.

    Args:
        method: one of `BRANCHES`.
        size: (height, width) of the small images.
        recognizer: the trained one of `whole`; it is not changed.
        settings: `ResolutionSettings`.
        seed: of the initial weights.

    Returns:
        `(model, loss)`: to compile; the loss is None where the model has its own.
    """
    keras.utils.set_random_seed(seed)
    trunk, head = trunk_of(recognizer), recognizer.head
    network = models.BTNet(trunk, [size])
    if method in (FIXED_TRUNK, BTNET):
        weight = settings.distillation_weight if method == BTNET else 0.0
        trainer = models.BranchTrainer(network, size, distillation_weight=weight)
        return trainer, losses.InfluenceLoss(head)
    images = keras.Input(trunk.input_shape[1:], name="images")
    x = layers.UniformDownsample(size=size, antialias=True)(images)
    if method == ADAPTER:
        x = layers.UniformDownsample(size=trunk.input_shape[1:3])(x)
        own = _adapted(trunk, settings.rank)
    else:
        own = network.separate(size, pretrained=method != SCRATCH)
        own.name = BRANCH
    encoder = keras.Model(images, own(x), name="encoder")
    if method in (INFLUENCE, ADAPTER):
        return encoder, losses.InfluenceLoss(head)
    fresh = _head(settings, head.num_classes)
    found = models.Recognizer(encoder, fresh)
    if method == PRETRAINED:
        found.build((None, *trunk.input_shape[1:]))
        fresh.set_weights(head.get_weights())
    return found, None


def encoder_of(model):
    """The network from images of the full size to embeddings."""
    return model.encoder if isinstance(model, models.Recognizer) else model


def served(model):
    """What is run for the small images of a trained model of `branch`, from those to embeddings."""
    if isinstance(model, models.BranchTrainer):
        return keras.Model(model.branch.input, model.rest(model.branch.output))
    encoder = encoder_of(model)
    first, second = encoder.layers[1:3]
    if second.name == BRANCH:
        return second
    images = keras.Input(first.output.shape[1:])
    enlarge, adapted = encoder.layers[2:]
    return keras.Model(images, adapted(enlarge(images)))


def below(model):
    """The part of a trained model of `branch` that small images enter, up to its entry or whole."""
    return model.branch if isinstance(model, models.BranchTrainer) else served(model)


def added_parameters(model):
    """How many numbers a trained model of `branch` has beside the trunk's, but for statistics."""
    return sum(math.prod(weight.shape) for weight in encoder_of(model).trainable_weights)


def _head(settings, num_classes):
    name, _ = HEADS[settings.head]
    return getattr(heads, name)(num_classes, margin=settings.margin, scale=settings.scale)


def _trunk(settings, image_shape):
    encoder = settings.encoder
    if settings.trunk is not None:
        return _trained_trunk(settings, image_shape)
    if encoder == "small":
        return models.IResNet(input_shape=image_shape, name=TRUNK, **SMALL)
    build = getattr(models, NAMES.get(encoder, encoder.replace("iresnet", "IResNet")))
    return build(input_shape=image_shape, name=TRUNK)


def _trained_trunk(settings, image_shape):
    try:
        trunk = keras.models.load_model(settings.trunk, compile=False)
        shapes = trunk.input_shape[1:], len(trunk.output_shape)
    except (AttributeError, OSError, TypeError, ValueError) as error:
        must = f"must be a readable model ({error})"
        raise SettingError("trunk", must, settings.trunk) from error
    if shapes != (tuple(image_shape), 2):
        must = f"must be a model from images {tuple(image_shape)} to embeddings"
        raise SettingError("trunk", must, settings.trunk)
    trunk.name = TRUNK
    _unfreeze(trunk)
    return trunk


def _unfreeze(model):
    """Makes all layers trainable; a loaded model does not hand it on to those inside of others."""
    model.trainable = True
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _unfreeze(layer)
        layer.trainable = True


def _adapted(trunk, rank):
    """A copy of the trunk of which low-rank additions to its kernels are trained, and biases.

    Depthwise convolutions have no such additions and stay as they are.
    """
    copy = keras.models.clone_model(trunk)
    copy.set_weights(trunk.get_weights())
    for layer in flat_layers(copy):
        if hasattr(layer, "enable_lora"):
            layer.enable_lora(rank)
        else:
            layer.trainable = False
    return copy
