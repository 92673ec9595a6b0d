"""The comparison on warped digits: a whole one, its data, its networks and its numbers."""

import json
import time

import keras
import numpy as np
import pytest

from keras_resample import datasets, models
from keras_resample.compare import KeypointSettings, SettingError, compare
from keras_resample.compare.engine import run as engine
from keras_resample.compare.engine import speed
from keras_resample.compare.engine.task import Run
from keras_resample.compare.keypoints import data, names, networks, table
from keras_resample.compare.keypoints.keypoint_channel import KeypointChannel
from keras_resample.compare.keypoints.task import Keypoints
from tests.compare.conftest import stopped_and_continued, without_pictures
from tests.layer_test_case import check_layer

# What the comparison below is asked to do.
SMALL = {"size": 12, "patch_size": 4, "width": 8, "depth": 1, "num_heads": 2, "seeds": 0}
SMALL |= {"epochs": 2, "batch_size": 8, "severities": (0.5, 1), "methods": ("relative", "keypoint")}

on_one_backend = pytest.mark.backends("torch", reason="tests/compare/test_every_task.py has all")


def settings_of(file, out="unused", **changes):
    return KeypointSettings(mnist=file, out=out, **{**SMALL, **changes})


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """30 digits of three classes, 8 x 8, which is 0.7 of a frame of 12."""
    images, labels = datasets.digits(data_format="channels_last").arrays()
    chosen = np.flatnonzero(labels < 3)[:30]
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(path, images=np.rint(255 * images[chosen]).astype("uint8"), labels=labels[chosen])
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory, file):
    """A comparison stopped in the middle of the second run, and continued."""
    settings = settings_of(file, tmp_path_factory.mktemp("out"))
    return stopped_and_continued(settings, "keypoint, seed 0")


@on_one_backend
def test_a_comparison_measures_all(whole):
    runs = {record["method"]: record for record in whole["results"]["runs"]}
    assert set(runs) == set(SMALL["methods"])
    assert f"Continuing in {whole['out']}: 1 of 2 runs are finished." in whole["lines"]
    for record in runs.values():
        assert len(record["history"]) == 2 and record["gflops"] > 0
        assert set(record["by_transform"]) == set(names.TRANSFORMS)
        accuracies = list(record["by_transform"].values())
        assert np.shape(accuracies) == (5, 2)
        assert record["transformed"] == pytest.approx(np.mean(accuracies))
    assert set(whole["results"]["images_per_second"]) == set(runs)


@on_one_backend
def test_page_and_figures(whole):
    page = (whole["out"] / "results.md").read_text(encoding="utf-8")
    for record in whole["results"]["runs"]:
        assert page.count(f"| {names.TITLES[record['method']]} ") == 1 + len(names.TRANSFORMS)
    assert str(whole["out"].parent) not in page and "rotation up to 20 degrees" in page
    expected = {"severity", "learning_curves"}
    expected |= {"attention_bias_relative", "attention_bias_keypoint"}
    assert set(whole["results"]["figures"]) == {f"figures/{name}.png" for name in expected}
    for name in whole["results"]["figures"]:
        assert (whole["out"] / name).read_bytes().startswith(b"\x89PNG")


@on_one_backend
def test_nothing_is_trained_twice(whole, file, monkeypatch):
    without_pictures(monkeypatch)
    monkeypatch.setattr(engine, "train", lambda *args: pytest.fail("trained again"))
    again = compare(settings_of(file, whole["out"], report=True), lambda line: None)
    written = json.loads((whole["out"] / "results.json").read_text())
    assert json.loads(json.dumps(again["runs"])) == written["runs"]
    with pytest.raises(SettingError, match="rotation is 30.0, was 20.0"):
        compare(settings_of(file, whole["out"], rotation=30), lambda line: None)


@on_one_backend
def test_the_numbers_are_those_of_the_stored_model(whole, file):
    (record,) = (r for r in whole["results"]["runs"] if r["method"] == "keypoint")
    settings = settings_of(file)
    tested = data.warped(data.load(settings).test, "rotation", 1.0, settings)
    model = keras.models.load_model(whole["out"] / "runs" / "keypoint-seed0" / "model.keras")
    logits = model.predict(tested.inputs(["images", "keypoints"]), verbose=0)
    accuracy = np.mean(logits.argmax(-1) == tested.labels)
    assert record["by_transform"]["rotation"][1] == pytest.approx(accuracy, abs=1e-6)


