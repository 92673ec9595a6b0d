"""What a comparison is asked to do: each setting is declared once, with its check and its help."""

import dataclasses
import json
import shlex
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.version import __version__

# Say how to run, and not what.
UNSAID = ("overwrite", "report")
# In place of a default: has to be given.
REQUIRED = dataclasses.MISSING


def setting(
    default, text, check, metavar=None, free=False, nargs=None, words=str, place=False, **kwargs
):
    """A field of a class of settings, which is an option of the command line too.

    Args:
        default: its value where it is not given. `None` may stand for what depends on others.
        text: its line of `--help`; the default is added where the text does not name one.
        check: function `(value, name)` that returns the value in its one form, or raises a
            `SettingError`.
        metavar: placeholder of the value in `--help`.
        free: whether the numbers of a run do not depend on it, so that a comparison may be
            continued with another one.
        nargs: number of words, as of argparse.
        words: function from a value, or from each of several, to its word in a command.
        place: whether it is known by its place in a command, and not by an option.
        **kwargs: of `dataclasses.field`.
    """
    about = {"text": text, "check": check, "metavar": metavar, "free": free}
    about |= {"nargs": nargs, "words": words, "place": place}
    return dataclasses.field(default=default, metadata=about, **kwargs)


def redefault(name, default, **changes):
    """A setting that every comparison has, with another default, and maybe text or check."""
    about = {**Settings.__dataclass_fields__[name].metadata, **changes}
    return dataclasses.field(default=default, metadata=about, kw_only=True)


@dataclasses.dataclass(kw_only=True)
class Settings:
    """The settings that every comparison has; a subclass adds its own.

    Strings are accepted for numbers, as a command line gives them.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.
    """

    # The words of the command line that ask for a comparison by these settings.
    subcommand: ClassVar[str] = "compare"

    epochs: int = setting(30, "passes over the training images", checks.integer())
    out: str = setting(
        "runs/compare", "folder of the results, created where missing", checks.folder, "DIR", True
    )
    backend: str | None = setting(
        None,
        "framework to run on (default: the one Keras is configured for)",
        checks.backend,
        metavar="|".join(checks.BACKENDS),
    )
    seeds: tuple[int, ...] = setting(
        (0,),
        "one or more integers; each trains every method once, and the table shows mean and "
        "standard deviation",
        checks.several(checks.integer(0), "must be different non-negative integers"),
        metavar="SEED",
        free=True,
        nargs="+",
    )
    batch_size: int = setting(32, "images in a training batch", checks.integer(2))
    learning_rate: float = setting(1e-3, "of Adam at the start", checks.number("(0, 10]"))
    overwrite: bool = setting(
        False,
        "delete the results of an earlier comparison in --out first",
        checks.switch,
        free=True,
    )
    report: bool = setting(
        False, "train nothing, report what is finished", checks.switch, free=True
    )

    def __post_init__(self):
        check_fields(self)

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        values = {f.name: getattr(self, f.name) for f in own_first(self) if not f.metadata["free"]}
        return json.loads(json.dumps(values | {"version": __version__}))

    def command(self):
        """The command line that asks for the same."""
        words, switches = ["python", "-m", "keras_resample", *self.subcommand.split()], []
        shown, usual = self.shown(), self.usual()
        for field in own_first(self):
            value = shown[field.name]
            if value is None or value == usual[field.name] or field.name in UNSAID:
                continue
            if isinstance(value, bool):
                switches.append(flag(field))
                continue
            values = value if field.metadata["nargs"] else [value]
            words += [flag(field), *map(field.metadata["words"], values)]
        return shlex.join(words + switches)

    def shown(self):
        """The values that the command line says, by their names."""
        return vars(self)

    def usual(self):
        """The values that it need not say."""
        return vars(type(self)())


def check_fields(settings):
    """Brings each field of settings to its one form; one that is left out stays `None`.

    Raises:
        SettingError: for the first that cannot be used.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value is not None or field.default is not None:
            setattr(settings, field.name, field.metadata["check"](value, field.name))


def own_first(settings):
    """The fields of settings, or of their class: those of the task, then those of every task."""
    shared = Settings.__dataclass_fields__
    return sorted(dataclasses.fields(settings), key=lambda field: field.name in shared)


def flag(field):
    """The option of a field: --no-name where it is on by default."""
    return ("--no-" if field.default is True else "--") + field.name.replace("_", "-")


def word(name, settings):
    """What a command says for the setting `name`: its option, or the word of its place."""
    for field in dataclasses.fields(settings):
        if field.name == name and field.metadata["place"]:
            return field.metadata["metavar"]
    return "--" + name.replace("_", "-")


def add_options(parser, settings):
    """Adds an argument for each field of a class of settings; what is not given is left out."""
    for field in own_first(settings):
        about, default = field.metadata, field.default
        text, kwargs = about["text"], {}
        if isinstance(default, bool):
            kwargs["action"] = "store_false" if default else "store_true"
        else:
            kwargs = {"nargs": about["nargs"], "metavar": about["metavar"]}
            if default not in (None, REQUIRED, ()) and "(default" not in text:
                shown = map(about["words"], default if about["nargs"] else [default])
                text += f" (default: {' '.join(shown)})"
        kwargs["help"] = text.replace("%", "%%")
        if about["place"]:
            parser.add_argument(field.name, **kwargs)
        else:
            kwargs["required"] = default is REQUIRED
            parser.add_argument(flag(field), dest=field.name, **kwargs)
