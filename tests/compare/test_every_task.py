"""Each task of `compare` on every backend; what a whole comparison does is tested on one."""

import keras
import pytest

from keras_resample import export
from keras_resample.compare import (
    KeypointSettings,
    RegionSettings,
    ResolutionSettings,
    SegmentationSettings,
    Settings,
    compare,
)
from keras_resample.compare.regions import names
from tests.compare.conftest import shorten, without_pictures

pytestmark = pytest.mark.every_backend


@pytest.fixture(autouse=True)
def short(monkeypatch):
    shorten(monkeypatch)
    without_pictures(monkeypatch)
    keras.config.set_image_data_format("channels_last")


def test_recognition(digits_file, tmp_path, backend):
    """The SavedModel is written where this takes no process of its own."""
    chosen = {"front_ends": "FlowWarp", "factor": 0.5, "epochs": 1, "batch_size": 8}
    exports = backend == "tensorflow"
    results = compare(
        Settings(images=digits_file, out=tmp_path, export=exports, **chosen), lambda line: None
    )
    assert [row["front_end"] for row in results["rows"]] == ["FlowWarp"]
    assert "FlowWarp" in (tmp_path / "results.md").read_text(encoding="utf-8")
    if exports:
        model = keras.models.load_model(tmp_path / "best.keras")
        export.check(tmp_path / "saved_model" / "1", model)


def test_segmentation(tmp_path):
    small = {"images": 4, "scene_size": (32, 48), "sizes": "8x12", "width": 4, "batch_size": 2}
    settings = SegmentationSettings(out=tmp_path, methods="joint", epochs=1, pictures=1, **small)
    (run,) = compare(settings, lambda line: None)["runs"]
    assert 0 <= run["mean_iou"] <= 1
    assert "joint" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_regions(tmp_path):
    small = {"classes": 2, "images_per_class": 4, "test_images_per_class": 2, "size": (32, 32)}
    small |= {"width": 8, "batch_size": 4, "epochs": 1, "seeds": 0, "pictures": 1, "k": 0.5}
    settings = RegionSettings(out=tmp_path, methods="local-adaptive", local_branches=1, **small)
    (run,) = compare(settings, lambda line: None)["runs"]
    assert 0 <= run["accuracy"] <= 1
    page = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert f"| {names.title(run['method'])} " in page


def test_keypoints(digits_file, tmp_path):
    small = {"size": 12, "width": 8, "depth": 1, "num_heads": 2, "batch_size": 8, "severities": 1}
    settings = KeypointSettings(
        mnist=digits_file, out=tmp_path, methods="keypoint", epochs=1, seeds=0, **small
    )
    (run,) = compare(settings, lambda line: None)["runs"]
    assert 0 <= run["transformed"] <= 1
    assert "| keypoints (KP-RPE) " in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_resolutions(tmp_path):
    small = {"identities": 4, "images_per_identity": 4, "size": (16, 16), "resolutions": 8}
    settings = ResolutionSettings(out=tmp_path, methods="btnet", epochs=1, batch_size=4, **small)
    results = compare(settings, lambda line: None)
    assert [run["method"] for run in results["runs"]] == ["multi", "btnet"]
    assert "| branch, fixed trunk, distillation (BTNet) " in (tmp_path / "results.md").read_text(
        encoding="utf-8"
    )
