"""A model as a file of another runtime holds it: inputs by name and of known sizes, one output."""

import types

import keras
from keras import ops

from keras_resample.arguments import as_integer, as_size
from keras_resample.export.contract_of_model import image_name_of, inputs_of, served_model
from keras_resample.export.served_network import in_structure
from keras_resample.models.btnet import BTNet
from keras_resample.models.steps.image_format import format_of_images


class FileModel(keras.Model):
    """Calls a model with one tensor for each of its inputs, as Keras's exporters want it.

    Dropout and the like are off, and an output of float16 or bfloat16 is cast to float32.

    Args:
        model: a built Keras model with one output, a `Recognizer`, of which the encoder is called,
            or a `BTNet`, of which one resolution is.
        output_name: of the output.
        image_size: `(height, width)` of the images, where the model does not know it; of a `BTNet`
            the resolution.
        batch_size: of every call; `None` for any.
        returns_dict: whether the output is returned under its name.

    Attributes:
        specs: a `keras.InputSpec` with a name for each input, in the order of the call.

    Raises:
        TypeError: if `model` is no Keras model.
        ValueError: if an argument is wrong, or the model is not built, has several outputs, or
            inputs of unknown sizes.
    """

    def __init__(self, model, output_name, image_size=None, batch_size=None, returns_dict=False):
        super().__init__(dtype="float32")
        self.autocast = False  # the model casts its inputs itself
        if not isinstance(output_name, str) or not output_name.isidentifier():
            raise ValueError(
                f"`output_name` must be a Python identifier. Received: output_name={output_name!r}"
            )
        if image_size is not None:
            image_size = as_size(image_size, "image_size")
        if batch_size is not None:
            batch_size = as_integer(batch_size, "batch_size")
        # In an object that Keras does not look into: of a BTNet one branch is in the file.
        self._held = types.SimpleNamespace(source=served_model(model))
        self.parts = _parts(self._held.source, image_size)
        self.output_name, self.returns_dict = output_name, returns_dict
        inputs = inputs_of(self.parts[0])
        if len(inputs) < 2:
            image_name_of(inputs, self.parts[0])
        self.specs = [
            keras.InputSpec(
                shape=(batch_size, *_known_size(shape, image_size, self.parts[0])),
                dtype=dtype,
                name=name,
            )
            for name, (shape, dtype) in inputs.items()
        ]
        self._check_one_output()
        self.build()

    def build(self, *shapes):
        """All is there; Keras now tells PyTorch of the weights."""

    def call(self, *tensors, training=None):
        x = in_structure(self.parts[0], tensors)
        for part in self.parts:
            x = part(x, training=False)
        if keras.backend.standardize_dtype(x.dtype) in ("float16", "bfloat16"):
            x = ops.cast(x, "float32")
        return {self.output_name: x} if self.returns_dict else x

    @property
    def source(self):
        """What users call to get the same numbers."""
        return self._held.source

    def expected(self, arrays):
        """What the model itself gives for arrays in the order of `specs`."""
        return self.source(in_structure(self.parts[0], arrays), training=False)

    def _check_one_output(self):
        tensors = [keras.KerasTensor((None, *spec.shape[1:]), spec.dtype) for spec in self.specs]
        x = in_structure(self.parts[0], tensors)
        for part in self.parts:
            x = part.compute_output_spec(x)
        count = len(keras.tree.flatten(x))
        if count != 1:
            raise ValueError(
                "`model` must have one output. "
                f"Received: model={self.source!r} with {count} outputs"
            )


def _parts(model, image_size):
    """The models that images go through in a row."""
    if not isinstance(model, BTNet):
        return [model]
    sizes = [model.parts.size, *model.resolutions]
    if image_size not in sizes:
        raise ValueError(
            "`image_size` must say which resolution of the BTNet is written, for a file holds one: "
            f"one of {sizes}. Received: image_size={image_size}"
        )
    return model.parts.parts_of(image_size)


def _known_size(shape, image_size, model):
    """The shape of an input behind the batch, with the size of images filled in."""
    shape = list(shape)
    if len(shape) == 4 and image_size is not None:
        first = format_of_images(shape, model) == "channels_first"
        axes = (2, 3) if first else (1, 2)
        for axis, length in zip(axes, image_size, strict=True):
            if shape[axis] not in (None, length):
                raise ValueError(
                    "`image_size` must be the input size of the model where that is known. "
                    f"Received: image_size={image_size} and inputs of shape {tuple(shape)}"
                )
            shape[axis] = length
    if None in shape[1:]:
        raise ValueError(
            "`image_size` is needed where the model's is unknown: images of unknown height and "
            "width would be wrong without an error on some backends. "
            f"Received: image_size={image_size} and inputs of shape {tuple(shape)}"
        )
    return shape[1:]
