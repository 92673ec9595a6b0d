"""A whole comparison: every file it writes, how it continues, and what it refuses."""

import json
import shutil
import sys

import keras
import numpy as np
import pytest

from keras_resample import export, metrics
from keras_resample.compare import SettingError, Settings, compare
from keras_resample.compare.engine import run as engine
from keras_resample.compare.engine.store import Store, checkpoints
from keras_resample.compare.engine.task import Run
from keras_resample.compare.recognition import data as data_module
from keras_resample.compare.recognition import front_ends
from keras_resample.compare.recognition import task as task_module
from keras_resample.compare.recognition.names import CROPS, DEFAULT, FRONT_ENDS, FULL, LEARNED, MEAN
from tests.compare.conftest import shorten, stop_at, without_pictures

# Front ends of a comparison without options, and one whose grid depends on the image.
CROP, OTHER = "crop 20 %", "saliency of Jin predicted"
NAMES = ["uniform", "uniform antialiased", *LEARNED, FULL, CROP, OTHER]
FIGURES = ["figures/grid.png", "figures/jacobian.png", "figures/warped.png", "figures/roc.png"]


def settings(images, out, **changes):
    arguments = {"factor": 0.5, "epochs": 2, "batch_size": 8, "export": False, "front_ends": NAMES}
    arguments |= changes
    return Settings(images=images, out=out, **arguments)


@pytest.fixture(scope="module")
def whole(digits_file, tmp_path_factory):
    """A comparison stopped in the middle of the third run, and continued."""
    out = tmp_path_factory.mktemp("out") / "new"
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        wanted = settings(digits_file, out)
        stop_at(patch, "FlowWarp, seed 0", 1.5)
        with pytest.raises(KeyboardInterrupt):
            compare(wanted, lines.append)
        stopped = sorted(path.parent.name for path in out.glob("runs/*/run.json"))
        saved = [path.name for path in checkpoints(out / "runs" / "flowwarp-seed0")]
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        results = compare(wanted, lines.append)
    return {
        "out": out,
        "settings": wanted,
        "results": results,
        "lines": lines,
        "stopped": stopped,
        "saved": saved,
    }


def test_a_stopped_comparison_keeps_runs_and_epochs(whole):
    assert whole["stopped"] == ["uniform-seed0", "uniform_antialiased-seed0"]
    assert whole["saved"] == ["epoch_00001.weights.h5"]
    assert f"Continuing in {whole['out']}: 2 of 7 runs are finished." in whole["lines"]
    history = whole["results"]["runs"][2]["history"]
    assert len(history) == 2
    assert not list(whole["out"].glob("runs/*/*.weights.h5"))


def test_the_table_has_a_row_per_front_end(whole):
    rows = whole["results"]["rows"]
    assert [row["front_end"] for row in rows] == NAMES
    assert [row["encoder_input"] for row in rows] == [[4, 4]] * 4 + [[8, 8], [4, 4], [4, 4]]
    for row in rows:
        assert 0 <= row["eer"]["mean"] <= 1
        assert row["eer"]["std"] is None
        assert row["images_per_second"]["encoder"] > 0
        assert row["gflops"] > 0
        learned = row["front_end"].startswith("FlowWarp")
        assert (row["folded_cells"] == 0) if learned else (row["folded_cells"] is None)
        front_end = row["images_per_second"]["front_end"]
        assert front_end is None if row["front_end"] == FULL else front_end > 0
    gained = ["FlowWarp - uniform"]
    gained += [f"FlowWarp antialiased - {name}" for name in ("uniform antialiased", CROP)]
    assert list(whole["results"]["gains"]) == [*gained, f"{OTHER} - uniform"]


def test_pairs_are_all_pairs_of_the_test_half(whole):
    # 3 identities of 5 images: 3 * C(5, 2) genuine of C(15, 2) pairs.
    assert whole["results"]["pairs"] == {"genuine": 30, "impostor": 75}
    tar = whole["results"]["rows"][0]["tar"]
    assert tar["1e-1"]["mean"] is not None
    assert tar["1e-2"]["mean"] is None


def test_the_numbers_are_those_of_the_stored_model(whole, digits_file):
    row = whole["results"]["rows"][2]
    model = keras.models.load_model(whole["out"] / "runs" / "flowwarp-seed0" / "model.keras")
    data = data_module.load(settings(digits_file, whole["out"]))
    pairs = metrics.all_pairs(model.embed(data.test_images), data.test_labels)
    assert metrics.eer(*pairs) == pytest.approx(row["eer"]["mean"], abs=1e-6)


def test_json_and_markdown(whole):
    written = json.loads((whole["out"] / "results.json").read_text(encoding="utf-8"))
    assert written["rows"] == json.loads(json.dumps(whole["results"]["rows"]))
    assert written["machine"]["backend"] == keras.backend.backend()
    assert written["command"].startswith("python -m keras_resample compare --images ")
    text = (whole["out"] / "results.md").read_text(encoding="utf-8")
    for expected in (*NAMES, *FIGURES, written["command"], "75 impostor pairs", "n/m"):
        assert expected in text


