"""The size of an encoded image by its header is that of the decoded one."""

import functools
import io
import struct

import keras
import numpy as np
import pytest
from PIL import Image

from keras_resample.export.contract import Contract
from tests.export.image_bytes import large_png

pytestmark = pytest.mark.backends("tensorflow", reason="it is TensorFlow's graph on every backend")

SIZES = [(1, 1), (3, 200), (300, 5)]


@functools.cache
def graph(name, *arguments):
    import tensorflow as tf

    from keras_resample.export import image_sizes

    def call(encoded):
        return getattr(image_sizes, name)(encoded, *arguments)

    return tf.function(call, [tf.TensorSpec((), "string")], autograph=False)


def size_of(file):
    return [int(keras.ops.convert_to_numpy(side)) for side in graph("size_of")(file)]


def encoded(kind, size, mode="RGB", **options):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), "uint8")
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("size", SIZES)
def test_every_format(size):
    files = [encoded(kind, size) for kind in ("PNG", "JPEG", "BMP", "WEBP")]
    files += [encoded("GIF", size, "P"), encoded("JPEG", size, "CMYK"), encoded("PNG", size, "L")]
    files += [encoded("JPEG", size, progressive=True), encoded("WEBP", size, lossless=True)]
    files.append(encoded("WEBP", size, "RGBA", exif=b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00"))
    for file in files:
        assert size_of(file) == list(size)
    height = struct.pack("<i", -size[0])
    assert size_of(files[2][:22] + height + files[2][26:]) == list(size)


def test_what_is_no_image_has_no_size():
    for file in (b"", b"x", b"%PDF-1.7", b"RIFF\x00\x00\x00\x00WAVEfmt "):
        assert size_of(file) == [0, 0]
    png = encoded("PNG", (3, 4))
    assert size_of(png[:20]) == [0, 4] and size_of(png[:16]) == [0, 0]


def test_a_large_image_in_a_small_file_is_refused_before_it_is_decoded():
    import tensorflow as tf

    bounded = graph("bounded", 1_000_000)
    fits = encoded("PNG", (30, 40))
    assert bytes(keras.ops.convert_to_numpy(bounded(fits)).item()) == fits
    bomb = large_png(20_000)
    assert len(bomb) < 100_000
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 1000000 pixels"):
        bounded(bomb)


def test_the_endpoint_refuses_it():
    import tensorflow as tf

    from keras_resample.export.decoding import embed_files

    shape = (None, 4, 4, 3), "float32", (4, 4), 3, "channels_last", "embedding", 1.0, 0.0, ()
    embed = tf.function(embed_files([dict], Contract(*shape, max_pixels=1200)))
    found = embed({"images": tf.constant([encoded("JPEG", (30, 40))] * 2)})
    assert found["images"].shape == (2, 4, 4, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 1200 pixels"):
        embed({"images": tf.constant([encoded("PNG", (2, 2)), large_png(20_000)])})


def test_no_bytes_hang_it():
    import tensorflow as tf

    random = np.random.default_rng(0)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP"):
        file = encoded(kind, (9, 7))
        for cut in (2, 12, 26, 30):
            for data in (file[:cut], file[:cut] + random.bytes(40)):
                try:
                    assert all(0 <= side < 2**32 for side in size_of(data))
                except tf.errors.InvalidArgumentError:  # no header of a JPEG file
                    assert kind == "JPEG"
