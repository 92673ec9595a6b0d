"""SavedModels with named endpoints, for TensorFlow Serving."""

import keras

from keras_resample.arguments import (
    as_bool,
    as_data_format,
    as_integer,
    as_number,
    as_size,
    check_choice,
)
from keras_resample.export.bridge import write_through_tensorflow
from keras_resample.export.endpoints import (
    DECODABLE_CHANNELS,
    DEFAULT,
    JPEG,
    MAX_PIXELS,
    Contract,
    endpoints_of,
    write_saved_model,
)
from keras_resample.export.folders import as_target
from keras_resample.export.tensorflow_process import require_tensorflow
from keras_resample.files import whole
from keras_resample.models.btnet import BTNet
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.steps.image_format import format_of_images
from keras_resample.models.steps.own_scaling import own_scaling
from keras_resample.ops.resolution_choice import INDICATORS, ROUNDINGS

# The factor by which byte values lie in [0, 1].
OF_BYTES = 1.0 / 255.0


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
):
    """Writes a model as a SavedModel that runs without Keras and without this package.

    The SavedModel has endpoints with dynamic batch, each with one input `images` and one output
    `output_name`:

    * `serving_default` takes images as the model does, `(batch, height, width, channels)`;
    * `serve_jpeg` takes encoded images, a string tensor `(batch,)` of the bytes of JPEG or PNG
      files of any size. It decodes them to the model's channels, resizes them to `image_size`
      (bilinear, antialiased; the aspect ratio is not kept) and feeds `scale * byte + offset`.
      Images are turned as their EXIF orientation says, as every reader of `kr.datasets` does.

    A `BTNet` has one for each of its resolutions and finds the branch that serves an image by
    `keras_resample.ops.choose_resolution`, by default the smallest resolution that it is not larger
    than. Its weights are stored once, and all endpoints share them:

    * `serving_default` takes images of the trunk's size;
    * `embed_14x14`, or whatever the sizes (height x width) of its branches are, those of a branch;
    * `embed_any_size` takes a batch of one size, any. It chooses the branch and resizes the images
      to its resolution (bilinear, antialiased);
    * `serve_jpeg` does so for each file. The images of one branch run together.

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
        image_size: `(height, width)` that `serve_jpeg` resizes to; needed where the model's input
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
        max_pixels: largest image that `serve_jpeg` decodes. The size is read from the header, so a
            small file of a large image is an error before it takes memory.
        indicator, rounding: as in `keras_resample.ops.choose_resolution`, of a `BTNet` only.

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
    contract = _contract(model, output_name, image_size, scale, offset, endpoints, data_format)
    contract.max_pixels = as_integer(max_pixels, "max_pixels")
    contract.indicator, contract.rounding = _as_rule(indicator, rounding, contract)
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


def served_model(model):
    """What is served of `model`: of a recognizer its encoder, else the model itself."""
    if isinstance(model, Recognizer):
        model = model.encoder
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a Keras model. Received: model={model!r}")
    return model


def own_network(model):
    """Of a network of several resolutions its trunk, else the model itself."""
    return model.trunk if isinstance(model, BTNet) else model


def input_signature(model):
    """Shape (batch unknown) and dtype of the only input of `model`."""
    if not model.built:
        raise ValueError(
            "`model` must be built: give it an Input, or call it on images once. "
            f"Received: model={model!r}"
        )
    model = own_network(model)
    inputs = getattr(model, "inputs", None)
    if inputs:
        shapes, dtype = [tuple(x.shape) for x in inputs], inputs[0].dtype
    else:
        shape = (model.get_build_config() or {}).get("input_shape")
        shapes, dtype = [] if shape is None else [tuple(shape)], model.input_dtype
    if len(shapes) != 1 or len(shapes[0]) != 4:
        raise ValueError(
            "`model` must have one input, a batch of images (4D). "
            f"Received: model={model!r} with inputs of shape {shapes}"
        )
    return (None, *shapes[0][1:]), keras.backend.standardize_dtype(dtype)


def _as_rule(indicator, rounding, contract):
    check_choice(indicator, "indicator", INDICATORS)
    check_choice(rounding, "rounding", ROUNDINGS)
    if not contract.resolutions and (indicator, rounding) != (
        contract.indicator,
        contract.rounding,
    ):
        raise ValueError(
            "`indicator` and `rounding` choose the branch of a BTNet, and this model has none. "
            f"Received: indicator={indicator!r}, rounding={rounding!r}"
        )
    return indicator, rounding


def _contract(model, output_name, image_size, scale, offset, endpoints, data_format):
    shape, dtype = input_signature(model)
    resolutions = ()
    if isinstance(model, BTNet):
        resolutions = (model.parts.size, *model.resolutions)
        formats = (None, model.parts.data_format)
        check_choice(data_format, "data_format", formats)
        data_format = model.parts.data_format
    model = own_network(model)
    if data_format is None:
        data_format = format_of_images(shape, model)
    data_format = as_data_format(data_format)
    outputs = keras.tree.flatten(model.compute_output_spec(keras.KerasTensor(shape, dtype)))
    if len(outputs) != 1:
        raise ValueError(
            f"`model` must have one output. Received: model={model!r} with {len(outputs)} outputs"
        )
    if not isinstance(output_name, str) or not output_name.isidentifier():
        raise ValueError(
            f"`output_name` must be a Python identifier. Received: output_name={output_name!r}"
        )
    offset = as_number(offset, "offset")
    if scale is not None:
        scale = as_number(scale, "scale", more="or None")
    known = endpoints_of(resolutions)
    if endpoints is None:
        endpoints = known
    endpoints = (endpoints,) if isinstance(endpoints, str) else tuple(endpoints)
    if DEFAULT not in endpoints or not set(endpoints) <= set(known):
        others = ", ".join(f'"{name}"' for name in known if name != DEFAULT)
        raise ValueError(
            f'`endpoints` must be "{DEFAULT}" and possibly {others}. '
            f"Received: endpoints={endpoints!r}"
        )
    first = data_format == "channels_first"
    channels, size = (shape[1], shape[2:]) if first else (shape[3], shape[1:3])
    if image_size is not None:
        image_size = as_size(image_size, "image_size")
        if any(n not in (None, given) for n, given in zip(size, image_size, strict=True)):
            raise ValueError(
                f"`image_size` must be the input size of the model, {size}, where that is known. "
                f"Received: image_size={image_size}"
            )
    elif None not in size:
        image_size = size
    if JPEG in endpoints:
        _check_decodable(shape, dtype, channels, image_size, scale, offset, data_format)
        if scale is None:
            _check_no_own_scaling(model)
    return Contract(
        input_shape=shape,
        input_dtype=dtype,
        image_size=image_size,
        channels=channels,
        data_format=data_format,
        output_name=output_name,
        scale=OF_BYTES if scale is None else scale,
        offset=offset,
        endpoints=endpoints,
        resolutions=resolutions,
    )


def _check_decodable(shape, dtype, channels, image_size, scale, offset, data_format):
    without = f'Pass endpoints="{DEFAULT}" for a SavedModel without "{JPEG}".'
    if channels not in DECODABLE_CHANNELS:
        raise ValueError(
            f'"{JPEG}" delivers images of {DECODABLE_CHANNELS} channels. {without} '
            f"Received: a model with inputs of shape {shape}, data_format={data_format!r}"
        )
    if image_size is None:
        raise ValueError(
            f'"{JPEG}" needs `image_size` where the input size of the model is unknown. {without} '
            f"Received: image_size=None and a model with inputs of shape {shape}"
        )
    if "int" in dtype and (scale, offset) != (1, 0):
        raise ValueError(
            f"A model that takes {dtype} images needs scale=1 and offset=0. "
            f"Received: scale={scale}, offset={offset}"
        )


def _check_no_own_scaling(model):
    names = own_scaling(model)
    if names:
        raise ValueError(
            "`scale` is needed for a model that scales its images itself, or may, or they would be "
            f"scaled twice: scale=1 where {names[0]!r} takes values 0..255, scale=1/255 where it "
            f"takes the range [0, 1]. Received: scale=None and a model with {', '.join(names[:5])} "
            "inside"
        )


def _as_bridge(bridge, backend):
    if bridge is None:
        return backend == "torch"
    if not as_bool(bridge, "bridge") and backend == "torch":
        raise ValueError(
            "PyTorch cannot write a SavedModel, so the bridge is needed. Received: bridge=False"
        )
    return bridge
