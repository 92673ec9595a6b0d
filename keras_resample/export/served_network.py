"""A model as it is served: from inputs by their names to outputs by theirs."""

import keras

from keras_resample.models.steps.flip_embedder import embed_both
from keras_resample.models.steps.unit_length import unit_length


class ServedNetwork(keras.Model):
    """A dict of the inputs of a model to a dict of its outputs, as its `Contract` says.

    Mirror images are added and embeddings normalised where it says so; dropout and the like are
    off.

    Args:
        model: a built Keras model.
        contract: its `Contract`.

    Call arguments:
        inputs: dict of tensors.
    """

    def __init__(self, model, contract):
        super().__init__()
        self.model = model
        self.contract = contract
        self.autocast = False
        self.built = True

    def call(self, inputs):
        contract = self.contract
        values = [inputs[name] for name in contract.input_names]
        if contract.flip:
            outputs = embed_both(self.model, *values, contract.data_format)
        else:
            outputs = self.model(in_structure(self.model, values), training=False)
        named = dict(zip(contract.output_names, keras.tree.flatten(outputs), strict=True))
        if contract.normalize:
            named[contract.output_name] = unit_length(named[contract.output_name])
        return named


def in_structure(model, values):
    """A list of the inputs of a model as the model takes them: in a dict, a tuple, or alone."""
    return values[0] if len(values) == 1 else keras.tree.pack_sequence_as(model.input, values)
