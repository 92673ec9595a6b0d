"""Functional models taken apart: the steps of one, and where it may be cut."""

import dataclasses

import keras


@dataclasses.dataclass(eq=False)
class Step:
    """One call of a layer in a model.

    Args:
        layer: what is called.
        inputs, outputs: the symbolic tensors that it reads and gives.
        readers: number of calls that read what it gives.
        is_cut: whether all that comes later depends on its one output alone.
    """

    layer: keras.Layer
    inputs: list
    outputs: list
    readers: int = 0
    is_cut: bool = False

    @property
    def is_sum(self):
        """Whether tensors of one shape are merged into another one, as a residual unit ends."""
        shapes = {tuple(tensor.shape) for tensor in (*self.inputs, *self.outputs)}
        return len(self.inputs) > 1 and len(shapes) == 1


def is_functional(layer):
    """Whether a layer is a built model whose layers can be called one by one."""
    if isinstance(layer, keras.Sequential):
        return layer.built
    return isinstance(layer, keras.Model) and hasattr(layer, "operations")


def replay(model, inputs, layer_of=lambda layer: layer, record=None):
    """The output of a Functional model, the last call's, on another symbolic input.

    Functional models inside of it are opened.

    Args:
        model: the model.
        inputs: a symbolic tensor, as the model takes.
        layer_of: function from a layer of the model to the one that is called in its place.
        record: function of the layer of the model, the flat inputs and the flat outputs of each
            call, in the order of the calls.
    """

    def call(layer, *args, **kwargs):
        if is_functional(layer):
            return run(layer, args[0])
        outputs = layer_of(layer)(*args, **kwargs)
        if record is not None:
            record(layer, _tensors((args, kwargs)), _tensors(outputs))
        return outputs

    def run(model, x):
        found = [x]

        def call_and_keep(layer, *args, **kwargs):
            found.append(call(layer, *args, **kwargs))
            return found[-1]

        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                call_and_keep(layer, found[-1])
        else:
            options = {"clone_function": lambda layer: layer, "call_function": call_and_keep}
            keras.models.clone_model(model, x, **options)
        return found[-1]

    return run(model, inputs)


def copied(models, pretrained=True):
    """One Functional model of several in a row, in which every layer is an own copy.

    Args:
        models: Functional models, each of what the one before gives.
        pretrained: whether the copies have the weights of the layers, or fresh ones.
    """
    copies = {}

    def copy(layer):
        if isinstance(layer, keras.Layer) and layer not in copies:
            copies[layer] = type(layer).from_config(layer.get_config())
        return copies.get(layer, layer)

    first = models[0].inputs[0]
    inputs = keras.Input(batch_shape=first.shape, dtype=first.dtype, name="images")
    outputs = inputs
    for model in models:
        outputs = replay(model, outputs, copy)
    if pretrained:
        for layer, own in copies.items():
            own.set_weights(layer.get_weights())
    return keras.Model(inputs, outputs)


def steps_of(model):
    """The input, the `Step`s in the order of the calls, and the output of a model's replay."""
    steps = []

    def record(layer, inputs, outputs):
        steps.append(Step(layer, inputs, outputs))

    first = model.inputs[0]
    start = keras.Input(batch_shape=first.shape, dtype=first.dtype)
    end = replay(model, start, record=record)
    last = {id(tensor): i for i, step in enumerate(steps) for tensor in step.inputs}
    last[id(end)] = len(steps)
    made = [start]
    for i, step in enumerate(steps):
        made = [x for x in [*made, *step.outputs] if last.get(id(x), -1) > i]
        step.readers = sum(x is step.outputs[0] for later in steps[i:] for x in later.inputs)
        step.is_cut = len(made) == 1 and made[0] is step.outputs[0]
    return start, steps, end


def _tensors(structure):
    leaves = keras.tree.flatten(structure)
    return [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
