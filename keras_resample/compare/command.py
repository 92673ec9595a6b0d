"""The command line of `python -m keras_resample compare`."""

import argparse
import shlex
import sys

from keras_resample.compare import SettingError, compare
from keras_resample.compare.engine.settings import add_options
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
from keras_resample.compare.tasks import DEFAULT, SETTINGS

SUMMARY = "compare ways of downsampling: FlowWarp, uniform, full resolution and others"

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
    """The parser of the command, with the options of one task."""
    options = argparse.ArgumentParser(
        prog=f"{PROGRAM} compare",
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
    return options


def read(arguments):
    """Settings of the command line; ends the program where they cannot be used."""
    words = arguments[1:]
    task = words[0] if words and words[0] in SETTINGS else DEFAULT
    check_options(words, SETTINGS[task], f"compare {task}")
    options = vars(parser(task).parse_args(words))
    if options.pop("task") != task:
        complain("the task comes first: compare TASK --options", "compare")
        sys.exit(WRONG_OPTION)
    try:
        return SETTINGS[task](**options)
    except SettingError as error:
        sys.exit(refusal(error, SETTINGS[task], SETTINGS[task].subcommand))


def main(arguments):
    """Runs the command line, whose first word is `compare`; returns the exit status."""
    settings = read(arguments)
    try:
        start(settings, arguments)
        compare(settings)
    except SettingError as error:
        return refusal(error, settings, settings.subcommand)
    except KeyboardInterrupt:
        print(f"\nStopped. To continue, run:\n{_again(arguments)}")
        return INTERRUPTED
    except (OSError, MemoryError) as error:
        complain(
            f"{str(error) or 'out of memory'}\n"
            f"What was finished is kept in {settings.out}. To continue, run:\n{_again(arguments)}",
            settings.subcommand,
        )
        return FAILED
    return 0


def _again(arguments):
    """The command that continues this one."""
    kept = [argument for argument in arguments if argument != "--overwrite"]
    return "  " + shlex.join(["python", "-m", "keras_resample", *kept])
