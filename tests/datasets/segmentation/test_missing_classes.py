"""A class that no mask holds while much is ignored is told, once; nothing else is."""

import warnings

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets


def save(folder, masks):
    """Masks `(n, h, w)`, with black images."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir()
    for number, mask in enumerate(np.asarray(masks, "uint8")):
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")
        Image.new("RGB", mask.shape[::-1]).save(folder / "images" / f"{number}.png")
    return folder / "images", folder / "masks"


def halves(low, high, count=2):
    """Masks of two labels, half of the pixels each."""
    masks = np.full((count, 4, 6), low)
    masks[:, :, 3:] = high
    return masks


def test_masks_of_0_and_255(tmp_path):
    folders = save(tmp_path, halves(0, 255))
    told = r"No pixel of 48 has the class 1, and 50.0% have the label 255.*`classes`.*Received: num"
    with pytest.warns(UserWarning, match=told) as warned:
        datasets.segmentation_folder(*folders, 2, verify=True)
    assert warned[0].filename == __file__
    dataset = datasets.segmentation_folder(*folders, 2, batch_size=1)
    with pytest.warns(UserWarning, match=told) as warned:
        dataset[0], dataset[1], dataset[0], dataset.read(1)
    assert len(warned) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mapped = datasets.segmentation_folder(*folders, classes={0: 0, 255: 1}, verify=True)
    assert set(np.unique(mapped.arrays()[1])) == {0, 1}


@pytest.mark.parametrize(
    ("masks", "num_classes", "missing"),
    [
        (halves(255, 255), 19, "0, 1, 2, ..., 18"),
        (halves(0, 255), 4, "1, 2, 3"),
        ([[[0, 2, 255]]] * 8, 3, "1"),
    ],
)
def test_whatever_is_missing(tmp_path, masks, num_classes, missing):
    with pytest.warns(UserWarning, match=f"has the class {missing}, and"):
        datasets.segmentation_folder(*save(tmp_path, masks), num_classes, on_error="skip")


def test_a_test_split_without_classes(tmp_path):
    """As published, Cityscapes' masks of the test split hold no class."""
    for part, name, shape in (
        ("leftImg8bit", "leftImg8bit", (4, 6, 3)),
        ("gtFine", "gtFine_labelIds", (4, 6)),
    ):
        folder = tmp_path / part / "test" / "bonn"
        folder.mkdir(parents=True)
        Image.fromarray(np.zeros(shape, "uint8")).save(folder / f"bonn_0_{name}.png")
    with pytest.warns(UserWarning, match="100.0% have the label 255"):
        datasets.cityscapes(tmp_path, "test")[0]


@pytest.mark.parametrize(
    ("masks", "kwargs"),
    [
        (halves(0, 1), {}),  # nothing is ignored
        (np.pad(halves(0, 0), ((0, 0), (9, 9), (9, 9))), {}),
        (np.pad(halves(0, 255, 1), ((0, 0), (20, 20), (20, 20))), {}),  # 0.7 %
        (halves(1, 255), {"ignore_class": None, "classes": {1: 0, 255: 1}}),
        (halves(0, 0), {"ignore_class": None}),  # a class is missing, and nothing is ignored
        (halves(0, 1), {"ignore_class": 0}),  # a class that counts nowhere is not missed
        ([*halves(0, 255), *halves(0, 1)], {}),  # not in all of them
        # A few images of a set of many classes.
        (np.tile([[[0, 2, 3, 255]]], (7, 2, 1)), {"num_classes": 19}),
    ],
)
def test_nothing_else_is_told(tmp_path, masks, kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kwargs = {"num_classes": 2, "data_format": "channels_last", **kwargs}
        datasets.segmentation_folder(*save(tmp_path, masks), verify=True, **kwargs).arrays()


def scenes(labels, **kwargs):
    """Scenes `(n, h, w)` that are loaded by a function."""
    labels = np.asarray(labels)

    def load(index, window):
        top, left, height, width = window
        label = labels[index][top : top + height, left : left + width]
        return np.zeros((*label.shape, 3), "uint8"), label

    sizes = [label.shape for label in labels]
    kwargs = {"num_classes": 3, "ignore_class": 255, "data_format": "channels_last", **kwargs}
    return datasets.SegmentationDataset(load, sizes, batch_size=4, **kwargs)


def test_one_class_in_the_first_images_is_told_before_the_epoch_ends():
    dataset = scenes(halves(0, 255, count=100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset[0]
    with pytest.warns(UserWarning, match="No pixel of 192 has the class 1, 2"):
        dataset[1]


def test_a_rare_class_is_not_missed_before_all_images_were_read():
    labels = halves(0, 255, count=40)
    labels[:, 0, 0] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = scenes(labels, shuffle=False)
        for batch in range(9):
            dataset[batch]
        dataset.subset([0, 1]).arrays()  # so few images may lack it
        part = dataset.subset(range(8))
    with pytest.warns(UserWarning, match="No pixel of 960 has the class 2, and") as warned:
        dataset[9]
    assert "`classes`" not in str(warned[0].message)  # it has more than one
    with pytest.warns(UserWarning, match="No pixel of 192 has the class 2, and"):
        part.arrays()
    labels[-1, 0, 0] = 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scenes(labels).arrays()
        for windows in scenes(labels).windows((2, 2)):
            assert windows[1].shape[1:] == (2, 2)
