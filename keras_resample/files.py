"""The one way to write: files and folders appear whole, or not at all."""

import contextlib
import os
import pathlib
import shutil

UNFINISHED = ".unfinished-"
REPLACED = ".replaced-"


@contextlib.contextmanager
def whole(*paths):
    """Paths to write to, one for each of `paths`, whose place they take when the block ends.

    What was written is on the disk before the first of them is renamed. Where the block fails, or
    the process is killed, whatever stood at `paths` is as it was. After a kill a folder that was to
    be replaced may lie beside its place, under a name that begins with `.replaced-`.

    Args:
        *paths: files, or folders that hold files. Their own folder must exist.

    Yields:
        List of paths beside `paths`, of the same suffix (Keras and numpy choose a format by it),
        at which nothing is yet.
    """
    paths = [pathlib.Path(path) for path in paths]
    fresh = [path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}") for path in paths]
    for path in fresh:  # a killed process may have had the same number
        _remove(path)
    try:
        yield fresh
        for path in fresh:
            _flush(path)
        for new, path in zip(fresh, paths, strict=True):
            _replace(new, path)
    finally:
        for path in fresh:
            _remove(path)


def remove_unfinished(folder):
    """Removes what killed writers left in a folder."""
    for path in pathlib.Path(folder).glob(f"{UNFINISHED}*"):
        _remove(path)


def _flush(path):
    files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
    for file in files:
        with open(file, "rb+") as opened:
            os.fsync(opened.fileno())


def _replace(new, path):
    if not new.is_dir() or not path.exists():
        os.replace(new, path)
        return
    # No system call replaces a folder of files. Its name is none that `remove_unfinished` removes.
    old = path.with_name(f"{REPLACED}{os.getpid()}-{path.name}")
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    shutil.rmtree(old)


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
