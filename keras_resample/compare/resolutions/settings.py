"""What a comparison at several resolutions is asked to do."""

import dataclasses
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import redefault, setting
from keras_resample.compare.engine.sources import (
    SourceSettings,
    by,
    digest,
    fingerprint,
    folder_of,
)
from keras_resample.compare.resolutions.names import HEADS, HIGH, METHODS, MULTI

ENCODERS = ("small", "mobilefacenet", "iresnet18", "iresnet34", "iresnet50")
# What is not given, over palmprints and over faces.
PALMS = {"size": (56, 56), "resolutions": (14, 7), "epochs": 6, "branch_learning_rate": 3e-3}
FACES = {"size": (112, 112), "resolutions": (28, 14), "epochs": 20, "branch_learning_rate": 1e-3}
IDENTITIES, IMAGES_PER_IDENTITY = 160, 24
FOLDS, TRAIN_FOLDS = 10, (1, 2, 3, 4, 5)


@dataclasses.dataclass(kw_only=True)
class ResolutionSettings(SourceSettings):
    """Arguments of a comparison of ways to recognise images of several resolutions.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        faces: folder with a folder of aligned photographs for each person. Default: the palmprints
            of `keras_resample.datasets.bezier_palms`. Half of the people are trained on, and the
            others are verified.
        pairs: pairs of these faces in ten folds, as `keras_resample.datasets.lfw_pairs` reads
            them. The people of `train_folds` are trained on, those of the other folds verified,
            and the accuracy of their pairs is measured too.
        train_folds: numbers from 1 to 10; with `pairs`, and only with it.
        size: `(height, width)` in pixels of the images, 56 x 56 of palmprints, 112 x 112 of faces.
        resolutions: heights of the small images, of maps of the trunk; 14 and 7 of palmprints, 28
            and 14 of faces. Widths follow the aspect of `size`.
        identities, images_per_identity: of the palmprints; not with `faces`.
        methods: names of what is compared: "high", "multi", "scratch", "pretrained", "influence",
            "fixed-trunk", "btnet" and "adapter". The last six need their trunk, "multi", which is
            trained too; with `trunk` that is "high", which is not trained.
        encoder: the trunk: `"small"` (an IResNet of four blocks), `"mobilefacenet"` or
            `"iresnet18"` to `"iresnet50"`; `"small"` by default.
        trunk: `.keras` file of a trained trunk in place of `encoder`, a Functional model from
            images `(height, width, channels)` in [0, 1] to embeddings, as it is "high" and what
            all but "scratch" start from. Its classifier is the mean embedding of each person.
        head: the loss of the classifiers: "arcface", "cosface" or "curricularface".
        scale: of the head.
        margin: of the head, that of ArcFace and CurricularFace in radians; 0.5 of these two, 0.35
            of CosFace.
        branch_learning_rate: of Adam for what starts from the trunk's weights; 0.003 of palmprints
            (chosen on other palms), 0.001 of faces.
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
    pairs: str | None = setting(
        None,
        "pairs of these faces in ten folds, as those of LFW",
        checks.existing_file,
        metavar="FILE",
        free=True,
    )
    train_folds: tuple[int, ...] | None = setting(
        None,
        "folds of --pairs whose people are trained on; the others are tested (default: "
        f"{' '.join(map(str, TRAIN_FOLDS))})",
        checks.several(checks.integer(), "must be different positive integers"),
        metavar="FOLD",
        nargs="+",
    )
    size: tuple[int, int] | None = setting(
        None,
        f"height and width of the images (default: {by(PALMS['size'])}, {by(FACES['size'])} of "
        "--faces)",
        checks.size_text,
        metavar="HEIGHTxWIDTH",
        words=by,
    )
    resolutions: tuple[int, ...] | None = setting(
        None,
        "heights of the small images, of maps of the trunk (default: 14 7, 28 14 of --faces)",
        checks.several(checks.integer(2), "must be different integers of at least 2"),
        metavar="HEIGHT",
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
    encoder: str | None = setting(
        None,
        f"the trunk: {', '.join(ENCODERS)} (default: {ENCODERS[0]})",
        checks.choice(ENCODERS),
        metavar="NAME",
    )
    trunk: str | None = setting(
        None,
        "a trained trunk in place of it, of images in [0, 1]",
        checks.existing_file,
        metavar="FILE",
        free=True,
    )
    head: str = setting(
        "arcface",
        f"the loss of the classifiers: {', '.join(HEADS)}",
        checks.choice(HEADS),
        metavar="NAME",
    )
    scale: float = setting(32.0, "of the head", checks.number("(0, 10000]"))
    margin: float | None = setting(
        None,
        "of the head, in radians but for cosface (default: "
        f"{', '.join(f'{margin} of {name}' for name, (_, margin) in HEADS.items())})",
        checks.number("[0, 3.1415]"),
    )
    branch_learning_rate: float | None = setting(
        None,
        "of Adam for what starts from the trunk's weights (default: "
        f"{PALMS['branch_learning_rate']:g}, {FACES['branch_learning_rate']:g} of --faces)",
        checks.number("(0, 10]"),
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
        if self.margin is None:
            _, self.margin = HEADS[self.head]
        self.resolutions = tuple(sorted(self.resolutions, reverse=True))
        height, width = self.size
        if self.resolutions[0] >= height or any(side * width % height for side in self.resolutions):
            must = f"must be smaller than the images, {by(self.size)}, with whole widths"
            raise SettingError("resolutions", must, self.resolutions)
        if self.trunk is None:
            self.encoder = self.encoder or ENCODERS[0]
        elif self.encoder is not None:
            raise SettingError("encoder", "must be left out where there is `trunk`", self.encoder)
        self._check_folds()
        drawn = {"identities": IDENTITIES, "images_per_identity": IMAGES_PER_IDENTITY}
        for name, default in drawn.items():
            if self.faces and getattr(self, name) is not None:
                must = "is for the built-in palmprints, not with `faces`"
                raise SettingError(name, must, getattr(self, name))
            if not self.faces and getattr(self, name) is None:
                setattr(self, name, default)

    def _check_folds(self):
        if self.pairs is None:
            if self.train_folds is not None:
                raise SettingError("train_folds", "goes with `pairs`", self.train_folds)
            return
        if self.faces is None:
            raise SettingError("pairs", "goes with `faces`", self.pairs)
        self.train_folds = tuple(sorted(self.train_folds or TRAIN_FOLDS))
        if self.train_folds[-1] > FOLDS or len(self.train_folds) > FOLDS - 2:
            must = f"must be numbers from 1 to {FOLDS}, and leave two folds to test"
            raise SettingError("train_folds", must, self.train_folds)

    @property
    def base(self):
        """The method that the others start from."""
        return MULTI if self.trunk is None else HIGH

    def sizes(self):
        """dict from the name of each resolution to its (height, width), the full one first."""
        height, width = self.size
        sizes = [(side, side * width // height) for side in (height, *self.resolutions)]
        return {by(size): size for size in sizes}

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        files = {name: getattr(self, name) for name in ("pairs", "trunk")}
        found = {name: path and digest(path) for name, path in files.items()}
        return super().numbers() | found | {"faces": self.faces and fingerprint(self.faces)}
