"""Models as PyTorch files without Python code."""

from keras_resample.export.file_writing import Format, write_file


def torch(
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
    """Writes a model as a `.pt2` file, which `torch.export.load` reads without Keras.

    The program takes its inputs in order, several in that of their names, and returns a dict with
    `output_name`. Sizes and the comparison are as of `keras_resample.export.onnx`; PyTorch runs the
    file. It is written on the PyTorch backend only.

    Args:
        model, output_name, image_size, batch_size, overwrite, check, images, tolerance: as in
            `keras_resample.export.onnx`.
        path: of the file, ending in `.pt2`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: as `keras_resample.export.onnx`, as are its other errors.

    Example:

    >>> import keras, pathlib, tempfile
    >>> import keras_resample as kr
    >>> images = keras.Input((8, 8, 3))
    >>> model = keras.Model(images, keras.layers.Dense(4)(keras.layers.Flatten()(images)))
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "face.pt2"
    >>> if keras.backend.backend() == "torch":
    ...     path = kr.export.torch(model, file)

    Reference:
        [torch.export](https://docs.pytorch.org/docs/stable/export.html)
    """
    return write_file(
        TORCH,
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
    from torch.export import Dim

    batch = {0: Dim("batch")}
    shapes = [batch if spec.shape[0] is None else {} for spec in file_model.specs]
    file_model.export(
        file,
        format="torch",
        verbose=False,
        input_signature=list(file_model.specs),
        dynamic_shapes=shapes,
    )


TORCH = Format(
    title="PyTorch",
    suffixes=(".pt2",),
    packages={"torch": ("torch",)},
    write=_write,
    returns_dict=("torch",),
)
