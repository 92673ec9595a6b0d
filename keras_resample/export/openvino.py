"""Models as OpenVINO files, for processors and graphics of Intel."""

from keras_resample.export.file_writing import Format, write_file


def openvino(
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
    """Writes a model as OpenVINO files, an `.xml` of the graph and a `.bin` of the weights.

    Inputs, output and the comparison are as of `keras_resample.export.onnx`; OpenVINO runs the
    file, on the CPU and in float32.

    Args:
        model, output_name, image_size, batch_size, overwrite, check, images, tolerance: as in
            `keras_resample.export.onnx`.
        path: of the file of the graph, ending in `.xml`; the weights lie beside it.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: as `keras_resample.export.onnx`, as are its other errors.

    Example:

    >>> import keras, pathlib, tempfile
    >>> import keras_resample as kr
    >>> images = keras.Input((8, 8, 3))
    >>> model = keras.Model(images, keras.layers.Dense(4)(keras.layers.Flatten()(images)))
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "face.xml"
    >>> if keras.backend.backend() == "tensorflow":
    ...     path = kr.export.openvino(model, file)

    Reference:
        [OpenVINO](https://docs.openvino.ai)
    """
    return write_file(
        OPENVINO,
        model,
        path,
        output_name,
        image_size,
        batch_size,
        overwrite,
        check,
        images,
        tolerance,
    )


def _write(file_model, file):
    import openvino

    raw = file.with_name("raw.xml")
    file_model.export(
        str(raw), format="openvino", verbose=False, input_signature=list(file_model.specs)
    )
    graph = openvino.Core().read_model(raw)
    for port, spec in zip(graph.inputs, file_model.specs, strict=True):
        port.tensor.set_names({spec.name})
    graph.reshape(
        {spec.name: openvino.PartialShape(_dimensions(spec)) for spec in file_model.specs}
    )
    graph.output(0).tensor.set_names({file_model.output_name})
    openvino.serialize(graph, file)


def _dimensions(spec):
    return [-1 if n is None else n for n in spec.shape]


OPENVINO = Format(
    title="OpenVINO",
    suffixes=(".xml", ".bin"),
    packages={"tensorflow": ("openvino",), "torch": ("openvino",)},
    write=_write,
    returns_dict=("tensorflow",),  # PyTorch traces no dict
)
