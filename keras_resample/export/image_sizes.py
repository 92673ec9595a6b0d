"""How large an encoded image is, before it is decoded: in TensorFlow's graph."""

import tensorflow as tf

from keras_resample.export.file_bytes import number_at, text_at
from keras_resample.export.image_kinds import BMP, GIF, JPEG, PNG, WEBP


def bounded(encoded, max_pixels):
    """The file, if the image that its header tells of has no more pixels; else an error.

    A small file can hold an image that takes gigabytes to decode.

    Args:
        encoded: scalar string, a file of one of `image_kinds.KINDS`. Others pass.
        max_pixels: integer.
    """
    height, width = size_of(encoded)
    # Of sides below 2^31 the product fits.
    message = f"The image must have at most {max_pixels} pixels; height and width are"
    check = tf.debugging.Assert(height * width <= max_pixels, [message, height, width])
    with tf.control_dependencies([check]):
        return tf.identity(encoded)


def size_of(encoded):
    """Height and width by the header, int64 scalars; 0 of what is no image."""

    def where(kind, size, otherwise):
        return tf.cond(kind.fits(encoded), lambda: tf.stack(size(encoded)), lambda: otherwise)

    found = tf.zeros((2,), "int64")
    for kind, size in SIZES.items():
        found = where(kind, size, found)
    return tf.unstack(found)


def _png(encoded):
    return number_at(encoded, 20, 4), number_at(encoded, 16, 4)


def _jpeg(encoded):
    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(encoded, "int32"))
    return tf.cast(height, "int64"), tf.cast(width, "int64")


def _gif(encoded):
    return number_at(encoded, 8, 2, little=True), number_at(encoded, 6, 2, little=True)


def _bmp(encoded):
    def side(place):
        number = number_at(encoded, place, 4, little=True)
        return tf.minimum(number, 2**32 - number)  # a negative height is an image from the top

    return side(22), side(18)


def _webp(encoded):
    lossy = [number_at(encoded, place, 2, little=True) % 2**14 for place in (28, 26)]
    bits = number_at(encoded, 21, 4, little=True)
    lossless = [1 + bits // 2**14 % 2**14, 1 + bits % 2**14]
    extended = [1 + number_at(encoded, place, 3, little=True) for place in (27, 24)]
    kind = text_at(encoded, 12, 4)
    return tf.where(kind == b"VP8X", extended, tf.where(kind == b"VP8L", lossless, tf.stack(lossy)))


SIZES = {PNG: _png, JPEG: _jpeg, GIF: _gif, BMP: _bmp, WEBP: _webp}
