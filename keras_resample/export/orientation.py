"""The EXIF orientation of encoded images, in TensorFlow's graph, whose decoders leave it out."""

import numpy as np
import tensorflow as tf

from keras_resample.export.file_bytes import (
    UNKNOWN,
    bytes_at,
    joined,
    look_through,
    number_at,
    text_at,
)
from keras_resample.export.image_kinds import JPEG, PNG, WEBP

ORIENTATION = 0x0112
# Tags are sorted, and few are smaller.
MOST_TAGS = 64
EXIF_SEGMENT, SCAN = 0xFFE1, 0xFFDA
EXIF = b"Exif\x00\x00"
# Where EXIF begins.
NOWHERE = np.int64(-1)
UNTURNED = np.int64(1)


def upright(image, encoded):
    """A decoded image, turned as the readers of `keras_resample.datasets` turn it.

    Args:
        image: uint8 `(h, w, c)`.
        encoded: scalar string, the file that it was decoded from; JPEG, PNG and WebP have EXIF.

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
    start = tf.case(
        [
            (PNG.fits(encoded), lambda: _png_exif(encoded)),
            (WEBP.fits(encoded), lambda: _webp_exif(encoded)),
        ],
        default=lambda: _jpeg_exif(encoded),
    )
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

    return look_through(encoded, look, 2, tf.where(JPEG.fits(encoded), UNKNOWN, NOWHERE))


def _png_exif(encoded):
    """Where the EXIF block of a PNG file begins, if it stands before the pixels."""

    def look(place, start):
        kind = text_at(encoded, place + 4, 4)
        start = tf.where(kind == b"IDAT", NOWHERE, start)
        start = tf.where(kind == b"eXIf", place + 8, start)
        return place + 12 + number_at(encoded, place, 4), start

    return look_through(encoded, look, len(PNG.text), UNKNOWN)


def _webp_exif(encoded):
    """Where the EXIF block of a WebP file begins, if there is one."""

    def look(place, start):
        size = number_at(encoded, place + 4, 4, little=True)
        is_exif = text_at(encoded, place, 4) == b"EXIF"
        # Some writers put what JPEG has before it here too.
        prefix = text_at(encoded, place + 8, len(EXIF)) == EXIF
        within = place + 8 + tf.where(prefix, np.int64(len(EXIF)), np.int64(0))
        return place + 8 + size + size % 2, tf.where(is_exif, within, start)

    return look_through(encoded, look, 12, UNKNOWN)


def _turned(image, chosen, turn):
    return tf.cond(chosen, lambda: turn(image), lambda: image)
