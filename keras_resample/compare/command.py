"""The command line of `python -m keras_resample`."""

import argparse
import difflib
import shlex
import sys

from keras_resample.compare import SettingError, compare
from keras_resample.compare.engine.settings import add_options, flag, own_first
from keras_resample.compare.startup import start
from keras_resample.compare.tasks import DEFAULT, SETTINGS
from keras_resample.version import __version__

PROGRAM = "python -m keras_resample"
# Exit statuses: that of argparse, and that of a program that Ctrl-C ended.
WRONG_OPTION, INTERRUPTED = 2, 130

DESCRIPTIONS = {
    "recognition": """\
Trains the same recognizer behind eight front ends (uniform downsampling, plain, antialiased and by
the mean of each cell, two centred crops, FlowWarp, FlowWarp antialiased, full resolution) on half
of the identities, verifies all pairs of images of the other half, and writes a table, figures, the
best model and a SavedModel.
Without options it runs on built-in synthetic palmprints.

`compare segmentation`, `compare regions`, `compare keypoints` and `compare resolutions` are other
tasks; `--help` behind one shows its options.
""",
    "segmentation": """\
Trains the same segmentation network behind each way of downsampling, on generated street scenes or
on the data of a folder, and measures what Jin et al., "Learning to Downsample for Segmentation of
Ultra-High Resolution Images" (ICLR 2022), compare: tables, pictures and the curve of cost.
""",
    "regions": """\
Trains the same residual network with and without a branch that looks at a part of its maps (a
stride, a centre crop, a Spatial Transformer, region pooling, adaptive region pooling with several
k and numbers of branches), on generated beetles or on the data of a folder: a table, learning
curves, and pictures of the regions.
""",
    "keypoints": """\
Trains the same vision transformer on upright digits with several encodings of positions (absolute,
relative, iRPE, rotary, by keypoints) and on digits aligned by the same keypoints, and tests it on
digits that are rotated, scaled, shifted and sheared: tables, accuracy against severity, and
pictures of the attention bias. With --faces and --points it learns aligned faces, and verifies
those of other people, warped, also with keypoints that are noisy or missing.
""",
    "resolutions": """\
Trains recognizers of palmprints, or of the faces of a folder, that are seen at several resolutions:
one network for all, small images enlarged, and for each resolution a network of its own, a branch
that enters the first (BTNet), or a low-rank adapter. Verifies other people within and across
resolutions: tables, gains, costs, and pictures of the maps.
""",
}

EPILOG = """\
A comparison that was stopped continues with the same command. What is finished is never computed
again; more --seeds may be added later.
"""


def parser(task=DEFAULT):
    """The parser of the whole command line, with the options of one task."""
    top = argparse.ArgumentParser(prog=PROGRAM, description="Learned sampling for Keras 3.")
    top.add_argument("--version", action="version", version=f"keras_resample {__version__}")
    commands = top.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    options = commands.add_parser(
        "compare",
        help="compare ways of downsampling: FlowWarp, uniform, full resolution and others",
        description=DESCRIPTIONS[task],
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    options.add_argument(
        "task",
        nargs="?",
        choices=tuple(SETTINGS),
        default=DEFAULT,
        metavar="TASK",
        help=f"one of {', '.join(SETTINGS)}; comes first (default: {DEFAULT})",
    )
    add_options(options, SETTINGS[task])
    return top


def read(arguments):
    """Settings of the command line; ends the program where they cannot be used."""
    named = arguments[1] if arguments[:1] == ["compare"] and len(arguments) > 1 else None
    task = named if named in SETTINGS else DEFAULT
    if arguments[:1] == ["compare"]:
        _check_options(arguments[1:], task)
    options = vars(parser(task).parse_args(arguments))
    options.pop("subcommand")
    if options.pop("task") != task:
        parser(task).error("the task comes first: compare TASK --options")
    try:
        return SETTINGS[task](**options)
    except SettingError as error:
        sys.exit(_refusal(error, SETTINGS[task].subcommand))


def main(arguments=None):
    """Runs the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    settings = read(arguments)
    try:
        start(settings, arguments)
        compare(settings)
    except SettingError as error:
        return _refusal(error, settings.subcommand)
    except KeyboardInterrupt:
        print(f"\nStopped. To continue, run:\n{_again(arguments)}")
        return INTERRUPTED
    except (OSError, MemoryError) as error:
        print(
            f"{PROGRAM} {settings.subcommand}: error: {str(error) or 'out of memory'}\n"
            f"What was finished is kept in {settings.out}. To continue, run:\n{_again(arguments)}",
            file=sys.stderr,
        )
        return 1
    return 0


def _check_options(words, task):
    """Ends the program at a word that is no option; argparse would blame what follows it."""
    known = ["--help", *map(flag, own_first(SETTINGS[task]))]
    for option in (word.partition("=")[0] for word in words if word.startswith("--")):
        if not any(name.startswith(option) for name in known):
            near = difflib.get_close_matches(option, known, 1)
            hint = f"did you mean {near[0]}?" if near else "--help lists all."
            parser(task).error(f"compare {task} has no option {option}; {hint}")


def _refusal(error, subcommand):
    """Prints what is wrong with a setting, as an option; returns the exit status."""
    option, received = "--" + error.name.replace("_", "-"), error.received
    if isinstance(received, (list, tuple)):
        received = " ".join(map(str, received))
    message = f"error: {option} {error.must}. Received: {option} {received}"
    if "," in str(received):
        message += " (several words stand apart, without commas)"
    print(f"{PROGRAM} {subcommand}: {message}", file=sys.stderr)
    return WRONG_OPTION


def _again(arguments):
    """The command that continues this one."""
    kept = [argument for argument in arguments if argument != "--overwrite"]
    return "  " + shlex.join(["python", "-m", "keras_resample", *kept])
