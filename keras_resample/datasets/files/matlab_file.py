"""Variables of a MATLAB file of version 5, whose size is bounded before anything is allocated."""

import os
import struct
import zlib

# The annotations of Stanford Cars take 3 MB.
LARGEST = 64 * 2**20
HEADER, TAG = 128, 8
COMPRESSED = 15  # miCOMPRESSED


def matlab_file(path, reader):
    """Variables by their name, as `scipy.io.loadmat(simplify_cells=True)` reads them.

    Nothing in such a file is run: it holds numbers, text, cells and structs, and no pickles.

    Raises:
        ImportError: if SciPy is not installed.
        FileNotFoundError: if there is no such file.
        ValueError: for a damaged file, one of another version, or more than 64 MiB, packed or
            unpacked.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(
            f"`{reader}` needs SciPy to read .mat files: pip install scipy"
        ) from error
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`path` must lead to a MATLAB file. Received: {os.fspath(path)!r}")
    # SciPy raises errors of many types for a damaged file, not all of them documented.
    try:
        _check_size(path)
        return loadmat(path, simplify_cells=True)
    except Exception as error:
        raise ValueError(
            f"{os.fspath(path)!r} must be an undamaged MATLAB file of version 5 "
            f"({type(error).__name__}: {error}). Received: {os.path.getsize(path)} bytes"
        ) from error


def _check_size(path):
    """Raises for more bytes than `LARGEST`, also those that are packed."""
    if os.path.getsize(path) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    with open(path, "rb") as file:
        content = file.read()
    order = "<" if content[126:128] == b"IM" else ">"
    place, total = HEADER, 0
    while place + TAG <= len(content):
        kind, length = struct.unpack_from(f"{order}II", content, place)
        place += TAG
        if kind == COMPRESSED:
            packed = memoryview(content)[place : place + length]
            total += len(zlib.decompressobj().decompress(packed, LARGEST - total + 1))
        if total > LARGEST:
            raise ValueError(f"its variables are larger than {LARGEST} bytes")
        place += length
