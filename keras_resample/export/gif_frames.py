"""The first frame of a GIF file, in TensorFlow's graph, whose decoder reads all of them first."""

import numpy as np
import tensorflow as tf

from keras_resample.export.file_bytes import UNKNOWN, every_byte, length, text_at

EXTENSION, FRAME, END = 0x21, 0x2C, b";"
# Behind the header: size, colours.
FIRST_BLOCK, COLOURS = 13, 10
# Of what a walk through the blocks is in, beside `UNKNOWN` between them.
IN_EXTENSION, IN_FRAME, NOWHERE = np.int64(-3), np.int64(-4), np.int64(-1)
# Of at most 255 bytes: four megabytes.
MOST_BLOCKS = 2**14


def first_frame(encoded):
    """A GIF file that ends after its first frame; an error where that is not whole.

    A frame that does not fill the image is an error too: TensorFlow would return it alone.

    Args:
        encoded: scalar string, of a GIF file.
    """
    values = every_byte(encoded)
    count = length(encoded)

    def byte_at(place):
        return tf.cast(tf.gather(values, tf.minimum(place, count - 1)), "int64")

    def colours(place):
        """Bytes of the table of colours that a byte of flags tells of."""
        flags = byte_at(place)
        return tf.where(flags >= 128, 3 * 2 ** (1 + flags % 8), np.int64(0))

    def look(place, inside, frame):
        byte = byte_at(place)
        between = inside == UNKNOWN
        opens_extension = between & (byte == EXTENSION)
        opens_frame = between & (byte == FRAME)
        closes = ~between & (byte == 0)
        behind = tf.where(between, place, place + 1 + byte)
        behind = tf.where(opens_extension, place + 2, behind)
        behind = tf.where(opens_frame, place + 11 + colours(place + 9), behind)
        after = tf.where(between, NOWHERE, inside)
        after = tf.where(opens_extension, IN_EXTENSION, after)
        after = tf.where(opens_frame, IN_FRAME, after)
        after = tf.where(closes & (inside == IN_EXTENSION), UNKNOWN, after)
        after = tf.where(closes & (inside == IN_FRAME), behind, after)
        return behind, after, tf.where(opens_frame, place, frame)

    start = FIRST_BLOCK + colours(tf.constant(COLOURS, "int64"))
    _, end, frame = tf.while_loop(
        lambda place, inside, frame: (inside <= UNKNOWN) & (place < count),
        look,
        (start, tf.constant(UNKNOWN), tf.zeros((), "int64")),
        maximum_iterations=MOST_BLOCKS,
    )
    # Left, top, width and height of the frame; width and height of the image.
    fills = text_at(encoded, frame + 1, 8) == bytes(4) + text_at(encoded, 6, 4)
    checks = [
        tf.debugging.Assert(end > 0, ["The first frame of the GIF file must be whole"]),
        tf.debugging.Assert(fills, ["The first frame of the GIF file must fill the image"]),
    ]
    with tf.control_dependencies(checks):
        return tf.strings.substr(encoded, tf.constant(0, "int64"), end) + END
