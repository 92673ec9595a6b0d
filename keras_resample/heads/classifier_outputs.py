"""Does a classifier return logits or probabilities?"""

import keras

LOGITS, PROBABILITIES = "logits", "probabilities"
# Layers behind which scores are still what they were.
SHAPING = (
    keras.layers.Cropping2D,
    keras.layers.Dropout,
    keras.layers.Identity,
    keras.layers.Permute,
    keras.layers.Reshape,
    keras.layers.Resizing,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
)
LINEAR = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Dense,
    keras.layers.SeparableConv2D,
)
NORMALIZED = (keras.activations.softmax, keras.activations.sigmoid)


def classifier_outputs(classifier):
    """LOGITS or PROBABILITIES, as far as the last layers of a classifier tell, or `None`.

    Args:
        classifier: A layer or model.
    """
    for layer in _from_the_last(classifier):
        activation = getattr(layer, "activation", None)
        if isinstance(layer, keras.layers.Softmax) or activation in NORMALIZED:
            return PROBABILITIES
        if type(layer).__name__ in ("Softmax", "Sigmoid"):  # operations of a functional model
            return PROBABILITIES
        if isinstance(layer, LINEAR) and activation is keras.activations.linear:
            return LOGITS
        is_linear = isinstance(layer, keras.layers.Activation)
        is_linear &= activation is keras.activations.linear
        if not (is_linear or isinstance(layer, SHAPING)):
            return None
    return None


def _from_the_last(layer):
    """The layers and operations of a model one by one, those of models in it in their place."""
    parts = getattr(layer, "operations", None)
    if parts is None and isinstance(layer, keras.Sequential):
        parts = layer.layers
    if parts is None:
        yield layer
        return
    for part in reversed(parts):
        yield from _from_the_last(part)
