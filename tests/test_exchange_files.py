"""The exchange between backends finds a missing file, a wrong output and a wrong gradient."""

import keras
import numpy as np
import pytest

from tests.exchange import files


@pytest.fixture
def exchange(tmp_path, monkeypatch):
    """A folder in which this backend left one file, under the name of another backend."""
    monkeypatch.setenv(files.FOLDER, str(tmp_path))
    inputs = {"x": np.random.default_rng(0).standard_normal((2, 3)).astype("float32")}
    symbol = keras.Input((3,), name="x")
    model = keras.Model({"x": symbol}, [keras.layers.Dense(2)(symbol)])
    files.write("dense", model, inputs, modules=["keras"])
    (tmp_path / keras.backend.backend()).rename(tmp_path / "other")
    return tmp_path / "other"


def rewrite(path, key, change):
    with np.load(path) as archive:
        arrays = {k: archive[k] for k in archive.files}
    arrays[key] = arrays[key] + np.float32(change)
    np.savez(path, **arrays)


def test_equal_files_pass(exchange):
    assert files.names() == ["dense"]
    files.compare("other", "dense")


@pytest.mark.parametrize("key", ["output/0", "gradient/x", "gradient/weight/0"])
def test_a_difference_is_found(exchange, key):
    rewrite(exchange / "dense.npz", key, 1e-4)
    with pytest.raises(AssertionError, match=f"{key} of the file of other differs by"):
        files.compare("other", "dense")


def test_a_missing_file_is_found(exchange):
    (exchange / "dense.npz").unlink()
    with pytest.raises(AssertionError, match="other left no file dense"):
        files.compare("other", "dense")


def test_nothing_is_written_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.delenv(files.FOLDER, raising=False)
    files.write("dense", None, {})
    assert files.folder() is None