@pytest.mark.backends("torch", reason="each encoding is tested on every backend")
@pytest.mark.parametrize(
    ("method", "head"),
    [
        *((method, "flatten") for method in names.METHODS),
        ("absolute", "mean"),
        ("keypoint", "mean"),
    ],
)
def test_every_network_learns_and_has_its_inputs(method, head, file):
    task = Keypoints(settings_of(file, methods=method, head=head, epochs=10))
    task.load(lambda line: None)
    model = task.model(Run(method, 0))
    batch = task.batches(Run(method, 0), 0)[0]
    assert set(batch[0]) == set(networks.input_names(method))
    losses = [model.train_on_batch(*batch)[0] for _ in range(8)]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    weights = model.trainable_weights
    decayed = {w.name for w in weights if model.optimizer._use_weight_decay(w)}
    assert decayed == {"kernel"}
    if method in names.WITH_KEYPOINTS:
        seen = [data.warped(task.data.test, "translation", s, task.settings) for s in (0.1, 1)]
        seen = [part.inputs(["images", "keypoints"]) for part in seen]
        seen[1]["images"] = seen[0]["images"]
        first, other = (model.predict(inputs, verbose=0) for inputs in seen)
        assert np.abs(first - other).max() > 1e-6


@pytest.mark.backends("torch", reason="what it calls is tested on every backend")
def test_alignment_undoes_turns_scales_and_shifts(file):
    settings = settings_of(file, methods="aligned", size=40, patch_size=8)
    loaded = data.load(settings)
    network = networks.build("aligned", settings, 3, loaded.template, 0)
    (layer,) = (n for n in network.layers if n.name.startswith("keypoint_alignment"))
    upright = keras.ops.convert_to_numpy(
        layer(loaded.test.images.astype("float32"), loaded.test.keypoints)[0]
    )
    for transform in ("rotation", "scale", "translation"):
        part = data.warped(loaded.test, transform, 1.0, settings)
        images = layer(part.images.astype("float32"), part.keypoints)[0]
        away = np.abs(keras.ops.convert_to_numpy(images) - upright).mean()
        moved = np.abs(part.images.astype("float32") - loaded.test.images).mean()
        assert away < 0.4 * moved, transform


@pytest.mark.backends("torch", reason="numpy, and a warp that is tested on every backend")
def test_test_images_are_the_same_for_all_and_upright_at_severity_zero(file):
    settings = settings_of(file)
    one, other = (data.load(settings_of(file, methods=m)) for m in ("keypoint", "aligned"))
    for transform in names.TRANSFORMS:
        upright = data.warped(one.test, transform, 0.0, settings)
        np.testing.assert_array_equal(upright.images, one.test.images)
        np.testing.assert_array_equal(upright.keypoints, one.test.keypoints)
        first, again = (data.warped(d.test, transform, 1.0, settings) for d in (one, other))
        np.testing.assert_array_equal(first.images, again.images)
        np.testing.assert_array_equal(first.keypoints, again.keypoints)
        assert np.any(first.images != upright.images)
        # A stronger warp goes further the same way.
        half = data.warped(one.test, transform, 0.5, settings)
        near, far = half.keypoints - upright.keypoints, first.keypoints - upright.keypoints
        assert (near * far).sum() > 0.9 * np.linalg.norm(near) * np.linalg.norm(far)


@pytest.mark.backends("torch", reason="numpy, and a warp that is tested on every backend")
def test_keypoints_move_with_the_image():
    frames = data.framed(np.ones((50, 28, 28, 1)), 40)
    part = data.Part(frames, datasets.foreground_keypoints(frames), np.zeros(50))
    np.testing.assert_allclose(part.keypoints[0, 0], 6 / 40)
    moved = data.warped(part, "translation", 1.0, KeypointSettings())
    found = datasets.foreground_keypoints(moved.images, 127)
    # The box is seen in whole pixels, and may leave the frame by none.
    assert np.abs(np.clip(moved.keypoints, 0, 1) - found).max() < 0.5 / 40 + 1e-6


