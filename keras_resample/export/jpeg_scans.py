"""How often a JPEG file writes its image anew, in TensorFlow's graph."""

import tensorflow as tf

from keras_resample.export.file_bytes import UNKNOWN, every_byte, look_through, number_at

MARK, SCAN, END = 0xFF, 0xDA, 0xD9
# An encoder writes about ten. An empty one takes as long to decode as the image is large.
MOST_SCANS = 64


def of_few_scans(encoded):
    """The file, if it has no more scans than encoders write; else an error.

    Args:
        encoded: scalar string, of a JPEG file.
    """
    scans = scans_of(encoded)
    message = f"The JPEG file must have at most {MOST_SCANS} scans; it has"
    check = tf.debugging.Assert(scans <= MOST_SCANS, [message, scans])
    with tf.control_dependencies([check]):
        return tf.identity(encoded)


def scans_of(encoded):
    """Number of scans of the image, without those of images inside its metadata: int64 `()`."""

    def look(place, start):
        found = number_at(encoded, place, 2) == 256 * MARK + SCAN
        return place + 2 + number_at(encoded, place + 2, 2), tf.where(found, place, start)

    start = tf.maximum(look_through(encoded, look, 2, UNKNOWN), 0)
    values = every_byte(encoded, start)
    # Inside a scan no marker follows 0xFF.
    marks, kinds = values[:-1] == MARK, values[1:]
    ends = tf.where(marks & (kinds == END))[:, 0]
    end = tf.reduce_min(tf.concat([ends, [tf.size(kinds, "int64")]], axis=0))
    return tf.math.count_nonzero((marks & (kinds == SCAN))[:end])
