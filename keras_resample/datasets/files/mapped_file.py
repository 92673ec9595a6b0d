"""A file that is read through a memory map."""

import mmap
import os


class MappedFile:
    """A file whose bytes stay on the disk until they are read. Picklable, thread-safe.

    Args:
        path: the file; it must not change while it is read.

    Raises:
        ValueError: for an empty file, and when it is opened again with another size.
    """

    def __init__(self, path):
        self.path = os.fspath(path)
        self.size = os.path.getsize(self.path)
        if self.size == 0:
            raise ValueError(f"`path` must not be empty. Received: path={self.path!r}, 0 bytes")
        self._bytes = None

    def __getstate__(self):
        return {**self.__dict__, "_bytes": None}

    @property
    def bytes(self):
        """The memory map, opened in each process when it is first read."""
        if self._bytes is None:
            with open(self.path, "rb") as file:
                opened = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if len(opened) != self.size:
                raise ValueError(
                    f"{self.path!r} must not change while it is read. "
                    f"Received: {len(opened)} bytes, {self.size} before"
                )
            self._bytes = opened
        return self._bytes
