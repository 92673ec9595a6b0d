"""What a comparison of position encodings under affine transforms is asked to do."""

import dataclasses
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import redefault, setting
from keras_resample.compare.engine.sources import SourceSettings, digest, fingerprint, folder_of
from keras_resample.compare.keypoints.names import METHODS

# Sides of the frame, of scikit-learn's digits and of MNIST's, whose 28 pixels are copied.
DIGITS_SIZE, MNIST_SIZE = 28, 40
HEADS = ("flatten", "mean")
# What is not given, over digits and over faces.
DIGITS = {"patch_size": 4, "width": 64, "depth": 3, "translation": 0.15, "shear": 0.2}
DIGITS |= {"test": 0.25, "validation": 0.2, "epochs": 40}
FACES = {"patch_size": 8, "width": 128, "depth": 4, "translation": 0.1, "shear": 0.0}
FACES |= {"validation": 0.1, "epochs": 20}
FACES_SIZE = 64


def of_source(name, text, check, words=str):
    """A setting whose default is another one over faces."""
    text = f"{text} (default: {DIGITS[name]:g}, {FACES[name]:g} of --faces)"
    return setting(None, text, check, words=words)


@dataclasses.dataclass(kw_only=True)
class KeypointSettings(SourceSettings):
    """Arguments of a comparison of vision transformers on digits, or faces, that are not upright.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        mnist: `.npz` file of `images` (n, h, w), bright on black, and `labels` (n,). Default: the
            digits of scikit-learn, `keras_resample.datasets.digits`.
        faces: folder with a folder of aligned photographs of one size for each person. Half of
            the people with at least 4 are trained on, and the others are verified.
        points: file of their five points, as `keras_resample.datasets.keypoint_file` reads it;
            with `faces`, and only with it.
        size: side in pixels of the square frame in whose middle a digit has 0.7 of the side, and
            to which a face is resized; by default 28, 40 of `mnist` and 64 of `faces`.
        patch_size, width, depth, num_heads: of all networks; see `keras_resample.models.ViT`.
        head: what is classified: `"flatten"`, the embedding of `keras_resample.models.ViT`, a
            projection of the last tokens with weights for each place; `"mean"`, their mean,
            wherever they are, which takes longer to learn.
        absolute: whether the tokens of all networks have learned vectors of their places, beside
            the encoding, as those of CVLface have; otherwise only those of absolute encoding.
        methods: names of what is compared: "absolute", "absolute-drawn", "relative", "irpe",
            "rotary", "keypoint" and "aligned".
        rotation, scale, translation, shear: the ranges of severity 1: degrees to each side, change
            of scale up and down, share of the frame in each direction along x and y, and shift to
            the right for each pixel down. The defaults follow affNIST; faces are shifted less and
            not sheared.
        train_translation: training and validation images are shifted by up to so much of the frame
            along x and y, training ones anew in each epoch.
        severities: the ranges of test images are so many times those of severity 1. Numbers are
            drawn uniformly, once, and the same for all severities and networks.
        test: share of the digits that is tested on.
        validation: share of the other images that is not trained on: the learning curves are of
            these, and so should be every choice.
        out, backend, epochs, seeds, batch_size, overwrite, report: as in `Settings`. What is
            `None` here has another default over faces.
        learning_rate: of AdamW after its warm-up.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.

    Example:

    >>> from keras_resample.compare import KeypointSettings
    >>> KeypointSettings(methods=["absolute", "keypoint"], seeds=0).command()
    'python -m keras_resample compare keypoints --methods absolute keypoint --seeds 0'
    """

    subcommand: ClassVar[str] = "compare keypoints"
    sources: ClassVar[tuple[str, ...]] = ("mnist", "faces")

    mnist: str | None = setting(
        None,
        "images and labels of upright digits (default: those of scikit-learn)",
        checks.existing_file,
        metavar="FILE",
        free=True,
    )
    faces: str | None = folder_of("a folder of aligned photographs for each person")
    points: str | None = setting(
        None,
        "the five points of each photograph of --faces",
        checks.existing_file,
        metavar="FILE",
        free=True,
    )
    size: int | None = setting(
        None,
        f"side of the frame, of which a digit has 0.7 (default: {DIGITS_SIZE}, "
        f"{MNIST_SIZE} of --mnist, {FACES_SIZE} of --faces)",
        checks.integer(8),
    )
    patch_size: int | None = of_source("patch_size", "side of a patch in pixels", checks.integer())
    width: int | None = of_source("width", "channels of a token", checks.integer())
    depth: int | None = of_source("depth", "blocks of a network", checks.integer())
    num_heads: int = setting(4, "heads of each attention", checks.integer())
    head: str = setting(
        HEADS[0],
        "what is classified: ViT's embedding of all last tokens by place, or their mean",
        checks.choice(HEADS),
        metavar="|".join(HEADS),
    )
    absolute: bool = setting(
        True,
        "only networks of absolute encoding have vectors of places; the others have their "
        "encoding in place of them, not beside them",
        checks.switch,
    )
    methods: tuple[str, ...] = setting(
        METHODS,
        f"any of {', '.join(METHODS)}",
        checks.several(checks.choice(METHODS), f"must be different ones of {', '.join(METHODS)}"),
        metavar="NAME",
        free=True,
        nargs="+",
    )
    rotation: float = setting(
        20.0, "degrees to each side at severity 1", checks.number("[0, 360]"), words="{:g}".format
    )
    scale: float = setting(
        0.2, "change of scale up and down at severity 1", checks.number("[0, 1)"),
        words="{:g}".format,
    )  # fmt: skip
    translation: float | None = of_source(
        "translation",
        "shift along x and y at severity 1, over the side of the frame",
        checks.number("[0, 1]"),
        "{:g}".format,
    )
    shear: float | None = of_source(
        "shear",
        "shift to the right for each pixel down at severity 1",
        checks.number("[0, 1]"),
        "{:g}".format,
    )
    train_translation: float = setting(
        0.0,
        "training images are shifted along x and y by up to so much of the frame",
        checks.number("[0, 1]"),
        words="{:g}".format,
    )
    severities: tuple[float, ...] = setting(
        (0.5, 1.0, 1.5),
        "test images are warped by so many times the ranges of severity 1",
        checks.several(checks.number("(0, inf)"), "must be different positive numbers"),
        metavar="SEVERITY",
        nargs="+",
        words="{:g}".format,
    )
    test: float | None = setting(
        None,
        f"share of the digits that is tested on (default: {DIGITS['test']:g})",
        checks.number("(0, 1)"),
    )
    validation: float | None = of_source(
        "validation", "share of the other images that is kept for validation",
        checks.number("(0, 1)"),
    )  # fmt: skip
    epochs: int | None = redefault(
        "epochs",
        None,
        text=f"passes over the training images (default: {DIGITS['epochs']}, {FACES['epochs']} of "
        "--faces)",
    )
    out: str = redefault("out", "runs/keypoints")
    seeds: tuple[int, ...] = redefault("seeds", (0, 1, 2))
    learning_rate: float = redefault("learning_rate", 1e-3, text="of AdamW after its warm-up")

    def __post_init__(self):
        super().__post_init__()
        for name, other in (("faces", "points"), ("points", "faces")):
            if getattr(self, name) is not None and getattr(self, other) is None:
                raise SettingError(name, f"goes with `{other}`", getattr(self, name))
        if self.faces and self.test is not None:
            must = "is for digits; of faces half of the people are tested on"
            raise SettingError("test", must, self.test)
        for name, default in (FACES if self.faces else DIGITS).items():
            if getattr(self, name) is None:
                setattr(self, name, default)
        if self.size is None:
            sizes = {None: DIGITS_SIZE, "mnist": MNIST_SIZE, "faces": FACES_SIZE}
            self.size = sizes[self.source()]
        self.severities = tuple(sorted(self.severities))
        if self.patch_size > self.size:
            raise SettingError(
                "patch_size", f"must be at most the side of {self.size}", self.patch_size
            )
        if self.width % self.num_heads:
            must = f"must be a multiple of the number of heads, {self.num_heads}"
            raise SettingError("width", must, self.width)
        if self.scale * self.severities[-1] >= 1:
            must = f"must leave something at a severity of {self.severities[-1]:g}"
            raise SettingError("scale", must, self.scale)

    @property
    def fill_mode(self):
        """What lies outside of an image that is warped or aligned."""
        return "nearest" if self.faces else "constant"

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        files = {name: getattr(self, name) for name in ("mnist", "points")}
        found = {name: path and digest(path) for name, path in files.items()}
        return super().numbers() | found | {"faces": self.faces and fingerprint(self.faces)}
