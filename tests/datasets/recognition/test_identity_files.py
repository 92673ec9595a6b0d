"""A reader is its layout: the ones below are what a new one takes."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets
from keras_resample.datasets.files.text_lines import text_lines, wrong_line
from keras_resample.datasets.recognition.identity_files import identity_files

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 10, 8, 3), dtype="uint8")


def birds(path, split="train", **kwargs):
    """Lines `number file`, `number class` and `number 1` (in the training set) in three files."""
    path = pathlib.Path(path)

    def column(name):
        fields = {}
        for number, line in text_lines(path / f"{name}.txt"):
            key, _, value = line.partition(" ")
            if not value:
                raise wrong_line(path / f"{name}.txt", number, "be a number and a value", line)
            fields[key] = value
        return fields

    files, labels, in_train = map(column, ("images", "image_class_labels", "train_test_split"))
    keys = [key for key in files if (in_train[key] == "1") == (split == "train")]
    paths = [str(path / "images" / files[key]) for key in keys]
    return identity_files(paths, [int(labels[key]) for key in keys], path, "birds", **kwargs)


def vehicles(path, **kwargs):
    """File names `0002_c003_00030600_0.png`: identity and camera."""
    files = sorted(str(file) for file in pathlib.Path(path).glob("*.png"))
    labels = [pathlib.Path(file).name.partition("_")[0] for file in files]
    dataset = identity_files(files, labels, path, "vehicles", **kwargs)
    names = (pathlib.Path(file).name for file in dataset.load.files)
    dataset.cameras = np.array([int(name.split("_")[1][1:]) for name in names])
    return dataset


@pytest.fixture
def bird_folder(tmp_path):
    (tmp_path / "images").mkdir()
    for number, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / "images" / f"a bird {number}.png")
    texts = {
        "images": "".join(f"{number} a bird {number}.png\n" for number in range(4)),
        "image_class_labels": "0 12\n1 12\n2 9\n3 9\n",
        "train_test_split": "0 1\n1 0\n2 1\n3 0\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text)
    return tmp_path


@pytest.mark.parametrize(("split", "images"), [("train", [0, 2]), ("test", [1, 3])])
def test_a_layout_of_text_files(bird_folder, split, images):
    dataset = birds(bird_folder, split, batch_size=2, shuffle=False)
    assert dataset.labels.tolist() == [1, 0] and dataset.class_names == ["9", "12"]
    np.testing.assert_array_equal(dataset[0][0], PIXELS[images] / np.float32(255))
    resized = birds(bird_folder, split, size=np.array([4, 5]), channels=np.int64(1))
    assert resized.image_shape == (4, 5, 1)


def test_what_is_read_from_the_names_follows_the_images_that_are_left(tmp_path):
    for name in ("0002_c003_1", "0002_c001_2", "0007_c002_3"):
        Image.fromarray(PIXELS[0]).save(tmp_path / f"{name}.png")
    (tmp_path / "0005_c009_0.png").write_bytes(b"hello")
    with pytest.warns(UserWarning, match="1 image files were skipped.*0005_c009_0.png") as warned:
        dataset = vehicles(tmp_path, on_error="skip")
    assert dataset.cameras.tolist() == [1, 3, 2]
    assert dataset.labels.tolist() == [0, 0, 1] and dataset.class_names == ["0002", "0007"]
    [(file, reason)] = dataset.skipped
    assert file.endswith("0005_c009_0.png") and reason.startswith("UnidentifiedImageError")
    assert len(warned) == 1


def test_a_warning_points_to_the_line_of_the_user(bird_folder):
    (bird_folder / "folder").mkdir()
    (bird_folder / "images").rename(bird_folder / "folder" / "images")
    (bird_folder / "folder" / "images" / "bad.png").write_bytes(b"")
    with pytest.warns(UserWarning, match="were skipped") as warned:
        datasets.image_folder(bird_folder / "folder", on_error="skip")
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": 8}, "`size`.*Received: size=8"),
        ({"size": (8, 8.5)}, "`size`.*Received: size="),
        ({"channels": 2}, "`channels`.*Received: channels=2"),
        ({"channels": True}, "`channels`.*Received: channels=True"),
        ({"on_error": "ignore"}, "`on_error`.*Received: on_error='ignore'"),
    ],
)
def test_wrong_arguments_are_named_before_any_file_is_read(bird_folder, kwargs, message):
    (bird_folder / "images" / "a bird 0.png").unlink()
    with pytest.raises(ValueError, match=message):
        birds(bird_folder, **kwargs)
    with pytest.raises(ValueError, match="a bird 0.png.*cannot be read.*no file"):
        birds(bird_folder)
