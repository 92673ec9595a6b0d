"""One vision transformer, told in several ways where things are."""

import keras

from keras_resample import heads, layers, models
from keras_resample.compare.engine.flat_layers import flat_layers
from keras_resample.compare.keypoints.keypoint_channel import KeypointChannel
from keras_resample.compare.keypoints.names import WITH_KEYPOINTS

# Of the head of faces: those of networks that learn from nothing on few people.
MARGIN, SCALE = 0.2, 32.0


def input_names(method):
    """The inputs of a network, in order."""
    return ["images", "keypoints"] if method in WITH_KEYPOINTS else ["images"]


def build(method, settings, num_classes, template, seed):
    """The network of a method, from bytes (b, side, side, 1) to logits (b, num_classes).

    Args:
        method: one of `METHODS`.
        settings: `KeypointSettings`.
        num_classes: number of classes.
        template: (n, 2), where "aligned" brings the keypoints to, by turns, scales and shifts.
        seed: of the first weights.

    Returns:
        A Functional model of a dict of `input_names(method)`.
    """
    encoder = build_encoder(method, settings, 1, template, seed)
    logits = keras.layers.Dense(num_classes, name="logits")(encoder.output)
    return keras.Model(encoder.input, logits)


def recognizer(method, settings, channels, num_classes, template, seed):
    """The `Recognizer` of a method, of people, with the arguments of `build`."""
    encoder = build_encoder(method, settings, channels, template, seed)
    return models.Recognizer(encoder, heads.CosFace(num_classes, margin=MARGIN, scale=SCALE))


def build_encoder(method, settings, channels, template, seed):
    """The network of a method, from bytes (b, side, side, channels) to (b, width).

    Keypoints of faces may be missing (NaN): an attention leaves them out.
    """
    keras.utils.set_random_seed(seed)
    size = settings.size, settings.size
    inputs = {"images": keras.Input((*size, channels), name="images")}
    x = keras.layers.Rescaling(1 / 255)(inputs["images"])
    if method in WITH_KEYPOINTS:
        inputs["keypoints"] = keras.Input(template.shape, dtype="float32", name="keypoints")
    if method == "absolute-drawn":
        x = keras.layers.Concatenate()([x, KeypointChannel(size)(inputs["keypoints"])])
    if method == "aligned":
        align = layers.KeypointAlignment(size, template, fill_mode=settings.fill_mode)
        x, _ = align(x, inputs["keypoints"])
    measures = {name: getattr(settings, name) for name in ("width", "depth", "num_heads")}
    options = {"patch_size": settings.patch_size, "embedding_dim": settings.width}
    if method == "keypoint":
        options["absolute"] = settings.absolute
        options |= {"num_keypoints": len(template), "missing_keypoints": bool(settings.faces)}
        network = models.KeypointViT(measures, x.shape[1:], name="network", **options)
        x = {"images": x, "keypoints": inputs["keypoints"]}
    else:
        position = method if method in ("relative", "irpe", "rotary") else "absolute"
        options["absolute"] = settings.absolute or position == "absolute"
        network = models.ViT(measures, x.shape[1:], position=position, name="network", **options)
    if settings.head == "mean":
        tokens = network.get_layer("norm").output
        embedding = keras.layers.GlobalAveragePooling1D(name="mean")(tokens)
        network = keras.Model(network.input, embedding, name="network")
    return keras.Model(inputs, network(x))


def attentions(model):
    """The attentions of a Functional model and of those nested in it, in order."""
    return [layer for layer in flat_layers(model) if isinstance(layer, layers.RelativeAttention)]


def first_bias(model, keypoints):
    """The bias of the first attention, query by key; of a network of "relative" or "keypoint".

    The other encodings have none, or one that depends on what is seen.

    Args:
        model: network of `build`.
        keypoints: (b, n, 2).

    Returns:
        Numpy array (1, heads, n, n) of "relative", (b, heads, n, n) of "keypoint".
    """
    first = attentions(model)[0]
    if first.position is None:
        bias = model.get_layer("network").get_layer("keypoint_linear")(keypoints, index=0)
    else:
        # The bias is the same for all queries and keys.
        anything = keras.ops.zeros((1, first.output.shape[1], first.num_heads, 1))
        bias = first.position(anything, anything)[2]
    return keras.ops.convert_to_numpy(bias)
