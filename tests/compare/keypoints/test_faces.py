"""The comparison on faces: a whole one on a drawn folder, its data and its numbers."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_resample import metrics
from keras_resample.compare import KeypointSettings, SettingError
from keras_resample.compare.engine.task import Run
from keras_resample.compare.keypoints import data, face_data, face_table, names, networks
from keras_resample.compare.keypoints.face_task import Faces
from keras_resample.compare.keypoints.keypoint_channel import KeypointChannel
from keras_resample.compare.keypoints.task import Keypoints
from tests.compare.conftest import stopped_and_continued

pytestmark = pytest.mark.backends("torch", reason="what it calls is tested on every backend")

PEOPLE, PHOTOGRAPHS = 10, 12
SMALL = {"size": 12, "patch_size": 4, "width": 8, "depth": 1, "num_heads": 2, "epochs": 2}
SMALL |= {"seeds": 0, "batch_size": 8, "severities": (0.5, 1), "methods": ("relative", "keypoint")}
POINTS = np.array([[5, 6], [11, 6], [8, 9], [6, 12], [10, 12]])


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten people of twelve photographs of 16 x 16 and one of three, and points.npz beside them."""
    folder, random = tmp_path_factory.mktemp("data") / "people", np.random.default_rng(0)
    files, points = [], []
    for person in range(PEOPLE + 1):
        (folder / f"person{person:02}").mkdir(parents=True)
        colors = random.uniform(0, 255, (5, 3))
        for number in range(PHOTOGRAPHS if person < PEOPLE else 3):
            found = POINTS + random.integers(-1, 2, (5, 2))
            image = random.uniform(0, 80, (16, 16, 3))
            image[found[:, 1], found[:, 0]] = colors
            files.append(f"person{person:02}/{number:02}.png")
            Image.fromarray(image.astype("uint8")).save(folder / files[-1])
            points.append(found)
    np.savez(folder.parent / "points.npz", files=files, points=np.array(points, "float32"))
    return folder


def settings_of(folder, out="unused", **changes):
    files = {"faces": folder, "points": folder.parent / "points.npz", "out": out}
    return KeypointSettings(**{**files, **SMALL, **changes})


@pytest.fixture(scope="module")
def whole(tmp_path_factory, folder):
    """A comparison stopped in the middle of the second run, and continued."""
    settings = settings_of(folder, tmp_path_factory.mktemp("out"))
    return stopped_and_continued(settings, "keypoint, seed 0")


def test_a_comparison_measures_all(whole):
    runs = {record["method"]: record for record in whole["results"]["runs"]}
    assert set(runs) == set(SMALL["methods"])
    assert f"Continuing in {whole['out']}: 1 of 2 runs are finished." in whole["lines"]
    for record in runs.values():
        assert len(record["history"]) == 2 and record["gflops"] > 0
        # Faces are not sheared, if nothing else is asked for.
        assert list(record["by_transform"]) == ["rotation", "scale", "translation", "all"]
        measured = sum(record["by_transform"].values(), [record["aligned"]])
        assert len(measured) == 9
        assert all(0 <= one[name] <= 1 for one in measured for name in ("tar", "eer"))
        expected = np.mean([one["eer"] for one in measured[1:]])
        assert record["misaligned"]["eer"] == pytest.approx(expected)
    assert runs["relative"]["keypoints"] == {}
    found = runs["keypoint"]["keypoints"]
    assert list(found) == list(face_table.KINDS)
    assert found["exact"]["aligned"] == runs["keypoint"]["aligned"]
    assert found["exact"]["all"] == runs["keypoint"]["by_transform"]["all"][1]
    assert set(whole["results"]["images_per_second"]) == set(runs)


def test_page_and_figures(whole):
    page = (whole["out"] / "results.md").read_text(encoding="utf-8")
    for record in whole["results"]["runs"]:
        told = 2 if record["method"] == "keypoint" else 0
        assert page.count(f"| {names.TITLES[record['method']]} ") == 1 + 4 + told
    assert str(whole["out"].parent) not in page and "--faces people --points points.npz" in page
    expected = {"severity", "learning_curves"}
    expected |= {"attention_bias_relative", "attention_bias_keypoint"}
    assert set(whole["results"]["figures"]) == {f"figures/{name}.png" for name in expected}


