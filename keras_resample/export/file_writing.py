"""Files of other runtimes: who can write them, and that only right ones appear."""

import dataclasses
import importlib.util
import os
import pathlib
import re
import shutil
import tempfile

import keras

from keras_resample.arguments import as_bool, as_number
from keras_resample.export.file_check import arrays_of, compare, require_runtime
from keras_resample.export.file_model import FileModel
from keras_resample.files import whole


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of file that Keras writes.

    Attributes:
        title: as users call it.
        suffixes: of the file, and of those that lie beside it.
        packages: backends that write it, each with the packages that it takes.
        write: function of a `FileModel` and the path of the file.
        returns_dict: backends on which the model has to return its output under its name.
    """

    title: str
    suffixes: tuple
    packages: dict
    write: callable
    returns_dict: tuple = ()


def write_file(
    kind, model, path, output_name, image_size, batch_size, overwrite, check, images, tolerance
):
    """Writes a file of a `Format`, and what lies beside it, whole or not at all.

    It is written and run in a folder for this moment, and takes its place when it is right.
    """
    target = _as_target(path, kind, as_bool(overwrite, "overwrite"))
    check, tolerance = as_bool(check, "check"), as_number(tolerance, "tolerance", "[0, inf)")
    _check_backend(kind)
    if check:
        require_runtime(kind.suffixes[0])
    returns_dict = keras.backend.backend() in kind.returns_dict
    file_model = FileModel(model, output_name, image_size, batch_size, returns_dict)
    arrays = arrays_of(images, file_model.specs)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, target.name)
        _write(kind, file_model, file)
        if check:
            try:
                compare(file, file_model, arrays, tolerance, path)
            except (RuntimeError, ValueError) as error:
                raise type(error)(
                    f"The {kind.title} file that Keras wrote on the {keras.backend.backend()} "
                    f"backend is not the model.{_way_around(kind)} {error}"
                ) from error
        targets = [target.with_suffix(suffix) for suffix in kind.suffixes]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with whole(*targets) as fresh:
                for suffix, new in zip(kind.suffixes, fresh, strict=True):
                    shutil.copyfile(file.with_suffix(suffix), new)
        except OSError as error:
            raise OSError(
                f"The file could not be written: {error}. Received: path={str(path)!r}"
            ) from error
    return target


def _write(kind, file_model, file):
    try:
        kind.write(file_model, file)
    except (ImportError, OSError):
        raise
    except Exception as error:
        raise RuntimeError(
            f"Keras could not write this model as {kind.title} on the {keras.backend.backend()} "
            f"backend, with inputs of shape {[spec.shape for spec in file_model.specs]}."
            f"{_way_around(kind)} "
            f"What failed: {_last_words(error)}"
        ) from error


def _as_target(path, kind, overwrite):
    suffix = kind.suffixes[0]
    if not isinstance(path, (str, os.PathLike)) or "://" in str(path):
        raise ValueError(f"`path` must be a file of this machine. Received: path={path!r}")
    target = pathlib.Path(path)
    if target.suffix != suffix:
        raise ValueError(f"`path` must end in {suffix}. Received: path={path!r}")
    for each in map(target.with_suffix, kind.suffixes):
        if each.is_dir():
            raise ValueError(f"`path` must be no folder. Received: path={path!r}")
        if each.exists() and not overwrite:
            raise ValueError(
                f"`path` must be a new file, or pass overwrite=True to replace {each.name}. "
                f"Received: path={path!r}"
            )
    return target


def _check_backend(kind):
    backend = keras.backend.backend()
    if backend not in kind.packages:
        raise ValueError(
            f"{kind.title} files are not written on the {backend} backend.{_way_around(kind)} "
            f"Received: a model on {backend}"
        )
    missing = [name for name in kind.packages[backend] if not importlib.util.find_spec(name)]
    if missing:
        names = " ".join(missing)
        raise ImportError(
            f"Writing {kind.title} files on the {backend} backend needs {' and '.join(missing)}. "
            f"Install with: pip install {names}"
        )


def _way_around(kind):
    others = [name for name in kind.packages if name != keras.backend.backend()]
    if not others:
        return ""
    return (
        ' Save the model by model.save("model.keras"), and load and export that file in a process '
        f"with KERAS_BACKEND={' or '.join(others)}."
    )


def _last_words(error):
    """The message of an exporter without its pages of advice."""
    words = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split()  # Keras prints some of it bold
    return " ".join([f"{type(error).__name__}:", *words])[:500]
