"""What a comparison of position encodings under affine transforms is asked to do."""

import dataclasses
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import redefault, setting
from keras_resample.compare.engine.sources import SourceSettings, digest
from keras_resample.compare.keypoints.names import METHODS

# Sides of the frame, of scikit-learn's digits and of MNIST's, whose 28 pixels are copied.
DIGITS_SIZE, MNIST_SIZE = 28, 40
HEADS = ("flatten", "mean")


@dataclasses.dataclass(kw_only=True)
class KeypointSettings(SourceSettings):
    """Arguments of a comparison of vision transformers on digits that are not upright.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        mnist: `.npz` file of `images` (n, h, w), bright on black, and `labels` (n,). Default: the
            digits of scikit-learn, `keras_resample.datasets.digits`.
        size: side in pixels of the square frame in whose middle a digit has 0.7 of the side; by
            default 28, and 40 of `mnist`.
        patch_size, width, depth, num_heads: of all networks; see `keras_resample.models.ViT`.
        head: what is classified: `"flatten"`, the embedding of `keras_resample.models.ViT`, a
            projection of the last tokens with weights for each place; `"mean"`, their mean,
            wherever they are, which takes longer to learn.
        methods: names of what is compared: "absolute", "absolute-drawn", "relative", "irpe",
            "rotary", "keypoint" and "aligned".
        rotation, scale, translation, shear: the ranges of severity 1: degrees to each side, change
            of scale up and down, share of the frame in each direction along x and y, and shift to
            the right for each pixel down. The defaults follow affNIST.
        severities: the ranges of test images are so many times those of severity 1. Numbers are
            drawn uniformly, once, and the same for all severities and networks.
        test: share of the images that is tested on.
        validation: share of the other images that is not trained on: the learning curves are of
            these, and so should be every choice.
        out, backend, epochs, seeds, batch_size, overwrite, report: as in `Settings`.
        learning_rate: of AdamW after its warm-up.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.

    Example:

    >>> from keras_resample.compare import KeypointSettings
    >>> KeypointSettings(methods=["absolute", "keypoint"], seeds=0).command()
    'python -m keras_resample compare keypoints --methods absolute keypoint --seeds 0'
    """

    subcommand: ClassVar[str] = "compare keypoints"
    sources: ClassVar[tuple[str, ...]] = ("mnist",)

    mnist: str | None = setting(
        None,
        "images and labels of upright digits (default: those of scikit-learn)",
        checks.existing_file,
        metavar="FILE",
        free=True,
    )
    size: int | None = setting(
        None,
        f"side of the frame, of which a digit has 0.7 (default: {DIGITS_SIZE}, "
        f"{MNIST_SIZE} of --mnist)",
        checks.integer(8),
    )
    patch_size: int = setting(4, "side of a patch in pixels", checks.integer())
    width: int = setting(64, "channels of a token", checks.integer())
    depth: int = setting(3, "blocks of a network", checks.integer())
    num_heads: int = setting(4, "heads of each attention", checks.integer())
    head: str = setting(
        HEADS[0],
        "what is classified: ViT's embedding of all last tokens by place, or their mean",
        checks.choice(HEADS),
        metavar="|".join(HEADS),
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
    translation: float = setting(
        0.15, "shift along x and y at severity 1, over the side of the frame",
        checks.number("[0, 1]"), words="{:g}".format,
    )  # fmt: skip
    shear: float = setting(
        0.2, "shift to the right for each pixel down at severity 1", checks.number("[0, 1]"),
        words="{:g}".format,
    )  # fmt: skip
    severities: tuple[float, ...] = setting(
        (0.5, 1.0, 1.5),
        "test images are warped by so many times the ranges of severity 1",
        checks.several(checks.number("(0, inf)"), "must be different positive numbers"),
        metavar="SEVERITY",
        nargs="+",
        words="{:g}".format,
    )
    test: float = setting(0.25, "share of the images that is tested on", checks.number("(0, 1)"))
    validation: float = setting(
        0.2, "share of the other images that is kept for validation", checks.number("(0, 1)")
    )
    epochs: int = redefault("epochs", 40)
    out: str = redefault("out", "runs/keypoints")
    seeds: tuple[int, ...] = redefault("seeds", (0, 1, 2))
    learning_rate: float = redefault("learning_rate", 1e-3, text="of AdamW after its warm-up")

    def __post_init__(self):
        super().__post_init__()
        self.size = self.size or (MNIST_SIZE if self.mnist else DIGITS_SIZE)
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

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        return super().numbers() | {"mnist": self.mnist and digest(self.mnist)}
