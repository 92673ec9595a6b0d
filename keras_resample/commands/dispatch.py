"""The command line of `python -m keras_resample`."""

import argparse
import dataclasses
import difflib
import re
import sys

from keras_resample.commands.check import Check
from keras_resample.commands.embed import Embed
from keras_resample.commands.export import Export
from keras_resample.commands.verify import Verify
from keras_resample.compare import command as comparison
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import add_options, word
from keras_resample.compare.engine.words import (
    FAILED,
    INTERRUPTED,
    PROGRAM,
    WRONG_OPTION,
    check_options,
    complain,
    refusal,
)
from keras_resample.compare.startup import start
from keras_resample.files import UNFINISHED
from keras_resample.version import __version__

COMPARE = "compare"
COMMANDS = {command.name: command for command in (Export, Check, Embed, Verify)}


def main(arguments=None):
    """Runs the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    name = arguments[0] if arguments else None
    if name == COMPARE:
        return comparison.main(arguments)
    if name not in COMMANDS:
        _list_commands(arguments)
    command = read(arguments)
    try:
        start(command, arguments)
        return command.run()
    except SettingError as error:
        return refusal(error, command, name)
    except KeyboardInterrupt:
        print("\nStopped.")
        return INTERRUPTED
    except (ImportError, TypeError, ValueError) as error:
        complain(in_words(str(error), command), name)
        return WRONG_OPTION
    except (MemoryError, OSError, RuntimeError) as error:
        complain(in_words(str(error), command) or "out of memory", name)
        return FAILED


def read(arguments):
    """The `Command` that the words ask for; ends the program where they cannot be used."""
    kind = COMMANDS[arguments[0]]
    check_options(arguments[1:], kind, kind.name)
    try:
        return kind(**vars(parser(kind).parse_args(arguments[1:])))
    except SettingError as error:
        sys.exit(refusal(error, kind, kind.name))


def parser(kind):
    """The parser of a class of `Command`."""
    options = argparse.ArgumentParser(
        prog=f"{PROGRAM} {kind.name}",
        description=kind.description,
        epilog=kind.epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    add_options(options, kind)
    return options


def in_words(text, command):
    """What a function says of its arguments, as its command says it.

    "`image_size` must be ... Received: image_size=(8, 9)" becomes "--image-size must be ...
    Received: --image-size 8 9". Folders that were to become another have the name of that.
    """
    text = re.sub(rf"{re.escape(UNFINISHED)}\d+-", "", text)
    for name in ("path", *(field.name for field in dataclasses.fields(command))):
        said = word("folder" if name == "path" else name, command)
        text = re.sub(rf"`{name}`", said, text)
        text = re.sub(rf"\b{name}=True\b", said, text)
        text = re.sub(rf"\b{name}=\(([^()]*)\)", lambda found, said=said: _apart(said, found), text)
        text = re.sub(rf"\b{name}=", f"{said} ", text)
    return text


def _apart(said, found):
    """Several values behind an option, without the commas of a tuple."""
    return f"{said} {found[1].replace(',', '')}"


def _list_commands(arguments):
    """Ends the program: with the list of all commands, the version, or what is wrong."""
    top = argparse.ArgumentParser(prog=PROGRAM, description="Learned sampling for Keras 3.")
    top.add_argument("--version", action="version", version=f"keras_resample {__version__}")
    listed = top.add_subparsers(metavar="COMMAND", required=True)
    listed.add_parser(COMPARE, help=comparison.SUMMARY)
    for kind in COMMANDS.values():
        listed.add_parser(kind.name, help=kind.summary)
    if arguments and not arguments[0].startswith("-"):
        near = difflib.get_close_matches(arguments[0], [COMPARE, *COMMANDS], 1)
        hint = f"did you mean {near[0]}?" if near else "--help lists all."
        top.error(f"there is no command {arguments[0]}; {hint}")
    top.parse_args(arguments)
    # Only options came first, as in `--x compare`.
    top.error("the command comes first")
