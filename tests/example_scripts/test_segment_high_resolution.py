"""The comparison of samplers for segmentation: script and notebook, on small scenes."""

import importlib.util
import json
import sys

import keras
import numpy as np
import pytest

from tests.example_scripts import notebooks
from tests.example_scripts.notebooks import EXAMPLES

SMALL = "--images 8 --scene-size 32x48 --sizes 8x12 --width 4 --batch-size 4 --epochs 1"

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
    out, evaluated = tmp_path / "out", {}

    def evaluate(model, name, size, options, test, *args):
        found = original(model, name, size, options, test, *args)
        evaluated[name] = model, test, *found
        return found

    original = training.evaluate
    monkeypatch.setattr(training, "evaluate", evaluate)
    chosen = ["--methods", "edge-based", "joint", "--blur-radii", "1", "--out", str(out)]
    chosen += ["--loss", "focal", "--balance"]
    results = script.compare(options_of(*chosen))
    runs = {record["method"]: record for record in results["runs"].values()}
    assert list(runs) == ["edge-based 1", "joint"]
    # The oracle spends its samples where the label has edges.
    assert runs["edge-based 1"]["upsampling_iou"] > runs["joint"]["upsampling_iou"]
    assert runs["edge-based 1"]["network_gflops"] == runs["joint"]["network_gflops"]
    assert {"edge_loss", "loss"} <= set(runs["joint"]["history"])
    assert list(runs["joint"]["trimap"]) == ["2", "4", "8", "16", "32"]

    page = (out / "results.md").read_text()
    for name in runs:
        assert f"| {script.title(name)}" in page
    assert str(tmp_path) not in page and "**an oracle**" in page
    for name in results["figures"]:
        assert (out / name).stat().st_size > 1000
    assert len(results["figures"]) == 3  # two images, and the curve of costs

    check_measured(*evaluated["joint"])
    monkeypatch.setattr(training, "train", lambda *args: pytest.fail("trained again"))
    again = script.compare(options_of(*chosen, "--report"))
    assert again["runs"] == json.loads((out / "results.json").read_text())["runs"]
    with pytest.raises(SystemExit, match="results of another sigma"):
        script.compare(options_of(*chosen, "--sigma", "1.5"))


def check_measured(model, test, record, pictures):
    """What was measured, again from what the segmenter says of the test images."""
    images, labels = test.arrays()
    steps = model.inspect(images)
    found = steps["probabilities"].argmax(-1)
    ious = []
    for i in range(test.num_classes):
        union = np.sum((labels == i) | (found == i))
        ious.append(np.sum((labels == i) & (found == i)) / union if union else np.nan)
    np.testing.assert_allclose(record["class_ious"], ious, atol=1e-6)
    assert record["mean_iou"] == pytest.approx(np.nanmean(ious), abs=1e-6)
    perfect = np.stack([perfect_labels(*pair) for pair in zip(labels, steps["grid"], strict=True)])
    metric = keras.metrics.MeanIoU(test.num_classes)
    metric.update_state(labels.astype("int32"), perfect.astype("int32"))
    # Points on the edge of two pixels may read either, pixels between two points take either.
    assert record["upsampling_iou"] == pytest.approx(float(metric.result()), abs=0.02)
    for place, shown in pictures:
        np.testing.assert_array_equal(shown["classes"], found[place])


def perfect_labels(label, grid):
    """The label at each pixel of its nearest sampling point."""
    size = np.array(label.shape[::-1])
    points = grid.reshape(-1, 2) * size
    column, row = np.clip(points.astype(int), 0, size - 1).T
    centers = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in size)), axis=-1)
    distance = np.sum((centers[:, :, None] - points) ** 2, axis=-1)
    return label[row, column][distance.argmin(-1)]


def test_one_seed_gives_every_method_the_same_network(small_network):
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


def test_costs_by_hand(small_network):
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


def test_a_folder_is_read_and_its_place_not_written(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name, high, shape in (("", 256, (32, 48, 3)), ("annot", 12, (32, 48))):
            (tmp_path / "streets" / (part + name)).mkdir(parents=True)
            for i in range(4):
                pixels = image.fromarray(rng.integers(0, high, shape, "uint8"))
                pixels.save(tmp_path / "streets" / (part + name) / f"0001TP_{i}.png")
    arguments = ["--camvid", str(tmp_path / "streets"), "--out", str(tmp_path / "out")]
    options = script.read(arguments)
    command = "python examples/segment_high_resolution.py --camvid streets --out out"
    assert options.command == command and options.images is None
    train, test, description = data.load(options)
    assert train.num_classes == 11 and train.ignore_class == 11 and train.flip
    assert not test.flip and not test.shuffle and "4 training and 4 test" in description
    images, labels = data.Batches(test)[0]
    np.testing.assert_array_equal(labels, test.load.labels[:8])
    assert images.dtype == np.uint8 and "streets" not in description


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


def test_the_notebook_runs(tmp_path, monkeypatch, small_network):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "segment_high_resolution", script)
    settings = SMALL.split() + ["--methods", "uniform"]
    names = notebooks.run("segment_high_resolution", f"settings = {settings}")
    assert (tmp_path / "runs" / "segmentation" / "results.md").exists()
    assert names["results"]["speed"]["8x12"]["uniform"] > 0


def test_tables_say_mean_and_spread():
    assert report.percent([0.5]) == "50.0"
    assert report.percent([0.5, 0.6]) == "55.0 ± 7.1"
    assert report.percent([0.01, 0.02], "+.1f") == "+1.5 ± 0.7"


def test_methods_are_compared_on_the_seeds_they_share():
    def runs(*ious):
        return [{"seed": seed, "mean_iou": iou} for seed, iou in enumerate(ious)]

    by_method = {"uniform": runs(0.5), "edge-based 1": runs(0.6, 0.3), "edge-based 2": runs(0.5)}
    assert report.best_edge_based(by_method) == {"edge-based 1"}
    assert report.of_shared_seeds(by_method)["edge-based 1"] == runs(0.6)
