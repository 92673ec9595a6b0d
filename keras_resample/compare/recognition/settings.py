"""What a comparison of recognizers is asked to do."""

import dataclasses
import math
import os
from pathlib import Path

from keras_resample.compare.engine import checks
from keras_resample.compare.engine import settings as base
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import redefault, setting
from keras_resample.compare.engine.sources import fingerprint
from keras_resample.compare.recognition import names

ENCODERS = ("small", "iresnet18", "iresnet34", "iresnet50", "iresnet100", "iresnet200")
PROTOCOLS = ("half-identities",)
DEFAULT_SIZE = (32, 32)
DEFAULT_IDENTITIES = 160
DEFAULT_IMAGES_PER_IDENTITY = 24
# Of the palmprints, and of images of one's own, which tend to be fewer.
PALM_EPOCHS, IMAGE_EPOCHS = 6, 30


def images(value, name):
    """Check of an existing folder or .npz file."""
    if not isinstance(value, (str, os.PathLike)):
        raise SettingError(name, "must be a folder or an .npz file", value)
    value = os.fspath(value)
    path = Path(value)
    if not path.exists():
        raise SettingError(name, "must exist: a folder or an .npz file", value)
    if not path.is_dir() and path.suffix.lower() != ".npz":
        raise SettingError(name, "must be a folder or an .npz file", value)
    return value


def front_end(value, name):
    """Check of the name of a front end, as in the table or on the command line."""
    text = value if isinstance(value, str) else ""
    checks.choice(tuple(names.OPTIONS))(names.option(text), name)
    return names.OPTIONS[names.option(text)]


@dataclasses.dataclass
class Settings(base.Settings):
    """Arguments of a comparison of recognizers.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        images: folder with one folder of images per identity, or an `.npz` file with `images` and
            `labels`. Default: `keras_resample.datasets.bezier_palms`.
        factor: side of the encoder's input over side of the image, in (0, 1].
        size: `(height, width)` in pixels to which images are brought before anything else.
            Default: the size of the files; 32 x 32 for the palmprints.
        protocol: `"half-identities"`.
        encoder: `"small"` (an IResNet of four blocks) or `"iresnet18"` to `"iresnet200"`.
        scale, margin: of the ArcFace head; the margin in radians.
        identities, images_per_identity: of the palmprints; not with `images`.
        skip_unreadable: whether unreadable files of a folder are left out, instead of an error.
        export: whether to write the best model as a SavedModel.
        front_ends: names of what is compared, as in the table or on the command line.
        search_crop: whether a centred crop is compared too, of the margin among 0, 0.05, ... 0.25
            of the side that verifies best on a quarter of the training identities.
        epochs: passes over the training images, by default 6 over the palmprints and 30 over
            images of one's own.
        out: folder of the results.
        backend: `"tensorflow"`, `"jax"`, `"torch"` or `None` for Keras's own choice. Only checked
            here: Keras has one backend a process.
        seeds: integers; each trains every front end once, with its own initial weights and order
            of images.
        batch_size: images in a batch.
        learning_rate: of Adam at the start; a half cosine takes it to zero.
        overwrite: whether earlier results in `out` are deleted first.
        report: whether nothing is trained, and what is finished is reported.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.

    Example:

    >>> from keras_resample.compare import Settings
    >>> Settings(factor="0.5").factor
    0.5
    """

    images: str | None = setting(
        None,
        "folder with a folder of images per identity, or an .npz file with `images` "
        "(n, h, w) or (n, h, w, channels) and `labels` (n,) (default: synthetic palmprints)",
        images,
        metavar="DIR|FILE.npz",
    )
    factor: float = setting(
        0.25,
        "side of the encoder's input over side of the image, in (0, 1]",
        checks.number("(0, 1]"),
    )
    size: tuple[int, int] | None = setting(
        None,
        "height and width in pixels to which all images are brought first (default: "
        f"those of the file; {DEFAULT_SIZE[0]}x{DEFAULT_SIZE[1]} for the palmprints)",
        checks.size,
        metavar=("H", "W"),
        nargs=2,
    )
    protocol: str = setting(
        PROTOCOLS[0], "how identities are divided", checks.choice(PROTOCOLS), "|".join(PROTOCOLS)
    )
    encoder: str = setting(
        "small", f"network: {', '.join(ENCODERS)}", checks.choice(ENCODERS), metavar="NAME"
    )
    scale: float = setting(32.0, "of the ArcFace head", checks.number("(0, 10000]"))
    margin: float = setting(
        0.5,
        "of the ArcFace head, in radians",
        checks.number(f"[0, {math.pi}]", "must be an angle in [0, pi], in radians"),
    )
    identities: int | None = setting(
        None,
        f"palmprints: number of palms (default: {DEFAULT_IDENTITIES})",
        checks.integer(4, "must be an integer of at least 4, half to train and half to test"),
    )
    images_per_identity: int | None = setting(
        None,
        f"palmprints: images of each palm (default: {DEFAULT_IMAGES_PER_IDENTITY})",
        checks.integer(2),
    )
    skip_unreadable: bool = setting(
        False, "leave unreadable image files of a folder out, instead of an error", checks.switch
    )
    export: bool = setting(True, "write no SavedModel", checks.switch, free=True)
    front_ends: tuple[str, ...] = setting(
        names.DEFAULT,
        f"what is compared, of {', '.join(names.OPTIONS)}",
        checks.several(front_end, f"must be different ones of {', '.join(names.OPTIONS)}"),
        metavar="NAME",
        free=True,
        nargs="+",
        words=names.option,
    )
    search_crop: bool = setting(
        False,
        "choose the margin of a centred crop among 0, 0.05, ... 0.25 of the side on a quarter of "
        "the training identities, and compare with it",
        checks.switch,
        free=True,
    )
    epochs: int | None = redefault(
        "epochs",
        None,
        text=f"passes over the training images (default: {PALM_EPOCHS} over the palmprints, "
        f"{IMAGE_EPOCHS} over your images)",
    )

    def __post_init__(self):
        super().__post_init__()
        is_drawn = self.images is None
        if self.epochs is None:
            self.epochs = PALM_EPOCHS if is_drawn else IMAGE_EPOCHS
        if is_drawn:
            self.size = self.size or DEFAULT_SIZE
            self.identities = self.identities or DEFAULT_IDENTITIES
            self.images_per_identity = self.images_per_identity or DEFAULT_IMAGES_PER_IDENTITY
            return
        for name in ("identities", "images_per_identity"):
            if getattr(self, name) is not None:
                must = "is for the built-in palmprints, not with `images`"
                raise SettingError(name, must, getattr(self, name))

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        values = super().numbers()
        if self.images is not None:
            values["images"] = str(Path(self.images).resolve())
            values["files"] = fingerprint(self.images)
        return values
