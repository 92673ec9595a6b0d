"""What a comparison is asked to do, checked before a framework is imported."""

import dataclasses
import hashlib
import importlib.util
import math
import operator
import os
import shlex
from pathlib import Path

from keras_resample.version import __version__

BACKENDS = ("tensorflow", "jax", "torch")
ENCODERS = ("small", "iresnet18", "iresnet34", "iresnet50", "iresnet100", "iresnet200")
PROTOCOLS = ("half-identities",)
DEFAULT_SIZE = (32, 32)
DEFAULT_IDENTITIES = 160
DEFAULT_IMAGES_PER_IDENTITY = 24
# Of the palmprints, and of images of one's own, which tend to be fewer.
PALM_EPOCHS, IMAGE_EPOCHS = 6, 30

# Settings that leave the numbers of a (front end, seed) as they are; a run may be continued with
# other ones.
FREE = ("out", "overwrite", "export", "seeds")


class SettingError(ValueError):
    """A setting that cannot be used: `name`, what it must be, and the value received."""

    def __init__(self, name, must, received):
        self.name, self.must, self.received = name, must, received
        super().__init__(f"`{name}` {must}. Received: {name}={received!r}")


@dataclasses.dataclass
class Settings:
    """Arguments of a comparison.

    Strings are accepted for numbers, as a command line gives them.

    Args:
        images: folder with one folder of images per identity, or an `.npz` file with `images` and
            `labels`. Default: `keras_resample.datasets.bezier_palms`.
        factor: side of the encoder's input over side of the image, in (0, 1].
        size: `(height, width)` in pixels to which images are brought before anything else.
            Default: the size of the files; 64 x 64 for the palmprints.
        protocol: `"half-identities"`.
        epochs: passes over the training images, by default 6 over the palmprints and 30 over
            images of one's own.
        out: folder of the results.
        backend: `"tensorflow"`, `"jax"`, `"torch"` or `None` for Keras's own choice. Only checked
            here: Keras has one backend a process.
        seeds: integers; each trains every front end once, with its own initial weights and order
            of images.
        encoder: `"small"` (an IResNet of four blocks) or `"iresnet18"` to `"iresnet200"`.
        batch_size: images in a batch.
        learning_rate: of Adam at the start; a half cosine takes it to zero.
        scale, margin: of the ArcFace head; the margin in radians.
        identities, images_per_identity: of the palmprints; not with `images`.
        skip_unreadable: whether unreadable files of a folder are left out, instead of an error.
        overwrite: whether earlier results in `out` are deleted first.
        export: whether to write the best model as a SavedModel.

    Raises:
        SettingError: a `ValueError` that names the setting and what was received.

    Example:

    >>> from keras_resample.compare import Settings
    >>> Settings(factor="0.5").factor
    0.5
    """

    images: str | None = None
    factor: float = 0.25
    size: tuple[int, int] | None = None
    protocol: str = "half-identities"
    epochs: int | None = None
    out: str = "runs/compare"
    backend: str | None = None
    seeds: tuple[int, ...] = (0,)
    encoder: str = "small"
    batch_size: int = 32
    learning_rate: float = 1e-3
    scale: float = 32.0
    margin: float = 0.5
    identities: int | None = None
    images_per_identity: int | None = None
    skip_unreadable: bool = False
    overwrite: bool = False
    export: bool = True

    def __post_init__(self):
        self.factor = _number(self.factor, "factor", 0.0, 1.0, "must be a number in (0, 1]")
        self.learning_rate = _number(
            self.learning_rate, "learning_rate", 0.0, 10.0, "must be a number in (0, 10]"
        )
        self.scale = _number(self.scale, "scale", 0.0, 1e4, "must be a number in (0, 10000]")
        self.margin = _number(
            self.margin, "margin", -1e-9, math.pi, "must be an angle in [0, pi], in radians"
        )
        if self.epochs is None:
            self.epochs = PALM_EPOCHS if self.images is None else IMAGE_EPOCHS
        self.epochs = _integer(self.epochs, "epochs", 1)
        self.batch_size = _integer(self.batch_size, "batch_size", 2)
        self._check_size()
        self._check_seeds()
        _choice(self.protocol, "protocol", PROTOCOLS)
        _choice(self.encoder, "encoder", ENCODERS)
        self._check_images()
        self._check_out()
        if self.backend is not None:
            check_backend(self.backend)

    def numbers(self):
        """The settings that the numbers depend on, as plain JSON values."""
        values = {k: v for k, v in dataclasses.asdict(self).items() if k not in FREE}
        values["size"] = None if self.size is None else list(self.size)
        values["version"] = __version__
        if self.images is not None:
            values["images"] = str(Path(self.images).resolve())
            values["files"] = _fingerprint(Path(self.images))
        return values

    def command(self):
        """The command line that asks for the same."""
        words = ["python", "-m", "keras_resample", "compare"]
        default = Settings()
        for name in (field.name for field in dataclasses.fields(self)):
            value = getattr(self, name)
            if value in (None, getattr(default, name)) or name in ("overwrite", "export"):
                continue
            words.append("--" + name.replace("_", "-"))
            if not isinstance(value, bool):
                words += map(str, value) if isinstance(value, tuple) else [str(value)]
        return shlex.join(words + ([] if self.export else ["--no-export"]))

    def _check_size(self):
        if self.size is None:
            return
        must = "must be two positive integers, height and width in pixels"
        if isinstance(self.size, (str, bytes)) or not hasattr(self.size, "__len__"):
            raise SettingError("size", must, self.size)
        if len(self.size) != 2:
            raise SettingError("size", must, self.size)
        self.size = tuple(_integer(side, "size", 1, must, self.size) for side in self.size)

    def _check_seeds(self):
        must = "must be different non-negative integers"
        seeds = self.seeds
        if isinstance(seeds, (str, bytes)) or not hasattr(seeds, "__len__"):
            seeds = (seeds,)
        checked = tuple(_integer(seed, "seeds", 0, must, self.seeds) for seed in seeds)
        if not checked or len(set(checked)) != len(checked):
            raise SettingError("seeds", must, self.seeds)
        self.seeds = checked

    def _check_images(self):
        if self.images is None:
            self.size = self.size or DEFAULT_SIZE
            if self.identities is None:
                self.identities = DEFAULT_IDENTITIES
            if self.images_per_identity is None:
                self.images_per_identity = DEFAULT_IMAGES_PER_IDENTITY
            must = "must be an integer of at least 4, half to train and half to test"
            self.identities = _integer(self.identities, "identities", 4, must)
            self.images_per_identity = _integer(self.images_per_identity, "images_per_identity", 2)
            return
        if not isinstance(self.images, (str, os.PathLike)):
            raise SettingError("images", "must be a folder or an .npz file", self.images)
        self.images = os.fspath(self.images)
        path = Path(self.images)
        if not path.exists():
            raise SettingError("images", "must exist: a folder or an .npz file", self.images)
        if not path.is_dir() and path.suffix.lower() != ".npz":
            raise SettingError("images", "must be a folder or an .npz file", self.images)
        for name in ("identities", "images_per_identity"):
            if getattr(self, name) is not None:
                raise SettingError(
                    name, "is for the built-in palmprints, not with `images`", getattr(self, name)
                )

    def _check_out(self):
        if not isinstance(self.out, (str, os.PathLike)) or not os.fspath(self.out):
            raise SettingError("out", "must be the path of a folder", self.out)
        self.out = os.fspath(self.out)


def _fingerprint(path):
    """Hash of what `path` holds: the bytes of a file, or names, sizes and times in a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    entries = sorted(
        (str(entry.relative_to(path)), entry.stat().st_size, entry.stat().st_mtime_ns)
        for entry in path.rglob("*")
        if entry.is_file()
    )
    return hashlib.sha256(repr(entries).encode()).hexdigest()


def check_backend(backend):
    """Raises where `backend` is not one of Keras's three, or not installed."""
    _choice(backend, "backend", BACKENDS)
    if importlib.util.find_spec(backend) is None:
        raise SettingError(
            "backend",
            f"must be installed: pip install 'keras-resample[{backend}]'",
            backend,
        )


def _choice(value, name, choices):
    if value not in choices:
        raise SettingError(name, f"must be one of {', '.join(choices)}", value)


def _number(value, name, above, largest, must):
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not above < number <= largest:
        raise SettingError(name, must, value)
    return number


def _integer(value, name, smallest, must=None, received=None):
    must = must or f"must be an integer of at least {smallest}"
    received = value if received is None else received
    try:
        number = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        number = smallest - 1
    if isinstance(value, bool) or number < smallest:
        raise SettingError(name, must, received)
    return number
