"""What a comparison of networks for fine-grained classes is asked to do."""

import dataclasses
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import redefault, setting
from keras_resample.compare.engine.sources import SourceSettings, by, digest, folder_of
from keras_resample.compare.regions.names import METHODS

NETWORKS = ("small", "resnet50", "resnet101", "resnext101_32x8d", "resnext101_32x4d")
CONV3 = ("adaptive", "stride")
# Of the generated beetles, and of files.
BEETLE_SIZE, FILE_SIZE = (64, 64), (112, 112)
BEETLES = {"classes": 8, "images_per_class": 750, "test_images_per_class": 100}
BEETLES |= {"part_size": (0.12, 0.15), "beetle_seed": 0}
BEETLE_EPOCHS, FILE_EPOCHS = 10, 60
# PyTorch 2.13 writes beyond its memory in the gradient of a 1 x 1 convolution with a stride, on a
# CPU and channels-last, where it has fewer input channels.
LEAST_WIDTH = 8


@dataclasses.dataclass(kw_only=True)
class RegionSettings(SourceSettings):
    """Arguments of a comparison of networks that look at a part of their maps in full detail.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        cub, stanford_cars, fgvc_aircraft: folder of one of these data sets, as their readers in
            `keras_resample.datasets` expect it.
        image_lists: folder with `train.list` and `test.list` for
            `keras_resample.datasets.image_list`. Default: generated beetles,
            `keras_resample.datasets.fine_grained_scenes`.
        size: `(height, width)` in pixels of what a network sees, by default 64 x 64 of the
            beetles and 112 x 112 of files, which are read 8/7 as large and cropped.
        classes, images_per_class, test_images_per_class: of the beetles, by default 8, 750 and 100.
        part_size: `(smallest, largest)` side of the mark that tells beetles apart, as in
            `fine_grained_scenes`, by default 0.12 and 0.15.
        beetle_seed: of the beetles; those of another one have other marks. Default: 0.
        validation: share of each class's training images that is not trained on: the learning
            curves are of these, and so should be every choice.
        methods: names of what is compared: "stride", "adaptive" (in Conv4), and with a local
            branch "local-stride", "local-center-crop", "local-spatial-transformer",
            "local-region" and "local-adaptive".
        k: of "local-adaptive" with one branch; each is trained.
        local_branches: numbers of local branches of "local-adaptive"; 1 is trained with each `k`,
            more with 0.5, as in the paper.
        conv3: downsampling of Conv3 in networks with a local branch: `"adaptive"` pooling with
            `k = 1`, as the paper has for photographs, or `"stride"`, as it has for vehicles.
        network: `"small"`, four basic blocks, or the name of a backbone of
            `keras_resample.models.MSGN`.
        width: channels of the first stage of the small network, at least 8.
        weights: path of a `.keras` file, the network of "stride" of another comparison or an `MSGN`
            of no local branches. All networks start from its weights, a local branch from those
            of its Conv4 and Conv5, and the last layer anew. Default: random weights.
        pictures: number of test images that are drawn.
        epochs: passes over the training images, by default 10 over beetles and 60 over files.
        out, backend, seeds, batch_size, overwrite, report: as in `Settings`.
        learning_rate: of SGD after its warm-up.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.

    Example:

    >>> from keras_resample.compare import RegionSettings
    >>> RegionSettings(methods=["stride", "local-adaptive"], k=0.7).command()
    'python -m keras_resample compare regions --methods stride local-adaptive --k 0.7'
    """

    subcommand: ClassVar[str] = "compare regions"
    sources: ClassVar[tuple[str, ...]] = ("cub", "stanford_cars", "fgvc_aircraft", "image_lists")

    cub: str | None = folder_of("folder of CUB-200-2011")
    stanford_cars: str | None = folder_of("folder of Stanford Cars")
    fgvc_aircraft: str | None = folder_of("folder of FGVC-Aircraft")
    image_lists: str | None = folder_of(
        "folder of train.list and test.list, lines of a file and its class"
    )
    size: tuple[int, int] | None = setting(
        None,
        f"height and width of what a network sees (default: {by(BEETLE_SIZE)} of generated "
        f"beetles, {by(FILE_SIZE)} of files)",
        checks.size_text,
        metavar="HxW",
        words=by,
    )
    classes: int | None = setting(
        None, f"kinds of beetles (default: {BEETLES['classes']})", checks.integer(2)
    )
    images_per_class: int | None = setting(
        None,
        f"beetles of a kind to train on and to validate (default: {BEETLES['images_per_class']})",
        checks.integer(2),
    )
    test_images_per_class: int | None = setting(
        None,
        f"beetles of a kind to test on (default: {BEETLES['test_images_per_class']})",
        checks.integer(),
    )
    part_size: tuple[float, ...] | None = setting(
        None,
        "smallest and largest side of what tells beetles apart, over that of the image (default: "
        f"{' '.join(map(str, BEETLES['part_size']))})",
        checks.several(checks.number("(0, 0.15]"), "must be two numbers in (0, 0.15]"),
        metavar=("MIN", "MAX"),
        nargs=2,
        words="{:g}".format,
    )
    beetle_seed: int | None = setting(
        None,
        "of the beetles; those of another seed have other marks "
        f"(default: {BEETLES['beetle_seed']})",
        checks.integer(0),
    )
    validation: float = setting(
        0.2, "share of the training images that is kept for validation", checks.number("(0, 1)")
    )
    methods: tuple[str, ...] = setting(
        METHODS,
        f"any of {', '.join(METHODS)}",
        checks.several(checks.choice(METHODS), f"must be different ones of {', '.join(METHODS)}"),
        metavar="NAME",
        free=True,
        nargs="+",
    )
    k: tuple[float, ...] = setting(
        (0.5, 0.7, 0.9, 1.0),
        "of local-adaptive, a larger one keeps more: each is trained with one branch",
        checks.several(checks.number("[0, inf)"), "must be different numbers of at least 0"),
        metavar="K",
        free=True,
        nargs="+",
        words="{:g}".format,
    )
    local_branches: tuple[int, ...] = setting(
        (1, 2, 4),
        "of local-adaptive: 1 with each k, more with k = 0.5",
        checks.several(checks.integer(), "must be different positive integers"),
        metavar="N",
        free=True,
        nargs="+",
    )
    conv3: str = setting(
        CONV3[0],
        "downsampling of Conv3 where there is a local branch",
        checks.choice(CONV3),
        metavar="|".join(CONV3),
    )
    network: str = setting("small", "backbone", checks.choice(NETWORKS), "|".join(NETWORKS))
    width: int = setting(
        16,
        f"channels of the first stage of the small network, at least {LEAST_WIDTH}",
        checks.integer(LEAST_WIDTH),
    )
    weights: str | None = setting(
        None,
        "the model.keras of stride of another comparison, to start from (default: random weights)",
        checks.existing_file,
        metavar="FILE",
        free=True,
    )
    pictures: int = setting(8, "test images to draw", checks.integer(0), free=True)
    epochs: int | None = redefault(
        "epochs",
        None,
        text=f"passes over the training images (default: {BEETLE_EPOCHS} over beetles, "
        f"{FILE_EPOCHS} over files)",
    )
    out: str = redefault("out", "runs/regions")
    seeds: tuple[int, ...] = redefault("seeds", (0, 1, 2))
    learning_rate: float = redefault("learning_rate", 0.03, text="of SGD after its warm-up")

    def __post_init__(self):
        super().__post_init__()
        given = self.source()
        self.epochs = self.epochs or (FILE_EPOCHS if given else BEETLE_EPOCHS)
        self.size = self.size or (FILE_SIZE if given else BEETLE_SIZE)
        for name, default in BEETLES.items():
            if not given:
                setattr(self, name, getattr(self, name) or default)
            elif getattr(self, name) is not None:
                must = f"is for the generated beetles, not with `{given}`"
                raise SettingError(name, must, getattr(self, name))
        if not given and (len(self.part_size) != 2 or self.part_size[0] > self.part_size[1]):
            must = "must be the smallest and the largest side"
            raise SettingError("part_size", must, self.part_size)

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        return super().numbers() | {"weights": self.weights and digest(self.weights)}
