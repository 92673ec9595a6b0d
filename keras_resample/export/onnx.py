"""Models as ONNX files, for ONNX Runtime, Triton and KServe."""

from keras_resample.export.file_writing import Format, write_file


def onnx(
    model,
    path,
    output_name="embedding",
    image_size=None,
    batch_size=None,
    overwrite=False,
    check=True,
    images=None,
    tolerance=1e-4,
):
    """Writes a model as an ONNX file, which ONNX Runtime runs without Keras.

    The file takes batches of any size and has one output, `output_name`, in float32 where the
    model's is float16 or bfloat16. A single input is called `images`; several, such as those of a
    `KeypointViT`, have the model's names. Height and width are fixed: a file for any would give
    wrong numbers without an error on some backends.

    Keras writes it, with a package for each backend: `tf2onnx` on TensorFlow, `jax2onnx` on JAX,
    `onnxscript` on PyTorch. What then stands in the file is run by ONNX Runtime in a new process,
    in which neither Keras nor this package can be imported, on 1, 2 and 5 images, and compared with
    the model. A file that differs does not appear. Which models work on which backend:
    `docs/results/export_formats.md`.

    Args:
        model: a built Keras model with one output, a `Recognizer`, of which the encoder is written
            (head and labels are gone), or a `BTNet`, of which one resolution is written.
        path: of the file, ending in `.onnx`.
        output_name: name of the output, a Python identifier.
        image_size: `(height, width)` of the images; needed where the model's is unknown, and of a
            `BTNet`, where it says which of its resolutions is written.
        batch_size: `None` for batches of any size, or the only one that the file takes. On PyTorch
            networks with layer normalization, such as vision transformers, need one.
        overwrite: whether to replace a file at `path`.
        check: whether to run the file and compare it.
        images: what the comparison runs: an array `(n, height, width, channels)` or as the model
            takes it, of several inputs a dict of arrays by their names; `None` for random numbers
            in [0, 1].
        tolerance: largest difference allowed, in units of the largest absolute output.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if an argument is wrong, the model is not built or has several outputs, `path`
            is in use, or the file differs from the model.
        ImportError: if a package is missing, with its name.
        RuntimeError: if Keras cannot write the model on this backend, or the file cannot be run.
        OSError: if the file cannot be written.

    Example:

    >>> import keras, pathlib, tempfile
    >>> import keras_resample as kr
    >>> images = keras.Input((16, 16, 3))
    >>> x = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")(images)
    >>> model = keras.Model(images, keras.layers.Dense(8)(keras.layers.Flatten()(x)))
    >>> path = kr.export.onnx(model, pathlib.Path(tempfile.mkdtemp()) / "face.onnx")
    >>> import onnxruntime
    >>> session = onnxruntime.InferenceSession(path)
    >>> [each.name for each in (*session.get_inputs(), *session.get_outputs())]
    ['images', 'embedding']

    Reference:
        [ONNX Runtime](https://onnxruntime.ai)
    """
    return write_file(
        ONNX, model, path, output_name, image_size, batch_size, overwrite, check, images, tolerance
    )


def _write(file_model, file):
    import onnx

    file_model.export(file, format="onnx", verbose=False, input_signature=list(file_model.specs))
    proto = onnx.load(file)  # with the weights that some exporters leave beside it
    (output,) = proto.graph.output
    name = file_model.output_name
    if output.name != name:
        _rename(proto.graph, name, f"{name}_inside")
        proto.graph.node.append(onnx.helper.make_node("Identity", [output.name], [name]))
        output.name = name
    onnx.checker.check_model(proto)
    onnx.save(proto, file)


def _rename(graph, old, new):
    """Gives a tensor inside a graph, and inside the graphs of its nodes, another name."""
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename(inner, old, new)
    for described in (*graph.value_info, *graph.initializer):
        if described.name == old:
            described.name = new


ONNX = Format(
    title="ONNX",
    suffixes=(".onnx",),
    packages={
        "tensorflow": ("tf2onnx", "onnx"),
        "jax": ("jax2onnx", "onnx"),
        "torch": ("onnxscript", "onnx"),
    },
    write=_write,
)
