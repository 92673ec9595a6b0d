"""The best crop: what is chosen, on whom, and what becomes of it when the choice changes."""

import json

import keras
import numpy as np
import pytest

from keras_resample import datasets
from keras_resample.compare import SettingError, Settings, compare
from keras_resample.compare.engine.task import Run
from keras_resample.compare.recognition import crop_search, front_ends
from keras_resample.compare.recognition import data as data_module
from keras_resample.compare.recognition import task as task_module
from keras_resample.compare.recognition.names import BEST_CROP, SEARCHED
from tests.compare.conftest import shorten, stop_at, without_pictures

FLOW = "FlowWarp antialiased"
# The lowest error of seed 0 is that of 15 %, the lowest mean of seeds 0 and 1 that of 5 %.
ERRORS = {"crop 15 %": (0.1, 0.5), "crop 5 %": (0.2, 0.2)}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """An .npz of 8 x 8 images: 10 identities, 4 images of each, 5 to train on."""
    images, labels = datasets.digits().arrays()
    chosen = np.concatenate([np.flatnonzero(labels == label)[:4] for label in range(10)])
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(path, images=images[chosen], labels=labels[chosen])
    return path


def settings(images, out, **changes):
    arguments = {"factor": 0.5, "epochs": 1, "batch_size": 4, "export": False}
    arguments |= {"front_ends": [FLOW], "search_crop": True}
    return Settings(images=images, out=out, **(arguments | changes))


def records(eers, seeds=(0,)):
    """Of a search: the errors of each seed, 0.5 where `eers` has none."""
    return [
        {
            "front_end": run.method,
            "seed": run.seed,
            "case": run.case,
            "eer": eers.get(run.method, (0.5, 0.5))[run.seed],
            "tar": {"1e-1": 0.5},
            "history": [{"seconds": 30.0}],
        }
        for run in crop_search.runs(seeds)
    ]


def test_every_margin_is_searched_with_every_seed():
    margins = [SEARCHED[run.method] for run in crop_search.runs((3, 4))]
    assert margins == [0, 0.05, 0.1, 0.15, 0.2, 0.25] * 2
    for name, margin in SEARCHED.items():
        layer = front_ends.make(name, 0.25, (32, 32))
        assert layer.margin == margin and layer.antialias


@pytest.mark.parametrize(
    ("eers", "expected"),
    [
        ({"crop 15 %": (0.2, 0.3), "crop 5 %": (0.1, 0.5)}, "crop 15 %"),
        ({"crop 25 %": (0.2, 0.2), "crop 10 %": (0.2, 0.2)}, "crop 10 %"),
        ({}, "crop 0 %"),
        ({"crop 15 %": (None, 0.0), "crop 5 %": (0.4, 0.4)}, "crop 5 %"),
    ],
)
def test_the_lowest_mean_is_chosen_and_of_equal_ones_the_smaller_margin(eers, expected):
    found = records(eers, (0, 1))
    assert crop_search.chosen(found) == expected
    assert crop_search.best_crop(1, found) == Run(BEST_CROP, 1, choice=expected)
    assert crop_search.best_crop(1, [*found[1:], None]) == Run(BEST_CROP, 1)


def test_a_run_of_another_choice_is_another_run_of_the_same_name():
    one, other = (Run(BEST_CROP, 2, choice=choice) for choice in ("crop 5 %", "crop 15 %"))
    assert one.name == other.name == Run(BEST_CROP, 2).name
    assert one.folder == "best_crop-crop_5-seed2" and other.folder == "best_crop-crop_15-seed2"


def test_the_best_of_the_results_is_a_run():
    """What is exported follows the choice."""
    record = {"front_end": BEST_CROP, "seed": 1, "case": "", "choice": "crop 5 %", "eer": 0.1}
    assert crop_search.run_of(crop_search.identity(record)) == crop_search.run_of(record)
    assert crop_search.run_of(record) == Run(BEST_CROP, 1, choice="crop 5 %")
    # As in folders from before there was a search.
    assert crop_search.identity({"front_end": FLOW, "seed": 0}) == {"front_end": FLOW, "seed": 0}


@pytest.mark.parametrize("identities", [8, 9, 22, 80])
def test_the_search_sees_training_identities_alone(tmp_path, identities):
    """The brightness of an image tells the identity."""
    labels = np.repeat(np.arange(identities), 2)
    images = np.broadcast_to(labels[:, None, None] / identities, (len(labels), 2, 2))
    np.savez(tmp_path / "images.npz", images=images.astype("float32"), labels=labels)
    whole = data_module.load(Settings(images=tmp_path / "images.npz", batch_size=64))
    part = data_module.held_out(whole)

    def people(images):
        return set(np.rint(images[:, 0, 0, 0] * identities).astype(int).tolist())

    trained, verified = people(part.train.arrays()[0]), people(part.test_images)
    assert not trained & verified
    assert trained | verified == people(whole.train.arrays()[0])
    assert not (trained | verified) & people(whole.test_images)
    assert len(verified) == max(2, whole.train.num_classes // 4)
    assert part.train.num_classes == len(trained) == len(set(part.train.labels.tolist()))
    assert len(part.train) >= 1
    np.testing.assert_array_equal(data_module.held_out(whole).test_images, part.test_images)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.repeat(np.arange(6), 2), "needs at least 4 identities to train on"),
        ([*range(8), *range(4, 8)], "needs two images of one of the training identities"),
    ],
)
def test_too_few_training_identities_name_the_setting(tmp_path, labels, message):
    np.savez(tmp_path / "images.npz", images=np.zeros((len(labels), 8, 8)), labels=labels)
    with pytest.raises(SettingError, match=message) as raised:
        compare(settings(tmp_path / "images.npz", tmp_path / "out"), lambda line: None)
    assert raised.value.name == "search_crop"
    assert "Received: search_crop=True" in str(raised.value)


