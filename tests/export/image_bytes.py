"""Files of images, sound and hostile, as bytes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def random_pixels(size=(12, 16), seed=0, channels=3):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (*size, channels), dtype="uint8")


def smooth_pixels(size=(24, 32)):
    """What a lossy encoder hardly changes."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([4 * rows, 6 * columns, 3 * (rows + columns)], axis=-1).astype("uint8")


def encoded(pixels, kind, mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind, **options)
    return file.getvalue()


def png_block(name, data):
    text = name + data
    return struct.pack(">I", len(data)) + text + struct.pack(">I", zlib.crc32(text))


def large_png(side):
    """A PNG file of a few bytes whose image is black, one bit a pixel."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (side + 7) // 8) * side), 9)
    blocks = [png_block(b"IHDR", header), png_block(b"IDAT", rows), png_block(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(blocks)


def grey_png_of_16_bits(values):
    """A PNG file of integers (h, w) up to 65535."""
    height, width = values.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)
    blocks = [png_block(b"IHDR", header), png_block(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(blocks) + png_block(b"IEND", b"")


def gif_of_frames(count, size=(12, 16)):
    """An animated GIF file whose frames have colours of their own."""
    frames = [Image.fromarray(random_pixels(size, seed)).convert("P") for seed in range(count)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def gif_bomb(side, count):
    """A small GIF file of many large frames, all black."""
    file = io.BytesIO()
    Image.new("P", (side, side)).save(file, "GIF")
    data = file.getvalue()
    start = data.index(b",\x00\x00\x00\x00" + struct.pack("<HH", side, side))
    return data[:start] + data[start:-1] * count + b";"


def jpeg_of_scans(count, size=(24, 32)):
    """A progressive JPEG file that has its last scan again and again."""
    data = encoded(smooth_pixels(size), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:start] + data[start:-2] * count + data[-2:]
