"""Requests that no server may answer, and that may change no other answer."""

import struct
import zlib

import numpy as np

PNG_START = b"\x89PNG\r\n\x1a\n"
HUGE_SIDE = 20_000


def hostile(inputs, random):
    """The inputs of a good request, one row of which is made bad.

    Args:
        inputs: by their names arrays, or lists of the bytes of files.
        random: a `numpy.random.Generator`.

    Returns:
        `(kind, inputs)`.
    """
    images = inputs["images"]
    if not isinstance(images, list):
        return "another rank", {**inputs, "images": images[..., 0]}
    place = random.integers(len(images))
    bad = {kind: make(images[place]) for kind, make in KINDS.items()}
    kind = random.choice([kind for kind, file in bad.items() if file is not None])
    return kind, {**inputs, "images": [*images[:place], bad[kind], *images[place + 1 :]]}


def _damaged(file):
    """A PNG file with a byte of its pixels changed; other formats have no checksum."""
    if not file.startswith(PNG_START):
        return None
    middle = file.index(b"IDAT") + 8
    return file[:middle] + bytes([file[middle] ^ 0xFF]) + file[middle + 1 :]


def _huge(file):
    """A PNG file of some bytes that tells of gigabytes."""
    header = struct.pack(">IIBBBBB", HUGE_SIDE, HUGE_SIDE, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return PNG_START + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


KINDS = {
    "damaged": _damaged,
    "truncated": lambda file: file[: len(file) // 2],
    "huge": _huge,
    "text": lambda file: b"GET / HTTP/1.1\r\n\r\n",
    "noise": lambda file: np.random.default_rng(len(file)).bytes(len(file)),
    "empty": lambda file: b"",
}
