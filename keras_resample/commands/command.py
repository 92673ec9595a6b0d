"""What the commands that work on the file of a model have in common."""

import os
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import REQUIRED, check_fields, redefault, setting


class Command:
    """A command: its fields are the words it is given, and `run` does what they ask for.

    A subclass is a dataclass. No framework is imported before `run`.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.
    """

    # Its name, its line in the list of all, and what `--help` says before and after its options.
    name: ClassVar[str]
    summary: ClassVar[str]
    description: ClassVar[str]
    epilog: ClassVar[str]

    def __post_init__(self):
        check_fields(self)

    def run(self):
        """Does it, and prints what there is to say; returns the exit status."""
        raise NotImplementedError


def keras_file(value, name):
    """Check of the path of a `.keras` file that exists."""
    path = checks.existing_file(value, name)
    if not path.endswith(".keras"):
        raise SettingError(name, "must be a .keras file", value)
    return path


def file_of_model(text, metavar="MODEL"):
    """A setting in its place that is the file of a model."""
    return setting(REQUIRED, text, keras_file, metavar, place=True)


def folder_in_its_place(text, check=checks.folder):
    """A setting in its place that is a folder."""
    return setting(REQUIRED, text, check, "FOLDER", place=True)


def custom_modules():
    """The setting of what is imported before a file is loaded."""
    return setting(
        (),
        "modules that register layers of your own, imported before the file is loaded",
        _module_names,
        metavar="MODULE",
        nargs="+",
    )


def backend():
    """The setting of the framework."""
    return redefault("backend", None)


def flip():
    """The setting of the mirror images."""
    text = "add to each embedding that of the mirror image; of a Verifier its file says it"
    return setting(False, text, checks.switch)


def value_range():
    """The setting of the values that files are read in."""
    return setting(
        None,
        "values of black and white that the network was trained on (default: what the file of the "
        "model says, or 0 1)",
        checks.value_range,
        metavar=("LOW", "HIGH"),
        nargs=2,
    )


def _module_names(value, name):
    names = (value,) if isinstance(value, str) else value
    for module in names:
        if not all(part.isidentifier() for part in os.fspath(module).split(".")):
            raise SettingError(name, "must be names of modules, such as package.module", module)
    return tuple(names)
