"""`python -m keras_resample export`: a SavedModel of a model's file."""

import dataclasses
import os
from typing import ClassVar

from keras_resample import files
from keras_resample.commands.check import Check, checked, lines_of
from keras_resample.commands.command import (
    Command,
    backend,
    custom_modules,
    file_of_model,
    flip,
    folder_in_its_place,
)
from keras_resample.compare.engine import checks
from keras_resample.compare.engine.settings import redefault, setting

# That of `keras_resample.export.saved_model`.
MAX_PIXELS = 89_478_485
# Settings that are its arguments, by the same names.
ARGUMENTS = (
    "image_size",
    "scale",
    "offset",
    "output_name",
    "endpoints",
    "max_pixels",
    "indicator",
    "rounding",
    "batch_requests",
    "custom_modules",
)


def _number(default, text):
    return setting(default, text, checks.number("(-inf, inf)", "must be a number"))


def _text(value, name):
    return str(value)


def _texts(value, name):
    return (value,) if isinstance(value, str) else tuple(value)


@dataclasses.dataclass(kw_only=True)
class Export(Command):
    """The words of `export`; what `keras_resample.export.saved_model` does, of a file."""

    name: ClassVar[str] = "export"
    summary: ClassVar[str] = "write a SavedModel, for TensorFlow Serving, and check it"
    description: ClassVar[str] = """\
Writes the model of a .keras file as a SavedModel that a server runs without Keras and without this
package: of a Recognizer its encoder, of a Verifier its threshold too. The SavedModel is compared
with the model, in a process that has neither, before it appears at FOLDER, so that a server never
sees one that is wrong.
"""
    epilog: ClassVar[str] = "Exit status: 0 where it was written, 1 or 2 where it could not be."

    model: str = file_of_model(".keras file of the model, of a Recognizer or a Verifier")
    folder: str = folder_in_its_place("where to write; its last part is a version: served/face/1")
    image_size: tuple[int, int] | None = setting(
        None,
        "size that files are resized to, where the model's own is unknown",
        checks.size_text,
        metavar="HEIGHTxWIDTH",
    )
    scale: float | None = _number(
        None,
        "factor of byte values (default: what the file says, or 1/255); to be said for a model "
        "that scales its images itself: 1 where it takes 0..255",
    )
    offset: float = _number(0.0, "added to the scaled byte values")
    output_name: str = setting("embedding", "name of the output", _text, "NAME")
    endpoints: tuple[str, ...] | None = setting(
        None,
        "of serving_default, serve_bytes and others (default: all that the model can have)",
        _texts,
        metavar="NAME",
        nargs="+",
    )
    max_pixels: int = setting(MAX_PIXELS, "largest image that is decoded", checks.integer())
    indicator: str = setting(
        "max",
        "of a BTNet: which side says how large an image is: average, min or max",
        checks.choice(("average", "min", "max")),
        metavar="NAME",
    )
    rounding: str = setting(
        "ceil",
        "of a BTNet: the resolution that serves an image between two: floor, near or ceil",
        checks.choice(("floor", "near", "ceil")),
        metavar="NAME",
    )
    batch_requests: bool = setting(
        True, "run the images of several requests to serve_bytes apart", checks.switch
    )
    normalize: bool = setting(
        False, "return embeddings of length 1; a Verifier does so anyway", checks.switch
    )
    flip: bool = flip()
    bridge: bool = setting(
        False, "export through TensorFlow on JAX too, to an ordinary graph", checks.switch
    )
    overwrite: bool = redefault("overwrite", False, text="replace a SavedModel at FOLDER")
    check: bool = setting(True, "do not compare the SavedModel with the model", checks.switch)
    custom_modules: tuple[str, ...] = custom_modules()
    backend: str | None = backend()

    def run(self):
        """Writes, checks, and prints the report."""
        from keras_resample import export
        from keras_resample.commands.loading import load
        from keras_resample.export.contract import Contract
        from keras_resample.export.folders import as_target
        from keras_resample.export.model_card import write_card

        target = as_target(self.folder, self.overwrite)
        model = load(self)
        arguments = {name: getattr(self, name) for name in ARGUMENTS}
        # What is not said is left to the file.
        arguments |= {name: getattr(self, name) or None for name in ("normalize", "flip", "bridge")}
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(target) as (fresh,):
            export.saved_model(model, fresh, check=False, **arguments)
            if self.check:
                report = _checked(fresh, model)
                write_card(fresh, Contract.read(fresh), report)
                lines = lines_of(report)
            else:
                names = ", ".join(Contract.read(fresh).endpoints)
                lines = [f"It was not checked. Its endpoints are {names}."]
        print("\n".join([f"{self.folder} is {self.model} as a SavedModel.", *lines]))
        if not target.name.isdecimal():
            example = os.path.join(self.folder, "1")
            print(
                "TensorFlow Serving wants a version number as the last part of the folder, such as "
                f"{example}."
            )
        return 0


def _checked(folder, model):
    try:
        return checked(folder, model, Check.tolerance)
    except ValueError as error:
        way_out = "Nothing was written; --no-check writes it all the same"
        raise ValueError(f"{str(error).rstrip('.')}. {way_out}") from error
