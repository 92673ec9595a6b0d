"""What a comparison of ways of downsampling for segmentation is asked to do."""

import dataclasses
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.settings import redefault, setting
from keras_resample.compare.engine.sources import SourceSettings, by, folder_of
from keras_resample.compare.segmentation.names import DEFAULT, METHODS

NETWORKS = ("unet", "hrnet", "pspnet")
LOSSES = ("crossentropy", "focal")
SCENE_SIZE, SCENES = (128, 256), 128


@dataclasses.dataclass(kw_only=True)
class SegmentationSettings(SourceSettings):
    """Arguments of a comparison of ways of downsampling for segmentation.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        camvid, cityscapes, deep_globe: folder of one of these data sets. Default: generated scenes,
            `keras_resample.datasets.generated_scenes`.
        images: number of training images; by default all, 128 of the generated scenes.
        scene_size: `(height, width)` in pixels of the generated scenes.
        sizes: sizes `(height, width)` to which images are brought.
        methods: names of what is compared: "uniform", "edge-based", "single", "joint" (each also
            with "-antialiased" behind), "uniform-mean-of-cell", "interpolation" and "full".
        blur_radii: of edge-based sampling, in cells of the output; each is trained.
        network: `"unet"`, `"hrnet"` or `"pspnet"`.
        width: channels of the network's finest level, by default 16, of HRNet 48.
        loss: `"crossentropy"` or `"focal"`, of the samples.
        balance: whether classes are weighted by 1 / ln(1.02 + frequency).
        edge_weight: weight of the edge loss in joint loss.
        binary_edges: whether all class borders are edges of the same strength.
        sigma: of the sampler's Gaussian, in cells of the output.
        map_scale: side of the saliency map over that of the output.
        pictures: number of test images that are drawn.
        epochs, out, backend, seeds, batch_size, learning_rate, overwrite, report: as in `Settings`.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.

    Example:

    >>> from keras_resample.compare import SegmentationSettings
    >>> SegmentationSettings(sizes=[(16, 32)], methods=["uniform", "joint"]).command()
    'python -m keras_resample compare segmentation --sizes 16x32 --methods uniform joint'
    """

    subcommand: ClassVar[str] = "compare segmentation"
    sources: ClassVar[tuple[str, ...]] = ("camvid", "cityscapes", "deep_globe")

    camvid: str | None = folder_of("folder of CamVid")
    cityscapes: str | None = folder_of("folder of Cityscapes")
    deep_globe: str | None = folder_of("folder of DeepGlobe land cover")
    images: int | None = setting(
        None, f"training images (default: all; {SCENES} scenes)", checks.integer()
    )
    scene_size: tuple[int, int] | None = setting(
        SCENE_SIZE, "of generated scenes", checks.size_text, metavar="HxW", words=by
    )
    sizes: tuple[tuple[int, int], ...] = setting(
        ((16, 32), (32, 64)),
        "what is sampled",
        checks.several(checks.size_text, "must be different sizes, each HEIGHTxWIDTH in pixels"),
        metavar="HxW",
        free=True,
        nargs="+",
        words=by,
    )
    methods: tuple[str, ...] = setting(
        DEFAULT,
        f"of {', '.join(METHODS)}",
        checks.several(checks.choice(METHODS), f"must be different ones of {', '.join(METHODS)}"),
        metavar="NAME",
        free=True,
        nargs="+",
    )
    blur_radii: tuple[float, ...] = setting(
        (1.0, 2.0),
        "of edge-based sampling",
        checks.several(checks.number("(0, inf)"), "must be different positive numbers"),
        metavar="CELLS",
        free=True,
        nargs="+",
        words="{:g}".format,
    )
    network: str = setting("unet", "of segmentation", checks.choice(NETWORKS), "|".join(NETWORKS))
    width: int | None = setting(
        None, "channels of its finest level (default: 16, HRNet 48)", checks.integer()
    )
    loss: str = setting(
        "crossentropy", "of the samples", checks.choice(LOSSES), metavar="|".join(LOSSES)
    )
    balance: bool = setting(False, "weigh classes by 1 / ln(1.02 + frequency)", checks.switch)
    edge_weight: float = setting(100.0, "of the joint loss", checks.number("[0, inf)"))
    binary_edges: bool = setting(False, "all class borders are equal edges", checks.switch)
    sigma: float = setting(
        2.5, "of the sampler's Gaussian, in cells of the output", checks.number("(0, inf)")
    )
    map_scale: int = setting(1, "saliency map over the output's size", checks.integer())
    pictures: int = setting(2, "test images to draw", checks.integer(0), free=True)
    out: str = redefault("out", "runs/segmentation")
    batch_size: int = redefault("batch_size", 8, check=checks.integer())

    def __post_init__(self):
        super().__post_init__()
        if self.source():
            self.scene_size = None
        elif self.images is None:
            self.images = SCENES
