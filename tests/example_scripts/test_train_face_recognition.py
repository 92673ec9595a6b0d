"""The training script: every configuration file is understood, and a stopped run is resumed."""

import importlib.util
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.compare.conftest import without_graphs

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "examples" / "configs").glob("*.toml"))
SCHEDULES = ["polynomial", "multistep", "cosine", "constant"]

sys.path.append(str(ROOT / "examples"))  # where the script finds what it imports
spec = importlib.util.spec_from_file_location(
    "train_face_recognition", ROOT / "examples" / "train_face_recognition.py"
)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)

SMALL = """
[data]
train = "palms"
num_identities = 6
images_per_identity = 4
size = [32, 32]
half_identities = true

[sampler]
name = "FlowWarpDownsample"
factor = 0.5

[backbone]
name = "Tiny"

[head]
name = "CurricularFace"
scale = 16.0

[optimizer]
name = "SGD"
learning_rate = 0.01
momentum = 0.9

[schedule]
name = "polynomial"
power = 2.0
warmup_epochs = 0.5

[training]
epochs = 3
batch_size = 6
"""


def tiny(input_shape, embedding_dim=8):
    """In place of a published backbone, whose training takes minutes."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Conv2D(8, 3, strides=4, data_format="channels_last"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(embedding_dim),
        ]
    )


@pytest.fixture
def eager(monkeypatch):
    without_graphs(monkeypatch)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setattr(kr.models, "Tiny", tiny, raising=False)
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_names_what_exists(path):
    config = script.read_config(path)
    script.named(kr.heads, config["head"], 10)
    assert hasattr(kr.models, config["backbone"]["name"])
    if "sampler" in config:
        script.named(kr.layers, config["sampler"])
    if "warp" in config:
        script.named(kr.layers, config["warp"])
    optimizer = dict(config["optimizer"])
    training = config["training"]
    rate = optimizer.pop("learning_rate")
    schedule = script.schedule_of(config["schedule"], rate, 10, training["epochs"])
    script.optimizer_of(optimizer, schedule)
    last = 10 * training["epochs"]
    rates = [float(schedule(step)) for step in range(last)]
    assert max(rates) == pytest.approx(rate, rel=1e-5)
    assert 0 <= rates[-1] < 0.02 * rate


def write_folder(folder, images, labels):
    """A folder with a folder of images for each identity."""
    from PIL import Image

    for k, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{k}.png")


def generate_data(data, size=112):
    """Small files of the kinds and at the paths that a configuration names."""
    from PIL import Image

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, size, size, 3), "uint8")
    labels = np.arange(len(images)) // 3
    path = Path(data["train"])
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".rec":
        kr.datasets.write_records(path, images, labels)
    elif path.suffix == ".npz":
        np.savez(path, images=images, labels=labels)
    elif path.suffix == ".list":
        for k, image in enumerate(images):
            Image.fromarray(image[..., 0]).save(path.with_name(f"{k}.png"))
        path.write_text("".join(f"{k}.png {label}\n" for k, label in enumerate(labels)))
    elif not path.suffix and "keypoints" in data and path.name != "palms":
        write_folder(path, images, labels)
        names = [file.relative_to(path) for file in sorted(path.rglob("*.png"))]
        points = " ".join(f"{number:.1f}" for number in rng.uniform(0, size, 10))
        Path(data["keypoints"]).write_text("".join(f"{name} {points}\n" for name in names))
    for path in map(Path, data.get("validation", [])):
        path.parent.mkdir(exist_ok=True)
        pairs = np.repeat(images[:10], 2, axis=0)
        kr.datasets.write_verification_pairs(path, pairs, [True, False] * 5)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_trains(eager, config, path, tmp_path, monkeypatch):
    changes = ["training.epochs=1", "training.batch_size=4", "training.workers=1"]
    changes += ["backbone.embedding_dim=8"]
    is_transformer = "ViT" in script.read_config(path)["backbone"]["name"]
    size = "size={width=8, depth=1, num_heads=2}"
    changes += [f"backbone.{size if is_transformer else 'name=Tiny'}"]
    monkeypatch.chdir(tmp_path)
    chosen = script.read_config(path, changes)
    if chosen["data"]["train"] == "palms":
        chosen["data"] |= {"num_identities": 4, "images_per_identity": 3}
    generate_data(chosen["data"])
    recognizer = script.train(chosen, tmp_path / "run")
    header, numbers = (tmp_path / "run" / "log.csv").read_text().splitlines()
    log = dict(zip(header.split(","), numbers.split(","), strict=True))
    assert np.isfinite(float(log["loss"]))
    assert recognizer.encoder.output_shape == (None, 8)
    inputs = ["images", "keypoints"] if "keypoints" in chosen["data"] else ["image"]
    best = keras.saving.load_model(tmp_path / "run" / "best.keras")
    assert [tensor.name for tensor in best.encoder.inputs] == inputs


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_warm_up_and_count_epochs_from_the_start(name):
    chosen = {"name": name, "warmup_epochs": 2, "milestones": [4, 6]}
    rate = script.schedule_of(chosen, 0.1, steps=5, epochs=10)
    at = [float(rate(step)) for step in (0, 5, 10, 19, 21, 31)]
    expected = {
        "polynomial": [0, 0.05, 0.1, 0.1 * (1 - 9 / 40), 0.1 * (1 - 11 / 40), 0.1 * (1 - 21 / 40)],
        "multistep": [0, 0.05, 0.1, 0.1, 0.01, 0.001],
        "cosine": [0, 0.05] + [0.05 * (1 + np.cos(np.pi * k / 40)) for k in (0, 9, 11, 21)],
        "constant": [0, 0.05, 0.1, 0.1, 0.1, 0.1],
    }[name]
    np.testing.assert_allclose(at, expected, rtol=1e-4, atol=1e-7)


def test_a_stopped_run_goes_on_with_the_same_numbers(eager, config, tmp_path, monkeypatch):
    config = script.read_config(config)
    whole = script.train(config, tmp_path / "whole")

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        original = script.callbacks_of
        patch.setattr(script, "callbacks_of", lambda *args: [*original(*args), Stop()])
        with pytest.raises(KeyboardInterrupt):
            script.train(config, tmp_path / "parts")
    parts = script.train(config, tmp_path / "parts")
    for one, other in zip(whole.weights, parts.weights, strict=True):
        one, other = (keras.ops.convert_to_numpy(w) for w in (one, other))
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)
    best = [keras.saving.load_model(tmp_path / run / "best.keras") for run in ("whole", "parts")]
    images = np.ones((1, 32, 32, 1), "float32")
    np.testing.assert_allclose(*(model.embed(images) for model in best), atol=1e-4)
    logs = (tmp_path / "parts" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in logs] == ["epoch", "0", "1", "2"]
    assert "test_eer" in logs[0] and "jacobian_min" in logs[0]
    again = keras.saving.load_model(tmp_path / "parts" / "recognizer.keras")
    images = np.zeros((1, 32, 32, 1), "float32")
    np.testing.assert_allclose(again.embed(images), parts.embed(images), atol=1e-6)


def test_records_triplets_and_verification_sets(config, tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 32, 32, 3), "uint8")
    kr.datasets.write_records(tmp_path / "train.rec", images, np.arange(12) // 3)
    kr.datasets.write_verification_pairs(
        tmp_path / "lfw.bin", np.repeat(images[:10], 2, axis=0), [True, False] * 5
    )
    write_folder(tmp_path / "faces", images[:6], np.arange(6) // 2)
    changes = [
        f"data.train={tmp_path / 'train.rec'}",
        f"data.validation=['{tmp_path / 'lfw.bin'}', '{tmp_path / 'faces'}']",
        "data.half_identities=false",
        "data.classes_per_batch=2",
        "data.images_per_class=3",
        "training.epochs=1",
        "training.triplet_margin=soft",
    ]
    recognizer = script.train(script.read_config(config, changes), tmp_path / "run")
    assert recognizer.head.num_classes == 4
    header, numbers = (tmp_path / "run" / "log.csv").read_text().splitlines()
    log = dict(zip(header.split(","), numbers.split(","), strict=True))
    assert np.isfinite(float(log["loss"])) and "lfw_accuracy" in log
    assert 0 <= float(log["faces_eer"]) <= 1
    assert (tmp_path / "run" / "best.keras").exists()


def test_validation_is_a_path_or_several(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), "uint8")
    write_folder(tmp_path / "faces", images, [0, 0, 1, 1])
    data = {"validation": str(tmp_path / "faces")}
    pairs, people = script.validation_sets(data, (8, 8, 3))
    assert not pairs and list(people) == ["faces"]
    assert people["faces"][1].tolist() == [0, 0, 1, 1]
    assert people["faces"][0][0][0].min() < 0  # in the range of training
    with pytest.raises(SystemExit, match=r"images are \(8, 8, 3\), those of train \(8, 8, 1\)"):
        script.validation_sets(data, (8, 8, 1))
    assert script.validation_sets({}, (8, 8, 1)) == ({}, {})


def test_a_backbone_of_keras_sees_its_own_range_in_colour(monkeypatch):
    def network(input_shape, **options):
        assert options == {"include_top": False, "pooling": "avg", "weights": None, "alpha": 0.25}
        return keras.Sequential([keras.Input(input_shape), keras.layers.Flatten()])

    # In place of the true one, which takes seconds to build.
    monkeypatch.setattr(keras.applications.mobilenet, "MobileNet", network)
    keras.config.set_image_data_format("channels_last")
    images = keras.Input((4, 4, 1))
    section = {"name": "MobileNet", "embedding_dim": 8, "alpha": 0.25}
    encoder = keras.Model(images, script.backbone_of(section)(images))
    assert encoder.output_shape == (None, 8)
    seen = keras.Model(images, encoder.layers[-1].input)
    grey = np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 1)).astype("float32")
    expected = np.repeat(grey, 3, axis=-1).reshape(2, -1)  # MobileNet takes [-1, 1]
    np.testing.assert_allclose(keras.ops.convert_to_numpy(seen(grey)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.epoch=2", "no \\['epoch'\\]"),
        ("heads.name=ArcFace", "section \\[heads\\]"),
        ("head.name=Arc", "no name = 'Arc'"),
        ("head.margins=0.5", "ArcFace|CurricularFace"),
        ("schedule.name=linear", "polynomial, multistep, cosine or constant"),
        ("data.train=missing.npz", "missing.npz"),
        ("training.epochs", "section.key=value"),
        ("head.name=Arc", "it has AdaFace, ArcFace, "),
        ("head.margins=0.5", r"CurricularFace has no \['margins'\]; it has \[.*'margin'"),
        (
            "head.margin=wide",
            "name = 'CurricularFace': `margin` must be .* Received: margin='wide'",
        ),
        ("head.name=7", "name must be text. Received: name = 7"),
        ("backbone.name=ResNet", r"\[backbone\] has no name = 'ResNet'; it has .*IResNet18.*VGG16"),
        ("backbone.depth=3", r"Tiny has no \['depth'\]; it has \['embedding_dim'\]"),
        ("sampler.name=Zoom", "it has .*FlowWarpDownsample, "),
        ("optimizer.name=SDG", "it has .*AdamW.*SGD"),
        ("optimizer.learning_rate=0", "learning_rate must be a positive number. Received: learn"),
        ("schedule.name=multistep", r"\[schedule\] lacks \['milestones'\]"),
        ("schedule.milestones=[4, 2]", "milestones must be a list of positive numbers that grow"),
        ("training.epochs=ten", "epochs must be a positive integer. Received: epochs = 'ten'"),
        ("training.triplet_margin=hard", 'must be a number of at least 0 or "soft"'),
        ("data.size=112", r"size must be \[height, width\]. Received: size = 112"),
        ("data.validation=nowhere", r"\[data\] validation = 'nowhere' does not exist"),
        ("data.validation=3", "validation must be a path or a list of paths"),
        ("data.validation=['.', '.']", "different names"),
        ("data.classes_per_batch=3", r"\[data\] lacks \['images_per_class'\]"),
    ],
)
def test_mistakes_are_named(config, tmp_path, monkeypatch, change, message):
    monkeypatch.setattr(script, "read_dataset", pytest.fail)  # not before all is checked
    with pytest.raises(SystemExit, match=message):
        script.train(script.read_config(config, [change]), tmp_path / "run")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["data.keypoints=template"], r"\[data\] has keypoints. Received: backbone 'Tiny'"),
        (["data.keypoints=points.txt"], r"\[data\] keypoints = 'points.txt' does not exist"),
        (
            ["backbone.name=KeypointViT"],
            r"\[data\] lacks keypoints. Received: backbone 'Keypoint",
        ),
        (["warp.name=RandomWarp"], r"\[warp\] moves images with their keypoints"),
        (["warp.name=RandomWarp", "warp.turn=3"], r"RandomWarp has no \['turn'\]; it has"),
        (["backbone.name=KeypointViT", "data.keypoints=template"], r"\[sampler\] cannot stand"),
        (["optimizer.exclude_from_weight_decay=bias"], "must be a list of texts"),
    ],
)
def test_keypoints_have_to_fit(config, tmp_path, monkeypatch, changes, message):
    monkeypatch.setattr(script, "read_dataset", pytest.fail)
    with pytest.raises(SystemExit, match=message):
        script.train(script.read_config(config, changes), tmp_path / "run")


def test_images_with_keypoints_are_not_mirrored():
    config = script.read_config(ROOT / "examples/configs/palms_with_keypoints.toml")
    script.check_keypoints(config)
    config["data"]["flip"] = True
    with pytest.raises(SystemExit, match="left and right would change places"):
        script.check_keypoints(config)


def test_what_does_not_decay():
    """Where no gradient comes, a step of rate 1 leaves 1 - the decay of a weight."""
    options = {"name": "AdamW", "weight_decay": 0.25}
    options["exclude_from_weight_decay"] = ["bias", "gamma", "beta", "embedding"]
    size = {"width": 8, "depth": 1, "num_heads": 2}
    model = kr.models.KeypointViT(size, (14, 14, 1), patch_size=7, embedding_dim=4)
    weights = model.trainable_variables
    for weight in weights:
        weight.assign(keras.ops.ones_like(weight))
    zeros = [keras.ops.zeros_like(weight) for weight in weights]
    script.optimizer_of(options, 1.0).apply(zeros, weights)
    left = {weight.path: set(np.unique(keras.ops.convert_to_numpy(weight))) for weight in weights}
    assert left["pos_embed/embedding"] == left["keypoint_linear/bias"] == {1.0}
    for path, values in left.items():
        assert values == ({0.75} if path.endswith("kernel") else {1.0}), path


def test_an_unreadable_file_is_named(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("[data")
    with pytest.raises(SystemExit, match="bad.toml cannot be read"):
        script.read_config(path)
    path.write_text("[data]")
    with pytest.raises(SystemExit, match="lacks the sections"):
        script.read_config(path)
