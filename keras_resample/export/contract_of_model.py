"""What can be promised of a served model: its `Contract`, by its arguments and by itself."""

import math

import keras

from keras_resample.arguments import as_bool, as_data_format, as_number, as_size, check_choice
from keras_resample.export.contract import (
    DECODABLE_CHANNELS,
    DEFAULT,
    IMAGES,
    OF_BYTES,
    OF_FILES,
    Contract,
    endpoints_of,
)
from keras_resample.export.served_network import in_structure
from keras_resample.models.btnet import BTNet
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.steps.image_format import format_of_images
from keras_resample.models.steps.own_scaling import own_scaling
from keras_resample.models.steps.preprocessing import Preprocessing
from keras_resample.models.verifier import Verifier
from keras_resample.ops.resolution_choice import INDICATORS, ROUNDINGS

EMBEDDING = "embedding"
HALF = ("float16", "bfloat16")


def served_model(model):
    """What is served of `model`: of a recognizer its encoder, else the model itself."""
    if isinstance(model, (Recognizer, Verifier)):
        model = model.encoder
    if not isinstance(model, keras.Model):
        raise TypeError(f"`model` must be a Keras model. Received: model={model!r}")
    return model


def recorded(model):
    """What a model knows of how its images are prepared; see `Preprocessing`."""
    return model.preprocessing if isinstance(model, (Recognizer, Verifier)) else Preprocessing()


def own_network(model):
    """Of a network of several resolutions its trunk, else the model itself."""
    return model.trunk if isinstance(model, BTNet) else model


def input_signature(model):
    """Shape (batch unknown) and dtype of the images that `model` takes."""
    inputs = inputs_of(model)
    return inputs[image_name_of(inputs, model)]


def inputs_of(model):
    """Shape (batch unknown) and dtype of each input of `model` by its name, in their order.

    The only input is named "images", others as in the dict that the model takes, or as their
    `keras.Input`.
    """
    if not model.built:
        raise ValueError(
            "`model` must be built: give it an Input, or call it on images once. "
            f"Received: model={model!r}"
        )
    model = own_network(model)
    inputs = getattr(model, "inputs", None)
    if not inputs:
        shape = (model.get_build_config() or {}).get("input_shape")
        return {} if shape is None else {IMAGES: _signature(shape, model.input_dtype)}
    if len(inputs) == 1:
        names = [IMAGES]
    else:
        paths = [path for path, _ in keras.tree.flatten_with_path(model.input)]
        keys = [path[-1] if path else None for path in paths]
        pairs = zip(keys, inputs, strict=True)
        names = [key if isinstance(key, str) else tensor.name for key, tensor in pairs]
    _check_names(names, "model", f"must have inputs whose names are Python identifiers; {names}")
    return {
        name: _signature(tensor.shape, tensor.dtype)
        for name, tensor in zip(names, inputs, strict=True)
    }


def image_name_of(inputs, model):
    """The name of the images among what `inputs_of` returns."""
    names = [name for name, (shape, _) in inputs.items() if len(shape) == 4]
    if len(names) != 1:
        shapes = {name: shape for name, (shape, _) in inputs.items()}
        raise ValueError(
            "`model` must have one input that is a batch of images (4D). "
            f"Received: model={model!r} with inputs of shape {shapes}"
        )
    return names[0]


def _signature(shape, dtype):
    return (None, *shape[1:]), keras.backend.standardize_dtype(dtype)


def as_rule(indicator, rounding, contract):
    """The rule by which the branch of a `BTNet` is chosen, checked."""
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


