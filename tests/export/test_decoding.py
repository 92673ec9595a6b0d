"""What `serve_bytes` reads of files is what the readers read, and nothing else is read."""

import functools
import io
import time

import keras
import numpy as np
import pytest
from PIL import Image

from keras_resample.datasets.files.image_decoding import decoded_image, to_array
from keras_resample.export.contract import Contract
from tests.export.image_bytes import (
    encoded,
    gif_bomb,
    gif_of_frames,
    grey_png_of_16_bits,
    jpeg_of_scans,
    large_png,
    random_pixels,
    smooth_pixels,
)

pytestmark = pytest.mark.backends("tensorflow", reason="it is TensorFlow's graph on every backend")

SMOOTH, RANDOM = smooth_pixels(), random_pixels()


@functools.cache
def graph(channels=3, max_pixels=100_000):
    import tensorflow as tf

    from keras_resample.export.decoding import decoded

    shape = (None, 4, 4, channels), "float32", (4, 4), channels, "channels_last", "embedding"
    contract = Contract(*shape, 1.0, 0.0, (), max_pixels=max_pixels)

    def call(file):
        return decoded(file, contract)

    return tf.function(call, [tf.TensorSpec((), "string")], autograph=False)


def decoded(file, **options):
    return keras.ops.convert_to_numpy(graph(**options)(file))


def read(file, channels=3):
    """The pixels as the readers of `kr.datasets` give them, in bytes."""
    with decoded_image(file) as image:
        return 255 * to_array(image, None, channels)


def animated_webp():
    frames = [Image.fromarray(random_pixels(seed=seed)) for seed in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    return file.getvalue()


EXACT = {
    "PNG": encoded(RANDOM, "PNG"),
    "PNG of a palette": encoded(RANDOM, "PNG", "P"),
    "PNG, interlaced or not, with alpha": encoded(random_pixels(channels=4), "PNG", "RGBA"),
    "grey PNG": encoded(RANDOM, "PNG", "L"),
    "black and white PNG": encoded(RANDOM, "PNG", "1"),
    "BMP": encoded(RANDOM, "BMP"),
    "GIF": encoded(RANDOM, "GIF", "P"),
    "animated GIF": gif_of_frames(3),
    "lossless WebP": encoded(RANDOM, "WEBP", lossless=True),
}
NEAR = {
    "16-bit PNG": grey_png_of_16_bits(np.arange(200, dtype="uint16").reshape(10, 20) * 300),
    "JPEG": encoded(SMOOTH, "JPEG", quality=95),
    "progressive JPEG": encoded(SMOOTH, "JPEG", progressive=True),
    "grey JPEG": encoded(SMOOTH, "JPEG", "L"),
    "CMYK JPEG": encoded(SMOOTH, "JPEG", "CMYK", quality=95),
    "WebP": encoded(SMOOTH, "WEBP", quality=95),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", [*EXACT, *NEAR])
def test_it_reads_what_the_readers_read(name, channels):
    file = {**EXACT, **NEAR}[name]
    # A decoder of grey images leaves colours of PNG and JPEG files to its library.
    atol = 0.01 if name in EXACT and (channels == 3 or "PNG" not in name) else 3
    found = decoded(file, channels=channels)
    assert found.dtype == "uint8"
    np.testing.assert_allclose(found.astype(float), read(file, channels), atol=atol)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_images_with_alpha(kind):
    pixels = random_pixels(channels=4)
    pixels[..., 3] |= 1  # what is transparent has no colour
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = decoded(encoded(pixels, kind, "RGBA", **options), channels=4)
    np.testing.assert_array_equal(found, pixels)


def test_webp_is_turned():
    exif = Image.Exif()
    for number in range(1, 9):
        exif[0x0112] = number
        file = encoded(RANDOM, "WEBP", lossless=True, exif=exif.tobytes())
        np.testing.assert_allclose(decoded(file).astype(float), read(file), atol=0.01)


WHOLE = {
    "PNG": encoded(RANDOM, "PNG"),
    "JPEG": encoded(RANDOM, "JPEG"),
    "progressive JPEG": encoded(RANDOM, "JPEG", progressive=True),
    "GIF": encoded(RANDOM, "GIF", "P"),
    "animated GIF": gif_of_frames(3)[: len(encoded(RANDOM, "GIF", "P"))],
    "BMP": encoded(RANDOM, "BMP"),
    "WebP": encoded(RANDOM, "WEBP"),
    "lossless WebP": encoded(RANDOM, "WEBP", lossless=True),
}


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_an_error(name, kept):
    import tensorflow as tf

    file = WHOLE[name]
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(file[: int(kept * len(file))])


@pytest.mark.parametrize("name", WHOLE)
def test_damage_is_an_error_or_an_image(name):
    import tensorflow as tf

    random, file = np.random.default_rng(0), WHOLE[name]
    for _ in range(12):
        damaged = np.frombuffer(file, "uint8").copy()
        damaged[random.integers(0, min(len(file), 60), 3)] = random.integers(0, 256, 3)
        try:
            found = decoded(damaged.tobytes())
        except tf.errors.InvalidArgumentError:
            continue
        assert found.shape[0] * found.shape[1] <= 100_000


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (b"", "file of one of: JPEG, PNG, GIF, BMP, WebP"),
        (b"%PDF-1.7", "file of one of"),
        (encoded(RANDOM, "TIFF"), "file of one of"),
        (b"\xff\x0a" + bytes(50), "file of one of"),  # JPEG XL
        (large_png(20_000), "at most 100000 pixels"),
        (encoded(random_pixels((400, 300)), "BMP"), "at most 100000 pixels"),
        (encoded(random_pixels((400, 300)), "GIF", "P"), "at most 100000 pixels"),
        (encoded(random_pixels((400, 300)), "WEBP"), "at most 100000 pixels"),
        (jpeg_of_scans(100), "at most 64 scans"),
        (encoded(RANDOM, "BMP", "L"), "24 or 32 bits a pixel"),
        (encoded(RANDOM, "BMP", "P"), "24 or 32 bits a pixel"),
        (animated_webp(), "WebP Animation"),
    ],
)
def test_what_is_refused(file, message):
    import tensorflow as tf

    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        decoded(file)


def test_scans_are_those_of_the_image():
    """Scans of a thumbnail, and what follows the end of the file, do not count."""
    file = encoded(SMOOTH, "JPEG", progressive=True)
    thumbnail = b"\xff\xe1" + (2 + 2000).to_bytes(2, "big") + b"\xff\xda" * 1000
    expected = decoded(file)
    np.testing.assert_array_equal(decoded(file[:2] + thumbnail + file[2:]), expected)
    np.testing.assert_array_equal(decoded(file + b"\xff\xda" * 1000), expected)


def test_only_the_first_frame_is_decoded():
    limit = {"max_pixels": 10_000_000}
    decoded(gif_bomb(side=20, count=1), **limit)
    file = gif_bomb(side=1500, count=400)
    start = time.process_time()
    found = decoded(file, **limit)
    assert time.process_time() - start < 1  # all of them take several seconds
    assert found.shape == (1500, 1500, 3) and not found.any()


def test_a_frame_has_the_size_of_the_header():
    """TensorFlow decodes the size that the frame tells of, which is not bounded."""
    import tensorflow as tf

    file = encoded(RANDOM, "GIF", "P")
    start = file.index(b",\x00\x00\x00\x00")
    for place, value in ((1, b"\x01"), (6, b"\xff"), (8, b"\xff")):
        other = file[: start + place] + value + file[start + place + 1 :]
        with pytest.raises(tf.errors.InvalidArgumentError, match="must fill the image"):
            decoded(other)
