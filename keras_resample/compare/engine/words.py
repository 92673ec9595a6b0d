"""What every command says where it cannot use its words, and the status it ends with."""

import dataclasses
import difflib
import sys

from keras_resample.compare.engine.settings import flag, own_first, word

PROGRAM = "python -m keras_resample"
# Exit statuses: of a disk that is full and the like; that of argparse; that of Ctrl-C.
FAILED, WRONG_OPTION, INTERRUPTED = 1, 2, 130


def complain(message, command):
    """Prints an error of a command."""
    print(f"{PROGRAM} {command}: error: {message}", file=sys.stderr)


def check_options(words, settings, command):
    """Ends the program at a word that is no option; argparse would blame what follows it.

    Args:
        words: list of the strings behind the command.
        settings: class of its settings.
        command: its name.
    """
    options = [field for field in own_first(settings) if not field.metadata["place"]]
    known = ["--help", *map(flag, options)]
    words = words[: words.index("--")] if "--" in words else words
    for option in (text.partition("=")[0] for text in words if text.startswith("--")):
        if not any(name.startswith(option) for name in known):
            near = difflib.get_close_matches(option, known, 1)
            hint = f"did you mean {near[0]}?" if near else "--help lists all."
            complain(f"{command} has no option {option}; {hint}", command)
            sys.exit(WRONG_OPTION)


def refusal(error, settings, command):
    """Prints what is wrong with a setting, as the command says it; returns the exit status."""
    said, received = word(error.name, settings), error.received
    if isinstance(received, (list, tuple)):
        received = " ".join(map(str, received))
    message = f"{said} {error.must}. Received: {said}"
    if received is not True:  # a switch is said by its name alone
        message += f" {received}"
    several = {field.name for field in dataclasses.fields(settings) if field.metadata["nargs"]}
    if error.name in several and "," in str(received):
        message += " (several words stand apart, without commas)"
    complain(message, command)
    return WRONG_OPTION
