"""The EXIF orientation of encoded images, in TensorFlow's graph, whose decoders leave it out."""

import numpy as np
import tensorflow as tf

from keras_resample.export.file_bytes import bytes_at, joined, length, number_at, text_at

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
    is_png = text_at(encoded, 0, len(PNG_START)) == PNG_START
    start = tf.cond(is_png, lambda: _png_exif(encoded), lambda: _jpeg_exif(encoded))
    # The block is a TIFF file: byte order, 42, and where its table of tags begins.
    little = text_at(encoded, start, 2) == b"II"
    table = start + number_at(encoded, start + 4, 4, little)
    entries = tf.reshape(bytes_at(encoded, table + 2, 12 * MOST_TAGS), (MOST_TAGS, 12))
    found = joined(entries[:, :2], little) == ORIENTATION
    found &= tf.range(MOST_TAGS, dtype="int64") < number_at(encoded, table, 2, little)
    value = tf.reduce_max(tf.where(found, joined(entries[:, 8:10], little), UNTURNED))
    return tf.where(start > 0, value, UNTURNED)


def _jpeg_exif(encoded):
    """Where the EXIF block of a JPEG file begins, if there is one."""

    def look(place, start):
        marker = number_at(encoded, place, 2)
        is_exif = (marker == EXIF_SEGMENT) & (text_at(encoded, place + 4, len(EXIF)) == EXIF)
        start = tf.where((marker <= 0xFF00) | (marker == SCAN), NOWHERE, start)
        start = tf.where(is_exif, place + 4 + len(EXIF), start)
        return place + 2 + number_at(encoded, place + 2, 2), start

    is_jpeg = number_at(encoded, 0, 2) == JPEG_START
    return _walk(encoded, look, 2, tf.where(is_jpeg, UNKNOWN, NOWHERE))


def _png_exif(encoded):
    """Where the EXIF block of a PNG file begins, if it stands before the pixels."""

    def look(place, start):
        kind = text_at(encoded, place + 4, 4)
        start = tf.where(kind == b"IDAT", NOWHERE, start)
        start = tf.where(kind == b"eXIf", place + 8, start)
        return place + 12 + number_at(encoded, place, 4), start

    return _walk(encoded, look, len(PNG_START), UNKNOWN)


def _walk(encoded, look, place, start):
    """From block to block until `look` knows where EXIF begins, or the file ends."""
    _, start = tf.while_loop(
        lambda place, start: (start == UNKNOWN) & (place < length(encoded)),
        look,
        (tf.constant(place, "int64"), tf.identity(start)),
        maximum_iterations=MOST_BLOCKS,
    )
    return start


def _turned(image, chosen, turn):
    return tf.cond(chosen, lambda: turn(image), lambda: image)
