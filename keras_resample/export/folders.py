"""Folders that are there completely or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile

SAVED_MODEL_FILE = "saved_model.pb"


def check_target(path, overwrite):
    """`path` as a `pathlib.Path` if a SavedModel may be written there."""
    if not isinstance(path, (str, os.PathLike)) or "://" in str(path) or not str(path):
        raise ValueError(f"`path` must be a folder of this machine. Received: path={path!r}")
    target = pathlib.Path(path)
    if target.exists() and not target.is_dir():
        raise ValueError(f"`path` must be a folder, but it is a file. Received: path={path!r}")
    if target.is_dir() and any(target.iterdir()):
        if not overwrite:
            raise ValueError(
                "`path` must be a new or empty folder; pass overwrite=True to replace a "
                f"SavedModel, or count the version up. Received: path={path!r}"
            )
        if not (target / SAVED_MODEL_FILE).is_file():
            raise ValueError(
                "`overwrite=True` replaces a SavedModel and nothing else, and this folder holds "
                f"other files. Received: path={path!r}"
            )
    return target


@contextlib.contextmanager
def complete_folder(target):
    """Yields a fresh folder beside `target` that takes its place when the block ends well.

    Whatever was at `target` stays until then. The fresh folder starts with a dot, so that
    TensorFlow Serving, which looks for numbers, never sees half a model.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.writing-"))
    try:
        # mkdtemp allows nobody else to read; a server often runs as another user.
        fresh.chmod(0o755)
        yield fresh
        _replace(target, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replace(target, fresh):
    if not target.exists():
        fresh.rename(target)
        return
    old = pathlib.Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.replaced-"))
    target.rename(old / target.name)
    try:
        fresh.rename(target)
    except OSError:
        (old / target.name).rename(target)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
