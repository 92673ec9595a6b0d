"""Write and compare the files by which one backend checks another.

`tests/run.py` sets KERAS_RESAMPLE_EXCHANGE to a folder. Every backend leaves there, for each
checked layer, `<backend>/<name>.keras` and `<backend>/<name>.npz` with the inputs, the outputs and
the gradients of the outputs times fixed random numbers.
"""

import importlib
import os
import pathlib

import keras
import numpy as np

from tests import numerics

FOLDER = "KERAS_RESAMPLE_EXCHANGE"
BACKENDS = "KERAS_RESAMPLE_EXCHANGE_BACKENDS"
TOLERANCE = 1e-5


def folder():
    """Folder of the exchange, or None in a run on a single backend."""
    path = os.environ.get(FOLDER)
    return pathlib.Path(path) if path else None


def backends():
    """Names of the backends that take part."""
    return os.environ.get(BACKENDS, "tensorflow,jax,torch").split(",")


def names():
    """Names of all files that any backend left, sorted."""
    return sorted({path.stem for path in folder().glob("*/*.keras")})


def write(name, model, inputs, modules=()):
    """Leave a functional model (dict of inputs) and its numbers for the other backends.

    `modules` are imported before the model is loaded, so that its classes are registered.
    """
    if folder() is None:
        return
    place = folder() / keras.backend.backend()
    place.mkdir(parents=True, exist_ok=True)
    model.save(place / f"{name}.keras")
    arrays = {f"input/{key}": array for key, array in inputs.items()}
    arrays |= numbers(model, inputs)
    np.savez(place / f"{name}.npz", modules=np.array(modules, "str"), **arrays)


def numbers(model, inputs):
    """Outputs, and gradients to the float inputs and the trainable weights, by name."""
    floats = [k for k in inputs if numerics.is_float(inputs[k])]
    variables = model.trainable_variables
    constants = {key: keras.ops.convert_to_tensor(array) for key, array in inputs.items()}

    outputs = keras.tree.flatten(model(constants))
    result = {f"output/{i}": numerics.to_numpy(y) for i, y in enumerate(outputs)}

    def fn(*tensors):
        moved = {**constants, **dict(zip(floats, tensors, strict=False))}
        values = tensors[len(floats) :]
        return numerics.project(numerics.with_values(variables, values, lambda: model(moved)))

    arrays = [inputs[k] for k in floats] + [numerics.to_numpy(v) for v in variables]
    labels = floats + [f"weight/{i}" for i in range(len(variables))]
    for label, gradient in zip(labels, numerics.gradients(fn, *arrays), strict=True):
        result[f"gradient/{label}"] = gradient
    return result


def compare(backend, name):
    """Load what another backend left and fail unless this one computes the same numbers."""
    path = folder() / backend / f"{name}.keras"
    numbers_path = path.with_suffix(".npz")
    assert path.exists() and numbers_path.exists(), (
        f"{backend} left no file {name}: its check failed, or did not run there"
    )
    with np.load(numbers_path) as archive:
        stored = {key: archive[key] for key in archive.files}
    for module in stored.pop("modules"):
        importlib.import_module(str(module))
    inputs = {key.partition("/")[2]: stored.pop(key) for key in list(stored) if "input/" in key}
    found = numbers(keras.saving.load_model(path), inputs)
    assert sorted(found) == sorted(stored), f"{sorted(found)} here, {sorted(stored)} on {backend}"
    for key, expected in stored.items():
        numerics.assert_close(found[key], expected, TOLERANCE, f"{key} of the file of {backend}")
