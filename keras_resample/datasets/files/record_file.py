"""MXNet's indexed RecordIO: `.rec`, a file of framed records, and `.idx`, where each starts.

A record is one part, or several where its bytes hold the magic number at a multiple of 4. A part
is the magic number, a word with the length in its lower 29 bits and the place of the part in the
upper 3 (0 whole, 1 first, 2 middle, 3 last), the bytes, and zeros up to a multiple of 4; the
magic number itself is left out between parts. A record of an image begins with the header
`(flag, label, id, id2)`, little-endian `IfQQ`; `flag` above 0 is a number of float32 labels that
follow it and stand for `label`.
"""

import os
import struct

import numpy as np

from keras_resample.datasets.files.mapped_file import MappedFile
from keras_resample.datasets.files.text_lines import integer_table

MAGIC = 0xCED7230A
MAGIC_BYTES = struct.pack("<I", MAGIC)
FRAME, HEADER = struct.Struct("<II"), struct.Struct("<IfQQ")
LENGTH_BITS = 29
# No image of a face comes near it; what claims more is damaged or hostile.
LARGEST_RECORD = 1 << 26
# Records whose headers are read at a time.
CHUNK = 1 << 15
FIRST_BYTES = np.dtype(
    [
        ("magic", "<u4"),
        ("word", "<u4"),
        ("flag", "<u4"),
        ("label", "<f4"),
        ("id", "<u8"),
        ("id2", "<u8"),
        ("first_label", "<f4"),
    ]
)


class RecordFile(MappedFile):
    """Reads records of a `.rec` file by their place."""

    def read(self, start, end):
        """Labels and body of the record that starts at byte `start` and ends by byte `end`.

        Returns:
            `(labels, body)`: tuple of floats and bytes.

        Raises:
            ValueError: that says what is wrong with the record.
        """
        record = self._joined(start, end)
        if len(record) < HEADER.size:
            raise ValueError(f"its {len(record)} bytes are shorter than a header")
        flag, label, _, _ = HEADER.unpack_from(record)
        if flag == 0:
            return (label,), record[HEADER.size :]
        body = HEADER.size + 4 * flag
        if body > len(record):
            raise ValueError(f"its header claims {flag} labels, more than its bytes can hold")
        return struct.unpack_from(f"<{flag}f", record, HEADER.size), record[body:]

    def _joined(self, start, end):
        parts, total, place = [], 0, start
        while True:
            if place + FRAME.size > end:
                raise ValueError(f"it is cut off at byte {end}")
            magic, word = FRAME.unpack_from(self.bytes, place)
            if magic != MAGIC:
                raise ValueError(
                    f"at byte {place} stands {magic:#010x}, not the magic number {MAGIC:#010x}"
                )
            kind, length = word >> LENGTH_BITS, word & ((1 << LENGTH_BITS) - 1)
            if kind not in ((2, 3) if parts else (0, 1)):
                raise ValueError(f"the part at byte {place} has the flag {kind}, out of order")
            place += FRAME.size
            total += length + len(MAGIC_BYTES)
            if total > LARGEST_RECORD:
                raise ValueError(f"it claims more than {LARGEST_RECORD} bytes")
            if place + length > end:
                raise ValueError(
                    f"it claims {length} bytes at byte {place}, where {end - place} are left"
                )
            parts.append(self.bytes[place : place + length])
            if kind in (0, 3):
                return MAGIC_BYTES.join(parts)
            place += (length + 3) // 4 * 4

    def headers(self, starts, ends):
        """First label and number of bytes after the header, of many records at once.

        Args:
            starts, ends: int64 `(n,)` as in `read`.

        Returns:
            float32 labels `(n,)` and int64 body lengths `(n,)`, -1 where a record is damaged
            or in parts and `read` must tell.
        """
        labels = np.zeros(len(starts), "float32")
        lengths = np.full(len(starts), -1, "int64")
        content = np.frombuffer(self.bytes, "uint8")
        window = np.arange(FIRST_BYTES.itemsize)
        for first in range(0, len(starts), CHUNK):
            part = slice(first, first + CHUNK)
            # Past the end of the file the last byte is repeated; the lengths tell.
            places = np.minimum(starts[part, None] + window, self.size - 1)
            head = content[places].view(FIRST_BYTES)[:, 0]
            length = head["word"].astype("int64")
            flag = head["flag"].astype("int64")
            body = length - HEADER.size - 4 * flag
            good = (head["magic"] == MAGIC) & (length < LARGEST_RECORD - 4) & (body >= 0)
            good &= starts[part] + FRAME.size + length <= ends[part]
            labels[part] = np.where(flag > 0, head["first_label"], head["label"])
            lengths[part] = np.where(good, body, -1)
        return labels, lengths


def read_index(path, record_bytes):
    """Keys and places of the records, from an `.idx` file of lines `key <tab> first byte`.

    Args:
        path: the `.idx` file.
        record_bytes: size of the `.rec` file.

    Returns:
        int64 `(n,)` arrays `keys`, `starts`, `ends`, in the order of the keys. A record ends at
        the latest where the next one starts.

    Raises:
        ValueError: for an index that is empty, no table of integers, has a key twice, or points
            outside of the `.rec` file.
    """
    size = os.path.getsize(path)
    # A record has 32 bytes or more, a line of the index 42 or fewer.
    if size == 0 or size > 64 + 2 * record_bytes:
        raise ValueError(
            f"The index must be a line of text for each record of {record_bytes} bytes of them. "
            f"Received: {path!r} with {size} bytes"
        )
    table = integer_table(path, "key and first byte", 2)
    keys, starts = table[np.argsort(table[:, 0], kind="stable")].T
    outside = (starts < 0) | (starts > record_bytes - FRAME.size) | (starts % 4 != 0)
    for wrong, must in (
        (outside, f"must be a multiple of 4 within the {record_bytes} bytes of the .rec file"),
        (np.append(False, np.diff(keys) == 0), "must be the only one with its key"),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"Each place in the index {must}. Received: {path!r}, record {keys[row]} at byte "
                f"{starts[row]} ({int(wrong.sum())} such)"
            )
    in_file = np.append(np.unique(starts), record_bytes)
    return keys, starts, in_file[np.searchsorted(in_file, starts, side="right")]
