"""Variables of a MATLAB file of version 5, looked through before anything is allocated.

The format: MathWorks, MAT-File Format, "Level 5 MAT-Files". SciPy believes the dimensions that a
file declares and follows its cells as deep as they go, so what asks for too much is refused here.
"""

import io
import math
import os
import struct
import zlib

import numpy as np

from keras_resample.arguments import check_file

# The annotations of Stanford Cars take 3 MB, and have 16,185 cars of 7 fields.
LARGEST = 64 * 2**20
MOST_FIELDS = 2**20
DEEPEST = 16
HEADER, TAG = 128, 8
MATRIX, COMPRESSED = 14, 15  # miMATRIX, miCOMPRESSED
FLAGS = (6, 8)  # miUINT32, of 8 bytes
VALUES = (1, 2, 3, 4, 5, 6, 7, 9, 12, 13, 16, 17, 18)  # miINT8 to miUINT64, miUTF8 to miUTF32
CELL, STRUCT, CHAR, NUMBERS = 1, 2, 4, range(6, 16)  # mxCELL_CLASS and so on
COMPLEX = 0x800


def matlab_file(path, reader):
    """Variables by their name, as `scipy.io.loadmat(simplify_cells=True)` reads them.

    Nothing in such a file is run: it holds numbers, text, cells and structs, and no pickles. SciPy
    is not made for hostile files, though: the known ones that crash it are refused, no more.

    Raises:
        ImportError: if SciPy is not installed.
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, one of another version, more than 64 MiB, packed or
            unpacked, more than 1,048,576 cells and fields, cells in cells deeper than 16, or
            sparse matrices, objects and functions.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(
            f"`{reader}` needs SciPy to read .mat files: pip install scipy"
        ) from error
    check_file(path, "a MATLAB file")
    # SciPy raises errors of many types for a damaged file, not all of them documented.
    try:
        if os.path.getsize(path) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST} bytes")
        with open(path, "rb") as file:
            content = file.read()
        _check(content)
        return loadmat(io.BytesIO(content), simplify_cells=True)
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)!r} must be an undamaged MATLAB file of version 5 "
            f"({type(error).__name__}: {error}). Received: {os.path.getsize(path)} bytes"
        ) from error


def matlab_names(variables, variable, path):
    """The names in a cell array of `matlab_file`: strings, in an array without sides of 1.

    Raises:
        ValueError: for anything but names, and for none.
    """
    names = np.atleast_1d(np.asarray(variables.get(variable), object))
    if not names.size or not all(isinstance(name, str) for name in names.flat):
        raise ValueError(
            f"`{variable}` must be names, one a cell. Received: file {os.fspath(path)!r}"
        )
    return names


def _check(content):
    """Raises for what is not of version 5, or asks for more than there is."""
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None or 0 in content[:4]:  # version 4 has zeros there
        raise ValueError("it is of another version")
    place, unpacked, fields = HEADER, 0, 0
    while place + TAG <= len(content):
        kind, length = struct.unpack_from(f"{order}II", content, place)
        variable = memoryview(content)[place : place + TAG + length]
        if kind == COMPRESSED:
            packed = variable[TAG:]
            variable = zlib.decompressobj().decompress(packed, LARGEST - unpacked + 1)
            unpacked += len(variable)
        if unpacked > LARGEST:
            raise ValueError(f"its variables are larger than {LARGEST} bytes")
        elements = _Elements(variable, order, fields)
        elements.skip_matrix()
        fields = elements.fields
        place += TAG + length


class _Elements:
    """The elements of one variable, one after the other, as SciPy reads them."""

    def __init__(self, content, order, fields):
        self.content, self.order, self.place = content, order, 0
        self.fields = fields  # cells and fields so far

    def skip_matrix(self, depth=0):
        kind, length = self.numbers("II", TAG)
        if kind != MATRIX or depth > DEEPEST:
            raise ValueError(f"it has an element of type {kind} at depth {depth}")
        if not length:
            return
        if self.numbers("II", TAG) != FLAGS:
            raise ValueError("it has an array without flags")
        flags, _ = self.numbers("II", TAG)
        dims = self.element()
        dims = struct.unpack(f"{self.order}{len(dims) // 4}i", dims)
        # A dimension of 0 does not make the others harmless: SciPy has strings of no characters.
        count = math.prod(max(size, 1) for size in dims)
        if min(dims, default=-1) < 0 or 8 * count > LARGEST:
            raise ValueError(f"it has an array of dimensions {dims}")
        self.element()  # name
        self.skip_values(flags, dims, count, depth)

    def skip_values(self, flags, dims, count, depth):
        kind = flags & 0xFF
        if kind in (CELL, STRUCT):
            width = self.num_fields() if kind == STRUCT else 1
            self.fields += count * max(width, 1)
            if self.fields > MOST_FIELDS:
                raise ValueError(f"it has more than {MOST_FIELDS} cells and fields")
            for _ in range(math.prod(dims) * width):
                self.skip_matrix(depth + 1)
        elif kind == CHAR or kind in NUMBERS:
            room = len(self.element())
            if kind == CHAR and count > max(room, TAG):
                raise ValueError(f"it has {count} characters in {room} bytes")
            if kind != CHAR and flags & COMPLEX:
                self.element()
        else:
            raise ValueError(f"it has an array of class {kind}")

    def num_fields(self):
        (longest,) = struct.unpack(f"{self.order}i", self.element())
        if longest < 1:
            raise ValueError(f"it has names of {longest} bytes")
        return len(self.element()) // longest

    def element(self):
        """The bytes of an element; those of 4 bytes or less may be inside of the tag."""
        kind, length = self.numbers("II", TAG)
        kind, small = kind & 0xFFFF, kind >> 16
        if kind not in VALUES:  # SciPy would look for it behind the end of a table
            raise ValueError(f"it has values of type {kind}")
        start = self.place - 4 if small else self.place
        end = start + (small or length)
        if small > 4 or end > len(self.content):
            raise ValueError("it ends inside of an element")
        if not small:
            self.place = start + length + -length % 8
        return self.content[start:end]

    def numbers(self, form, length):
        self.place += length
        return struct.unpack_from(self.order + form, self.content, self.place - length)
