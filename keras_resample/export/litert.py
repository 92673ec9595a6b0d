"""Models as LiteRT files, for phones and small devices."""

from keras_resample.export.file_writing import Format, write_file


def litert(
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
    """Writes a model as a LiteRT (TensorFlow Lite) file, of the operations built into LiteRT.

    Inputs, output and the comparison are as of `keras_resample.export.onnx`; the file has one
    signature with their names. It is run by the interpreter of `ai-edge-litert`, or where that is
    not installed, of TensorFlow.

    TensorFlow writes it, on no other backend: JAX cannot, and PyTorch's converter turns a batch of
    any size into one of 1 without a word. A model whose operations are not all built in is an
    error: the rest of TensorFlow ("select ops") is not on a phone.

    Args:
        model, output_name, image_size, batch_size, overwrite, check, images, tolerance: as in
            `keras_resample.export.onnx`.
        path: of the file, ending in `.tflite`.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        ValueError: as `keras_resample.export.onnx`, as are its other errors.

    Example:

    >>> import keras, pathlib, tempfile
    >>> import keras_resample as kr
    >>> images = keras.Input((8, 8, 3))
    >>> model = keras.Model(images, keras.layers.Dense(4)(keras.layers.Flatten()(images)))
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "face.tflite"
    >>> if keras.backend.backend() == "tensorflow":
    ...     path = kr.export.litert(model, file)

    Reference:
        [LiteRT](https://ai.google.dev/edge/litert)
    """
    return write_file(
        LITERT,
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
    import tensorflow as tf

    file_model.export(
        str(file),
        format="litert",
        verbose=False,
        input_signature=list(file_model.specs),
        target_spec={"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]},
    )


LITERT = Format(
    title="LiteRT",
    suffixes=(".tflite",),
    packages={"tensorflow": ("tensorflow",)},
    write=_write,
    returns_dict=("tensorflow",),
)
