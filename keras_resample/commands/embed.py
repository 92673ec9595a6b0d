"""`python -m keras_resample embed`: the embeddings of image files, in a file."""

import csv
import dataclasses
import os
import sys
from pathlib import Path
from typing import ClassVar

from keras_resample import files
from keras_resample.commands.command import (
    Command,
    backend,
    custom_modules,
    file_of_model,
    flip,
    value_range,
)
from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import REQUIRED, redefault, setting

SUFFIXES = (".npz", ".csv")


def existing_paths(value, name):
    """Check of paths of files or folders that exist."""
    paths = [value] if isinstance(value, (str, os.PathLike)) else value
    for path in paths:
        if not os.path.exists(path):
            raise SettingError(name, "must be image files, or folders of such, that exist", path)
    return tuple(os.fspath(path) for path in paths)


def table_file(value, name):
    """Check of a file that embeddings can be written to."""
    path = Path(value)
    if path.suffix.lower() not in SUFFIXES or path.is_dir():
        raise SettingError(name, f"must be a file that ends in {' or '.join(SUFFIXES)}", value)
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise SettingError(name, "must be in a folder that exists and can be written to", value)
    return os.fspath(value)


@dataclasses.dataclass(kw_only=True)
class Embed(Command):
    """The words of `embed`."""

    name: ClassVar[str] = "embed"
    summary: ClassVar[str] = "write the embeddings of image files to a file"
    description: ClassVar[str] = """\
Embeds image files by a Verifier, a Recognizer, a BTNet (each image by the branch for its size), or
any encoder of images, and writes the embeddings, of length 1, one row for each file. Folders are
read with all folders in them, sorted by name. Images are turned as their EXIF orientation says,
and resized to what the network takes.
"""
    epilog: ClassVar[str] = """\
An .npz file holds `paths` and `embeddings` (n, dim), a .csv file a line for each image: its path,
and its embedding. Exit status: 0 where it was written, 1 or 2 where it could not be.
"""

    model: str = file_of_model(".keras file of the model")
    images: tuple[str, ...] = setting(
        REQUIRED, "image files, and folders of such", existing_paths, "IMAGE", nargs="+", place=True
    )
    out: str = setting(
        REQUIRED,
        f"file to write, {' or '.join(SUFFIXES)}; what stands there is replaced",
        table_file,
        metavar="FILE",
    )
    flip: bool = flip()
    value_range: tuple[float, float] | None = value_range()
    skip_unreadable: bool = setting(
        False, "leave unreadable image files out, and list them, instead of an error", checks.switch
    )
    batch_size: int = redefault("batch_size", 32, text="images in a step", check=checks.integer())
    custom_modules: tuple[str, ...] = custom_modules()
    backend: str | None = backend()

    def run(self):
        """Embeds, writes, and says what."""
        import numpy as np

        from keras_resample.commands.embedders import embedder
        from keras_resample.commands.image_paths import files_of, readable
        from keras_resample.commands.loading import load

        paths = files_of(self.images, "images")
        embed = embedder(load(self), self)
        on_terminal = sys.stdout.isatty()
        way_out = " (--skip-unreadable leaves others out)"
        paths, skipped = readable(paths, "images", self.skip_unreadable, way_out, on_terminal)
        embeddings = embed(paths, batch_size=self.batch_size, verbose=1 if on_terminal else 2)
        with files.whole(self.out) as (fresh,):
            _write(fresh, paths, embeddings)
        for file, reason in skipped:
            print(f"Left out: {file!r} ({reason})")
        broken = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
        if len(broken):
            first = paths[broken[0]]
            print(f"{len(broken)} embeddings are not finite, the first one that of {first!r}.")
        count, dimension = embeddings.shape
        print(f"{self.out} holds {count} embeddings of {dimension} numbers.")
        return 0


def _write(path, paths, embeddings):
    """Writes paths and embeddings, as the suffix says."""
    import numpy as np

    if path.suffix.lower() == ".npz":
        with open(path, "wb") as file:
            np.savez(file, paths=np.array(paths), embeddings=embeddings)
        return
    # The names of files need not be text, and a line break in one is quoted.
    with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", *range(embeddings.shape[1])])
        table.writerows([name, *map(str, row)] for name, row in zip(paths, embeddings, strict=True))
