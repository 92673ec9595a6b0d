"""`python -m keras_resample check`: is a SavedModel its model?"""

import dataclasses
from typing import ClassVar

from keras_resample.commands.command import (
    Command,
    backend,
    custom_modules,
    file_of_model,
    folder_in_its_place,
)
from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import setting


@dataclasses.dataclass(kw_only=True)
class Check(Command):
    """The words of `check`; what `keras_resample.export.check` does, of files."""

    name: ClassVar[str] = "check"
    summary: ClassVar[str] = "compare a SavedModel with the model it was written from"
    description: ClassVar[str] = """\
Loads a SavedModel where neither Keras nor this package can be imported, runs each of its endpoints
on random images, and compares what they return with the model in a .keras file.
"""
    epilog: ClassVar[str] = "Exit status: 0 where they agree, 1 or 2 where not."

    folder: str = folder_in_its_place("folder of the SavedModel", checks.existing_folder)
    model: str = file_of_model(".keras file of the model, of a Recognizer or a Verifier")
    tolerance: float = setting(
        1e-4,
        "largest difference allowed, in units of the largest output",
        checks.number("[0, inf)", "must be a number of at least 0"),
    )
    custom_modules: tuple[str, ...] = custom_modules()
    backend: str | None = backend()

    def run(self):
        """Checks, and prints the report."""
        from keras_resample.commands.loading import load

        report = checked(self.folder, load(self), self.tolerance)
        print("\n".join([f"{self.folder} agrees with {self.model}.", *lines_of(report)]))
        return 0


def checked(folder, model, tolerance):
    """The report of `keras_resample.export.check` with random images.

    Raises:
        SettingError: where `folder` was not written by `export`.
        ValueError: where it cannot be checked so, or does not agree.
    """
    from keras_resample import export
    from keras_resample.export.contract import Contract

    try:
        contract = Contract.read(folder)
    except OSError as error:
        raise SettingError("folder", "must be a SavedModel that export wrote", folder) from error
    if contract.image_size is None:
        raise ValueError(
            "There are no random images for a model that tells no size of its images: say "
            "--image-size to export, or check it in Python, kr.export.check(folder, model, images)"
        )
    return export.check(folder, model, tolerance=tolerance)


def lines_of(report):
    """The report of a check in lines: of each endpoint what it takes, how far it is off, and how
    long it takes for one image.
    """
    endpoints = report["endpoints"]
    rows = [
        (name, f"{_words(found['inputs'])} -> {_words(found['outputs'])}", found)
        for name, found in endpoints.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = [
        f"  {name:<{widths[0]}}  {words:<{widths[1]}}  off by {found['largest_difference']:.1e}"
        f"  {found['milliseconds']['1']:.3g} ms"
        for name, words, found in rows
    ]
    worst = max(endpoints, key=lambda name: endpoints[name]["largest_difference"])
    lines.append(
        f"The largest difference is {endpoints[worst]['largest_difference']:.1e} of the largest "
        f"output, in {worst}; up to {report['tolerance']:g} is allowed."
    )
    if report["needs_xla"]:
        lines.append("The server needs the XLA compiler; export --bridge does without.")
    return lines


def _words(tensors):
    """Named tensors as text: images float32 (batch, 8, 8, 3)."""
    return ", ".join(
        f"{name} {tensor['dtype']} ({', '.join(_sides(tensor['shape']))})"
        for name, tensor in tensors.items()
    )


def _sides(shape):
    first, *others = shape
    sides = ["any" if side is None else str(side) for side in others]
    return ["batch" if first is None else str(first), *sides]
