"""Bytes of encoded images, in TensorFlow's graph: scalar strings, and places in them."""

import tensorflow as tf


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
