"""What a comparison reads: the folder of one of several data sets, or what it generates itself."""

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import ClassVar

from keras_resample.compare.engine import checks
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import Settings, setting

# What stands for a path in `--help`.
PATHS = ("DIR", "FILE")


def folder_of(text):
    """A setting that is the folder of a data set."""
    return setting(None, text, checks.existing_folder, "DIR", True)


def by(size):
    """A size as the text HEIGHTxWIDTH."""
    return "x".join(map(str, size))


def digest(path):
    """Hash of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path):
    """Hash of what `path` holds: the bytes of a file, or names, sizes and times in a folder."""
    path = Path(path)
    if path.is_file():
        return digest(path)
    entries = sorted(
        (str(entry.relative_to(path)), entry.stat().st_size, entry.stat().st_mtime_ns)
        for entry in path.rglob("*")
        if entry.is_file()
    )
    return hashlib.sha256(repr(entries).encode()).hexdigest()


@dataclasses.dataclass(kw_only=True)
class SourceSettings(Settings):
    """Settings of a comparison on at most one of the folders that `sources` names."""

    sources: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self):
        super().__post_init__()
        given = [name for name in self.sources if getattr(self, name) is not None]
        if len(given) > 1:
            must = f"must be the only data set; there is `{given[0]}` too"
            raise SettingError(given[1], must, getattr(self, given[1]))

    def source(self):
        """Name of the data set that is read, `None` where the data are generated."""
        return next((name for name in self.sources if getattr(self, name) is not None), None)

    def numbers(self):
        """The settings that the numbers of a run depend on, as JSON values."""
        return super().numbers() | {"source": self.source()}

    def shown(self):
        """The values that the command line says; of absolute paths their last part."""
        paths = self._paths()
        for name, path in paths.items():
            if os.path.isabs(path):
                paths[name] = os.path.basename(os.path.normpath(path))
        return super().shown() | paths

    def usual(self):
        """The values that it need not say, which may depend on the data set."""
        given = {name: path for name, path in self._paths().items() if name != "out"}
        return vars(type(self)(**given)) | dict.fromkeys(given)

    def _paths(self):
        names = [f.name for f in dataclasses.fields(self) if f.metadata["metavar"] in PATHS]
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
