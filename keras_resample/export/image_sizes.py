"""How large an encoded image is, before it is decoded: in TensorFlow's graph."""

import tensorflow as tf

from keras_resample.export.file_bytes import number_at, text_at


def bounded(encoded, max_pixels):
    """The file, if the image that its header tells of has no more pixels; else an error.

    A small file can hold an image that takes gigabytes to decode.

    Args:
        encoded: scalar string, the bytes of a PNG, JPEG, GIF, BMP or WebP file. Others pass: no
            decoder reads them.
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
    nothing = tf.zeros((2,), "int64")

    def where(start, place, size, otherwise):
        is_kind = text_at(encoded, place, len(start)) == start
        return tf.cond(is_kind, lambda: tf.stack(size(encoded)), otherwise)

    found = nothing
    for start, place, size in KINDS:
        found = where(start, place, size, lambda found=found: found)
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


# What a file begins with, or has at a place; and the function of its size.
KINDS = (
    (b"\x89PNG\r\n\x1a\n", 0, _png),
    (b"\xff\xd8", 0, _jpeg),
    (b"GIF8", 0, _gif),
    (b"BM", 0, _bmp),
    (b"WEBP", 8, _webp),
)
