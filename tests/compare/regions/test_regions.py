"""The comparison for fine-grained classes: a whole one, its networks, its data and its numbers."""

import json
import math

import keras
import numpy as np
import pytest

from keras_resample import layers
from keras_resample.compare import RegionSettings, SettingError, compare
from keras_resample.compare.engine import run as engine
from keras_resample.compare.engine.task import Run
from keras_resample.compare.regions import data, names, networks, simulation, table
from keras_resample.compare.regions.task import Regions
from tests.compare.conftest import stopped_and_continued, without_pictures
from tests.example_scripts import notebooks

# What the comparison below is asked to do.
SMALL = {"classes": 2, "images_per_class": 6, "test_images_per_class": 3, "size": (32, 32)}
SMALL |= {"width": 8, "batch_size": 4, "epochs": 2, "seeds": 0, "pictures": 2, "k": (0.5, 1.0)}
SMALL |= {"methods": "local-adaptive", "local_branches": 1}


def settings_of(out, **changes):
    return RegionSettings(out=out, **{**SMALL, **changes})


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A comparison stopped in the middle of the second run, and continued."""
    settings = settings_of(tmp_path_factory.mktemp("out"))
    return stopped_and_continued(settings, "local-adaptive 1, seed 0")


def test_a_comparison_measures_all(whole):
    runs = {record["method"]: record for record in whole["results"]["runs"]}
    assert sorted(runs) == ["local-adaptive 0.5", "local-adaptive 1"]
    assert f"Continuing in {whole['out']}: 1 of 2 runs are finished." in whole["lines"]
    for record in runs.values():
        assert 0 <= record["accuracy"] <= 1 and len(record["history"]) == 2
    # At k = 1 untrained networks keep nearly all of a map, and so nearly all of the mark.
    assert runs["local-adaptive 1"]["coverage"] > max(0.8, runs["local-adaptive 0.5"]["coverage"])
    assert sorted(whole["results"]["images_per_second"]) == sorted(runs)


def test_page_and_figures(whole):
    page = (whole["out"] / "results.md").read_text(encoding="utf-8")
    for record in whole["results"]["runs"]:
        assert f"| {names.title(record['method'])} " in page
    assert str(whole["out"].parent) not in page and "By chance 50.0 %" in page
    expected = {
        "learning_curves",
        "k",
        "regions_local-adaptive_0.5_1",
        "regions_local-adaptive_1_1",
    }
    assert set(whole["results"]["figures"]) == {f"figures/{name}.png" for name in expected}
    for name in whole["results"]["figures"]:
        assert (whole["out"] / name).read_bytes().startswith(b"\x89PNG")
        assert name in page


def test_nothing_is_trained_twice(whole, monkeypatch):
    without_pictures(monkeypatch)
    monkeypatch.setattr(engine, "train", lambda *args: pytest.fail("trained again"))
    again = compare(settings_of(whole["out"], report=True), lambda line: None)
    written = json.loads((whole["out"] / "results.json").read_text())
    assert json.loads(json.dumps(again["runs"])) == written["runs"]
    with pytest.raises(SettingError, match="width is 9, was 8"):
        compare(settings_of(whole["out"], width=9), lambda line: None)


@pytest.mark.backends("torch", reason="what it calls is tested on every backend")
def test_the_notebook_runs(whole, monkeypatch):
    pytest.importorskip("matplotlib").use("agg")
    without_pictures(monkeypatch)
    monkeypatch.setattr(engine, "train", lambda *args: pytest.fail("trained again"))
    names = notebooks.run("look_at_parts", f"options = {SMALL | {'out': str(whole['out'])}}")
    assert len(names["found"]) == 2 and names["images"].shape == (4, 32, 32, 3)
    test = data.load(settings_of(whole["out"])).test
    shown = {image.tobytes() for image in names["images"]}
    assert shown <= {image.tobytes() for image in test.images}


def test_the_numbers_are_those_of_the_stored_model(whole):
    (record,) = (r for r in whole["results"]["runs"] if r["method"] == "local-adaptive 1")
    tested = data.load(settings_of(whole["out"])).test
    path = whole["out"] / "runs" / "local-adaptive_1-seed0" / "model.keras"
    logits = keras.models.load_model(path).predict(tested.images, verbose=0)
    accuracy = np.mean(logits.argmax(-1) == tested.labels)
    assert record["accuracy"] == pytest.approx(accuracy, abs=1e-6)


def test_networks_start_from_the_same_weights(tmp_path):
    wanted = settings_of(tmp_path)
    first = {}
    for name in ("stride", "local-stride", "local-adaptive 0.7", "local-spatial-transformer"):
        for weight in networks.build(name, wanted, 3, 7).weights:
            shape, value = tuple(weight.shape), keras.ops.convert_to_numpy(weight)
            if not weight.path.startswith(("fc", "local")):
                np.testing.assert_array_equal(value, first.setdefault((weight.path, shape), value))
    assert len(first) > 20


def test_networks_may_start_from_a_trained_one(tmp_path):
    path, wanted = tmp_path / "stride.keras", settings_of(tmp_path)
    source = networks.build("stride", wanted, 5, 1)
    source.save(path)
    wanted = settings_of(tmp_path, weights=path)
    for name in ("adaptive", "local-spatial-transformer", "local-adaptive 0.5 x2"):
        network = networks.build(name, wanted, 3, 0)
        anew = networks.build(name, settings_of(tmp_path), 3, 0)
        for layer in network.layers:
            origin = layer.name.split("_", 1)[1] if layer.name.startswith("local") else layer.name
            if origin in ("conv4_pool", "fc"):
                origin, given = layer.name, anew
            else:
                given = source
            if layer.weights:
                for one, other in zip(layer.weights, given.get_layer(origin).weights, strict=True):
                    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


@pytest.mark.backends("torch", reason="what it calls is tested on every backend")
def test_weights_are_those_of_a_network_that_fits(tmp_path):
    path = tmp_path / "given.keras"
    path.write_bytes(b"no model")
    with pytest.raises(SettingError, match="`weights` must be a model that Keras reads"):
        networks.build("stride", settings_of(tmp_path, weights=path), 3, 0)
    first = settings_of(tmp_path, weights=path).numbers()["weights"]
    networks.build("stride", settings_of(tmp_path, width=16), 3, 0).save(path)
    with pytest.raises(SettingError, match="`weights` must be .*; it has no such conv1"):
        networks.build("stride", settings_of(tmp_path, weights=path), 3, 0)
    assert settings_of(tmp_path, weights=path).numbers()["weights"] != first
    assert settings_of(tmp_path).numbers()["weights"] is None
    assert str(tmp_path) not in settings_of(tmp_path, weights=path).command()


def test_beetles_of_another_seed_are_others(tmp_path):
    one, other = (data.load(settings_of(tmp_path, beetle_seed=seed)).train for seed in (0, 1))
    assert not {image.tobytes() for image in one.images} & {i.tobytes() for i in other.images}


@pytest.mark.parametrize(
    ("name", "conv3", "conv4"),
    [
        ("stride", 0, 0),
        ("adaptive", 0, 1),
        ("local-stride", 1, 0),
        ("local-center-crop", 1, 0),
        ("local-region", 1, 1),
        ("local-adaptive 0.5 x2", 1, 2),
    ],
)
def test_every_network_has_its_poolings(name, conv3, conv4, tmp_path):
    network = networks.build(name, settings_of(tmp_path), 3, 0)
    assert network.output_shape == (None, 3)
    assert [len(found) for found in networks.region_models(network)] == [conv3, conv4]
    method, k, count = names.parts(name)
    pools = [n for n in network.layers if isinstance(n, layers.AdaptiveRegionPooling)]
    expected = [1.0] * conv3 + [k] * conv4 if k else [1.0] * conv3
    assert [pool.k for pool in pools] == expected


@pytest.mark.backends("torch", reason="compiling takes long, and all are built on every backend")
@pytest.mark.parametrize("name", names.variants(names.METHODS, (0.7,), (1, 2)))
def test_every_network_learns(name, tmp_path):
    task = Regions(settings_of(tmp_path, images_per_class=4, test_images_per_class=1))
    task.load(lambda line: None)
    network = task.model(Run(name, 0))
    before = [keras.ops.convert_to_numpy(weight) for weight in network.trainable_weights]
    # What leads to the affine view has no gradient until its last weights have left zero.
    losses = [network.train_on_batch(*task.batches(Run(name, 0), 0)[0])[0] for _ in range(4)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    for weight, old in zip(network.trainable_weights, before, strict=True):
        assert np.any(keras.ops.convert_to_numpy(weight) != old), weight.path


def test_conv3_may_have_a_stride(tmp_path):
    network = networks.build("local-region", settings_of(tmp_path, conv3="stride"), 3, 0)
    assert networks.region_models(network)[0] == []


@pytest.mark.backends("torch", reason="plain numpy")
def test_boxes_within_boxes_and_what_they_cover():
    outer = np.array([[0.5, 0.0, 1.0, 1.0]])
    inner = networks.within(outer, np.array([[0.0, 0.5, 0.5, 1.0]]))
    np.testing.assert_allclose(inner, [[0.5, 0.5, 0.75, 1.0]])
    box = np.array([[0.7, 0.5, 0.8, 0.7]])
    np.testing.assert_allclose(networks.covered(box, inner), [0.5])
    np.testing.assert_allclose(networks.covered(box, np.array([[0.0, 0.0, 0.1, 0.1]])), [0.0])


@pytest.mark.backends("torch", reason="plain numpy")
def test_batches_depend_on_seed_and_epoch_alone():
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 9, 3), "uint8")
    part = data.Part(images, np.arange(10))
    batches = data.Batches(part, (7, 7), 4, seed=3, augment=True)
    assert len(batches) == 2  # whole ones
    batches.on_epoch_end()
    resumed = data.Batches(part, (7, 7), 4, seed=3, augment=True, epoch=1)
    for one, other in zip(batches[1], resumed[1], strict=True):
        np.testing.assert_array_equal(one, other)
    cut, labels = resumed[0]
    for image, label in zip(cut, labels, strict=True):
        windows = [images[label, t : t + 7, s : s + 7] for t in range(2) for s in range(3)]
        assert any(np.array_equal(image, w) or np.array_equal(image[:, ::-1], w) for w in windows)
    in_order = data.Batches(part, (6, 7), 4)
    np.testing.assert_array_equal(in_order.all_images(), images[:, 1:7, 1:8])
    assert len(in_order) == 3


@pytest.mark.parametrize("count", [0, 3])
def test_so_many_images_are_drawn_as_are_asked_for(count, tmp_path):
    task = Regions(settings_of(tmp_path, pictures=count))
    task.load(lambda line: None)
    images = task.pictured()
    assert images.shape == (count, *SMALL["size"], 3)


@pytest.mark.backends("torch", reason="plain numpy")
def test_validation_is_a_part_of_each_class_of_the_training_images():
    labels = np.array([0] * 10 + [1] * 5 + [2])
    held = data.held_out(labels, 0.2)
    np.testing.assert_array_equal(np.flatnonzero(held), [8, 9, 14])


def test_generated_parts_do_not_overlap(tmp_path):
    loaded = data.load(settings_of(tmp_path))
    assert [len(p) for p in (loaded.train, loaded.validation, loaded.test)] == [10, 2, 6]
    parts = (loaded.train, loaded.validation, loaded.test)
    assert len({image.tobytes() for part in parts for image in part.images}) == 18
    assert loaded.train.boxes.shape == (10, 4) and not loaded.augment


def test_a_folder_of_lists_is_read_and_its_place_not_written(tmp_path):
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "birds"
    folder.mkdir()
    for split in ("train", "test"):
        lines = []
        for i in range(8):
            pixels = np.full((20, 24, 3), 20 * i, "uint8")
            image.fromarray(pixels).save(folder / f"{split}{i}.png")
            lines.append(f"{split}{i}.png {('wren', 'gull')[i % 2]}\n")
        (folder / f"{split}.list").write_text("".join(lines))
    loaded = data.load(RegionSettings(image_lists=folder, size="14x21"))
    assert loaded.train.images.shape == (6, 16, 24, 3) and loaded.augment
    assert loaded.train.boxes is None and loaded.test.labels.tolist() == [1, 0] * 4
    assert str(tmp_path) not in loaded.description and "2 classes" in loaded.description
    with pytest.raises(SettingError, match="`cub` must be readable"):
        data.load(RegionSettings(cub=folder))


@pytest.mark.backends("torch", reason="no backend takes part")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"part_size": (0.1, 0.05)}, "`part_size` must be the smallest and the largest side"),
        ({"k": (-1,)}, "`k` must be different numbers of at least 0"),
        ({"methods": "crop"}, "`methods` must be different ones of stride"),
        ({"weights": "missing.keras"}, "`weights` must be an existing file"),
        ({"width": 4}, "`width` must be an integer of at least 8"),
        ({"validation": 1}, "`validation` must be a number"),
        ({"cub": ".", "classes": 3}, "`classes` is for the generated beetles"),
        ({"cub": ".", "part_size": (0.1, 0.1)}, "`part_size` must be two numbers"),
        ({"cub": ".", "part_size": (0.1, 0.12)}, "`part_size` is for the generated beetles"),
        ({"cub": ".", "beetle_seed": 0}, "`beetle_seed` is for the generated beetles"),
        ({"cub": ".", "image_lists": "."}, "`image_lists` must be the only data set"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(SettingError, match=message):
        RegionSettings(**wrong)


@pytest.mark.backends("torch", reason="no backend takes part")
def test_the_rate_warms_up_and_drops(tmp_path):
    task = Regions(settings_of(tmp_path, epochs=100, learning_rate=0.01))
    rates = [task.rate(epoch) for epoch in range(100)]
    assert rates[0] == pytest.approx(0.001) and rates[5] == pytest.approx(0.0055)
    for epoch, expected in {10: 0.01, 39: 0.01, 40: 0.001, 69: 0.001, 70: 1e-4, 99: 1e-4}.items():
        assert rates[epoch] == pytest.approx(expected)


@pytest.mark.backends("torch", reason="no backend takes part")
def test_names_of_variants():
    found = list(names.variants(["stride", "local-adaptive"], (0.7, 1.0), (1, 2)))
    assert found == ["stride", "local-adaptive 0.7", "local-adaptive 1", "local-adaptive 0.5 x2"]
    assert names.parts(found[3]) == ("local-adaptive", 0.5, 2)
    assert names.title(found[3]) == "2 local branches, ARP k=0.5"


@pytest.mark.backends("torch", reason="no backend takes part")
def test_networks_are_set_against_baselines_seed_by_seed():
    def runs(method, *accuracies):
        return [{"method": method, "seed": s, "accuracy": a} for s, a in enumerate(accuracies)]

    records = [*runs("local-region", 0.6, 0.9), *runs("stride", 0.5, 0.7, 0.1)]
    (line,) = table.differences(records)
    assert line == "* local branch, RP - stride (baseline): +15.0 ± 7.1 points"
    records += runs("local-stride", 0.5)
    assert [line.split(":")[0] for line in table.differences(records)] == [
        "* local branch, stride - stride (baseline)",
        "* local branch, RP - stride (baseline)",
        "* local branch, RP - local branch, stride",
    ]


@pytest.mark.backends("torch", reason="no backend takes part")
def test_pictures_of_numbers():
    figures = pytest.importorskip("keras_resample.compare.regions.figures")
    sweep = {0.5: [{"accuracy": 0.4}, {"accuracy": 0.6}], 1.0: [{"accuracy": 0.7}]}
    (ax,) = figures.sweep_of_k(sweep, {}).axes
    (bars,) = ax.containers[0].lines[2]
    spreads = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
    np.testing.assert_allclose(spreads, [100 * np.std([0.4, 0.6], ddof=1), 0.0], atol=1e-9)


def test_simulated_crops_by_a_loop(monkeypatch):
    monkeypatch.setattr(simulation, "SAMPLES", 20)
    keypoints = simulation.distributions(np.random.default_rng(0))
    shares, lengths, count = [], [], keypoints.shape[1]
    for row in keypoints.astype("float64"):
        place = np.arange(count)
        mean = (row * place).sum() / row.sum()
        deviation = math.sqrt((row * (place - mean) ** 2).sum() / row.sum())
        rate = min(0.7 * 2 * math.sqrt(3) / count * deviation, 1)
        length = math.floor(rate * count + 0.5)
        weights = np.exp(-0.5 * ((np.arange(length) - (length - 1) / 2) / (length / 6)) ** 2)
        sums = [weights @ row[i : i + length] for i in range(count - length + 1)]
        start = int(np.argmax(sums))
        shares.append(row[start : start + length].sum() / row.sum())
        lengths.append(length / count)
    found = simulation.kept(keypoints, 0.7, 0.0)
    np.testing.assert_allclose(found, [np.mean(shares), np.mean(lengths)], atol=2e-3)


def test_more_is_kept_with_a_larger_k(monkeypatch):
    monkeypatch.setattr(simulation, "SAMPLES", 50)
    rows = simulation.simulate((0.5, 0.7, 1.0))
    assert np.all(np.diff([row["coverage"] for row in rows]) > 0)
    assert all(row["bounded_coverage"] >= row["coverage"] - 1e-6 for row in rows)
    assert all(row["bounded_rate"] >= 0.5 for row in rows)
