"""Write and compare the files by which one backend checks another.

`tests/run.py` sets KERAS_RESAMPLE_EXCHANGE to a folder. Every backend leaves there, for each
checked layer, `<backend>/<name>.keras` and `<backend>/<name>.npz` with the inputs, the outputs and
the gradients of the outputs times fixed random numbers.
"""

import os
import pathlib

import keras
import numpy as np

from tests import numerics

VARIABLE = "KERAS_RESAMPLE_EXCHANGE"


def folder():
    """Folder of the exchange, or None in a run on a single backend."""
    path = os.environ.get(VARIABLE)
    return pathlib.Path(path) if path else None


def write(name, model, inputs):
    """Leave a functional model (dict of inputs) and its numbers for the other backends."""
    if folder() is None:
        return
    place = folder() / keras.backend.backend()
    place.mkdir(parents=True, exist_ok=True)
    model.save(place / f"{name}.keras")
    np.savez(place / f"{name}.npz", **{f"input/{k}": v for k, v in inputs.items()},
             **numbers(model, inputs))  # fmt: skip


def numbers(model, inputs):
    """Outputs, and gradients to the float inputs and the trainable weights, by name."""
    outputs = keras.tree.flatten(model(inputs))
    result = {f"output/{i}": numerics.to_numpy(y) for i, y in enumerate(outputs)}
    floats = [k for k in inputs if keras.backend.is_float_dtype(inputs[k].dtype.name)]
    variables = model.trainable_variables

    def fn(*tensors):
        moved = {**inputs, **dict(zip(floats, tensors, strict=False))}
        values = tensors[len(floats) :]
        return numerics.project(numerics.with_values(variables, values, lambda: model(moved)))

    arrays = [inputs[k] for k in floats] + [numerics.to_numpy(v) for v in variables]
    names = floats + [f"weight/{i}" for i in range(len(variables))]
    for name, gradient in zip(names, numerics.gradients(fn, *arrays), strict=True):
        result[f"gradient/{name}"] = gradient
    return result
