"""SavedModels with named endpoints, for TensorFlow Serving."""

import warnings

import keras

from keras_resample.arguments import as_bool, as_integer
from keras_resample.export.bridge import write_through_tensorflow
from keras_resample.export.check import check as check_saved_model
from keras_resample.export.contract import MAX_PIXELS, Contract
from keras_resample.export.contract_of_model import (
    HALF,
    as_flip,
    as_normalize,
    as_rule,
    contract_of,
    recorded,
    served_model,
)
from keras_resample.export.endpoints import write_saved_model
from keras_resample.export.folders import as_target
from keras_resample.export.model_card import write_card
from keras_resample.export.tensorflow_process import require_tensorflow
from keras_resample.export.warm_up import as_warm_up
from keras_resample.files import whole
from keras_resample.models.steps.layers_inside import layers_inside

# Largest differences that are allowed in units of the largest output, also of half precision.
TOLERANCE, HALF_TOLERANCE = 1e-4, 5e-2


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
    normalize=None,
    flip=None,
    warm_up=None,
    check=True,
):
    """Writes a model as a SavedModel that runs without Keras and without this package.

    The SavedModel has endpoints with dynamic batch, each with an input `images` and an output
    `output_name`:

    * `serving_default` takes images as the model does, `(batch, height, width, channels)`;
    * `serve_uint8` takes pixels, `(batch, height, width, channels)` of bytes, channels last, of any
      size, and treats them as those of files;
    * `serve_bytes` takes encoded images, a string tensor `(batch,)` of the bytes of JPEG, PNG, GIF
      (the first frame), BMP or WebP files of any size. It decodes them to the model's channels,
      resizes them to `image_size` (bilinear, antialiased; the aspect ratio is not kept) and feeds
      `scale * byte + offset`. Images are turned as their EXIF orientation says, as every reader of
      `kr.datasets` does. A request with a bad file gets an error, and no other one;
    * `serve_jpeg` is the same by its first name.

    A `Verifier` has one more:

    * `verify` takes two inputs of encoded images, `first` and `second`, `(batch,)` each, and
      returns the `score` of each two, their cosine, and whether they show the `same` identity: from
      the threshold on.

    The endpoints of a model with several inputs, such as images and keypoints, take the others as
    the model does, by their names in the dict that it takes or as its `keras.Input`s have them,
    each with a row for each image. The outputs of a model that returns a dict have its keys.

    A `BTNet` has one for each of its resolutions and finds the branch that serves an image by
    `keras_resample.ops.choose_resolution`, by default the smallest resolution that it is not larger
    than. Its weights are stored once, and all endpoints share them:

    * `serving_default` takes images of the trunk's size;
    * `embed_14x14`, or whatever the sizes (height x width) of its branches are, those of a branch;
    * `embed_any_size` takes a batch of one size, any. It chooses the branch and resizes the images
      to its resolution (bilinear, antialiased);
    * `serve_uint8` does so with a batch of bytes of one size;
    * `serve_bytes` does so for each file. The images of one branch run together.

    Embeddings are those of the network, not of length 1, unless `normalize` says so.

    Dropout and the like are off. An output of float16 or bfloat16 is returned as float32.

    TensorFlow writes the file, so it has to be installed on every backend:

    * On TensorFlow the model is traced to an ordinary graph.
    * On JAX it is compiled to StableHLO by `jax2tf`, for CPU and CUDA; the server then needs the
      XLA compiler, and a request one image. `bridge=True` writes an ordinary graph, which needs
      neither.
    * On PyTorch, which cannot write SavedModels, the bridge is taken: the model is saved as a
      temporary `.keras` file that a new process loads and exports on TensorFlow. Every layer has to
      be able to run there: those of Keras and of this package are; layers of your own have to use
      `keras.ops`, and `custom_modules` names the modules that register them. A class defined in a
      notebook or in the script itself cannot be found from another process.

    The folder appears complete or not at all, and one that is replaced stays until then. It holds
    `MODEL_CARD.md`, which says what the model is, what its endpoints take and return, how images
    are prepared, and who wrote it; and where tensorflow-serving-api is installed
    (`pip install keras-resample[serving]`) requests by which TensorFlow Serving warms up.

    Args:
        model: a built Keras model of which one input is a batch of images; or a `Recognizer`, of
            which the encoder is written (head and labels are gone), or a `Verifier`. What these
            two know of their images is written too: the range of values that they were trained on,
            and of a `Verifier` mirror images, length 1 and threshold.
        path: folder to write. TensorFlow Serving wants its last part to be a version number:
            `"served/face/1"`.
        output_name: key of the output, a Python identifier; of a model that returns several in a
            list or a tuple, one for each.
        image_size: `(height, width)` that files are resized to; needed where the model's input
            size is unknown, otherwise the model's.
        scale: factor of the byte values 0..255. `None` is what the model was trained on where a
            `Recognizer` or a `Verifier` knows it, else 1/255, which gives the range [0, 1]; a model
            with a layer `Rescaling` or `Normalization` inside, or the preprocessing of
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
        normalize: whether embeddings are divided by their lengths, as by `Recognizer.embed`; of
            several outputs those named `"embedding"`. `None` is so of a `Verifier`, of no other.
        flip: whether to add to each embedding that of the mirror image, before the normalisation.
            `None` is what a `Verifier` does, and not of others.
        warm_up: whether to write requests to warm up with, one of one image and one of eight for
            each endpoint; `None` where tensorflow-serving-api is installed.
        check: whether to compare the SavedModel with the model before it appears, by
            `keras_resample.export.check` on random images, which takes some seconds. Of a model
            whose input size is unknown and not said by `image_size` there are none: it is written
            with a warning, and is to be checked with images of its own.

    Returns:
        The path, a `pathlib.Path`.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if an argument is wrong, the model is not built or has not one input that is a
            batch of images, `path` is in use, or the SavedModel does not do what the model does.
        ImportError: if TensorFlow is not installed, or for `warm_up=True` tensorflow-serving-api.
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
    known = recorded(model)
    model = served_model(model)
    contract = contract_of(
        model, output_name, image_size, scale, offset, endpoints, data_format, known
    )
    contract.max_pixels = as_integer(max_pixels, "max_pixels")
    contract.batch_requests = as_bool(batch_requests, "batch_requests")
    contract.indicator, contract.rounding = as_rule(indicator, rounding, contract)
    contract.normalize = as_normalize(known.normalize if normalize is None else normalize, contract)
    contract.flip = as_flip(known.flip if flip is None else flip, contract)
    target = as_target(path, overwrite)
    backend = keras.backend.backend()
    bridge = _as_bridge(bridge, backend)
    if isinstance(custom_modules, str):
        custom_modules = (custom_modules,)
    require_tensorflow("Writing a SavedModel")
    check = as_bool(check, "check")
    warm_up = as_warm_up(warm_up if warm_up is None else as_bool(warm_up, "warm_up"), contract)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with whole(target) as (folder,):
            if bridge:
                write_through_tensorflow(model, folder, contract, warm_up, custom_modules)
            else:
                write_saved_model(model, folder, contract, warm_up)
            written = Contract.read(folder)
            write_card(folder, written, _report(model, folder, target, written) if check else None)
    except OSError as error:
        raise OSError(
            f"The SavedModel could not be written: {error}. Received: path={str(path)!r}"
        ) from error
    return target


def _report(model, folder, target, contract):
    """That of the check of what was written, `None` where there are no random images."""
    if contract.image_size is None:
        warnings.warn(
            "The SavedModel was not compared with the model, whose input size is unknown: "
            "`image_size` says one, or kr.export.check(path, model, images) checks it with images.",
            stacklevel=3,
        )
        return None
    half = any(layer.compute_dtype in HALF for layer in [model, *layers_inside(model)])
    try:
        return check_saved_model(folder, model, tolerance=HALF_TOLERANCE if half else TOLERANCE)
    except ValueError as error:
        found = str(error).replace(str(folder), str(target))
        raise ValueError(
            "Nothing was written, because the SavedModel is not the model; check=False writes it "
            f"all the same. {found}"
        ) from error


def _as_bridge(bridge, backend):
    if bridge is None:
        return backend == "torch"
    if not as_bool(bridge, "bridge") and backend == "torch":
        raise ValueError(
            "PyTorch cannot write a SavedModel, so the bridge is needed. Received: bridge=False"
        )
    return bridge
