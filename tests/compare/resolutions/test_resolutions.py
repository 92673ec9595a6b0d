"""The comparison at several resolutions: a whole one, its networks, its pairs and its numbers."""

import json

import keras
import numpy as np
import pytest
from PIL import Image

from keras_resample import losses, metrics, models
from keras_resample.compare import ResolutionSettings, SettingError, compare
from keras_resample.compare.engine import run as engine
from keras_resample.compare.engine.task import Run
from keras_resample.compare.resolutions import (
    data,
    figures,
    folds,
    names,
    networks,
    table,
    verification,
)
from keras_resample.compare.resolutions.task import Resolutions
from tests.compare.conftest import stopped_and_continued, without_pictures

SMALL = {"identities": 4, "images_per_identity": 4, "size": (16, 16), "resolutions": (8, 4)}
SMALL |= {"batch_size": 4, "epochs": 2, "methods": ("high", "multi", "btnet"), "rank": 2}


def settings_of(out, **changes):
    return ResolutionSettings(out=out, **{**SMALL, **changes})


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A comparison stopped in the middle of a branch, and continued."""
    settings = settings_of(tmp_path_factory.mktemp("out"))
    return stopped_and_continued(settings, "btnet, 4x4, seed 0")


def test_a_comparison_measures_all_pairs_of_resolutions(whole):
    results = whole["results"]
    assert f"Continuing in {whole['out']}: 3 of 4 runs are finished." in whole["lines"]
    sides = ["16x16", "8x8", "4x4"]
    pairs = [(one, other) for i, one in enumerate(sides) for other in sides[i:]]
    for method in ("high", "high bicubic", "multi", "btnet"):
        own = [one for one in results["verified"] if one["method"] == method]
        assert sorted(tuple(one["pair"]) for one in own) == sorted(pairs)
        assert all(0 <= one["eer"] <= 1 for one in own)
    at_full = {
        one["method"]: one["eer"]
        for one in results["verified"]
        if one["pair"] == ["16x16", "16x16"]
    }
    assert at_full["btnet"] == at_full["multi"]
    assert at_full["high"] == at_full["high bicubic"]


def test_page_and_figures(whole):
    page = (whole["out"] / "results.md").read_text(encoding="utf-8")
    for title in table.shown(whole["results"]).values():
        assert page.count(f"| {title} ") >= 2
    assert str(whole["out"].parent) not in page
    expected = {"learning_curves", "maps_8x8", "maps_4x4"}
    assert set(whole["results"]["figures"]) == {f"figures/{name}.png" for name in expected}
    for name in whole["results"]["figures"]:
        assert (whole["out"] / name).read_bytes().startswith(b"\x89PNG")
        assert name in page


def test_maps_are_those_of_each_network_where_branches_enter():
    settings = settings_of("runs", resolutions=(8,))
    recognizer = networks.whole("multi", settings, (16, 16, 1), 2, 0)
    recognizer.build((None, 16, 16, 1))
    trunk, image = networks.trunk_of(recognizer), np.random.rand(1, 16, 16, 1).astype("float32")
    made = {
        name: networks.branch(name, (8, 8), recognizer, settings, 0)[0]
        for name in ("scratch", "fixed-trunk", "btnet")
    }
    figure = figures.feature_maps(trunk, {"multi": recognizer, **made}, image, (8, 8))
    rows = [figure.axes[place : place + 7] for place in range(0, 35, 7)]
    assert [row[0].get_ylabel().split(",")[0] for row in rows] == [
        "trunk", "multi-resolution", "own network", "branch", "branch",
    ]  # fmt: skip
    maps = keras.ops.convert_to_numpy(made["btnet"].branch(data.reduced(image, (8, 8))))[0]
    shown = [ax.images[0].get_array() for ax in rows[4][1:]]
    assert all(any(np.allclose(own, one) for own in np.moveaxis(maps, -1, 0)) for one in shown)
    untrained = [ax.images[0].get_array() for ax in rows[3][1:]]
    assert all(map(np.array_equal, shown, untrained))  # both are as the trunk is


def test_nothing_is_trained_twice(whole, monkeypatch):
    without_pictures(monkeypatch)
    monkeypatch.setattr(engine, "train", lambda *args: pytest.fail("trained again"))
    again = compare(settings_of(whole["out"], report=True), lambda line: None)
    written = json.loads((whole["out"] / "results.json").read_text())
    assert json.loads(json.dumps(again["verified"])) == written["verified"]
    with pytest.raises(SettingError, match=r"size is \[24, 24\], was \[16, 16\]"):
        compare(settings_of(whole["out"], size="24x24"), lambda line: None)


def test_the_numbers_are_those_of_the_stored_models(whole):
    loaded = data.load(settings_of(whole["out"]))
    folder = whole["out"] / "runs"
    trunk = keras.models.load_model(folder / "multi-seed0" / "model.keras")
    branch = keras.models.load_model(folder / "btnet-4x4-seed0" / "model.keras")
    small = data.reduced(loaded.test_images, (4, 4))
    one = trunk.encoder.predict(loaded.test_images, verbose=0)
    other = keras.ops.convert_to_numpy(branch.network(small))
    expected = verification.measured(one, loaded.test_labels, others=other)
    (found,) = (
        found
        for found in whole["results"]["verified"]
        if found["method"] == "btnet" and found["pair"] == ["16x16", "4x4"]
    )
    assert found["eer"] == pytest.approx(expected["eer"], abs=1e-6)


def test_a_branch_is_trained_and_the_trunk_is_as_before(whole):
    folder = whole["out"] / "runs"
    trunk = keras.models.load_model(folder / "multi-seed0" / "model.keras")
    branch = keras.models.load_model(folder / "btnet-8x8-seed0" / "model.keras")
    before, after = (
        [keras.ops.convert_to_numpy(weight) for weight in network.weights]
        for network in (networks.trunk_of(trunk), branch.network.trunk)
    )
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def trained():
    """A recognizer as that of "multi", not trained: with it and what is asked of its branches."""
    keras.config.set_image_data_format("channels_last")
    wanted = ResolutionSettings(**SMALL)
    recognizer = networks.whole("multi", wanted, (16, 16, 1), 2, 0)
    recognizer.build((None, 16, 16, 1))
    return recognizer, wanted


@pytest.mark.backends("torch", reason="what it calls is tested on every backend")
@pytest.mark.parametrize("method", names.BRANCHES)
def test_what_each_way_shares_and_trains(method, trained):
    recognizer, wanted = trained
    trunk = networks.trunk_of(recognizer)
    before = [np.array(keras.ops.convert_to_numpy(weight)) for weight in trunk.weights]
    model, loss = networks.branch(method, (8, 8), recognizer, wanted, 0)
    model.compile(keras.optimizers.SGD(0.1), **({} if loss is None else {"loss": loss}))
    images, labels = np.random.default_rng(0).random((4, 16, 16, 1)), np.array([0, 0, 1, 1])
    assert (loss is None) == (method in ("scratch", "pretrained"))
    assert loss is None or isinstance(loss, losses.InfluenceLoss)
    encoder = networks.encoder_of(model)
    first = encoder.predict(images, verbose=0)
    served = networks.served(model)
    small = images if served.input_shape[1] == 16 else data.reduced(images, (8, 8))
    np.testing.assert_allclose(served.predict(small, verbose=0), first, atol=1e-4)
    starts = models.BTNet(trunk, [(8, 8)]).predict(data.reduced(images, (8, 8)), verbose=0)
    if method in ("pretrained", "influence", "fixed-trunk", "btnet"):
        np.testing.assert_allclose(first, starts, atol=1e-4)
    if method == "scratch":
        assert np.abs(first - starts).max() > 1e-3
    model.fit(images, labels, verbose=0)
    assert np.abs(encoder.predict(images, verbose=0) - first).max() > 1e-6
    for one, weight in zip(before, trunk.weights, strict=True):
        np.testing.assert_array_equal(one, keras.ops.convert_to_numpy(weight))
    own = networks.added_parameters(model)
    total = sum(int(np.prod(weight.shape)) for weight in trunk.trainable_weights)
    shares = {"adapter": 0.5, "btnet": 0.9, "fixed-trunk": 0.9}
    assert (own < shares[method] * total) if method in shares else (own >= 0.9 * total)


@pytest.mark.backends("torch", reason="no backend takes part")
@pytest.mark.parametrize(("head", "margin"), [("cosface", 0.35), ("curricularface", 0.5)])
def test_the_classifier_is_the_one_that_was_asked_for(head, margin):
    """Of the trunk, and of the influence loss of a branch."""
    settings = settings_of("runs", head=head)
    assert settings.margin == margin and f"--head {head}" in settings.command()
    assert settings_of("runs").margin == 0.5 and "margin" not in settings_of("runs").command()
    recognizer = networks.whole("multi", settings, (16, 16, 1), 2, 0)
    recognizer.build((None, 16, 16, 1))
    _, loss = networks.branch("btnet", (8, 8), recognizer, settings, 0)
    for classifier in (recognizer.head, loss.classifier):
        assert type(classifier).__name__.lower() == head and classifier.margin == margin


def test_pairs_across_resolutions_equal_a_loop():
    random = np.random.default_rng(0)
    one, other, labels = random.normal(size=(6, 3)), random.normal(size=(6, 3)), np.arange(6) // 2
    rows, of_one = random.integers(0, 6, (8, 2)), np.arange(8) % 2 == 0
    listed = folds.Pairs(rows, of_one, 2)
    scores, same = [], []
    for i in range(6):
        for j in range(6):
            if i != j:
                lengths = np.linalg.norm(one[i]) * np.linalg.norm(other[j])
                scores.append(one[i] @ other[j] / lengths)
                same.append(labels[i] == labels[j])
    found = verification.measured(one, labels, listed, other)
    images = np.concatenate([[one[i], other[j]] for i, j in rows])
    assert found["accuracy"] == metrics.lfw_accuracy(images, of_one, folds=2)[0]
    assert verification.measured(one, labels)["accuracy"] is None
    assert found["eer"] == pytest.approx(metrics.eer(np.array(scores), np.array(same)), abs=1e-6)
    nothing = verification.measured(one, labels, others=np.full((6, 3), np.nan))
    assert nothing == verification.NOTHING


@pytest.mark.backends("torch", reason="no backend takes part")
def test_from_scratch_is_set_against_the_network_of_high_resolution():
    wanted, labels = ResolutionSettings(**SMALL), np.arange(6) // 2
    random = np.random.default_rng(0)
    at = {name: random.normal(size=(6, 3)) for name in ("16x16", "8x8", "4x4")}
    sharp = {f"{name} bicubic": at[name] for name in ("8x8", "4x4")}
    other = {**at, "16x16": random.normal(size=(6, 3))}
    records = [
        {"method": "high", "seed": 0, **at, **sharp},
        {"method": "multi", "seed": 0, **other},
        {"method": "scratch", "seed": 0, "8x8": at["8x8"]},
        {"method": "btnet", "seed": 0, "8x8": at["8x8"]},
    ]
    found = {
        (one["method"], *one["pair"]): one["eer"]
        for one in verification.of_records(records, labels, wanted)
    }
    assert found["scratch", "16x16", "8x8"] == found["high", "16x16", "8x8"]
    assert found["btnet", "16x16", "8x8"] == found["multi", "16x16", "8x8"]
    assert ("btnet", "16x16", "4x4") not in found


@pytest.mark.backends("torch", reason="no backend takes part")
def test_gains_are_those_of_the_paper():
    verified = [
        {"method": method, "seed": 0, "pair": ["112x112", "14x14"], "eer": 0.1, "tar": tar}
        for method, tar in (("high", 0.8102), ("multi", 0.8747), ("btnet", 0.9408))
    ]
    lines = table.gains({"sizes": ["112x112", "14x14"], "verified": verified})
    assert any("BTNet" in line and "+2.02" in line for line in lines)
    assert not any("high resolution" in line for line in lines)


@pytest.mark.backends("torch", reason="settings are checked in Python")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"resolutions": (16, 8)}, "`resolutions` must be smaller than the images, 16x16"),
        ({"size": "16x12", "resolutions": 5}, "must be smaller .*, 16x12, with whole widths"),
        ({"size": 16}, "`size` must be HEIGHTxWIDTH"),
        ({"pairs": __file__}, "`pairs` goes with `faces`"),
        ({"train_folds": (1, 2)}, "`train_folds` goes with `pairs`"),
        ({"encoder": "small", "trunk": __file__}, "`encoder` must be left out"),
        ({"resolutions": 1}, "`resolutions` must be different integers of at least 2"),
        ({"methods": ("btnet", "lora")}, "`methods` must be different ones of"),
        ({"faces": "/no/such/folder"}, "`faces` must be an existing folder"),
        ({"rank": 0}, "`rank` must be an integer of at least 1"),
        ({"distillation_weight": 0}, "`distillation_weight` must be a number in"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(SettingError, match=message):
        ResolutionSettings(**{**SMALL, **wrong})


@pytest.mark.backends("torch", reason="settings are checked in Python")
def test_a_resolution_that_the_trunk_has_no_maps_of_is_refused_before_any_training():
    wanted = ResolutionSettings(**{**SMALL, "resolutions": (8, 5)})
    with pytest.raises(SettingError, match="`resolutions` must be heights of the trunk's maps"):
        Resolutions(wanted).load(lambda line: None)
    Resolutions(ResolutionSettings(**{**SMALL, "resolutions": 5, "methods": "multi"})).load(print)


def write_faces(folder, people, images):
    random = np.random.default_rng(0)
    for person in range(people):
        (folder / f"P{person}").mkdir(parents=True)
        for image in range(1, images + 1):
            pixels = random.integers(0, 256, (16, 12, 3), "uint8")
            Image.fromarray(pixels).save(folder / f"P{person}" / f"P{person}_{image:04}.png")


def test_faces_of_a_folder(tmp_path):
    write_faces(tmp_path / "faces", people=4, images=2)
    given = {"identities": None, "images_per_identity": None, "faces": str(tmp_path / "faces")}
    wanted = ResolutionSettings(**{**SMALL, **given})
    loaded = data.load(wanted)
    assert loaded.test_images.shape == (4, 16, 16, 3) and loaded.train.num_classes == 2
    assert wanted.epochs == 2 and ResolutionSettings(faces=given["faces"]).epochs == 20
    with pytest.raises(SettingError, match="`identities` is for the built-in palmprints"):
        ResolutionSettings(faces=given["faces"], identities=8)


@pytest.mark.backends("torch", reason="no backend takes part")
def test_the_trunk_is_trained_where_a_branch_needs_it():
    wanted = ResolutionSettings(**{**SMALL, "methods": "btnet", "seeds": (0, 1)})
    runs = Resolutions(wanted).runs()
    assert runs[0] == Run("multi", 0) and runs[3] == Run("multi", 1)
    assert [run.case for run in runs[1:3]] == ["8x8", "4x4"]
    assert Resolutions(ResolutionSettings(methods="high")).runs() == [Run("high", 0)]


@pytest.fixture
def of_pairs(tmp_path):
    """Settings with a trunk from a file, and ten folds of people of which each has its own two."""
    write_faces(tmp_path / "faces", people=20, images=2)
    lines = []
    for one in range(0, 20, 2):
        lines += [f"P{one} 1 2", f"P{one} 1 P{one + 1} 2"]
    (tmp_path / "pairs.txt").write_text("10 1\n" + "\n".join(lines))
    network = models.IResNet((1, 1), (4, 8), input_shape=(16, 12, 3), embedding_dim=8)
    network.trainable = False
    images = keras.Input((16, 12, 3))
    trunk = keras.Model(images, network(keras.layers.Rescaling(2.0, -1.0)(images)))
    trunk.save(tmp_path / "trunk.keras")
    given = {name: str(tmp_path / name) for name in ("faces",)}
    given |= {"pairs": str(tmp_path / "pairs.txt"), "trunk": str(tmp_path / "trunk.keras")}
    given |= {"identities": None, "images_per_identity": None, "out": str(tmp_path / "out")}
    return SMALL | given | {"size": (16, 12), "resolutions": 8, "epochs": 1, "train_folds": (1, 3)}


@pytest.mark.backends("torch", reason="its trainings are those of the whole comparison")
def test_a_trained_trunk_is_compared_as_it_is(of_pairs, monkeypatch):
    without_pictures(monkeypatch)
    results = compare(ResolutionSettings(**of_pairs), lambda line: None)
    trunk = keras.models.load_model(of_pairs["trunk"])
    stored = keras.models.load_model(f"{of_pairs['out']}/runs/high-seed0/model.keras")
    for one, other in zip(trunk.weights, networks.trunk_of(stored).weights, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))
    loaded = data.load(ResolutionSettings(**of_pairs))
    images, labels = loaded.train.arrays()
    means = np.array([trunk.predict(images[labels == k], verbose=0).mean(0) for k in range(4)])
    kernel = keras.ops.convert_to_numpy(stored.head.kernel)
    np.testing.assert_allclose(kernel, means / np.linalg.norm(means, axis=1)[:, None], atol=1e-5)
    by_method = {(one["method"], *one["pair"]): one for one in results["verified"]}
    found = by_method["btnet", "16x12", "8x6"]
    branch = keras.models.load_model(f"{of_pairs['out']}/runs/btnet-8x6-seed0/model.keras")
    small = branch.network.predict(data.reduced(loaded.test_images, (8, 6)), verbose=0)
    large = trunk.predict(loaded.test_images, verbose=0)
    expected = verification.measured(large, loaded.test_labels, loaded.pairs, small)
    assert found["accuracy"] == expected["accuracy"]
    assert found["eer"] == pytest.approx(expected["eer"], abs=1e-6)
    page = "\n".join(table.page(results))
    assert "accuracy, %" in page and "folds 1, 3 of the pairs" in page


@pytest.mark.every_backend
def test_a_trunk_that_was_frozen_is_trained(of_pairs):
    recognizer = networks.whole("high", ResolutionSettings(**of_pairs), (16, 12, 3), 4, 0)
    fresh = models.IResNet((1, 1), (4, 8), input_shape=(16, 12, 3), embedding_dim=8)
    assert len(networks.trunk_of(recognizer).trainable_weights) == len(fresh.trainable_weights)


@pytest.mark.backends("torch", reason="what it calls is tested on every backend")
def test_adapters_of_a_trunk_inside_of_a_model(of_pairs):
    wanted = ResolutionSettings(**of_pairs)
    recognizer = networks.whole("high", wanted, (16, 12, 3), 4, 0)
    recognizer.build((None, 16, 12, 3))
    encoder, _ = networks.branch("adapter", (8, 6), recognizer, wanted, 0)
    names = {weight.name.split("_")[0] for weight in encoder.trainable_weights}
    assert names == {"lora", "bias"}


@pytest.mark.backends("torch", reason="no backend takes part")
def test_people_of_the_folds(of_pairs):
    loaded = data.load(ResolutionSettings(**of_pairs))
    assert loaded.train.num_classes == 4 and len(loaded.test_images) == 32
    assert loaded.pairs.folds == 8 and len(loaded.pairs.same) == 16
    first, second = loaded.test_labels[loaded.pairs.rows].T
    np.testing.assert_array_equal(first == second, loaded.pairs.same)
    assert (loaded.pairs.rows[:, 0] != loaded.pairs.rows[:, 1]).all()
    with open(of_pairs["pairs"], "a") as file:
        file.write("\nP0 1 2\nP0 1 P1 1" * 10)
    with pytest.raises(SettingError, match="`train_folds` must not share people .* as P0"):
        data.load(ResolutionSettings(**of_pairs))
    with open(of_pairs["pairs"], "a") as file:
        file.write("\nP0 1 2")
    with pytest.raises(SettingError, match="`pairs` must be 10 folds .*, not 41 pairs"):
        data.load(ResolutionSettings(**of_pairs))


@pytest.mark.backends("torch", reason="no backend takes part")
@pytest.mark.parametrize("wrong", [{"trunk": "pairs"}, {"size": (16, 16)}])
def test_a_trunk_that_does_not_fit_is_refused(wrong, of_pairs):
    changed = {name: of_pairs.get(value, value) for name, value in wrong.items()}
    with pytest.raises(SettingError, match="^`trunk` must be a .*model"):
        Resolutions(ResolutionSettings(**{**of_pairs, **changed})).load(lambda line: None)