@pytest.mark.backends("torch", reason="plain numpy")
def test_parts_do_not_overlap_and_batches_depend_on_seed_and_epoch(file):
    settings = settings_of(file)
    parts = data.split(100, settings)
    assert [len(part) for part in parts] == [60, 15, 25]
    assert sorted(np.concatenate(parts)) == list(range(100))
    train = data.load(settings).train
    assert len(train) == 18
    batches = data.Batches(train, ["images"], settings, seed=3)
    assert len(batches) == 2  # whole ones
    batches.on_epoch_end()
    resumed = data.Batches(train, ["images"], settings, seed=3, epoch=1)
    np.testing.assert_array_equal(batches[1][0]["images"], resumed[1][0]["images"])
    other = data.Batches(train, ["images"], settings, seed=3)
    assert np.any(other[1][0]["images"] != resumed[1][0]["images"])


@pytest.mark.backends("torch", reason="numpy, and a warp that is tested on every backend")
def test_training_images_are_shifted_anew_and_keypoints_with_them(file):
    settings = settings_of(file, train_translation=0.1)
    loaded, still = data.load(settings), data.load(settings_of(file))
    assert np.any(loaded.validation.keypoints != still.validation.keypoints)
    np.testing.assert_array_equal(loaded.test.images, still.test.images)
    batches = data.Batches(loaded.train, ["images", "keypoints"], settings, seed=3)
    (first, _), upright = batches[0], loaded.train[batches.order[: len(batches[0][1])]]
    moved = first["keypoints"] - upright.keypoints
    # One shift for all keypoints of an image, and another one for each image.
    np.testing.assert_allclose(moved, np.broadcast_to(moved[:, :1], moved.shape), atol=1e-6)
    assert 0.02 < np.abs(moved).max() <= 0.1 + 1e-6 and np.ptp(moved[:, 0, 0]) > 0.02
    assert np.any(first["images"] != upright.images)
    batches.on_epoch_end()
    again = batches.moved.keypoints - loaded.train.keypoints
    assert np.abs(again[batches.order[0]] - moved[0]).max() > 1e-4
    resumed = data.Batches(loaded.train, ["images"], settings, seed=3, epoch=1)
    np.testing.assert_array_equal(batches[1][0]["images"], resumed[1][0]["images"])


@pytest.mark.backends("torch", reason="no backend takes part")
def test_files_that_are_no_digits_are_refused(tmp_path, file):
    path = tmp_path / "wrong.npz"
    for images in (np.zeros((8, 8, 8, 1), "uint8"), np.ones((8, 8, 8, 3), "uint8")):
        np.savez(path, images=images, labels=np.arange(8) % 2)
        with pytest.raises(SettingError, match="`mnist` must"):
            data.load(settings_of(path))
    with pytest.raises(SettingError, match="`validation` must leave images"):
        data.load(settings_of(file, validation=0.01))
    assert str(file.parent) not in data.load(settings_of(file)).description
    first = settings_of(file).numbers()["mnist"]
    assert settings_of(path).numbers()["mnist"] != first and KeypointSettings().size == 28


@pytest.mark.backends("torch", reason="no backend takes part")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"methods": "polar"}, "`methods` must be different ones of absolute"),
        ({"severities": (0, 1)}, "`severities` must be different positive numbers"),
        ({"scale": 0.7}, "`scale` must leave something at a severity of 1.5"),
        ({"width": 30}, "`width` must be a multiple of the number of heads, 4"),
        ({"patch_size": 32}, "`patch_size` must be at most the side of 28"),
        ({"test": 1}, "`test` must be a number"),
        ({"mnist": "missing.npz"}, "`mnist` must be an existing file"),
    ],
)
def test_wrong_settings_are_named(wrong, message):
    with pytest.raises(SettingError, match=message):
        KeypointSettings(**wrong)


def test_dots_by_a_loop():
    keypoints = np.array([[[0.25, 0.5], [0.9, 0.1]]], "float32")
    drawn = keras.ops.convert_to_numpy(KeypointChannel((4, 6))(keypoints))
    for row in range(4):
        for column in range(6):
            away = [(6 * x - column - 0.5) ** 2 + (4 * y - row - 0.5) ** 2 for x, y in keypoints[0]]
            assert drawn[0, row, column, 0] == pytest.approx(np.exp(-min(away) / 2), abs=1e-5)


@pytest.mark.every_backend
def test_the_drawing_layer():
    # Of one keypoint, as the nearer of two is a kink.
    keypoints = np.random.default_rng(0).uniform(size=(3, 1, 2)).astype("float32")
    check_layer(KeypointChannel, {"size": (4, 6)}, keypoints)


