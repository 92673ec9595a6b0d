"""The layers that a model is made of."""

import keras


def layers_inside(layer, seen=None):
    """Every layer inside `layer`, at any depth, each once, in the order of the attributes."""
    seen = set() if seen is None else seen
    for part in parts(layer):
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            yield from layers_inside(part, seen)


def parts(layer):
    """The layers that `layer` has as attributes, or in lists and dicts of them."""
    if isinstance(layer, keras.Model):
        return layer.layers
    values = list(vars(layer).values())
    for value in vars(layer).values():
        if isinstance(value, dict):
            values += value.values()
        elif isinstance(value, (list, tuple)):
            values += value
    return [value for value in values if isinstance(value, keras.Layer)]