def test_figures(whole):
    assert whole["results"]["figures"] == FIGURES
    for name in FIGURES:
        assert (whole["out"] / name).read_bytes().startswith(b"\x89PNG")


def test_the_best_model_is_the_best_downsampled_one(whole):
    rows = [row for row in whole["results"]["rows"] if row["front_end"] != FULL]
    best = min(rows, key=lambda row: row["eer"]["mean"])["front_end"]
    assert whole["results"]["best"] == {"front_end": best, "seed": 0}
    model = keras.models.load_model(whole["out"] / "best.keras")
    assert model.embed(np.zeros((2, 8, 8, 1), "float32")).shape == (2, 8)


def test_the_same_command_again_computes_nothing(whole, digits_file, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(engine, "train", never)
    without_pictures(monkeypatch)
    again = compare(whole["settings"], lambda line: None)
    assert again["rows"] == json.loads(json.dumps(whole["results"]["rows"]))
    assert again["commands"] == whole["results"]["commands"]
    some = settings(digits_file, whole["out"], front_ends=("FlowWarp", "uniform"), seeds=(0, 7))
    some.report = True
    part = compare(some, lambda line: None)
    assert [row["front_end"] for row in part["rows"]] == ["FlowWarp", "uniform"]
    assert list(part["gains"]) == ["FlowWarp - uniform"]
    assert part["commands"] == whole["results"]["commands"]


def test_a_folder_from_before_there_were_crops_is_still_reported(
    whole, digits_file, tmp_path, monkeypatch
):
    without_pictures(monkeypatch)
    names = ["uniform", "uniform antialiased", *LEARNED, FULL]
    for name in names:
        folder = tmp_path / "runs" / f"{name.lower().replace(' ', '_')}-seed0"
        shutil.copytree(whole["out"] / "runs" / folder.name, folder)
    shutil.copy(whole["out"] / "settings.json", tmp_path)
    wanted = settings(digits_file, tmp_path, front_ends=DEFAULT, report=True)
    results = compare(wanted, lambda line: None)
    assert [row["front_end"] for row in results["rows"]] == names
    assert not any("crop" in pair for pair in results["gains"])


def test_other_settings_in_the_same_folder_are_refused(whole, digits_file):
    before = (whole["out"] / "results.json").read_bytes()
    with pytest.raises(SettingError, match="epochs is 3, was 2"):
        compare(settings(digits_file, whole["out"], epochs=3), lambda line: None)
    assert (whole["out"] / "results.json").read_bytes() == before


def test_a_continued_run_is_the_run(whole, digits_file, tmp_path, monkeypatch):
    shorten(monkeypatch)
    without_pictures(monkeypatch)
    wanted = settings(digits_file, tmp_path, front_ends=["FlowWarp"])
    compare(wanted, lambda line: None)
    names = "runs/flowwarp-seed0/scores.npz"
    at_once, continued = (np.load(out / names)["embeddings"] for out in (tmp_path, whole["out"]))
    np.testing.assert_allclose(continued, at_once, rtol=1e-3, atol=1e-3)


def test_front_ends_start_from_the_same_weights_and_see_the_same_images(
    digits_file, tmp_path, monkeypatch
):
    shorten(monkeypatch)
    keras.config.set_image_data_format("channels_last")
    task = task_module.Recognition(settings(digits_file, tmp_path))
    task.load(lambda line: None)
    first = []
    for name in NAMES[:4]:
        model, images = task.model(Run(name, 5)), task.batches(Run(name, 5), 1)[0]
        weights = model.head.weights + model.encoder.layers[-1].weights
        first.append(([keras.ops.convert_to_numpy(w) for w in weights], images))
    for kernels, (images, labels) in first[1:]:
        for kernel, expected in zip(kernels, first[0][0], strict=True):
            np.testing.assert_array_equal(kernel, expected)
        np.testing.assert_array_equal(images, first[0][1][0])
        np.testing.assert_array_equal(labels, first[0][1][1])


@pytest.mark.parametrize("name", [name for name in FRONT_ENDS if name != FULL])
def test_every_front_end_has_the_size_of_the_factor(name):
    layer = front_ends.make(name, 0.25, (64, 64))
    assert tuple(layer.target_size(64, 64)) == (16, 16)
    assert layer.antialias == (name.endswith("antialiased") or name in (MEAN, *CROPS))
    assert tuple(getattr(layer, "grid_size", (16, 16))) == (16, 16)


def test_baselines_read_the_mean_of_each_cell():
    keras.config.set_image_data_format("channels_last")
    images = np.random.default_rng(0).random((2, 20, 20, 1), dtype="float32")
    for name, left_out in {MEAN: 0, "crop 10 %": 2, "crop 20 %": 4}.items():
        inside = images[:, left_out : 20 - left_out, left_out : 20 - left_out]
        side = inside.shape[1] // 4
        expected = inside.reshape(2, 4, side, 4, side, 1).mean(axis=(2, 4))
        read = keras.ops.convert_to_numpy(front_ends.make(name, 0.2, (20, 20))(images))
        if not left_out:
            np.testing.assert_allclose(read, expected, atol=1e-5)
        # Cells at the frame of a crop reach beyond it, and the points in a cell are no pixels.
        np.testing.assert_allclose(read[:, 1:3, 1:3], expected[:, 1:3, 1:3], atol=0.05)


def test_the_folder_of_a_run_is_named_as_ever():
    """A comparison that was begun before there were crops goes on."""
    folders = {name: Run(name, 0).folder for name in FRONT_ENDS}
    assert folders["uniform antialiased"] == "uniform_antialiased-seed0"
    assert folders["saliency of Jin learned"] == "saliency_of_jin_learned-seed0"
    assert folders[MEAN] == "uniform_mean_of_cell-seed0" and folders[CROP] == "crop_20-seed0"
    assert Run("edge-based-antialiased 1.5", 2, "8x12").folder == (
        "edge-based-antialiased_1.5-8x12-seed2"
    )


def test_training_and_test_identities_are_different(digits_file, tmp_path):
    data = data_module.load(settings(digits_file, tmp_path))
    train, _ = data.train.arrays()
    seen = {image.tobytes() for image in train}
    assert not any(image.tobytes() in seen for image in data.test_images)
    assert data.train.num_classes == 3


@pytest.mark.parametrize(
    ("labels", "message"),
    [([0, 0, 1, 1, 2, 2], "at least 4 identities"), ([0, 0, 1, 1, 2, 3], "two images of at least")],
)
def test_too_few_identities_or_pairs(tmp_path, labels, message):
    path = tmp_path / "images.npz"
    np.savez(path, images=np.zeros((6, 8, 8), "uint8"), labels=labels)
    with pytest.raises(SettingError, match=message) as raised:
        compare(Settings(images=path, out=tmp_path / "out"), lambda line: None)
    assert raised.value.name == "images"


def test_images_that_lie_in_the_folder_itself_are_refused(tmp_path):
    (tmp_path / "1.png").touch()
    with pytest.raises(SettingError, match="must hold a folder of images for each identity"):
        data_module.load(Settings(images=tmp_path))


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "images.npz"
    path.write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(SettingError, match="images.npz"):
        compare(Settings(images=path, out=tmp_path / "out"), lambda line: None)


def test_size_resizes_what_is_read(digits_file, tmp_path):
    data = data_module.load(settings(digits_file, tmp_path, size=(12, 10)))
    assert data.image_shape == data.train.image_shape == (12, 10, 1)


def test_the_folder_is_checked_before_anything_is_read(digits_file, tmp_path, monkeypatch):
    def never(*args):
        raise AssertionError("read the images first")

    monkeypatch.setattr(data_module, "load", never)
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(SettingError, match="can be written to"):
        compare(settings(digits_file, path), lambda line: None)


def test_another_backend_than_the_running_one_is_refused(digits_file, tmp_path):
    other = "jax" if keras.backend.backend() != "jax" else "torch"
    with pytest.raises(SettingError, match="KERAS_BACKEND"):
        compare(settings(digits_file, tmp_path, backend=other), lambda line: None)


def test_nothing_is_reported_where_nothing_is_finished(digits_file, tmp_path):
    wanted = settings(digits_file, tmp_path, report=True)
    with pytest.raises(SettingError, match="needs a finished run"):
        compare(wanted, lambda line: None)
    with pytest.raises(ValueError, match="`settings` must be Settings or SegmentationSettings"):
        compare("runs")


def test_without_tensorflow_only_the_saved_model_is_missing(whole, digits_file, monkeypatch):
    def missing(*args, **kwargs):
        raise ImportError('Install it with: pip install "keras-resample[serving]"')

    monkeypatch.setattr(export, "saved_model", missing)
    read = Store.read_json
    hidden = "results.json"  # of the earlier export
    monkeypatch.setattr(
        Store, "read_json", lambda self, name: None if name == hidden else read(self, name)
    )
    without_pictures(monkeypatch)
    lines = []
    results = compare(settings(digits_file, whole["out"], export=True), lines.append)
    assert results["models"] == ["best.keras"]
    assert any("pip install" in line for line in lines)


def test_verification_of_more_pairs_than_are_kept(monkeypatch):
    labels = np.repeat(np.arange(40), 4)
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(40, 8))[labels] + rng.normal(size=(160, 8))
    exact = task_module.verification(embeddings, labels)
    monkeypatch.setattr(
        sys.modules["keras_resample.metrics.verification.all_pairs"], "MOST_PAIRS", 100
    )
    rounded = task_module.verification(embeddings, labels)
    assert rounded["eer"] == pytest.approx(exact["eer"], abs=1e-3)
    for far, tar in exact["tar"].items():
        assert rounded["tar"][far] == pytest.approx(tar, abs=0.01, nan_ok=True)


def test_embeddings_that_are_not_finite_are_reported_as_diverged():
    numbers = task_module.verification(np.full((4, 3), np.nan), np.array([0, 0, 1, 1]))
    assert np.isnan(numbers["eer"])
    assert all(np.isnan(tar) for tar in numbers["tar"].values())