@pytest.mark.backends("torch", reason="the biases are tested on every backend")
@pytest.mark.parametrize("method", ["relative", "keypoint"])
def test_the_bias_that_is_drawn_is_that_of_the_first_attention(method, file):
    settings = settings_of(file, depth=2, methods=method)
    loaded = data.load(settings)
    network = networks.build(method, settings, 3, loaded.template, 0)
    random = np.random.default_rng(0)
    for weight in network.get_layer("network").weights:
        if weight.name in ("table", "bias") or weight.path.endswith("keypoint_linear/kernel"):
            weight.assign(random.normal(size=weight.shape))
    bias = networks.first_bias(network, loaded.test.keypoints)
    assert bias.shape == (len(loaded.test) if method == "keypoint" else 1, 2, 9, 9)
    first = networks.attentions(network)[0]
    before = network.get_layer("network").get_layer("blocks_0_norm1").output
    inside = keras.Model(network.get_layer("network").inputs, [before, first.output])
    inputs = loaded.test.inputs(networks.input_names(method))
    inputs["images"] = inputs["images"].astype("float32") / 255
    tokens, expected = inside(list(inputs.values()))
    found = type(first)(2)
    found.build(tokens.shape)
    for one, other in zip(
        found.weights, [*first.qkv.weights, *first.projection.weights], strict=True
    ):
        one.assign(other)
    found = found(
        tokens, bias=keras.ops.convert_to_tensor(np.broadcast_to(bias, (len(loaded.test), 2, 9, 9)))
    )
    found, expected = map(keras.ops.convert_to_numpy, (found, expected))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.backends("torch", reason="counted from shapes")
@pytest.mark.parametrize("head", ["mean", "flatten"])
def test_gflops_by_hand(head):
    width, count, classes = 8, 9, 3
    settings = KeypointSettings(size=12, width=width, depth=2, num_heads=2, head=head)
    block = count * (4 + 8) * width**2 + 2 * count**2 * width  # dense layers and two products
    patches, logits = count * 16 * width, width * classes
    embedding = count * width**2 + width**2 if head == "flatten" else 0
    model = networks.build("rotary", settings, classes, np.zeros((5, 2)), 0)
    macs = patches + 2 * block + embedding + logits
    assert models.gflops(model) == pytest.approx(2e-9 * macs)


@pytest.mark.backends("torch", reason="no backend takes part")
def test_only_absolute_encoding_may_need_vectors_of_places():
    settings = KeypointSettings(size=12, width=8, depth=1, num_heads=2, absolute=False)
    assert settings.command().endswith("--no-absolute")
    for method in names.METHODS:
        model = networks.build(method, settings, 3, np.eye(5, 2), 0)
        found = "pos_embed" in [layer.name for layer in model.get_layer("network").layers]
        assert found == (method in ("absolute", "absolute-drawn", "aligned"))


@pytest.mark.backends("torch", reason="no backend takes part")
def test_the_speed_of_a_dict_is_in_images():
    class Instant:
        def predict_on_batch(self, batch):
            time.sleep(0.01)

    batch = {"images": np.zeros((6, 2)), "keypoints": np.zeros((6, 1))}
    (rate,) = speed.measure({"one": {"inference": (Instant(), batch)}}, calls=2)["one"].values()
    assert 6 / 0.1 < rate <= 6 / 0.01


@pytest.mark.backends("torch", reason="no backend takes part")
def test_networks_are_set_against_baselines_seed_by_seed():
    def runs(method, *accuracies):
        return [
            {"method": method, "seed": s, "accuracy": 0.9, "transformed": a}
            for s, a in enumerate(accuracies)
        ]

    records = [*runs("keypoint", 0.6, 0.9), *runs("absolute", 0.5, 0.7, 0.1)]
    (line,) = table.differences(records)
    assert line == (
        "* keypoints (KP-RPE) - absolute (Abs-PE): +15.0 ± 7.1 points transformed, "
        "+0.0 ± 0.0 upright"
    )
    found = table.differences([*records, *runs("aligned", 0.5)])
    assert [line.split(":")[0] for line in found] == [
        "* keypoints (KP-RPE) - absolute (Abs-PE)",
        "* absolute, images aligned - absolute (Abs-PE)",
        "* keypoints (KP-RPE) - absolute, images aligned",
    ]
