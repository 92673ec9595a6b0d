"""Readers of vehicles, on small files in their layouts, and their protocols."""

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets, metrics

pytestmark = pytest.mark.backends("torch", reason="no backend reads files")

PIXELS = np.random.default_rng(0).integers(0, 256, (8, 12, 10, 3), dtype="uint8")
VALUES = PIXELS / np.float32(255)
VERI = {
    "train": ["0007_c003_00000001_0.jpg", "0003_c020_00000002_1.jpg"],
    "query": ["0005_c001_00000003_0.jpg"],
    "test": ["0005_c001_00000004_0.jpg", "0002_c002_00000005_0.jpg", "0005_c004_00000006_0.jpg"],
}


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG")  # whatever its name says: no pixel may change


@pytest.fixture
def vehicles(tmp_path):
    for part, names in VERI.items():
        for name in names:
            save(tmp_path / f"image_{part}" / name, PIXELS[int(name[10:18])])
        (tmp_path / f"name_{part}.txt").write_text("\n".join(names) + "\n")
    return tmp_path


def test_veri(vehicles):
    train = datasets.veri(vehicles)
    assert train.labels.tolist() == [1, 0] and train.class_names == ["0003", "0007"]
    assert train.cameras.tolist() == [3, 20] and train.shuffle
    query, gallery = datasets.veri(vehicles, "query"), datasets.veri(vehicles, "gallery")
    assert query.class_names == gallery.class_names == ["0002", "0005"]
    assert query.labels.tolist() == [1] and gallery.labels.tolist() == [1, 0, 1]
    assert query.cameras.tolist() == [1] and gallery.cameras.tolist() == [1, 2, 4]
    assert not query.shuffle and not gallery.shuffle
    np.testing.assert_array_equal(query.arrays()[0], VALUES[[3]])
    np.testing.assert_array_equal(gallery.arrays()[0], VALUES[4:7])


def test_the_same_vehicle_under_the_same_camera_is_junk(vehicles):
    """Of the gallery, image 0 is junk, image 1 another vehicle, image 2 the match."""
    query, gallery = datasets.veri(vehicles, "query"), datasets.veri(vehicles, "gallery")
    labels, cameras = (query.labels, gallery.labels), (query.cameras, gallery.cameras)
    value = metrics.mean_average_precision([[0.9, 0.8, 0.7]], *labels, *cameras)
    assert value == 0.5  # rank 2 of two
    assert metrics.cmc([[0.9, 0.1, 0.7]], *labels, 1, *cameras) == 1.0


def test_cameras_of_images_that_are_left(vehicles):
    (vehicles / "image_test" / VERI["test"][0]).write_bytes(b"x")
    with pytest.warns(UserWarning, match="1 image files were skipped"):
        gallery = datasets.veri(vehicles, "gallery", on_error="skip", size=(6, 5))
    assert gallery.cameras.tolist() == [2, 4] and gallery.labels.tolist() == [0, 1]


@pytest.mark.parametrize("line", ["0005_001_1.jpg", "../0005_c001_1_0.jpg", "0005_c001_1.png"])
def test_wrong_names_of_veri(vehicles, line):
    (vehicles / "name_query.txt").write_text(f"{VERI['query'][0]}\n{line}\n")
    for part in ("query", "gallery"):
        with pytest.raises(ValueError, match="Line 2 of .*name_query.txt.*0001_c001_00016450_0"):
            datasets.veri(vehicles, part)


def test_missing_and_empty_lists_of_veri(vehicles):
    (vehicles / "name_query.txt").write_text("\n")
    with pytest.raises(ValueError, match="name_query.txt.*empty"):
        datasets.veri(vehicles, "query")
    (vehicles / "name_test.txt").unlink()
    with pytest.raises(FileNotFoundError, match="name_test.txt"):
        datasets.veri(vehicles, "gallery")
    with pytest.raises(ValueError, match="`part` must be one of.*Received: part='test'"):
        datasets.veri(vehicles, "test")


def test_vehicle_id(tmp_path):
    lists = {"train_list": "3 90\n1 8\n2 90\n", "test_list_1600": "4 5\n5 5\n"}
    (tmp_path / "train_test_split").mkdir()
    for name, text in lists.items():
        (tmp_path / "train_test_split" / f"{name}.txt").write_text(text)
    for number in range(1, 6):
        save(tmp_path / "image" / f"{number}.jpg", PIXELS[number])
    train = datasets.vehicle_id(tmp_path)
    assert train.labels.tolist() == [1, 0, 1] and train.class_names == ["8", "90"]
    assert train.shuffle and train.cameras is None
    np.testing.assert_array_equal(train.arrays()[0], VALUES[[3, 1, 2]])
    test = datasets.vehicle_id(tmp_path, "medium")
    assert not test.shuffle and test.class_names == ["5"]
    np.testing.assert_array_equal(test.arrays()[0], VALUES[[4, 5]])
    with pytest.raises(FileNotFoundError, match="test_list_2400.txt"):
        datasets.vehicle_id(tmp_path, "large")
    with pytest.raises(ValueError, match="`part` must be one of.*Received: part=800"):
        datasets.vehicle_id(tmp_path, 800)
    (tmp_path / "train_test_split" / "test_list_1600.txt").write_text("4 5\n4 6\n")
    with pytest.raises(ValueError, match="Line 2 .*an image not listed before and its vehicle"):
        datasets.vehicle_id(tmp_path, "medium")


def test_a_gallery_has_one_image_of_each_identity():
    labels = np.array([4, 4, 9, 9, 9, 2, 2, 2, 2, 7])
    draws = datasets.gallery_draws(labels, num_draws=300)
    for probes, gallery in draws:
        assert labels[gallery].tolist() == [2, 4, 7, 9]
        assert sorted([*probes, *gallery]) == list(range(10))
        assert (np.diff(probes) > 0).all()
    drawn = np.bincount(np.concatenate([gallery for _, gallery in draws]), minlength=10)
    expected = 300 / np.array([2, 2, 3, 3, 3, 4, 4, 4, 4, 1])
    assert (np.abs(drawn - expected) < 5 * np.sqrt(expected)).all()  # every image alike


def test_a_draw_depends_on_seed_and_number_alone():
    labels = np.arange(60) // 5
    ten = datasets.gallery_draws(labels, seed=1)
    assert len(ten) == 10
    for (_, one), (_, other) in zip(datasets.gallery_draws(labels, 3, 1), ten, strict=False):
        np.testing.assert_array_equal(one, other)
    assert len({tuple(gallery) for _, gallery in [*ten, *datasets.gallery_draws(labels)]}) == 20


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"labels": [0, 1, 2]}, "`labels` must hold an identity with two.*3 labels"),
        ({"labels": [0.0, 0.0]}, "`labels`.*float64"),
        ({"num_draws": 0}, "num_draws=0"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_wrong_draws(wrong, message):
    with pytest.raises(ValueError, match=message):
        datasets.gallery_draws(**{"labels": [0, 0, 1], **wrong})
