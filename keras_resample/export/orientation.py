"""The EXIF orientation of encoded images, in TensorFlow's graph, whose decoders leave it out."""

import numpy as np
import tensorflow as tf

ORIENTATION = 0x0112
# Tags are sorted, and few are smaller.
MOST_TAGS = 64
JPEG_START, EXIF_SEGMENT, SCAN = 0xFFD8, 0xFFE1, 0xFFDA
EXIF = b"Exif\x00\x00"
PNG_START = b"\x89PNG\r\n\x1a\n"
# Where EXIF begins.
UNKNOWN, NOWHERE = np.int64(-2), np.int64(-1)
UNTURNED = np.int64(1)
# No file has as many blocks before its EXIF, unless it is made to be slow.
MOST_BLOCKS = 256


def upright(image, encoded):
    """A decoded image, turned as the readers of `keras_resample.datasets` turn it.

    Args:
        image: uint8 `(h, w, c)`.
        encoded: scalar string, the JPEG or PNG file that it was decoded from.

    Returns:
        uint8 `(h, w, c)` or `(w, h, c)`.
    """
    number = orientation(encoded)
    for numbers, turn in (
        ((5, 6, 7, 8), lambda image: tf.transpose(image, (1, 0, 2))),
        ((2, 3, 6, 7), lambda image: tf.reverse(image, (1,))),
        ((3, 4, 7, 8), lambda image: tf.reverse(image, (0,))),
    ):
        image = _turned(image, tf.reduce_any(number == numbers), turn)
    return image


def orientation(encoded):
    """EXIF's number of how an image is to be turned, 1 for not at all: int64 `()`."""
    is_png = _text(encoded, 0, len(PNG_START)) == PNG_START
    start = tf.cond(is_png, lambda: _png_exif(encoded), lambda: _jpeg_exif(encoded))
    # The block is a TIFF file: byte order, 42, and where its table of tags begins.
    little = _text(encoded, start, 2) == b"II"
    table = start + _number(encoded, start + 4, 4, little)
    entries = tf.reshape(_bytes(encoded, table + 2, 12 * MOST_TAGS), (MOST_TAGS, 12))
    found = _joined(entries[:, :2], little) == ORIENTATION
    found &= tf.range(MOST_TAGS, dtype="int64") < _number(encoded, table, 2, little)
    value = tf.reduce_max(tf.where(found, _joined(entries[:, 8:10], little), UNTURNED))
    return tf.where(start > 0, value, UNTURNED)


def _jpeg_exif(encoded):
    """Where the EXIF block of a JPEG file begins, if there is one."""

    def look(place, start):
        marker = _number(encoded, place, 2)
        is_exif = (marker == EXIF_SEGMENT) & (_text(encoded, place + 4, len(EXIF)) == EXIF)
        start = tf.where((marker <= 0xFF00) | (marker == SCAN), NOWHERE, start)
        start = tf.where(is_exif, place + 4 + len(EXIF), start)
        return place + 2 + _number(encoded, place + 2, 2), start

    is_jpeg = _number(encoded, 0, 2) == JPEG_START
    return _walk(encoded, look, 2, tf.where(is_jpeg, UNKNOWN, NOWHERE))


def _png_exif(encoded):
    """Where the EXIF block of a PNG file begins, if it stands before the pixels."""

    def look(place, start):
        kind = _text(encoded, place + 4, 4)
        start = tf.where(kind == b"IDAT", NOWHERE, start)
        start = tf.where(kind == b"eXIf", place + 8, start)
        return place + 12 + _number(encoded, place, 4), start

    return _walk(encoded, look, len(PNG_START), UNKNOWN)


def _walk(encoded, look, place, start):
    """From block to block until `look` knows where EXIF begins, or the file ends."""
    _, start = tf.while_loop(
        lambda place, start: (start == UNKNOWN) & (place < _size(encoded)),
        look,
        (tf.constant(place, "int64"), tf.identity(start)),
        maximum_iterations=MOST_BLOCKS,
    )
    return start


def _turned(image, chosen, turn):
    return tf.cond(chosen, lambda: turn(image), lambda: image)


def _size(encoded):
    return tf.cast(tf.strings.length(encoded), "int64")


def _text(encoded, place, count):
    """`count` bytes from a place on, filled up with zeros behind the end of the file."""
    place = tf.clip_by_value(tf.cast(place, "int64"), 0, _size(encoded))
    part = tf.strings.substr(encoded, place, tf.constant(count, "int64"))
    return tf.strings.substr(part + tf.constant(bytes(count)), 0, count)


def _bytes(encoded, place, count):
    text = _text(encoded, place, count)
    return tf.cast(tf.reshape(tf.io.decode_raw(text, "uint8"), (count,)), "int64")


def _number(encoded, place, count, little=False):
    return _joined(_bytes(encoded, place, count), little)


def _joined(values, little):
    """The number that bytes `(..., count)` are, in one of the two orders."""
    values = tf.where(little, tf.reverse(values, (-1,)), values)
    weights = 256 ** tf.range(values.shape[-1] - 1, -1, -1, dtype="int64")
    return tf.reduce_sum(values * weights, axis=-1)
