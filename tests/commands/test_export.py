"""A SavedModel of a file appears when it was found to be its model, and not before."""

import inspect
import pathlib
import sys

import keras
import numpy as np
import pytest

import keras_resample as kr
from keras_resample.commands.check import Check
from keras_resample.commands.export import MAX_PIXELS
from keras_resample.export.contract import MAX_PIXELS as MAX_PIXELS_OF_EXPORT
from keras_resample.files import UNFINISHED
from tests.commands.conftest import encoder_of, saved

pytest.importorskip("tensorflow")

REPORT = {
    "endpoints": {
        name: {
            "inputs": {"images": {"dtype": "float32", "shape": [None, None, 5, 3]}},
            "outputs": {"embedding": {"dtype": "float32", "shape": [None, 4]}},
            "largest_difference": difference,
            "milliseconds": {"1": 0.25},
        }
        for name, difference in {"serving_default": 1e-7, "serve_jpeg": 3e-6}.items()
    },
    "tolerance": 1e-4,
    "needs_xla": True,
}


@pytest.fixture
def written(monkeypatch):
    """Spares an export the writing; list of the calls, each the model, the folder and the rest."""
    calls = []

    def write(model, folder, contract, *more):
        calls.append((model, pathlib.Path(folder), contract, *more))
        (folder / "assets.extra").mkdir(parents=True)
        (folder / "saved_model.pb").write_text("")
        contract.versions = {"tensorflow": "2.21.0"}
        contract.write(folder)

    module = sys.modules["keras_resample.export.saved_model"]
    monkeypatch.setattr(module, "write_saved_model", write)
    monkeypatch.setattr(module, "write_through_tensorflow", write)
    return calls


def test_a_recognizer_is_written_and_checked(files, said, tmp_path):
    """The whole way, and the check of another model."""
    folder = tmp_path / "served" / "1"
    status, text = said("export", files["recognizer"], folder)
    assert status == 0, text
    assert f"{folder} is {files['recognizer']} as a SavedModel." in text
    images = "images float32 (batch, 6, 5, 3) -> embedding float32 (batch, 4)"
    assert f"  serving_default  {images} " in text
    assert "  serve_jpeg       images string (batch) -> embedding float32 (batch, 4) " in text
    assert text.count("  off by ") == 4 and text.count(" ms\n") == 4
    assert "TensorFlow Serving" not in text
    other = encoder_of()
    other.layers[-1].bias.assign([1, 2, 3, 4])
    path = saved(other, tmp_path / "other.keras")
    status, text = said("check", folder, path)
    assert status == 2 and 'The endpoint "serving_default" differs from the model by' in text
    assert f"Received: FOLDER '{folder}'" in text


def test_options_are_those_of_the_function(files, said, tmp_path, written):
    words = "--scale 2 --offset -1 --output-name out --endpoints serving_default --max-pixels 9"
    words = (*words.split(), "--no-check", "--bridge")
    status, text = said("export", files["encoder"], tmp_path / "latest", *words)
    assert status == 0
    assert "It was not checked. Its endpoints are serving_default." in text
    assert "wants a version number as the last part of the folder, such as " in text
    assert f"{tmp_path / 'latest' / '1'}.\n" in text
    ((model, _, contract, *_),) = written
    assert (contract.scale, contract.offset, contract.output_name) == (2.0, -1.0, "out")
    assert contract.endpoints == ("serving_default",) and contract.max_pixels == 9
    np.testing.assert_array_equal(
        model.weights[0], keras.saving.load_model(files["encoder"], compile=False).weights[0]
    )


def test_defaults_are_those_of_the_functions():
    assert MAX_PIXELS == MAX_PIXELS_OF_EXPORT
    assert Check.tolerance == inspect.signature(kr.export.check).parameters["tolerance"].default


def test_what_fails_the_check_does_not_appear(files, said, tmp_path, written, monkeypatch):
    def differs(path, model, tolerance):
        assert path.name.startswith(UNFINISHED) and (path / "saved_model.pb").exists()
        raise ValueError(f"It differs. Received: path={str(path)!r}")

    folder = tmp_path / "served" / "1"
    assert said("export", files["encoder"], folder, "--no-check")[0] == 0
    before = (folder / "saved_model.pb").stat().st_ino
    monkeypatch.setattr(kr.export, "check", differs)
    status, text = said("export", files["encoder"], folder, "--overwrite")
    assert status == 2
    assert f"It differs. Received: FOLDER '{folder}'. Nothing was written; --no-check" in text
    assert (folder / "saved_model.pb").stat().st_ino == before
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    status, text = said("export", files["encoder"], folder)
    assert status == 2 and "or pass --overwrite to replace a SavedModel" in text


def test_the_report_names_the_worst_endpoint(files, said, tmp_path, written, monkeypatch):
    monkeypatch.setattr(kr.export, "check", lambda *args, **kwargs: REPORT)
    status, text = said("export", files["encoder"], tmp_path / "1")
    assert status == 0
    assert "serving_default  images float32 (batch, any, 5, 3) -> embedding float32" in text
    assert "The largest difference is 3.0e-06 of the largest output, in serve_jpeg; up to" in text
    assert "The server needs the XLA compiler; export --bridge does without." in text


def test_a_model_without_size_is_told_one(said, tmp_path, written, monkeypatch):
    path = saved(encoder_of(size=(None, None)), tmp_path / "any.keras")
    words = ("export", path, tmp_path / "served" / "1", "--endpoints", "serving_default")
    status, text = said(*words)
    assert status == 2 and "tells no size of its images: say --image-size to export" in text
    monkeypatch.setattr(kr.export, "check", lambda *args, **kwargs: REPORT)
    assert said(*words, "--image-size", "6x5")[0] == 0
    assert written[-1][2].image_size == (6, 5)


def test_a_verifier_takes_its_threshold_along(files, said, tmp_path, written):
    status, text = said("export", files["verifier"], tmp_path / "1", "--no-check")
    assert status == 0 and "Its endpoints are serving_default, serve_uint8" in text
    ((_, _, contract, *_),) = written
    assert (contract.threshold, contract.normalize, contract.flip) == (0.41, True, False)
    assert contract.endpoints[-1] == "verify"
    assert "from a cosine of 0.41 on" in (tmp_path / "1" / "MODEL_CARD.md").read_text()


def test_a_folder_of_something_else(files, images, said, tmp_path):
    status, text = said("check", tmp_path, files["encoder"])
    assert status == 2 and "FOLDER must be a SavedModel that export wrote" in text
    status, text = said("export", files["encoder"], images, "--overwrite")
    assert status == 2 and "this folder holds other files" in text
    status, text = said("export", files["encoder"], images / "notes.txt" / "1")
    assert status == 1 and "notes.txt" in text and "Traceback" not in text
