"""Where a SavedModel may be written."""

import os
import pathlib

SAVED_MODEL_FILE = "saved_model.pb"


def as_target(path, overwrite):
    """`path` as a `pathlib.Path` if a SavedModel may be written there."""
    if not isinstance(path, (str, os.PathLike)) or "://" in str(path) or not str(path):
        raise ValueError(f"`path` must be a folder of this machine. Received: path={path!r}")
    target = pathlib.Path(path)
    if target.exists() and not target.is_dir():
        raise ValueError(f"`path` must be a folder, but it is a file. Received: path={path!r}")
    if target.is_dir() and any(target.iterdir()):
        if not overwrite:
            raise ValueError(
                f"`path` must be a new or empty folder. Write {_another(target)}, or pass "
                f"overwrite=True to replace a SavedModel. Received: path={path!r}"
            )
        if not (target / SAVED_MODEL_FILE).is_file():
            raise ValueError(
                "`overwrite=True` replaces a SavedModel and nothing else, and this folder holds "
                f"other files. Received: path={path!r}"
            )
    return target


def _another(target):
    """What to write instead: TensorFlow Serving takes the highest number beside it."""
    number = int(target.name) if target.name.isdecimal() else None
    if number is None:
        return "to another folder"
    while target.with_name(str(number)).exists():
        number += 1
    return f"the next version, path={str(target.with_name(str(number)))!r}"