def test_the_numbers_are_those_of_the_stored_model(whole, folder):
    (record,) = (r for r in whole["results"]["runs"] if r["method"] == "keypoint")
    settings = settings_of(folder)
    test = face_data.load(settings).test
    encoder = keras.models.load_model(whole["out"] / "runs" / "keypoint-seed0" / "model.keras")
    encoder = encoder.encoder

    def eer(part):
        embeddings = encoder.predict(part.inputs(["images", "keypoints"]), verbose=0)
        return metrics.eer(*metrics.all_pairs(embeddings, part.labels))

    turned = data.warped(test, "rotation", 1.0, settings)
    assert record["by_transform"]["rotation"][1]["eer"] == pytest.approx(eer(turned), abs=2e-3)
    missing = data.Part(test.images, np.full_like(test.keypoints, np.nan), test.labels)
    expected = record["keypoints"]["all missing"]["aligned"]["eer"]
    assert expected == pytest.approx(eer(missing), abs=2e-3)


@pytest.mark.parametrize("method", names.WITH_KEYPOINTS)
def test_a_network_learns_and_bears_missing_keypoints(method, folder):
    task = Keypoints.of(settings_of(folder, methods=method, epochs=10))
    assert isinstance(task, Faces)
    task.load(lambda line: None)
    model = task.model(Run(method, 0))
    batch = task.batches(Run(method, 0), 0)[0]
    losses = [model.train_on_batch(*batch)[0] for _ in range(6)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    for weight in model.encoder.weights:
        if "keypoint_linear/" in weight.path:  # zero at the start
            weight.assign(np.random.default_rng(0).normal(size=weight.shape))
    images, exact = task.data.test.images[:4], task.data.test.keypoints[:4]

    def embedded(count, images=images):
        inputs = {"images": images, "keypoints": face_data.without(exact, count)}
        return model.encoder.predict(inputs, verbose=0)

    found = embedded(0), embedded(1), embedded(5)
    assert np.isfinite(found).all() and np.abs(found[0] - found[1]).max() > 1e-6
    # With none of them it does not matter whose they were.
    np.testing.assert_allclose(embedded(5, images[::-1])[::-1], found[2], atol=1e-5)


def test_people_are_trained_on_or_tested(folder):
    settings = settings_of(folder, size=16, validation=0.2)
    loaded = face_data.load(settings)
    assert [len(p) for p in (loaded.train, loaded.validation, loaded.test)] == [48, 12, 60]
    assert loaded.num_classes == len(np.unique(loaded.test.labels)) == PEOPLE / 2
    assert str(folder.parent) not in loaded.description
    # The person of three photographs is in none, and every photograph keeps its keypoints.
    parts = loaded.train, loaded.validation, loaded.test
    images = np.concatenate([part.images for part in parts])
    keypoints = np.concatenate([part.keypoints for part in parts])
    assert len(np.unique(images, axis=0)) == PEOPLE * PHOTOGRAPHS
    places = np.rint(16 * keypoints - 0.5).astype(int)
    for person in {path.parent for path in folder.glob("person0*/*.png")}:
        for path in sorted(person.glob("*.png"))[:2]:
            original = np.asarray(Image.open(path))
            (index,) = np.flatnonzero((images == original).all(axis=(1, 2, 3)))
            offsets = places[index] - POINTS
            assert np.abs(offsets).max() <= 1
    np.testing.assert_allclose(loaded.template, loaded.train.keypoints.mean(axis=0))


def test_so_many_of_each():
    labels = np.array([0, 0, 0, 1, 2, 2, 2, 2])
    assert face_data.first_of_each(labels, 2).tolist() == [0, 1, 3, 4, 5]


def test_keypoints_that_are_not_exact():
    exact = np.random.default_rng(0).uniform(0.3, 0.7, (4000, 5, 2)).astype("float32")
    exact[:, 0], exact[:, 1] = (0.3, 0.4), (0.7, 0.4)
    five, ten = (face_data.WRONG[f"noise {share} %"](exact) - exact for share in (5, 10))
    assert five.std() == pytest.approx(0.05 * 0.4, rel=0.02) and abs(five.mean()) < 1e-3
    np.testing.assert_allclose(ten, 2 * five, atol=1e-6)
    one = np.isnan(face_data.WRONG["one missing"](exact))
    assert (one.all(axis=2).sum(axis=1) == 1).all() and (one.all(axis=2) == one.any(axis=2)).all()
    np.testing.assert_allclose(one[:, :, 0].mean(axis=0), 0.2, atol=0.03)
    assert np.isnan(face_data.WRONG["all missing"](exact)).all()


def test_nothing_is_drawn_of_missing_keypoints():
    layer, keypoints = KeypointChannel((6, 6)), np.array([[[0.2, 0.5], [0.8, 0.3]]], "float32")
    without = keypoints.copy()
    without[:, 1] = np.nan
    one, alone = (keras.ops.convert_to_numpy(layer(k)) for k in (without, keypoints[:, :1]))
    np.testing.assert_array_equal(one, alone)
    assert not keras.ops.convert_to_numpy(layer(np.full_like(keypoints, np.nan))).any()


def test_what_cannot_be_measured_is_said():
    broken = {"tar": None, "eer": 0.25}
    assert face_table.cell([broken]) == "n/m / 25.0"
    assert face_table.mean([broken, {"tar": 0.5, "eer": 0.75}]) == {"tar": None, "eer": 0.5}


def test_files_that_do_not_fit_are_refused(folder, tmp_path):
    few = tmp_path / "few.npz"
    with np.load(folder.parent / "points.npz") as file:
        np.savez(few, files=file["files"][:50], points=file["points"][:50])
    with pytest.raises(SettingError, match="`points` must be readable .*missing"):
        face_data.load(settings_of(folder, points=few))
    people = tmp_path / "people"
    for person in range(3):
        (people / f"{person}").mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8)).save(people / f"{person}" / f"{number}.png")
    settings = settings_of(folder)
    settings.faces = str(people)
    with pytest.raises(SettingError, match="`faces` must have at least 4 people"):
        face_data.load(settings)
    Image.new("RGB", (8, 9)).save(people / "0" / "other.png")
    with pytest.raises(SettingError, match="`faces` must be readable"):
        face_data.load(settings)
    with pytest.raises(SettingError, match="`validation` must leave images"):
        face_data.load(settings_of(folder, validation=0.001))


