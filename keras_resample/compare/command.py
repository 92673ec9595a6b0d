"""The command line of `python -m keras_resample`."""

import argparse
import shlex
import sys

from keras_resample.compare import compare
from keras_resample.compare.settings import (
    BACKENDS,
    DEFAULT_IDENTITIES,
    DEFAULT_IMAGES_PER_IDENTITY,
    ENCODERS,
    PROTOCOLS,
    SettingError,
    Settings,
)
from keras_resample.compare.startup import start
from keras_resample.version import __version__

PROGRAM = "python -m keras_resample"
# Exit statuses: that of argparse, and that of a program that Ctrl-C ended.
WRONG_OPTION, INTERRUPTED = 2, 130

DESCRIPTION = """\
Trains the same recognizer behind five front ends (uniform downsampling, uniform antialiased,
FlowWarp, FlowWarp antialiased, full resolution) on half of the identities, verifies all pairs of
images of the other half, and writes a table, figures, the best model and a SavedModel.
Without options it runs on built-in synthetic palmprints.
"""

EPILOG = """\
A comparison that was stopped continues with the same command. What is finished is never computed
again; more --seeds may be added later.
"""


def parser():
    """The parser of the whole command line."""
    top = argparse.ArgumentParser(prog=PROGRAM, description="Learned sampling for Keras 3.")
    top.add_argument("--version", action="version", version=f"keras_resample {__version__}")
    commands = top.add_subparsers(dest="subcommand", metavar="COMMAND", required=True)
    compare = commands.add_parser(
        "compare",
        help="compare FlowWarp with uniform downsampling and full resolution",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    default = Settings()
    size = "x".join(map(str, default.size))

    def option(flag, text, **kwargs):
        compare.add_argument(flag, help=text, **kwargs)

    option(
        "--images",
        "folder with a folder of images per identity, or an .npz file with `images` "
        "(n, h, w) or (n, h, w, channels) and `labels` (n,) (default: synthetic palmprints)",
        metavar="DIR|FILE.npz",
    )
    option(
        "--factor",
        "side of the encoder's input over side of the image, in (0, 1] "
        f"(default: {default.factor})",
    )
    option(
        "--size",
        "height and width in pixels to which all images are brought first (default: "
        f"those of the file; {size} for the palmprints)",
        nargs=2,
        metavar=("H", "W"),
    )
    option(
        "--protocol",
        f"how identities are divided (default: {default.protocol})",
        metavar="|".join(PROTOCOLS),
    )
    option(
        "--epochs",
        "passes over the training images (default: 6 over the palmprints, 30 over your images)",
    )
    option(
        "--out",
        f"folder of the results, created where missing (default: {default.out})",
        metavar="DIR",
    )
    option(
        "--backend",
        "framework to run on (default: the one Keras is configured for)",
        metavar="|".join(BACKENDS),
    )
    option(
        "--seeds",
        "one or more integers; each trains every front end once, and the table shows "
        "mean and standard deviation (default: 0)",
        nargs="+",
        metavar="SEED",
    )
    option(
        "--encoder", f"network: {', '.join(ENCODERS)} (default: {default.encoder})", metavar="NAME"
    )
    option("--batch-size", f"images in a training batch (default: {default.batch_size})")
    option(
        "--learning-rate",
        f"of Adam at the start, followed by half a cosine (default: {default.learning_rate})",
    )
    option("--scale", f"of the ArcFace head (default: {default.scale:g})")
    option("--margin", f"of the ArcFace head, in radians (default: {default.margin:g})")
    option("--identities", f"palmprints: number of palms (default: {DEFAULT_IDENTITIES})")
    option(
        "--images-per-identity",
        f"palmprints: images of each palm (default: {DEFAULT_IMAGES_PER_IDENTITY})",
    )
    option(
        "--skip-unreadable",
        "leave unreadable image files of a folder out, instead of an error",
        action="store_true",
    )
    option(
        "--overwrite",
        "delete the results of an earlier comparison in --out first",
        action="store_true",
    )
    option("--no-export", "write no SavedModel", action="store_false", dest="export")
    return top


def read(arguments):
    """Settings of the command line; ends the program where they cannot be used."""
    options = vars(parser().parse_args(arguments))
    options.pop("subcommand")
    try:
        return Settings(**options)
    except SettingError as error:
        sys.exit(_refusal(error))


def main(arguments=None):
    """Runs the command line; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    settings = read(arguments)
    try:
        start(settings, arguments)
        compare(settings)
    except SettingError as error:
        return _refusal(error)
    except KeyboardInterrupt:
        print(f"\nStopped. To continue, run:\n{_again(arguments)}")
        return INTERRUPTED
    except (OSError, MemoryError) as error:
        print(
            f"{PROGRAM} compare: error: {str(error) or 'out of memory'}\n"
            f"What was finished is kept in {settings.out}. To continue, run:\n{_again(arguments)}",
            file=sys.stderr,
        )
        return 1
    return 0


def _refusal(error):
    """Prints what is wrong with a setting, as an option; returns the exit status."""
    option, received = "--" + error.name.replace("_", "-"), error.received
    if isinstance(received, (list, tuple)):
        received = " ".join(map(str, received))
    message = f"{PROGRAM} compare: error: {option} {error.must}. Received: {option} {received}"
    print(message, file=sys.stderr)
    return WRONG_OPTION


def _again(arguments):
    """The command that continues this one."""
    kept = [argument for argument in arguments if argument != "--overwrite"]
    return "  " + shlex.join(["python", "-m", "keras_resample", *kept])
