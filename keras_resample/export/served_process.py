"""Loads a SavedModel where Keras and this package cannot be imported, and runs it.

A script for a process of its own: `python -P served_process.py FOLDER REQUEST RESULT`. REQUEST is
an `.npz` of what the endpoints are called with: "embed_any_size/1/images" is the input `images` of
the second batch of that endpoint, and "serve_bytes/0/images/2" the third image (uint8,
channels-last) of the first batch of files.
RESULT becomes a folder with what each endpoint says about itself (`report.json`) and returns
(`outputs.npz`, "endpoint/output/batch/number of images").
"""

import importlib.abc
import importlib.util
import json
import pathlib
import sys
import time

TIMED_CALLS, FIRST = 3, "0"
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
        endpoint, batch, key, *place = name.split("/")
        inputs = batches.setdefault(endpoint, {}).setdefault(batch, {})
        if place:
            inputs.setdefault(key, []).append(_png(array))
        else:
            inputs[key] = array
    # The model has to stay: its signatures only hold its variables weakly.
    model = tf.saved_model.load(folder)
    report = {"endpoints": {}, **_graph(folder)}
    outputs = {}
    for name, signature in model.signatures.items():
        inputs = signature.structured_input_signature[1]
        report["endpoints"][name] = {
            "inputs": _describe(inputs),
            "outputs": _describe(signature.structured_outputs),
            "operations": _operations(signature.graph.as_graph_def()),
            "milliseconds": {},
        }
        for batch, given in batches.get(name, {}).items():
            if set(given) != set(inputs):
                continue
            for count in counts_of(len(next(iter(given.values())))):
                tensors = {
                    key: tf.constant(values[:count], dtype=inputs[key].dtype)
                    for key, values in given.items()
                }
                for output, value in signature(**tensors).items():
                    outputs[f"{name}/{output}/{batch}/{count}"] = value.numpy()
                if batch == FIRST:
                    times = report["endpoints"][name]["milliseconds"]
                    times[str(count)] = _milliseconds(signature, tensors)
    result = pathlib.Path(result)
    (result / "report.json").write_text(json.dumps(report), encoding="utf-8")
    np.savez(result / "outputs.npz", **outputs)


def counts_of(most):
    """Numbers of images that an endpoint is called with, `most` at most."""
    return sorted({count for count in (1, 3, most) if count <= most})


def _milliseconds(signature, tensors):
    """The shortest of a few calls, of which the first was made already."""
    times = []
    for _ in range(TIMED_CALLS):
        start = time.perf_counter()
        for value in signature(**tensors).values():
            value.numpy()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times)


def _operations(graph):
    """Names of the operations of a graph, and of all functions that it may call."""
    nodes = [*graph.node, *(node for one in graph.library.function for node in one.node_def)]
    return sorted({node.op for node in nodes})


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
    return {
        "must_compile": sorted(must_compile),
        "needs_xla": "XlaCallModule" in operations,
        "tensorflow_version": saved.meta_graphs[0].meta_info_def.tensorflow_version,
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