def contract_of(
    model,
    output_name,
    image_size,
    scale,
    offset,
    endpoints,
    data_format,
    known=None,
):
    """The `Contract` of a model; arguments and errors of `saved_model`.

    Args:
        known: the `Preprocessing` that is recorded, if any.
    """
    known = known or Preprocessing()
    inputs = inputs_of(model)
    image_name = image_name_of(inputs, model)
    shape, dtype = inputs[image_name]
    resolutions = ()
    if isinstance(model, BTNet):
        resolutions = (model.parts.size, *model.resolutions)
        formats = (None, model.parts.data_format)
        check_choice(data_format, "data_format", formats)
        data_format = model.parts.data_format
    described = _description(model)
    model = own_network(model)
    if data_format is None:
        data_format = format_of_images(shape, model)
    data_format = as_data_format(data_format)
    outputs = _outputs(model, inputs, output_name)
    if not isinstance(output_name, str) or output_name not in outputs:
        output_name = EMBEDDING if EMBEDDING in outputs else next(iter(outputs))
    offset = as_number(offset, "offset")
    if scale is not None:
        scale = as_number(scale, "scale", more="or None")
    said = scale is not None or offset != 0 or known.value_range is None
    able = endpoints_of(resolutions, known.threshold)
    if endpoints is None:
        endpoints = able
    endpoints = (endpoints,) if isinstance(endpoints, str) else tuple(endpoints)
    if DEFAULT not in endpoints or not set(endpoints) <= set(able):
        others = ", ".join(f'"{name}"' for name in able if name != DEFAULT)
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
    if not said:
        scale, offset = known.scaling
    for name in (name for name in endpoints if name in OF_BYTES):
        _check_bytes(name, shape, dtype, channels, image_size, scale, offset, data_format)
        if scale is None:
            _check_no_own_scaling(model)
    return Contract(
        input_shape=shape,
        input_dtype=dtype,
        image_size=image_size,
        channels=channels,
        data_format=data_format,
        output_name=output_name,
        scale=Preprocessing((0.0, 1.0)).scaling[0] if scale is None else scale,
        offset=offset,
        endpoints=endpoints,
        resolutions=resolutions,
        inputs=inputs,
        outputs=outputs,
        image_name=image_name,
        threshold=known.threshold,
        model=described,
    )


def _description(model):
    weights = sum(math.prod(weight.shape) for weight in model.weights)
    return {"name": model.name, "class": type(model).__name__, "weights": weights}


def _outputs(model, inputs, output_name):
    """Shape and dtype of each output by its name, in their order: `[shape, dtype]`."""
    tensors = [keras.KerasTensor(shape, dtype) for shape, dtype in inputs.values()]
    outputs = model.compute_output_spec(in_structure(model, tensors))
    paths, specs = zip(*keras.tree.flatten_with_path(outputs), strict=True)
    names = [path[-1] if path else None for path in paths]
    if not all(isinstance(name, str) for name in names):
        names = [output_name] if isinstance(output_name, str) else output_name
        if not isinstance(names, (list, tuple)) or len(names) != len(specs):
            raise ValueError(
                f"`output_name` must be a name for each of {len(specs)} outputs. "
                f"Received: output_name={output_name!r}"
            )
    _check_names(names, "output_name", f"must be a Python identifier; {output_name!r}")
    return {
        name: ((None, *spec.shape[1:]), "float32" if spec.dtype in HALF else spec.dtype)
        for name, spec in zip(names, specs, strict=True)
    }


def _check_names(names, argument, must):
    words = [name for name in names if isinstance(name, str) and name.isidentifier()]
    if len(set(words)) != len(names):
        kind, received = must.split("; ")
        raise ValueError(f"`{argument}` {kind}. Received: {argument}={received}")


def as_normalize(normalize, contract):
    """Whether embeddings are divided by their lengths, checked."""
    name = contract.output_name
    shape, dtype = contract.outputs[name]
    if as_bool(normalize, "normalize") and (len(shape) != 2 or "float" not in dtype):
        raise ValueError(
            "`normalize` is for embeddings (batch, dim) of floats. "
            f"Received: normalize=True and an output {name!r} of shape {shape} and dtype {dtype}"
        )
    if not normalize and contract.threshold is not None:
        raise ValueError(
            "`normalize` must not be False for a Verifier, which compares cosines. "
            f"Received: normalize={normalize!r}"
        )
    return normalize


def as_flip(flip, contract):
    """Whether mirror images are added, checked."""
    if as_bool(flip, "flip") and len(contract.inputs) + len(contract.outputs) > 2:
        raise ValueError(
            "`flip` is for a model from images to embeddings. "
            f"Received: flip=True and a model from {', '.join(contract.inputs)} to "
            f"{', '.join(contract.outputs)}"
        )
    return flip


def _check_bytes(name, shape, dtype, channels, image_size, scale, offset, data_format):
    without = f'Pass endpoints="{DEFAULT}" for a SavedModel without "{name}".'
    if name in OF_FILES and channels not in DECODABLE_CHANNELS:
        raise ValueError(
            f'"{name}" delivers images of {DECODABLE_CHANNELS} channels. {without} '
            f"Received: a model with inputs of shape {shape}, data_format={data_format!r}"
        )
    if image_size is None:
        raise ValueError(
            f'"{name}" needs `image_size` where the input size of the model is unknown. {without} '
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
