"""What `serve_bytes` turns is what the readers turn."""

import functools
import io
import struct

import keras
import numpy as np
import pytest
from PIL import Image

from keras_resample.datasets.files.image_decoding import decoded_image
from keras_resample.export.contract import Contract

pytestmark = pytest.mark.backends("tensorflow", reason="it is TensorFlow's graph on every backend")

STORED = np.zeros((16, 24, 3), "uint8")
STORED[:8, :8] = 250  # a bright corner shows which way is up
STORED[8:, 16:] = 120


def exif(number, order="<", more=()):
    """An EXIF block of a few tags, the orientation the last one."""
    entries = [*more, (0x0112, number)]
    block = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HIH", 42, 8, len(entries))
    for tag, value in entries:
        block += struct.pack(order + "HHIHH", tag, 3, 1, value, 0)
    return b"Exif\x00\x00" + block + bytes(4)


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(STORED).save(file, kind, quality=100, **options)
    return file.getvalue()


@functools.cache
def graph():
    """The image of a file, as the endpoint decodes and turns it."""
    import tensorflow as tf

    from keras_resample.export.orientation import upright

    def decoded(file):
        image = tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE")
        return upright(image, file)

    return tf.function(decoded, [tf.TensorSpec((), "string")], autograph=False)


def upright(file):
    return keras.ops.convert_to_numpy(graph()(file))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_it_turns_as_the_readers_do(kind):
    for number in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9):
        for order in "<>":
            file = encoded(kind, exif=exif(number, order, more=[(0x0100, 5), (0x0103, 6)]))
            with decoded_image(file) as image:
                expected = np.asarray(image)
            assert expected.shape == ((24, 16, 3) if 5 <= number <= 8 else (16, 24, 3))
            np.testing.assert_allclose(upright(file).astype(int), expected, atol=8)


def test_what_stands_before_exif_is_passed_over():
    file = encoded("JPEG", exif=exif(3))
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 6) + b"II*\x00ab"
    np.testing.assert_array_equal(
        upright(file[:2] + comment + file[2:]), upright(encoded("JPEG"))[::-1, ::-1]
    )


def test_other_metadata_turns_neither():
    """XMP, and EXIF behind the pixels of a PNG file."""
    xmp = b'http://ns.adobe.com/xap/1.0/\x00<x tiff:Orientation="6"/>'
    jpeg, png = encoded("JPEG"), encoded("PNG", exif=exif(6))
    start, end = png.index(b"eXIf") - 4, png.index(b"IDAT") - 4
    late = png[:start] + png[end:-12] + png[start:end] + png[-12:]
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(xmp)) + xmp
    for file in (jpeg[:2] + segment + jpeg[2:], late):
        with decoded_image(file) as image:
            np.testing.assert_allclose(upright(file).astype(int), np.asarray(image), atol=8)


def test_no_bytes_do_anything_but_turn():
    """The decoder refuses what is no image; the search for EXIF ends, whatever it reads."""
    import tensorflow as tf

    from keras_resample.export.orientation import orientation

    number = tf.function(orientation, [tf.TensorSpec((), "string")], autograph=False)
    file, random = encoded("JPEG", exif=exif(6)), np.random.default_rng(0)
    jpeg, png = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
    endless = jpeg + b"\xff\xe1\x00\x00" * 10**5, png + bytes(10**6)
    for data in (b"", jpeg, jpeg + b"\xff\xe1", file[:30], png, *endless):
        assert number(tf.constant(data)) == 1
    for _ in range(50):
        noisy = np.frombuffer(file[:200], "uint8").copy()
        noisy[random.integers(0, 60, 4)] = random.integers(0, 256, 4)
        assert 0 <= int(number(tf.constant(noisy.tobytes()))) < 65536


def test_the_endpoint_resizes_the_upright_image():
    import tensorflow as tf

    from keras_resample.export.decoding import embed_files

    contract = Contract(
        (None, 24, 16, 3), "float32", (24, 16), 3, "channels_last", "embedding", 1.0, 0.0, ()
    )
    files = tf.constant([encoded("PNG", exif=exif(6))])
    served = embed_files([dict], contract)({"images": files})["images"]
    (served,) = keras.ops.convert_to_numpy(served)
    np.testing.assert_array_equal(served, np.rot90(STORED, -1))
