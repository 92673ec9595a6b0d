"""The comparison of samplers for segmentation: script and notebook, on small scenes."""

import importlib.util
import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = "--images 8 --scene-size 32x48 --sizes 8x12 --width 4 --batch-size 4 --epochs 1"
METHODS = ["edge-based", "joint"]

spec = importlib.util.spec_from_file_location(
    "segment_high_resolution", EXAMPLES / "segment_high_resolution.py"
)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

from segmentation import data, methods, networks, report, training  # noqa: E402


def tiny(input_shape, num_classes, width):
    """In place of the U-Net, whose steps take long to compile."""
    images = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, 3, padding="same")(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.Conv2D(num_classes, 1)(x))


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


@pytest.fixture
def small_network(monkeypatch):
    monkeypatch.setattr(networks, "unet", tiny)


@pytest.fixture
def unmeasured_speed(monkeypatch):
    monkeypatch.setattr(training, "speed", lambda *args: {})


def options_of(*arguments):
    return script.read([*SMALL.split(), *arguments])


def test_a_comparison_measures_all_and_trains_nothing_twice(
    tmp_path, monkeypatch, small_network, unmeasured_speed
):
    out = tmp_path / "out"
    chosen = ["--methods", *METHODS, "--blur-radii", "1", "--out", str(out)]
    results = script.compare(options_of(*chosen))
    runs = {record["method"]: record for record in results["runs"].values()}
    assert list(runs) == ["edge-based 1", "joint"]
    for record in runs.values():
        assert 0 <= record["mean_iou"] <= 1 and 0 <= record["sampled_mean_iou"] <= 1
        known = [iou for iou in record["class_ious"] if iou is not None and not np.isnan(iou)]
        assert np.mean(known) == pytest.approx(record["mean_iou"], abs=1e-6)
        assert list(record["trimap"]) == ["2", "4", "8", "16", "32"]
        assert record["network_gflops"] == runs["joint"]["network_gflops"]
    # The oracle spends its samples where the label has edges.
    assert runs["edge-based 1"]["upsampling_iou"] > runs["joint"]["upsampling_iou"]
    for key in ("edge_loss", "loss"):
        assert key in runs["joint"]["history"]

    page = (out / "results.md").read_text()
    for name in runs:
        assert f"| {script.title(name)}" in page
    assert str(tmp_path) not in page and "**an oracle**" in page
    for name in results["figures"]:
        assert (out / name).stat().st_size > 1000
    assert len(results["figures"]) == 3  # two images, and the curve of costs

    monkeypatch.setattr(training, "train", lambda *args: pytest.fail("trained again"))
    again = script.compare(options_of(*chosen, "--report"))
    assert again["runs"] == json.loads((out / "results.json").read_text())["runs"]
    with pytest.raises(SystemExit, match="results of another sigma"):
        script.compare(options_of(*chosen, "--sigma", "1.5"))


def test_what_is_measured_is_what_the_segmenter_reports(small_network):
    options = options_of("--loss", "focal", "--balance")
    train, test, _ = data.load(options)
    weights = data.class_weights(train)
    model, _ = training.train("joint", (8, 12), 0, options, train, weights)
    record, pictures = training.evaluate(model, "joint", (8, 12), options, test, 1)
    images, labels = test.arrays()
    steps = model.inspect(images)
    found = steps["probabilities"].argmax(-1)
    ious = [
        np.sum((labels == i) & (found == i)) / max(np.sum((labels == i) | (found == i)), 1)
        for i in range(test.num_classes)
    ]
    present = [i for i in range(test.num_classes) if np.any((labels == i) | (found == i))]
    np.testing.assert_allclose(np.nan_to_num(record["class_ious"]), ious, atol=1e-6)
    assert record["mean_iou"] == pytest.approx(np.mean([ious[i] for i in present]), abs=1e-6)
    expected = kr.metrics.upsampling_iou(labels, steps["grid"], test.num_classes)
    # Points that are nearest up to rounding are all right.
    assert record["upsampling_iou"] == pytest.approx(expected, abs=2e-3)
    ((place, shown),) = pictures
    np.testing.assert_array_equal(shown["classes"], steps["probabilities"][place].argmax(-1))


def test_one_seed_gives_every_method_the_same_network():
    options = options_of()
    _, test, _ = data.load(options)
    models = [methods.segmenter(name, (8, 12), options, test, 3) for name in ("uniform", "joint")]
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


def test_costs_by_hand():
    options = options_of()
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


@pytest.mark.parametrize("size", [(45, 60), (7, 5), (16, 16)])
def test_unet_keeps_any_size(size):
    network = networks.build("unet", (*size, 4), num_classes=3, width=4)
    assert network.output_shape == (None, *size, 3)
    images = np.random.default_rng(0).uniform(0, 255, (1, *size, 4))
    other = images + np.array([0, 0, 0, 9])  # the oracle's channel is not for the network
    np.testing.assert_array_equal(network.predict_on_batch(images), network.predict_on_batch(other))


def test_class_weights_favour_rare_classes():
    train, *_ = data.load(options_of())
    weights = data.class_weights(train)
    counts = np.bincount(train.arrays()[1].ravel(), minlength=train.num_classes)
    order = np.argsort(-counts, kind="stable")
    assert np.all(np.diff([weights[int(i)] for i in order]) >= 0)
    average = sum(weights[i] * n for i, n in enumerate(counts)) / counts.sum()
    assert average == pytest.approx(1.0)


def test_a_folder_is_read_and_its_place_not_written(tmp_path, small_network):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name, high, shape in (("", 256, (32, 48, 3)), ("annot", 12, (32, 48))):
            (tmp_path / "streets" / (part + name)).mkdir(parents=True)
            for i in range(4):
                pixels = image.fromarray(rng.integers(0, high, shape, "uint8"))
                pixels.save(tmp_path / "streets" / (part + name) / f"0001TP_{i}.png")
    folder, out = str(tmp_path / "streets"), tmp_path / "out"
    chosen = ["--camvid", folder, "--methods", "uniform", "--pictures", "0", "--out", str(out)]
    results = script.compare(options_of(*chosen))
    assert len(results["runs"]["uniform 8x12 seed 0"]["class_ious"]) == 11
    assert results["speed"]["8x12"]["uniform"] > 0
    for name in ("results.json", "results.md"):
        text = (out / name).read_text()
        assert str(tmp_path) not in text and "--camvid streets" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sizes", "24"], "HEIGHTxWIDTH"),
        (["--scene-size", "0x5"], "HEIGHTxWIDTH"),
        (["--methods", "joints"], "2"),
        (["--camvid", "a", "--cityscapes", "b"], "2"),
    ],
)
def test_wrong_options_are_refused(arguments, message):
    with pytest.raises(SystemExit, match=message):
        script.read(arguments)


def test_the_notebook_runs(tmp_path, monkeypatch, small_network, unmeasured_speed):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "segment_high_resolution", script)
    path = EXAMPLES / "segment_high_resolution.ipynb"
    assert path.stat().st_size < 1_000_000
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in cells[1:])
    (parameters,) = [c for c in cells if "parameters" in c["metadata"].get("tags", ())]
    parameters["source"] = [f"settings = {SMALL.split() + ['--methods', 'joint']}"]
    names = {}
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert (tmp_path / "runs" / "segmentation" / "results.md").exists()


def test_tables_say_mean_and_spread():
    assert report.percent([0.5]) == "50.0"
    assert report.percent([0.5, 0.6]) == "55.0 ± 7.1"
    assert report.percent([0.01, 0.02], "+.1f") == "+1.5 ± 0.7"
