"""The folder of a comparison: what is finished is kept, whatever happens to the process."""

import json
import shutil
from pathlib import Path

import numpy as np

from keras_resample.compare.engine.checks import SettingError
from keras_resample.files import remove_unfinished, whole

SETTINGS = "settings.json"
# Everything a comparison writes; `overwrite` deletes nothing else.
FILES = ("results.json", "results.md", "best.keras", "speed.json", SETTINGS)
FOLDERS = ("runs", "figures", "saved_model")


class Store:
    """Reads and writes the folder of a comparison.

    A file appears under its name only when it is complete. In `runs/<folder>` are the files of a
    run; `run.json` is written last and marks it as finished.

    Args:
        out: path of the folder.
    """

    def __init__(self, out):
        self.out = Path(out)

    def open(self, numbers, overwrite=False):
        """Creates the folder, or checks that it belongs to the same comparison.

        Args:
            numbers: dict of JSON values; everything that the results depend on.
            overwrite: whether to delete the results of an earlier comparison.

        Returns:
            bool: whether the folder holds an earlier, maybe unfinished, comparison.

        Raises:
            SettingError: the folder holds something else.
            OSError: it cannot be written to.
        """
        self._check_writable()
        self._remove_unfinished_files()
        earlier = self.read_json(SETTINGS)
        foreign = [path.name for path in self.out.iterdir() if not path.name.startswith(".")]
        if earlier is None and foreign:
            raise SettingError(
                "out",
                "must be a new or empty folder, or one of an earlier comparison "
                f"(this one has no {SETTINGS}, but has {_some(foreign)})",
                str(self.out),
            )
        if earlier is not None and overwrite:
            self._clear()
            earlier = None
        if earlier is None or not any(self.out.glob("runs/*/*")):
            self.write_json(SETTINGS, numbers)
            return False
        changed = [
            f"{name} is {_shown(numbers.get(name))}, was {_shown(earlier.get(name))}"
            for name in {**earlier, **numbers}
            if earlier.get(name) != numbers.get(name)
        ]
        if changed:
            raise SettingError(
                "out",
                "must belong to the same comparison, but its results were made with other "
                f"settings ({'; '.join(changed)}): take another folder, or overwrite",
                str(self.out),
            )
        return True

    def run_folder(self, name):
        """Folder of one run, created."""
        folder = self.out / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def record(self, name):
        """The numbers that `finish` wrote, as a dict; `None` where the run is not finished."""
        return self.read_json(f"runs/{name}/run.json")

    def run(self, name):
        """All that `finish` wrote, as a dict; `None` where the run is not finished."""
        record = self.record(name)
        if record is None:
            return None
        with np.load(self.out / "runs" / name / "scores.npz") as arrays:
            return {**record, **arrays}

    def runs(self):
        """What `finish` wrote of each finished run, by the names of their folders."""
        return [self.run(path.parent.name) for path in sorted(self.out.glob("runs/*/run.json"))]

    def model(self, name):
        """Path of the trained model of a run."""
        return self.out / "runs" / name / "model.keras"

    def finish(self, name, record, arrays):
        """Stores the numbers of a run: `record` (JSON values) and `arrays`, dicts."""
        folder = self.run_folder(name)
        with whole(folder / "scores.npz") as (path,):
            np.savez(path, **arrays)
        self.write_json(f"runs/{name}/run.json", record)
        for checkpoint in checkpoints(folder):
            checkpoint.unlink()

    def write_json(self, name, content):
        """Writes a file of JSON; NaN and infinities become null."""
        text = json.dumps(finite(content), indent=1, allow_nan=False)
        self.write_text(name, text + "\n")

    def write_text(self, name, text):
        with whole(self.out / name) as (path,):
            path.write_text(text, encoding="utf-8")

    def read_json(self, name):
        """Content of a file of JSON, or `None` where it is missing."""
        try:
            return json.loads((self.out / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except json.JSONDecodeError as error:
            raise SettingError(
                "out", f"holds a damaged file {name} ({error}); delete it", str(self.out)
            ) from error

    def _check_writable(self):
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with whole(self.out / ".writable") as (path,):
                path.write_text("", encoding="utf-8")
            (self.out / ".writable").unlink()
        except OSError as error:
            reason = error.strerror or error
            raise SettingError(
                "out", f"must be a folder that can be written to ({reason})", str(self.out)
            ) from error

    def _remove_unfinished_files(self):
        for folder in (self.out, self.out / "figures", *self.out.glob("runs/*")):
            remove_unfinished(folder)

    def _clear(self):
        # The settings go last: an interrupted deletion is recognised as a comparison again.
        for name in FOLDERS:
            shutil.rmtree(self.out / name, ignore_errors=True)
        for name in FILES:
            (self.out / name).unlink(missing_ok=True)


def checkpoints(folder):
    """Checkpoints of an unfinished run, the latest last."""
    return sorted(Path(folder).glob("epoch_*.weights.h5"))


def finite(value):
    """`value` as JSON knows it: numpy scalars as numbers, NaN and infinities as `None`."""
    if isinstance(value, dict):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, np.ndarray):
        return finite(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _shown(value):
    return "not set" if value is None else repr(value)


def _some(names):
    return ", ".join(sorted(names)[:3]) + (", ..." if len(names) > 3 else "")
