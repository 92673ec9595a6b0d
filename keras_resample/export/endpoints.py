"""The functions a SavedModel serves."""

import dataclasses
import functools
import json
import pathlib

import keras
from keras import ops

DEFAULT, JPEG = "serving_default", "serve_jpeg"

# What a decoder of JPEG and PNG files can deliver.
DECODABLE_CHANNELS = (1, 3, 4)

CONTRACT_FILE = "assets.extra/keras_resample.json"


@dataclasses.dataclass
class Contract:
    """What a served model expects and returns; written into the SavedModel as JSON.

    Attributes:
        input_shape: shape of the float endpoint's images, `None` where unknown.
        input_dtype: their dtype.
        image_size: `(height, width)` that `serve_jpeg` resizes to.
        channels: of the images.
        data_format: `"channels_last"` or `"channels_first"`.
        output_name: key of the output.
        scale: factor of the byte values.
        offset: added to the scaled byte values.
        endpoints: names.
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

    def write(self, folder):
        """Writes the contract into the SavedModel at `folder`."""
        file = pathlib.Path(folder) / CONTRACT_FILE
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(dataclasses.asdict(self), indent=2) + "\n", encoding="utf-8")


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

    if keras.backend.backend() == "jax":
        images_to_output = _jax_call(model, contract.input_shape)
    else:
        images_to_output = functools.partial(model, training=False)
    spec = tf.TensorSpec(contract.input_shape, contract.input_dtype, name="images")

    def embed(images):
        output = images_to_output(images)
        # A REST client can read no bfloat16, and the cast loses nothing.
        half = output.dtype in (tf.float16, tf.bfloat16)
        return {contract.output_name: tf.cast(output, tf.float32) if half else output}

    def embed_encoded(images):
        decode, shape = _decoder(contract)
        image_spec = tf.TensorSpec(shape, contract.input_dtype)
        return embed(tf.map_fn(decode, images, fn_output_signature=image_spec))

    signatures = {
        DEFAULT: (embed, spec),
        JPEG: (embed_encoded, tf.TensorSpec((None,), tf.string, name="images")),
    }
    archive = keras.export.ExportArchive()
    for name in contract.endpoints:
        function, signature = signatures[name]
        function = tf.function(function, input_signature=[signature], autograph=False)
        function.get_concrete_function()
        archive.add_endpoint(name, function)
    try:
        archive.write_out(str(folder), verbose=False)
    except tf.errors.OpError as error:
        raise OSError(str(error)) from error
    contract.write(folder)


def _jax_call(model, input_shape):
    """Function of images in TensorFlow, with the weights as its variables."""
    import tensorflow as tf
    from jax.experimental import jax2tf

    def stateless(trainable, non_trainable, images):
        output, _ = model.stateless_call(trainable, non_trainable, images, training=False)
        return output

    dimensions = ("batch", "first", "second", "third")
    shape = [name if n is None else str(n) for name, n in zip(dimensions, input_shape, strict=True)]
    converted = jax2tf.convert(
        stateless,
        polymorphic_shapes=[None, None, f"({', '.join(shape)})"],
        with_gradient=False,
        # The server need not have the accelerator of the machine that trained.
        native_serialization_platforms=("cpu", "cuda"),
    )
    variables = [
        [tf.Variable(ops.convert_to_numpy(v), dtype=v.dtype, name=v.name) for v in group]
        for group in (model.trainable_variables, model.non_trainable_variables)
    ]
    return lambda images: converted(*variables, images)


def _decoder(contract):
    """Function of one encoded image that returns what the model expects, and its shape."""
    import tensorflow as tf

    from keras_resample.export.orientation import upright

    height, width = contract.image_size
    channels_first = contract.data_format == "channels_first"

    def decode(encoded):
        if contract.channels == 4:
            image = tf.io.decode_png(encoded, channels=4)
        else:
            # It reads PNG too. The default of this decoder is a faster, less exact JPEG.
            image = tf.io.decode_jpeg(
                encoded, channels=contract.channels, dct_method="INTEGER_ACCURATE"
            )
        image = upright(image, encoded)
        # Of an image that already has the size this is an exact copy.
        image = tf.image.resize(image, (height, width), antialias=True)
        image = image * contract.scale + contract.offset
        if channels_first:
            image = tf.transpose(image, (2, 0, 1))
        return tf.cast(image, contract.input_dtype)

    channels = contract.channels
    return decode, (channels, height, width) if channels_first else (height, width, channels)
