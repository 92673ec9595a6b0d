"""Which number an identity gets, whatever is missing; and which file an image came from."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets

NAMES = ["ann", "bob", "cy"]


def save(folder, identities, images=2):
    """One sub-folder an identity; the first pixel tells which image it is."""
    for identity in identities:
        (folder / identity).mkdir(parents=True)
        for number in range(images):
            pixels = np.full((6, 5), 50 * NAMES.index(identity) + number, "uint8")
            Image.fromarray(pixels).save(folder / identity / f"{number}.png")
    return folder


@pytest.fixture
def train(tmp_path):
    return save(tmp_path / "train", NAMES)


def test_a_validation_set_without_an_identity_keeps_the_labels(train, tmp_path):
    validation = save(tmp_path / "validation", ["ann", "cy"])
    names = datasets.image_folder(train).class_names
    dataset = datasets.image_folder(validation, class_names=names, shuffle=False)
    assert dataset.labels.tolist() == [0, 0, 2, 2]
    assert dataset.num_classes == 3 and dataset.class_names == NAMES
    np.testing.assert_allclose(dataset.image(2), 100 / 255)


def test_an_identity_whose_files_are_damaged_keeps_its_label(train):
    for number in range(2):
        (train / "bob" / f"{number}.png").write_bytes(b"hello")
    told = "1 identities have no other image, the first one 'bob'.*give `class_names`"
    with pytest.warns(UserWarning, match=told):
        dataset = datasets.image_folder(train, on_error="skip")
    assert dataset.class_names == ["ann", "cy"]
    with pytest.warns(UserWarning, match="2 image files were skipped") as warned:
        dataset = datasets.image_folder(train, on_error="skip", class_names=NAMES)
    assert "class_names" not in str(warned[0].message)
    assert dataset.labels.tolist() == [0, 0, 2, 2] and dataset.num_classes == 3


@pytest.mark.parametrize("reader", ["image_list", "from_arrays", "npz"])
def test_other_readers_take_class_names(reader, train, tmp_path):
    def read(class_names):
        if reader == "image_list":
            (tmp_path / "a.list").write_text("train/ann/0.png 7\ntrain/cy/0.png 10\n")
            return datasets.image_list(tmp_path / "a.list", class_names=class_names)
        images, labels = np.zeros((2, 4, 4), "uint8"), np.array([7, 10])
        if reader == "from_arrays":
            return datasets.from_arrays(images, labels, class_names=class_names)
        np.savez(tmp_path / "a.npz", images=images, labels=labels)
        return datasets.npz(tmp_path / "a.npz", class_names=class_names)

    assert read(None).labels.tolist() == [0, 1]
    dataset = read(["7", "8", "10"])
    assert dataset.labels.tolist() == [0, 2] and dataset.num_classes == 3
    for wrong in (["7", "8"], ["7", "7", "10"]):
        with pytest.raises(ValueError, match="`class_names` must hold each.*Received: class_names"):
            read(wrong)


def test_labels_that_are_written_differently_are_different(train, tmp_path):
    lines = ["train/ann/0.png 001", "train/bob/0.png 1", "train/cy/0.png 02", "train/cy/1.png 001"]
    (tmp_path / "a.list").write_text("\n".join(lines))
    dataset = datasets.image_list(tmp_path / "a.list")
    assert dataset.class_names == ["001", "02", "1"] and dataset.labels.tolist() == [0, 2, 1, 0]
    (tmp_path / "a.list").write_text("train/ann/0.png 10\ntrain/bob/0.png 9\n")
    assert datasets.image_list(tmp_path / "a.list").class_names == ["9", "10"]


def test_names_with_spaces_behind_a_tab(train, tmp_path):
    (train / "ann" / "0.png").rename(train / "ann" / "a b.png")
    (tmp_path / "a.list").write_text("train/ann/a b.png\tAnn Lee\ntrain/bob/0.png\tBob Ray\n")
    dataset = datasets.image_list(tmp_path / "a.list")
    assert dataset.class_names == ["Ann Lee", "Bob Ray"]
    assert dataset.paths == [str(train / "ann" / "a b.png"), str(train / "bob" / "0.png")]


def test_paths_follow_the_images(train):
    (train / "ann" / "0.png").write_bytes(b"hello")
    with pytest.warns(UserWarning, match="skipped"):
        dataset = datasets.image_folder(train, on_error="skip", shuffle=True)
    expected = ["ann/1.png", "bob/0.png", "bob/1.png", "cy/0.png", "cy/1.png"]
    assert [os.path.relpath(path, train) for path in dataset.paths] == expected
    part = dataset.subset([3, 0]).subset([1, 0])
    assert [os.path.relpath(path, train) for path in part.paths] == ["ann/1.png", "cy/0.png"]
    _, test = datasets.half_identities(dataset)
    for index, path in enumerate(test.paths):
        pixels = np.asarray(Image.open(path), "float32") / 255
        np.testing.assert_array_equal(test.image(index)[..., 0], pixels)
    assert dataset.balanced_batches(2, 2).paths == dataset.paths
    assert datasets.from_arrays(np.zeros((2, 4, 4)), [0, 1]).paths is None
    assert datasets.bezier_palms(2, 1, size=(8, 8)).subset([1]).paths is None
