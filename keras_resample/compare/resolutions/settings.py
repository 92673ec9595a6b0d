"""What a comparison at several resolutions is asked to do."""

import dataclasses
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import redefault, setting
from keras_resample.compare.engine.sources import SourceSettings, fingerprint, folder_of
from keras_resample.compare.resolutions.names import METHODS

ENCODERS = ("small", "mobilefacenet", "iresnet18", "iresnet34", "iresnet50")
# What is not given, over palmprints and over faces.
PALMS = {"size": 56, "resolutions": (14, 7), "epochs": 6}
FACES = {"size": 112, "resolutions": (28, 14), "epochs": 20}
IDENTITIES, IMAGES_PER_IDENTITY = 160, 24


@dataclasses.dataclass(kw_only=True)
class ResolutionSettings(SourceSettings):
    """Arguments of a comparison of ways to recognise images of several resolutions.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        faces: folder with a folder of aligned photographs for each person. Default: the palmprints
            of `keras_resample.datasets.bezier_palms`. Half of the people are trained on, and the
            others are verified.
        size: side in pixels of the square images, 56 of palmprints and 112 of faces.
        resolutions: sides of the small images, sizes of the trunk's maps; 14 and 7 of palmprints,
            28 and 14 of faces.
        identities, images_per_identity: of the palmprints; not with `faces`.
        methods: names of what is compared: "high", "multi", "scratch", "pretrained", "influence",
            "fixed-trunk", "btnet" and "adapter". All but the first need "multi", the trunk, which
            is trained too.
        encoder: the trunk: `"small"` (an IResNet of four blocks), `"mobilefacenet"` or
            `"iresnet18"` to `"iresnet50"`.
        scale, margin: of the ArcFace head; the margin in radians.
        branch_learning_rate: of Adam for what starts from the trunk's weights.
        distillation_weight: of "btnet", see `keras_resample.models.BranchTrainer`.
        rank: of the adapters.
        out, backend, epochs, seeds, batch_size, learning_rate, overwrite, report: as in `Settings`.
            What is `None` here has another default over faces.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.

    Example:

    >>> from keras_resample.compare import ResolutionSettings
    >>> ResolutionSettings(methods=["multi", "btnet"], seeds=1).command()
    'python -m keras_resample compare resolutions --methods multi btnet --seeds 1'
    """

    subcommand: ClassVar[str] = "compare resolutions"
    sources: ClassVar[tuple[str, ...]] = ("faces",)

    faces: str | None = folder_of(
        "a folder of aligned photographs for each person (default: synthetic palmprints)"
    )
    size: int | None = setting(
        None,
        f"side of the square images (default: {PALMS['size']}, {FACES['size']} of --faces)",
        checks.integer(8),
    )
    resolutions: tuple[int, ...] | None = setting(
        None,
        "sides of the small images, sizes of the trunk's maps (default: 14 7, 28 14 of --faces)",
        checks.several(checks.integer(2), "must be different integers of at least 2"),
        metavar="SIDE",
        nargs="+",
    )
    identities: int | None = setting(
        None,
        f"palmprints: number of palms (default: {IDENTITIES})",
        checks.integer(4, "must be an integer of at least 4, half to train and half to test"),
    )
    images_per_identity: int | None = setting(
        None,
        f"palmprints: images of each palm (default: {IMAGES_PER_IDENTITY})",
        checks.integer(2),
    )
    methods: tuple[str, ...] = setting(
        METHODS,
        f"any of {', '.join(METHODS)}; the trunk, multi, is trained where another needs it",
        checks.several(checks.choice(METHODS), f"must be different ones of {', '.join(METHODS)}"),
        metavar="NAME",
        free=True,
        nargs="+",
    )
    encoder: str = setting(
        "small", f"the trunk: {', '.join(ENCODERS)}", checks.choice(ENCODERS), metavar="NAME"
    )
    scale: float = setting(32.0, "of the ArcFace head", checks.number("(0, 10000]"))
    margin: float = setting(0.5, "of the ArcFace head, in radians", checks.number("[0, 3.1415]"))
    branch_learning_rate: float = setting(
        1e-3, "of Adam for what starts from the trunk's weights", checks.number("(0, 10]")
    )
    distillation_weight: float = setting(
        0.5, "of the branch's maps against the trunk's", checks.number("(0, inf)")
    )
    rank: int = setting(4, "of the low-rank adapters", checks.integer())
    epochs: int | None = redefault(
        "epochs",
        None,
        text=f"passes over the training images (default: {PALMS['epochs']}, {FACES['epochs']} of "
        "--faces)",
    )
    out: str = redefault("out", "runs/resolutions")

    def __post_init__(self):
        super().__post_init__()
        for name, default in (FACES if self.faces else PALMS).items():
            if getattr(self, name) is None:
                setattr(self, name, default)
        self.resolutions = tuple(sorted(self.resolutions, reverse=True))
        if self.resolutions[0] >= self.size:
            must = f"must be smaller than the images, {self.size}"
            raise SettingError("resolutions", must, self.resolutions)
        drawn = {"identities": IDENTITIES, "images_per_identity": IMAGES_PER_IDENTITY}
        for name, default in drawn.items():
            if self.faces and getattr(self, name) is not None:
                must = "is for the built-in palmprints, not with `faces`"
                raise SettingError(name, must, getattr(self, name))
            if not self.faces and getattr(self, name) is None:
                setattr(self, name, default)

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        return super().numbers() | {"faces": self.faces and fingerprint(self.faces)}
