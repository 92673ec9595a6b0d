"""The folder of a comparison survives what happens to the process."""

import json

import numpy as np
import pytest

from keras_resample import files
from keras_resample.compare import SettingError
from keras_resample.compare.engine import store as module
from keras_resample.compare.engine.store import Store

NUMBERS = {"factor": 0.25, "size": [64, 64], "epochs": 20}


def finished_store(out):
    store = Store(out)
    store.open(NUMBERS)
    store.finish("uniform-seed0", {"eer": 0.1}, {"embeddings": np.ones((2, 3), "float32")})
    return store


def test_a_finished_run_is_found_again(tmp_path):
    finished_store(tmp_path)
    store = Store(tmp_path)
    assert store.open(NUMBERS)
    run = store.run("uniform-seed0")
    assert run["eer"] == 0.1
    assert run["embeddings"].shape == (2, 3)
    assert store.run("uniform-seed1") is None
    assert [run["eer"] for run in store.runs()] == [0.1]


def test_other_settings_are_refused_with_the_difference(tmp_path):
    finished_store(tmp_path)
    with pytest.raises(SettingError, match=r"factor is 0\.5, was 0\.25; new is 1, was not set"):
        Store(tmp_path).open({**NUMBERS, "factor": 0.5, "new": 1})
    assert Store(tmp_path).run("uniform-seed0") is not None


def test_settings_without_results_are_replaced(tmp_path):
    Store(tmp_path).open(NUMBERS)
    assert not Store(tmp_path).open({**NUMBERS, "factor": 0.5})
    assert json.loads((tmp_path / module.SETTINGS).read_text())["factor"] == 0.5


def test_overwrite_deletes_the_comparison_and_nothing_else(tmp_path):
    finished_store(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    store = Store(tmp_path)
    assert not store.open({**NUMBERS, "factor": 0.5}, overwrite=True)
    assert store.run("uniform-seed0") is None
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_refused(tmp_path, overwrite):
    (tmp_path / "results.json").write_text("mine")
    with pytest.raises(SettingError, match="results.json"):
        Store(tmp_path).open(NUMBERS, overwrite)
    assert (tmp_path / "results.json").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(SettingError, match="can be written to"):
        Store(path).open(NUMBERS)
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(SettingError, match="No space left on device"):
        Store(tmp_path).open(NUMBERS)


def test_a_failed_write_keeps_the_earlier_file(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    store = finished_store(tmp_path)
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError):
        store.write_json("settings.json", {})
    assert not list(tmp_path.glob(".*"))
    assert store.read_json("settings.json") == NUMBERS


def test_what_a_killed_process_left_is_removed(tmp_path):
    store = finished_store(tmp_path)
    left = store.run_folder("uniform-seed0") / f"{files.UNFINISHED}123-model.keras"
    left.write_text("half a mod")
    Store(tmp_path).open(NUMBERS)
    assert not left.exists()


def test_json_has_no_numbers_that_json_has_not(tmp_path):
    store = Store(tmp_path)
    store.write_json("a.json", {"a": np.float32("nan"), "b": [np.int64(3), float("inf")], 1: (2,)})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": None, "b": [3, None], "1": [2]}
