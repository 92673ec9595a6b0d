"""Bytes of encoded images, in TensorFlow's graph: scalar strings, and places in them."""

import numpy as np
import tensorflow as tf

# Of what is looked for in a file: to be found yet.
UNKNOWN = np.int64(-2)


def length(encoded):
    """Number of bytes, int64."""
    return tf.cast(tf.strings.length(encoded), "int64")


def text_at(encoded, place, count):
    """`count` bytes from a place on, filled up with zeros behind the end of the file."""
    place = tf.clip_by_value(tf.cast(place, "int64"), 0, length(encoded))
    part = tf.strings.substr(encoded, place, tf.constant(count, "int64"))
    return tf.strings.substr(part + tf.constant(bytes(count)), 0, count)


def bytes_at(encoded, place, count):
    """The same as numbers, int64 `(count,)`."""
    text = text_at(encoded, place, count)
    return tf.cast(tf.reshape(tf.io.decode_raw(text, "uint8"), (count,)), "int64")


def number_at(encoded, place, count, little=False):
    """The number of `count` bytes from a place on, the highest first or, `little`, the lowest."""
    return joined(bytes_at(encoded, place, count), little)


def joined(values, little=False):
    """The number that bytes `(..., count)` are, in one of the two orders."""
    values = tf.where(little, tf.reverse(values, (-1,)), values)
    weights = 256 ** tf.range(values.shape[-1] - 1, -1, -1, dtype="int64")
    return tf.reduce_sum(values * weights, axis=-1)


def every_byte(encoded, start=0):
    """All bytes from a place on, uint8 `(n,)`."""
    start = tf.cast(start, "int64")
    return tf.io.decode_raw(tf.strings.substr(encoded, start, length(encoded)), "uint8")


def look_through(encoded, look, place, state, most=256):
    """From block to block until the state is no more `UNKNOWN`, or the file ends.

    Args:
        encoded: scalar string.
        look: function of a place, int64, and the state to the next ones.
        place: where the first block begins.
        state: int64.
        most: blocks, at most. A file that has more before what is looked for is made to be slow.

    Returns:
        The state.
    """
    _, state = tf.while_loop(
        lambda place, state: (state == UNKNOWN) & (place < length(encoded)),
        look,
        (tf.cast(place, "int64"), tf.cast(state, "int64")),
        maximum_iterations=most,
    )
    return state
