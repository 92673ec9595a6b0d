"""What can be promised of a served model: its `Contract`, by its arguments and by itself."""

import keras

from keras_resample.arguments import as_data_format, as_number, as_size, check_choice
from keras_resample.export.contract import (
    BYTES,
    DECODABLE_CHANNELS,
    DEFAULT,
    OF_FILES,
    Contract,
    endpoints_of,
)
from keras_resample.models.btnet import BTNet
from keras_resample.models.recognizer import Recognizer
from keras_resample.models.steps.image_format import format_of_images
from keras_resample.models.steps.own_scaling import own_scaling
from keras_resample.ops.resolution_choice import INDICATORS, ROUNDINGS

# The factor by which byte values lie in [0, 1].
OF_BYTES = 1.0 / 255.0


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


def contract_of(model, output_name, image_size, scale, offset, endpoints, data_format):
    """The `Contract` of a model; arguments and errors of `saved_model`."""
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
    if set(OF_FILES) & set(endpoints):
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
    without = f'Pass endpoints="{DEFAULT}" for a SavedModel without "{BYTES}".'
    if channels not in DECODABLE_CHANNELS:
        raise ValueError(
            f'"{BYTES}" delivers images of {DECODABLE_CHANNELS} channels. {without} '
            f"Received: a model with inputs of shape {shape}, data_format={data_format!r}"
        )
    if image_size is None:
        raise ValueError(
            f'"{BYTES}" needs `image_size` where the input size of the model is unknown. {without} '
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