@pytest.fixture(scope="module")
def searched(file, tmp_path_factory):
    """A comparison stopped in its search, continued, and continued again with another seed.

    The errors of the search are `ERRORS`; "people" are the numbers of identities in each test.
    """
    out, lines, people = tmp_path_factory.mktemp("searched"), [], []
    verification, test = task_module.verification, task_module.Recognition.test

    def watched(embeddings, labels):
        people.append(len(set(labels.tolist())))
        return verification(embeddings, labels)

    def told(self, run, *args):
        record, arrays = test(self, run, *args)
        if run.case:
            record["eer"] = ERRORS.get(run.method, (0.5, 0.5))[run.seed]
        return record, arrays

    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        without_pictures(patch)
        patch.setattr(task_module, "verification", watched)
        patch.setattr(task_module.Recognition, "test", told)
        with patch.context() as stopped:
            stop_at(stopped, "crop 15 %, search, seed 0", 1)
            with pytest.raises(KeyboardInterrupt):
                compare(settings(file, out), lines.append)
        with pytest.raises(SettingError, match="needs a finished run of a front end"):
            compare(settings(file, out, report=True), lines.append)
        one = compare(settings(file, out), lines.append)
        page = (out / "results.md").read_text(encoding="utf-8")
        both = compare(settings(file, out, seeds=(0, 1)), lines.append)
    return {"out": out, "lines": lines, "one": one, "both": both, "page": page, "people": people}


def test_the_chosen_crop_is_trained_and_tested_as_all_others(searched):
    results, out = searched["one"], searched["out"]
    assert [row["front_end"] for row in results["rows"]] == [FLOW, BEST_CROP]
    assert list(results["gains"]) == [f"{FLOW} - {BEST_CROP}"]
    assert results["over_strongest"]["baseline"] == BEST_CROP
    (best,) = (run for run in results["runs"] if run["front_end"] == BEST_CROP)
    assert best["choice"] == results["crop_search"]["chosen"] == "crop 15 %"
    path = out / "runs" / crop_search.run_of(best).folder / "model.keras"
    model = keras.models.load_model(path)
    assert front_ends.sampler(model.encoder).margin == 0.15
    assert model.head.num_classes == results["train_identities"] == 5
    assert results["rows"][1]["images_per_second"]["front_end"] > 0
    assert set(json.loads((out / "speed.json").read_text(encoding="utf-8"))) == {FLOW, BEST_CROP}


def test_the_search_is_verified_on_identities_of_the_training_half(searched):
    assert searched["people"][:8] == [2] * 6 + [5] * 2
    search = searched["one"]["crop_search"]
    assert (search["train_identities"], search["held_out_identities"]) == (3, 2)


def test_the_search_is_shown(searched):
    search, page = searched["one"]["crop_search"], searched["page"]
    assert [row["margin"] for row in search["rows"]] == [*SEARCHED.values()]
    assert search["rows"][3]["eer"] == {"mean": 0.1, "std": None}
    found = "Best crop: 15 % left out at each edge, chosen by its EER of 10.00 % on 2 of the 5"
    assert any(line.startswith(found) for line in searched["lines"])
    before, after = page.split("## The search of the best crop")
    assert found in before and "generous" in before
    assert "| 15 (chosen) " in after and "| 0 " in after and after.count("chosen") == 1


def test_another_seed_may_choose_another_crop_and_trains_it_anew(searched):
    results, out = searched["both"], searched["out"]
    assert results["crop_search"]["chosen"] == "crop 5 %"
    best = [run for run in results["runs"] if run["front_end"] == BEST_CROP]
    assert [(run["seed"], run["choice"]) for run in best] == [(0, "crop 5 %"), (1, "crop 5 %")]
    folders = sorted(path.name for path in out.glob("runs/best_crop*"))
    assert folders == [
        "best_crop-crop_15-seed0",
        "best_crop-crop_5-seed0",
        "best_crop-crop_5-seed1",
    ]
    finished = [line.split(": ")[1] for line in searched["lines"] if "Continuing" in line]
    assert finished == [f"{part} runs are finished." for part in ("3 of 8", "3 of 8", "7 of 16")]


def test_a_folder_with_a_search_is_reported_without_it(searched, file, monkeypatch):
    without_pictures(monkeypatch)
    wanted = settings(file, searched["out"], search_crop=False, report=True)
    results = compare(wanted, lambda line: None)
    assert [row["front_end"] for row in results["rows"]] == [FLOW]
    assert results["crop_search"] is None and results["over_strongest"] is None


def test_an_unfinished_search_chooses_nothing(file, tmp_path):
    part = data_module.held_out(data_module.load(settings(file, tmp_path)))
    found = crop_search.results(records({})[:4], part, (0,))
    assert found["chosen"] is None and len(found["rows"]) == 4
    assert found["training_seconds"] == 120
    assert "not finished" in crop_search.sentence(found)
    assert crop_search.results([], None, (0,)) is None
