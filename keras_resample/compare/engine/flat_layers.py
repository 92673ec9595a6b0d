"""A model as the list of its layers."""

import keras


def flat_layers(model):
    """The layers of a Functional model and of those nested in it."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        else:
            yield layer
