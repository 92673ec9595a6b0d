"""The functions a SavedModel serves."""

import dataclasses
import functools
import json
import pathlib

import keras
from keras import ops

DEFAULT, JPEG, ANY_SIZE = "serving_default", "serve_jpeg", "embed_any_size"

# What a decoder of JPEG and PNG files can deliver.
DECODABLE_CHANNELS = (1, 3, 4)
# What Pillow reads without a warning, a quarter of a gigabyte in RGB.
MAX_PIXELS = 89_478_485

CONTRACT_FILE = "assets.extra/keras_resample.json"


@dataclasses.dataclass
class Contract:
    """What a served model expects and returns; written into the SavedModel as JSON.

    Attributes:
        input_shape: shape of the float endpoint's images, `None` where unknown.
        input_dtype: their dtype.
        image_size: `(height, width)` that `serve_jpeg` resizes to, or to smaller `resolutions`.
        channels: of the images.
        data_format: `"channels_last"` or `"channels_first"`.
        output_name: key of the output.
        scale: factor of the byte values.
        offset: added to the scaled byte values.
        endpoints: names.
        resolutions: `(height, width)` of a network of several, its own first; else none.
        max_pixels: of an encoded image; larger ones are refused before they are decoded.
        indicator, rounding: of `keras_resample.ops.choose_resolution`, by which one of
            `resolutions` serves an image.
    """

    input_shape: tuple
    input_dtype: str
    image_size: tuple
    channels: int
    data_format: str
    output_name: str
    scale: float
    offset: float
    endpoints: tuple
    resolutions: tuple = ()
    max_pixels: int = MAX_PIXELS
    indicator: str = "max"
    rounding: str = "ceil"

    @classmethod
    def read(cls, folder):
        """The contract of the SavedModel at `folder`.

        Raises:
            ValueError: for one that this version did not write.
        """
        try:
            return cls(**json.loads((pathlib.Path(folder) / CONTRACT_FILE).read_text("utf-8")))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"`path` must hold {CONTRACT_FILE} as this version writes it ({error}). "
                f"Received: path={str(folder)!r}"
            ) from error

    @property
    def rule(self):
        """What `keras_resample.ops.choose_resolution` takes after sizes."""
        return self.resolutions, self.indicator, self.rounding

    def shape_of(self, size):
        """Shape of the images of a size, `(height, width)`."""
        if self.data_format == "channels_first":
            return (None, self.channels, *size)
        return (None, *size, self.channels)

    def write(self, folder):
        """Writes the contract into the SavedModel at `folder`."""
        file = pathlib.Path(folder) / CONTRACT_FILE
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")


def branch_endpoint(resolution):
    """Name of the endpoint that takes images of a branch's resolution."""
    height, width = resolution
    return f"embed_{height}x{width}"


def endpoints_of(resolutions):
    """Names of all endpoints that a model of these resolutions can have, its own the first."""
    if not resolutions:
        return (DEFAULT, JPEG)
    return (DEFAULT, *map(branch_endpoint, resolutions[1:]), ANY_SIZE, JPEG)


def write_saved_model(model, folder, contract):
    """Writes a SavedModel of `model` to `folder`; on the TensorFlow and JAX backends.

    Args:
        model: a built Keras model with one input and one output.
        folder: path of the folder, at which nothing is yet.
        contract: a `Contract`.

    Raises:
        OSError: where the folder cannot be written.
    """
    import tensorflow as tf

    archive = keras.export.ExportArchive()
    for name, function in _functions(model, contract).items():
        archive.add_endpoint(name, function)
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:
        raise OSError(str(error)) from error
    contract.write(folder)


def _functions(model, contract):
    """The traced function of each endpoint; what several of them run is in the file once."""
    import tensorflow as tf

    from keras_resample.export.decoding import embed_files
    from keras_resample.export.resolutions import embed_any_size, embed_files_of_any_size

    call_of = _jax_calls(model) if keras.backend.backend() == "jax" else _calls(model)

    def traced(function, shape, dtype=contract.input_dtype):
        signature = [tf.TensorSpec(shape, dtype, name="images")]
        function = tf.function(function, input_signature=signature, autograph=False)
        function.get_concrete_function()
        return function

    @functools.cache
    def embed_of(shape):
        call = call_of(shape)

        def embed(images):
            output = call(images)
            # A REST client can read no bfloat16, and the cast loses nothing.
            half = output.dtype in (tf.float16, tf.bfloat16)
            return {contract.output_name: tf.cast(output, tf.float32) if half else output}

        return traced(embed, shape)

    shapes = {branch_endpoint(size): contract.shape_of(size) for size in contract.resolutions[1:]}
    shapes[DEFAULT] = tuple(contract.input_shape)

    def function_of(name):
        if name in shapes:
            return embed_of(shapes[name])
        sizes = contract.resolutions or [contract.image_size]
        embed_each = [embed_of(contract.shape_of(size)) for size in sizes]
        if name == ANY_SIZE:
            any_size = contract.shape_of((None, None))
            return traced(embed_any_size(embed_each, contract), any_size)
        embed = embed_files_of_any_size if contract.resolutions else embed_files
        return traced(embed(embed_each, contract), (None,), "string")

    return {name: function_of(name) for name in contract.endpoints}


def _calls(model):
    """Function from a shape of images to the model as a function of them, on TensorFlow."""
    return lambda shape: functools.partial(model, training=False)


def _jax_calls(model):
    """The same on JAX, with the weights as variables of TensorFlow, once for all shapes."""
    import tensorflow as tf
    from jax.experimental import jax2tf

    variables = [
        [tf.Variable(ops.convert_to_numpy(v), dtype=v.dtype, name=v.name) for v in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]

    def stateless(trainable, non_trainable, images):
        output, _ = model.stateless_call(trainable, non_trainable, images, training=False)
        return output

    def call_of(shape):
        names = ("batch", "first", "second", "third")
        words = [name if n is None else str(n) for name, n in zip(names, shape, strict=True)]
        converted = jax2tf.convert(
            stateless,
            polymorphic_shapes=[None, None, f"({', '.join(words)})"],
            with_gradient=False,
            # The server need not have the accelerator of the machine that trained.
            native_serialization_platforms=("cpu", "cuda"),
        )
        return lambda images: converted(*variables, images)

    return call_of
