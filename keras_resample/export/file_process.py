"""Runs a model in a file where Keras and this package cannot be imported.

A script for a process of its own: `python -P file_process.py FILE REQUEST RESULT`. REQUEST is an
`.npz` of an array for each input, in the order in which the model takes them. RESULT becomes a
folder with what the file says about itself (`report.json`) and returns (`outputs.npz`,
"output/number of images"): for each of `BATCHES` images, or as many as it takes.
"""

import json
import pathlib
import sys

import numpy as np

BATCHES = (1, 2, 5)
FRAMEWORKS = {"jax", "tensorflow", "torch"}


def main(file, request, result):
    run, own = RUNTIMES[pathlib.Path(file).suffix]
    for name in {"keras", "keras_resample", "tf_keras", *FRAMEWORKS} - {own}:
        sys.modules[name] = None  # whatever imports it fails
    arrays = dict(np.load(request))
    inputs, outputs, call = run(file, arrays)
    report = {"inputs": inputs, "outputs": outputs}
    fixed = next(iter(inputs.values()))["shape"][0]
    found = {}
    fits = {name: list(array.shape[1:]) for name, array in arrays.items()} == {
        name: each["shape"][1:] for name, each in inputs.items()
    }
    for count in () if not fits else BATCHES if fixed is None else (fixed,):
        batch = {name: rows(array, count) for name, array in arrays.items()}
        for name, value in call(batch).items():
            found[f"{name}/{count}"] = np.asarray(value)
    result = pathlib.Path(result)
    (result / "report.json").write_text(json.dumps(report), encoding="utf-8")
    np.savez(result / "outputs.npz", **found)


def rows(array, count):
    """As many rows of an array, from its first on and over again."""
    return array[np.arange(count) % len(array)]


def of_onnx(file, arrays):
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    inputs, outputs = (
        {each.name: _described(_dtype_of_onnx(each.type), each.shape) for each in each_of()}
        for each_of in (session.get_inputs, session.get_outputs)
    )

    def call(batch):
        return dict(zip(outputs, session.run(list(outputs), batch), strict=True))

    return inputs, outputs, call


def _dtype_of_onnx(text):
    """`tensor(float)` as numpy calls it."""
    name = text.removeprefix("tensor(").removesuffix(")")
    return {"float": "float32", "double": "float64"}.get(name, name)


def of_openvino(file, arrays):
    import openvino

    # A processor may compute in bfloat16 by default.
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(file, "CPU", precise)

    def described(port):
        shape = [None if n.is_dynamic else n.get_length() for n in port.get_partial_shape()]
        return _described(port.get_element_type().to_dtype(), shape)

    inputs = {port.get_any_name(): described(port) for port in compiled.inputs}
    outputs = {port.get_any_name(): described(port) for port in compiled.outputs}

    def call(batch):
        found = compiled(batch)
        return {name: found[name] for name in outputs}

    return inputs, outputs, call


def of_litert(file, arrays):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite import Interpreter

    runner = Interpreter(model_path=file).get_signature_runner()
    inputs, outputs = (
        {
            name: _described(each["dtype"], each["shape_signature"])
            for name, each in details().items()
        }
        for details in (runner.get_input_details, runner.get_output_details)
    )
    return inputs, outputs, lambda batch: runner(**batch)


def of_torch(file, arrays):
    import torch

    program = torch.export.load(file)
    module = program.module()
    specs = {node.name: node.meta["val"] for node in program.graph.nodes if "val" in node.meta}

    def described(name):
        shape = [n if isinstance(n, int) else None for n in specs[name].shape]
        return _described(str(specs[name].dtype).removeprefix("torch."), shape)

    def call(batch):
        with torch.inference_mode():
            return module(*map(torch.from_numpy, batch.values()))

    taken = map(described, program.graph_signature.user_inputs)
    inputs = dict(zip(arrays, taken, strict=True))  # the file takes them in order, without names
    names = list(program.graph_signature.user_outputs)
    named = program.call_spec.out_spec.unflatten(names)  # the dict that a call returns
    return inputs, {name: described(node) for name, node in named.items()}, call


def _described(dtype, shape):
    """`shape` with `None` for what is any, whatever the runtime writes there."""
    known = [n if isinstance(n, int) and n >= 0 else None for n in map(_plain, shape)]
    return {"dtype": np.dtype(dtype).name, "shape": known}


def _plain(length):
    return length.item() if isinstance(length, np.integer) else length


# By suffix: what runs it, and the framework that it is.
RUNTIMES = {
    ".onnx": (of_onnx, None),
    ".xml": (of_openvino, None),
    ".tflite": (of_litert, "tensorflow"),
    ".pt2": (of_torch, "torch"),
}


if __name__ == "__main__":
    main(*sys.argv[1:])
