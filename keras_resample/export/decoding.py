"""Images as a served model takes them, in TensorFlow's graph."""

import tensorflow as tf

from keras_resample.export.image_sizes import bounded
from keras_resample.export.orientation import upright


def embed_files(embed_each, contract):
    """Function of encoded images, for a model of one size.

    Args:
        embed_each: the function of its images, as a list of one.
        contract: a `Contract`.
    """
    (embed_images,) = embed_each

    def prepare(encoded):
        return scaled(resized(decoded(encoded, contract), contract.image_size), contract)

    def embed(encoded):
        image = tf.TensorSpec((*contract.image_size, contract.channels), "float32")
        images = tf.map_fn(prepare, encoded, fn_output_signature=image)
        return embed_images(as_taken(images, contract))

    return embed


def decoded(encoded, contract):
    """The upright image (h, w, channels), uint8, of the bytes of a JPEG or PNG file."""
    encoded = bounded(encoded, contract.max_pixels)
    if contract.channels == 4:
        image = tf.io.decode_png(encoded, channels=4)
    else:
        # It reads PNG too. The default of this decoder is a faster, less exact JPEG.
        image = tf.io.decode_jpeg(
            encoded, channels=contract.channels, dct_method="INTEGER_ACCURATE"
        )
    return upright(image, encoded)


def resized(images, size):
    """Channels-last images in float32; of such that already have the size an exact copy."""
    return tf.image.resize(tf.cast(images, "float32"), size, antialias=True)


def scaled(values, contract):
    """What the model is fed for byte values."""
    return values * contract.scale + contract.offset


def as_taken(images, contract):
    """Channels-last float images (4D) in the layout and of the dtype that the model takes."""
    if contract.data_format == "channels_first":
        images = tf.transpose(images, (0, 3, 1, 2))
    if "int" in contract.input_dtype:
        images = tf.round(images)
    return tf.cast(images, contract.input_dtype)


def channels_last(images, contract):
    """Images (4D) as the model takes them, with their channels last."""
    first = contract.data_format == "channels_first"
    return tf.transpose(images, (0, 2, 3, 1)) if first else images
