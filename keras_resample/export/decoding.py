"""Images as a served model takes them, in TensorFlow's graph."""

import tensorflow as tf

from keras_resample.export.contract import FIRST, SAME, SCORE, SECOND
from keras_resample.export.file_bytes import number_at
from keras_resample.export.gif_frames import first_frame
from keras_resample.export.image_kinds import BMP, GIF, JPEG, PNG, known
from keras_resample.export.image_sizes import bounded
from keras_resample.export.jpeg_scans import of_few_scans
from keras_resample.export.orientation import upright

# What red, green and blue count, in parts of 65536.
GREY = (19595, 38470, 7471)


def embed_files(embed_each, contract):
    """Function of encoded images, for a model of one size.

    Args:
        embed_each: the function of its images, as a list of one.
        contract: a `Contract`.
    """
    (embed_images,) = embed_each
    name = contract.image_name

    def prepare(encoded):
        return scaled(resized(decoded(encoded, contract), contract.image_size), contract)

    def embed(inputs):
        image = tf.TensorSpec((*contract.image_size, contract.channels), "float32")
        images = tf.map_fn(prepare, inputs[name], fn_output_signature=image)
        return embed_images({**inputs, name: as_taken(images, contract)})

    return embed


def embed_pixels(embed_each, contract, of_bytes=True):
    """Function of byte values, images of one size, any, for a model of one size.

    Args:
        embed_each: the function of its images, as a list of one.
        contract: a `Contract`.
        of_bytes: what they are, as this is asked of `resolutions.embed_any_size`.
    """
    (embed_images,) = embed_each
    name = contract.image_name

    def embed(inputs):
        images = scaled(resized(inputs[name], contract.image_size), contract)
        images = tf.ensure_shape(images, (None, *contract.image_size, contract.channels))
        return embed_images({**inputs, name: as_taken(images, contract)})

    return embed


def verify_files(embed_files, contract):
    """Function of two batches of encoded images: do each two of them show one identity?

    Args:
        embed_files: the function of encoded images.
        contract: a `Contract` with a threshold, of embeddings of length 1.
    """

    def verify(inputs):
        both = tf.stack([inputs[FIRST], inputs[SECOND]])
        embeddings = embed_files({contract.image_name: tf.reshape(both, (-1,))})
        first, second = tf.split(embeddings[contract.output_name], 2)
        scores = tf.reduce_sum(first * second, axis=-1)
        return {SCORE: scores, SAME: scores >= contract.threshold}

    return verify


def decoded(encoded, contract):
    """The upright image (h, w, channels), uint8, of a file of one of `image_kinds.KINDS`."""
    encoded = bounded(known(encoded), contract.max_pixels)
    channels = contract.channels
    image = tf.case(
        [
            (JPEG.fits(encoded), lambda: _of_jpeg(encoded, channels)),
            (PNG.fits(encoded), lambda: tf.io.decode_png(encoded, channels)),
            (GIF.fits(encoded), lambda: _of_others(first_frame(encoded), channels)),
            (BMP.fits(encoded), lambda: _of_others(_of_whole_colours(encoded), channels)),
        ],
        default=lambda: _of_others(encoded, channels),
    )
    return upright(tf.ensure_shape(image, (None, None, channels)), encoded)


def _of_jpeg(encoded, channels):
    encoded = of_few_scans(encoded)
    if channels == 4:  # an error, which says so
        return tf.io.decode_png(encoded, channels)
    if channels == 1:
        inks = tf.io.extract_jpeg_shape(encoded)[2]  # which the library makes no grey of
        return tf.cond(
            inks == 4,
            lambda: _grey(_of_colours(encoded, 3)),
            lambda: _of_colours(encoded, 1),
        )
    return _of_colours(encoded, channels)


def _of_colours(encoded, channels):
    # The default of this decoder is a faster, less exact one.
    return tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE")


def _of_whole_colours(encoded):
    """A BMP file without a table of colours, which the decoder would leave out; else an error."""
    bits = number_at(encoded, 28, 2, little=True)
    message = "The BMP file must have 24 or 32 bits a pixel; it has"
    check = tf.debugging.Assert((bits == 24) | (bits == 32), [message, bits])
    with tf.control_dependencies([check]):
        return tf.identity(encoded)


def _of_others(encoded, channels):
    image = tf.io.decode_image(encoded, max(channels, 3), expand_animations=False)
    return _grey(image) if channels == 1 else image


def _grey(image):
    """As Pillow, and so the readers of `keras_resample.datasets`, make grey of colours."""
    total = tf.reduce_sum(tf.cast(image, "int32") * GREY, axis=-1, keepdims=True)
    return tf.cast((total + 2**15) // 2**16, "uint8")


def resized(images, size):
    """Channels-last images in float32; such that already have the size are not touched."""
    images = tf.cast(images, "float32")
    fits = tf.reduce_all(tf.shape(images)[-3:-1] == size)
    return tf.cond(fits, lambda: images, lambda: tf.image.resize(images, size, antialias=True))


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
