"""Loads a SavedModel where Keras and this package cannot be imported, and runs it.

A script for a process of its own: `python -P served_process.py FOLDER REQUEST RESULT`. REQUEST is
an `.npz` of what the endpoints are called with: "embed_any_size/1" is the second batch of that
endpoint, and "serve_bytes/0/2" the third image (uint8, channels-last) of the first batch of files.
RESULT becomes a folder with what each endpoint says about itself (`report.json`) and returns
(`outputs.npz`, "endpoint/output/batch/number of images").
"""

import importlib.abc
import importlib.util
import json
import pathlib
import sys

BLOCKED = ("keras", "keras_resample", "tf_keras", "jax", "torch")


class Blocker(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the import of `BLOCKED` fail; TensorFlow may still ask whether they exist."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            return importlib.util.spec_from_loader(name, self)
        return None

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is blocked")

    def exec_module(self, module):
        raise ImportError(f"{module.__name__} is blocked")


def main(folder, request, result):
    sys.meta_path.insert(0, Blocker())
    import numpy as np
    import tensorflow as tf

    batches = {}
    for name, array in np.load(request).items():
        endpoint, batch, *image = name.split("/")
        if image:
            batches.setdefault(endpoint, {}).setdefault(batch, []).append(_png(array))
        else:
            batches.setdefault(endpoint, {})[batch] = array
    # The model has to stay: its signatures only hold its variables weakly.
    model = tf.saved_model.load(folder)
    report = {"endpoints": {}, **_graph(folder)}
    outputs = {}
    for name, signature in model.signatures.items():
        inputs = signature.structured_input_signature[1]
        report["endpoints"][name] = {
            "inputs": _describe(inputs),
            "outputs": _describe(signature.structured_outputs),
        }
        if len(inputs) != 1:
            continue
        (key,) = inputs
        for batch, images in batches.get(name, {}).items():
            for count in sorted({1, len(images)}):
                tensor = tf.constant(images[:count], dtype=inputs[key].dtype)
                for output, value in signature(**{key: tensor}).items():
                    outputs[f"{name}/{output}/{batch}/{count}"] = value.numpy()
    result = pathlib.Path(result)
    (result / "report.json").write_text(json.dumps(report), encoding="utf-8")
    np.savez(result / "outputs.npz", **outputs)


def _png(image):
    import tensorflow as tf

    return tf.io.encode_png(image).numpy()


def _describe(specs):
    return {
        name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
        for name, spec in specs.items()
    }


def _graph(folder):
    """What the saved graph demands of a server."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((pathlib.Path(folder) / "saved_model.pb").read_bytes())
    must_compile, operations = set(), set()
    for graph in saved.meta_graphs:
        functions = graph.graph_def.library.function
        nodes = list(graph.graph_def.node)
        for function in functions:
            nodes += function.node_def
            if function.attr["_XlaMustCompile"].b:
                must_compile.add(function.signature.name)
        operations |= {node.op for node in nodes}
        must_compile |= {node.name for node in nodes if node.attr["_XlaMustCompile"].b}
    return {"must_compile": sorted(must_compile), "needs_xla": "XlaCallModule" in operations}


if __name__ == "__main__":
    main(*sys.argv[1:])
