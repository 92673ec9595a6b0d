"""Weights that would be trained, were their layers not frozen."""

import keras


def frozen_weights(layers, own):
    """Names of weights that are frozen, though they were not made so.

    Args:
        layers: built layers.
        own: the weights that are asked for.

    Returns:
        `"layer/weight"` of each weight, and the name of each frozen batch normalization, whose
        statistics stand still.
    """
    own = {id(weight) for weight in own}
    found = []
    for layer in layers:
        if not any(id(weight) in own for weight in layer.weights):
            continue
        if isinstance(layer, keras.layers.BatchNormalization) and not layer.trainable:
            found.append(layer.name)
        elif any(map(_is_frozen, layer.weights)):
            pairs = zip(layer.weights, _as_made(layer), strict=False)
            found += [
                f"{layer.name}/{weight.name}"
                for weight, trains in pairs
                if trains and _is_frozen(weight)
            ]
    return found


def _is_frozen(weight):
    return not weight.trainable and not weight.name.startswith("moving_")


def _as_made(layer):
    """Whether each weight of a layer trains in a fresh one that is not frozen."""
    fresh = type(layer).from_config(layer.get_config())
    fresh.build_from_config(layer.get_build_config())
    fresh.trainable = True
    return [weight.trainable for weight in fresh.weights]
