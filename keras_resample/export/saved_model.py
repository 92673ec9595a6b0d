"""SavedModels with named endpoints, for TensorFlow Serving."""

import keras

from keras_resample.arguments import as_bool, as_integer
from keras_resample.export.bridge import write_through_tensorflow
from keras_resample.export.contract import MAX_PIXELS
from keras_resample.export.contract_of_model import as_rule, contract_of, served_model
from keras_resample.export.endpoints import write_saved_model
from keras_resample.export.folders import as_target
from keras_resample.export.tensorflow_process import require_tensorflow
from keras_resample.files import whole


def saved_model(
    model,
    path,
    output_name="embedding",
    image_size=None,
    scale=None,
    offset=0.0,
    endpoints=None,
    overwrite=False,
    data_format=None,
    bridge=None,
    custom_modules=(),
    max_pixels=MAX_PIXELS,
    indicator="max",
    rounding="ceil",
    batch_requests=True,
):
    """Writes a model as a SavedModel that runs without Keras and without this package.

    The SavedModel has endpoints with dynamic batch, each with one input `images` and one output
    `output_name`:

    * `serving_default` takes images as the model does, `(batch, height, width, channels)`;
    * `serve_bytes` takes encoded images, a string tensor `(batch,)` of the bytes of JPEG, PNG, GIF
      (the first frame), BMP or WebP files of any size. It decodes them to the model's channels,
      resizes them to `image_size` (bilinear, antialiased; the aspect ratio is not kept) and feeds
      `scale * byte + offset`. Images are turned as their EXIF orientation says, as every reader of
      `kr.datasets` does. A request with a bad file gets an error, and no other one;
    * `serve_jpeg` is the same by its first name.

    A `BTNet` has one for each of its resolutions and finds the branch that serves an image by
    `keras_resample.ops.choose_resolution`, by default the smallest resolution that it is not larger
    than. Its weights are stored once, and all endpoints share them:

    * `serving_default` takes images of the trunk's size;
    * `embed_14x14`, or whatever the sizes (height x width) of its branches are, those of a branch;
    * `embed_any_size` takes a batch of one size, any. It chooses the branch and resizes the images
      to its resolution (bilinear, antialiased);
    * `serve_bytes` does so for each file. The images of one branch run together.

    Their embeddings are those of the network, before `BTNet.embed` scales them to length 1.

    Dropout and the like are off. An output of float16 or bfloat16 is returned as float32.

    TensorFlow writes the file, so it has to be installed on every backend:

    * On TensorFlow the model is traced to an ordinary graph.
    * On JAX it is compiled to StableHLO by `jax2tf`, for CPU and CUDA; the server then needs the
      XLA compiler. `bridge=True` writes an ordinary graph, which does not.
    * On PyTorch, which cannot write SavedModels, the bridge is taken: the model is saved as a
      temporary `.keras` file that a new process loads and exports on TensorFlow. Every layer has to
      be able to run there: those of Keras and of this package are; layers of your own have to use
      `keras.ops`, and `custom_modules` names the modules that register them. A class defined in a
      notebook or in the script itself cannot be found from another process.

    The folder appears complete or not at all, and one that is replaced stays until then.

    Args:
        model: a built Keras model with one image input and one output, or a `Recognizer`, of which
            the encoder is written (head and labels are gone).
        path: folder to write. TensorFlow Serving wants its last part to be a version number:
            `"served/face/1"`.
        output_name: key of the output, a Python identifier.
        image_size: `(height, width)` that files are resized to; needed where the model's input
            size is unknown, otherwise the model's.
        scale: factor of the byte values 0..255. `None` is 1/255, which gives the range [0, 1];
            a model with a layer `Rescaling` or `Normalization` inside, or the preprocessing of
            `keras.applications` or a `Lambda` before its first layer of features, has to be told:
            `scale=1` where these take 0..255.
        offset: added to the scaled byte values.
        endpoints: which endpoints to write; `"serving_default"` has to be among them. `None` for
            all that the model can have.
        overwrite: whether to replace a SavedModel at `path`.
        data_format: layout of the model's input, `"channels_last"`, `"channels_first"` or `None`
            for what its input and its layers say; where they say nothing,
            `keras.config.image_data_format()`.
        bridge: whether to export through TensorFlow in a new process; `None` does so on PyTorch
            only.
        custom_modules: names of the modules that the bridge imports.
        max_pixels: largest image that is decoded. The size is read from the header, so a
            small file of a large image is an error before it takes memory.
        indicator, rounding: as in `keras_resample.ops.choose_resolution`, of a `BTNet` only.
        batch_requests: whether `serve_bytes` runs the network once for the images of requests that
            come at the same time, after each request was decoded on its own. XLA cannot take an
            endpoint that does.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if an argument is wrong, the model is not built or has several inputs or
            outputs, or `path` is in use.
        ImportError: if TensorFlow is not installed.
        OSError: if the folder cannot be written.
        RuntimeError: if the bridge fails, with what the TensorFlow process said.

    Example:

    >>> import keras, pathlib, tempfile
    >>> import keras_resample as kr
    >>> images = keras.Input((16, 16, 3))
    >>> x = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")(images)
    >>> model = keras.Model(images, keras.layers.Dense(8)(keras.layers.Flatten()(x)))
    >>> served = pathlib.Path(tempfile.mkdtemp()) / "face" / "1"
    >>> path = kr.export.saved_model(model, served, data_format="channels_last")
    >>> (path / "saved_model.pb").is_file()
    True

    Reference:
        [TensorFlow Serving](https://www.tensorflow.org/tfx/guide/serving)
    """
    model = served_model(model)
    contract = contract_of(model, output_name, image_size, scale, offset, endpoints, data_format)
    contract.max_pixels = as_integer(max_pixels, "max_pixels")
    contract.batch_requests = as_bool(batch_requests, "batch_requests")
    contract.indicator, contract.rounding = as_rule(indicator, rounding, contract)
    target = as_target(path, overwrite)
    backend = keras.backend.backend()
    bridge = _as_bridge(bridge, backend)
    if isinstance(custom_modules, str):
        custom_modules = (custom_modules,)
    require_tensorflow("Writing a SavedModel")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as (folder,):
            if bridge:
                write_through_tensorflow(model, folder, contract, custom_modules)
            else:
                write_saved_model(model, folder, contract)
    except OSError as error:
        raise OSError(
            f"The SavedModel could not be written: {error}. Received: path={str(path)!r}"
        ) from error
    return target


def _as_bridge(bridge, backend):
    if bridge is None:
        return backend == "torch"
    if not as_bool(bridge, "bridge") and backend == "torch":
        raise ValueError(
            "PyTorch cannot write a SavedModel, so the bridge is needed. Received: bridge=False"
        )
    return bridge