def test_settings_of_faces(folder):
    settings = KeypointSettings(faces=folder, points=folder.parent / "points.npz")
    assert (settings.size, settings.shear, settings.fill_mode) == (64, 0, "nearest")
    assert KeypointSettings().shear > 0 and KeypointSettings().fill_mode == "constant"
    assert KeypointSettings(**{"width": "32"}).width == 32
    with pytest.raises(SettingError, match="`faces` goes with `points`"):
        KeypointSettings(faces=folder)
    with pytest.raises(SettingError, match="`points` goes with `faces`"):
        KeypointSettings(points=folder.parent / "points.npz")
    with pytest.raises(SettingError, match="`test` is for digits"):
        settings_of(folder, test=0.5)
    with pytest.raises(SettingError, match="`faces` must be the only data set"):
        settings_of(folder, mnist=folder.parent / "points.npz")
    first = settings.numbers()
    (folder.parent / "other").mkdir()
    assert first["faces"] and first["points"] and "test" in first
    settings.faces = str(folder.parent / "other")
    assert settings.numbers()["faces"] != first["faces"]


def test_the_networks_differ_in_their_encoding_alone(folder):
    settings = settings_of(folder)
    template = ((POINTS + 0.5) / 16).astype("float32")
    found = {
        method: networks.recognizer(method, settings, 3, 4, template, 0)
        for method in ("absolute", "aligned")
    }
    one, other = (model.encoder.get_weights() for model in found.values())
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
