"""The kinds of image files that are decoded, by what such a file begins with."""

import typing

import tensorflow as tf

from keras_resample.export.file_bytes import text_at


class Kind(typing.NamedTuple):
    """A kind of image file.

    Attributes:
        name: as people write it.
        text: bytes that every such file has.
        place: where it has them.
    """

    name: str
    text: bytes
    place: int = 0

    def fits(self, encoded):
        """Whether a file, a scalar string, is of this kind."""
        return text_at(encoded, self.place, len(self.text)) == self.text


JPEG = Kind("JPEG", b"\xff\xd8")
PNG = Kind("PNG", b"\x89PNG\r\n\x1a\n")
GIF = Kind("GIF", b"GIF8")
BMP = Kind("BMP", b"BM")
WEBP = Kind("WebP", b"WEBP", 8)
KINDS = JPEG, PNG, GIF, BMP, WEBP


def known(encoded):
    """The file, if it is of one of the kinds; else an error.

    TensorFlow decodes others, of whose size their header is not asked here.
    """
    fits = tf.reduce_any([kind.fits(encoded) for kind in KINDS])
    names = ", ".join(kind.name for kind in KINDS)
    check = tf.debugging.Assert(fits, [f"The image must be a file of one of: {names}"])
    with tf.control_dependencies([check]):
        return tf.identity(encoded)
