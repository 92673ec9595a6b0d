"""The comparison for segmentation: a whole one, what it measures, and its methods and data."""

import itertools
import json
import math

import keras
import numpy as np
import pytest

from keras_resample.compare import SegmentationSettings, SettingError, compare
from keras_resample.compare.engine import run as engine
from keras_resample.compare.engine.store import checkpoints
from keras_resample.compare.engine.task import Run
from keras_resample.compare.segmentation import data, methods, networks, table
from keras_resample.compare.segmentation.names import title
from keras_resample.compare.segmentation.task import Segmentation
from tests.compare.conftest import shorten, stop_at, without_pictures
from tests.example_scripts import notebooks

# How near to the edge of a pixel, in pixels, a point may be counted to either.
EDGE = 1e-2
# What the comparison below is asked to do.
GIVEN = (
    *("out", "images", "scene_size", "sizes", "width", "batch_size"),
    *("methods", "blur_radii", "epochs", "loss", "balance"),
)


def settings_of(out, **changes):
    small = {"images": 8, "scene_size": (32, 48), "sizes": "8x12", "width": 4, "batch_size": 4}
    chosen = {"methods": ["edge-based", "joint"], "blur_radii": 1, "epochs": 2}
    return SegmentationSettings(out=out, **{**small, **chosen, **changes})


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A comparison stopped in the middle of the second run, and continued."""
    out, lines = tmp_path_factory.mktemp("out"), []
    wanted = settings_of(out, loss="focal", balance=True)
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        with patch.context() as stopped:
            stop_at(stopped, "joint, 8x12, seed 0", 1.5)
            with pytest.raises(KeyboardInterrupt):
                compare(wanted, lines.append)
        saved = checkpoints(out / "runs" / "joint-8x12-seed0")
        results = compare(wanted, lines.append)
    return {"out": out, "lines": lines, "settings": wanted, "results": results, "saved": saved}


def test_a_comparison_measures_all(whole):
    runs = {record["method"]: record for record in whole["results"]["runs"]}
    assert list(runs) == ["edge-based 1", "joint"]
    # The oracle spends its samples where the label has edges.
    assert runs["edge-based 1"]["upsampling_iou"] > runs["joint"]["upsampling_iou"]
    assert runs["edge-based 1"]["network_gflops"] == runs["joint"]["network_gflops"]
    assert all({"edge_loss", "loss"} <= set(epoch) for epoch in runs["joint"]["history"])
    assert list(runs["joint"]["trimap"]) == ["2", "4", "8", "16", "32"]
    speed = whole["results"]["images_per_second"]
    assert sorted(speed) == ["edge-based 1, 8x12", "joint, 8x12"]
    assert min(speed.values()) > 0


def test_page_and_figures(whole):
    page = (whole["out"] / "results.md").read_text(encoding="utf-8")
    for record in whole["results"]["runs"]:
        assert f"| {title(record['method'])}" in page
    assert str(whole["out"].parent) not in page and "**an oracle**" in page
    assert f"    {whole['settings'].command()}\n" in page
    for name in whole["results"]["figures"]:
        assert (whole["out"] / name).read_bytes().startswith(b"\x89PNG")
        assert name in page
    assert len(whole["results"]["figures"]) == 3  # two images, and the curve of costs


def test_a_stopped_comparison_goes_on_with_the_same_numbers(whole, tmp_path, monkeypatch):
    assert [path.name for path in whole["saved"]] == ["epoch_00001.weights.h5"]
    assert f"Continuing in {whole['out']}: 1 of 2 runs are finished." in whole["lines"]
    shorten(monkeypatch)
    without_pictures(monkeypatch)
    at_once = settings_of(tmp_path, loss="focal", balance=True, methods=["joint"], pictures=0)
    (record,) = compare(at_once, lambda line: None)["runs"]
    losses = [
        [epoch["loss"] for epoch in run["history"]] for run in (record, whole["results"]["runs"][1])
    ]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_the_numbers_are_those_of_the_stored_model(whole):
    """What was measured, again from what the segmenter says of the test images."""
    record = whole["results"]["runs"][1]
    _, test, _ = data.load(whole["settings"])
    folder = whole["out"] / "runs" / "joint-8x12-seed0"
    model = keras.models.load_model(folder / "model.keras")
    images, labels = test.arrays()
    steps = model.inspect(images)
    found = steps["probabilities"].argmax(-1)
    ious = []
    for i in range(test.num_classes):
        union = np.sum((labels == i) | (found == i))
        ious.append(np.sum((labels == i) & (found == i)) / union if union else math.nan)
    measured = [math.nan if iou is None else iou for iou in record["class_ious"]]
    np.testing.assert_allclose(measured, ious, atol=1e-6)
    assert record["mean_iou"] == pytest.approx(np.nanmean(ious), abs=1e-6)
    logs = model.evaluate(images, labels, verbose=0, return_dict=True)
    # Another program, in which a point on the edge of two pixels may read the other one.
    assert record["sampled_mean_iou"] == pytest.approx(logs["sampled_mean_iou"], abs=5e-3)
    low, high = perfect_ious(labels, steps["grid"], test.num_classes)
    assert low - 1e-3 <= record["upsampling_iou"] <= high + 1e-3
    with np.load(folder / "scores.npz") as arrays:
        for place in (0, 1):
            shown = arrays[f"pictures/{place}/probabilities"]
            np.testing.assert_array_equal(shown, found[place])


def perfect_ious(labels, grids, num_classes):
    """The least and the most that a perfect network reaches.

    Points on the edge of two pixels may read either, pixels between two points take either.
    """
    found = []
    for label, grid in zip(labels, grids, strict=True):
        corners = [(x, y) for x in (-EDGE, EDGE) for y in (-EDGE, EDGE)]
        maps = [perfect_labels(label, grid, *pair) for pair in itertools.product(corners, corners)]
        right = np.array(maps) == label
        found.append([np.choose(pick(right, axis=0), maps) for pick in (np.argmin, np.argmax)])
    ious = []
    for maps in np.swapaxes(found, 0, 1):
        metric = keras.metrics.MeanIoU(num_classes)
        metric.update_state(labels.astype("int32"), maps.astype("int32"))
        ious.append(float(metric.result()))
    return ious


def perfect_labels(label, grid, point_shift, pixel_shift):
    """The label at each pixel of its nearest sampling point."""
    size = np.array(label.shape[::-1])
    points = grid.reshape(-1, 2) * size
    column, row = np.clip((points + point_shift).astype(int), 0, size - 1).T
    centers = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in size)), axis=-1) + pixel_shift
    distance = np.sum((centers[:, :, None] - points) ** 2, axis=-1)
    return label[row, column][distance.argmin(-1)]


def test_nothing_is_trained_twice(whole, monkeypatch):
    without_pictures(monkeypatch)
    monkeypatch.setattr(engine, "train", lambda *args: pytest.fail("trained again"))
    chosen = {"loss": "focal", "balance": True}
    again = compare(settings_of(whole["out"], **chosen, report=True), lambda line: None)
    written = json.loads((whole["out"] / "results.json").read_text())
    assert again["commands"] == written["commands"] == whole["results"]["commands"]
    assert json.loads(json.dumps(again["runs"])) == written["runs"]
    with pytest.raises(SettingError, match=r"sigma is 1\.5, was 2\.5"):
        compare(settings_of(whole["out"], **chosen, sigma=1.5), lambda line: None)


def test_the_notebook_runs(whole, monkeypatch):
    without_pictures(monkeypatch)
    monkeypatch.setattr(engine, "train", lambda *args: pytest.fail("trained again"))
    given = {name: getattr(whole["settings"], name) for name in GIVEN}
    names = notebooks.run("segment_high_resolution", f"options = {given}")
    assert list(names["models"]) == ["joint"]
    assert "mIoU(Y', Y)" in names["page"]


def test_a_report_has_all_sizes_and_seeds_of_the_folder(whole):
    first, second = whole["results"]["runs"]
    more = [first, second, {**second, "seed": 1, "mean_iou": 0.5}, {**first, "size": [16, 24]}]
    page = "\n".join(table.page({**whole["results"], "runs": more}))
    assert "## 8x12" in page and "## 16x24" in page and "Seeds 0, 1;" in page
    joint = next(line for line in page.splitlines() if line.startswith("| joint loss "))
    assert joint.split("|")[2].strip() == "2"


def test_one_seed_gives_every_method_the_same_network(tmp_path, monkeypatch):
    shorten(monkeypatch)
    task = Segmentation(settings_of(tmp_path))
    task.load(lambda line: None)
    models = [task.model(Run(name, 3, "8x12")) for name in ("uniform", "joint")]
    for one, other in zip(*(model.network.weights for model in models), strict=True):
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(w) for w in (one, other)))


def test_the_oracle_is_flipped_with_the_labels():
    labels = np.zeros((2, 32, 48), "uint8")
    labels[0, 8:16, 8:20] = 3
    oracle = data.EdgeOracle((8, 12), blur=1.0, ignore_class=None)
    maps = oracle(labels)
    assert maps.shape == (2, 32, 48, 1) and maps.dtype == np.uint8
    assert maps[0].max() == 255 and maps[1].max() == 0
    np.testing.assert_array_equal(oracle(labels[:, :, ::-1]), maps[:, :, ::-1])
    assert len(np.unique(maps.reshape(2, 8, 4, 12, 4).std(axis=(2, 4)))) == 1  # constant cells


def test_costs_by_hand(tmp_path, monkeypatch):
    shorten(monkeypatch)
    options = settings_of(tmp_path)
    _, test, _ = data.load(options)
    image, sample = 32 * 48, 8 * 12
    for name, macs in {
        "uniform": 0,
        "interpolation": image * (49 * 3 * 16 + 16 * 16) + sample * (27 * 16 * 16 + 49 * 16 * 3),
        "joint": sample * (9 * 3 * 24 + 9 * 24 * 24 + 9 * 24 * 3 + 3),
    }.items():
        model = methods.segmenter(name, (8, 12), options, test, 0)
        model.build((None, 32, 48, 3))
        assert methods.cost(model, (32, 48))[1] == pytest.approx(2e-9 * macs, rel=1e-9)


def test_the_mean_of_each_cell(tmp_path, monkeypatch):
    shorten(monkeypatch)
    options = settings_of(tmp_path, methods="uniform-mean-of-cell")
    _, test, _ = data.load(options)
    model = methods.segmenter(options.methods[0], (8, 12), options, test, 0)
    images = np.random.default_rng(0).random((2, 32, 48, 3), dtype="float32")
    steps = model.inspect(images)
    expected = images.reshape(2, 8, 4, 12, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(steps["sampled_images"], expected, atol=1e-5)
    assert steps["probabilities"].shape[:3] == (2, 32, 48)
    assert title(options.methods[0]) == "uniform (mean of cell)"


@pytest.mark.parametrize("size", [(45, 60), (7, 5), (16, 16)])
def test_unet_keeps_any_size(size):
    network = networks.build("unet", (*size, 4), num_classes=3, width=4)
    assert network.output_shape == (None, *size, 3)
    images = np.random.default_rng(0).uniform(0, 255, (1, *size, 4))
    other = images + np.array([0, 0, 0, 9])  # the oracle's channel is not for the network
    np.testing.assert_array_equal(network.predict_on_batch(images), network.predict_on_batch(other))


def test_class_weights_favour_rare_classes(tmp_path):
    train, *_ = data.load(settings_of(tmp_path))
    weights = data.class_weights(train)
    counts = np.bincount(train.arrays()[1].ravel(), minlength=train.num_classes)
    order = np.argsort(-counts, kind="stable")
    assert np.all(np.diff([weights[int(i)] for i in order]) >= 0)
    average = sum(weights[i] * n for i, n in enumerate(counts)) / counts.sum()
    assert average == pytest.approx(1.0)


def test_a_folder_is_read_and_its_place_not_written(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name, high, shape in (("", 256, (32, 48, 3)), ("annot", 12, (32, 48))):
            (tmp_path / "streets" / (part + name)).mkdir(parents=True)
            for i in range(4):
                pixels = image.fromarray(rng.integers(0, high, shape, "uint8"))
                pixels.save(tmp_path / "streets" / (part + name) / f"0001TP_{i}.png")
    train, test, description = data.load(SegmentationSettings(camvid=tmp_path / "streets"))
    assert train.num_classes == 11 and train.ignore_class == 11 and train.flip
    assert not test.flip and not test.shuffle and "4 training and 4 test" in description
    images, labels = data.Batches(test)[0]
    np.testing.assert_array_equal(labels, test.load.labels[:8])
    assert images.dtype == np.uint8 and "streets" not in description


def test_a_folder_of_something_else_is_named(tmp_path):
    with pytest.raises(SettingError, match="`camvid` must be readable"):
        data.load(SegmentationSettings(camvid=tmp_path))


def test_methods_are_compared_on_the_seeds_they_share():
    def runs(*ious):
        return [{"seed": seed, "mean_iou": iou} for seed, iou in enumerate(ious)]

    by_method = {"uniform": runs(0.5), "edge-based 1": runs(0.6, 0.3), "edge-based 2": runs(0.5)}
    assert table.best_edge_based(by_method) == {"edge-based 1"}
    assert table.of_shared_seeds(by_method)["edge-based 1"] == runs(0.6)
