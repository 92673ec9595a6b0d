"""Readers of fine-grained sets, on small files in their layouts."""

import builtins
import re
import zlib

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from keras_resample import datasets
from keras_resample.datasets.files import matlab_file as matlab
from keras_resample.datasets.files.image_decoding import part_of

pytestmark = pytest.mark.backends("torch", reason="no backend reads files")

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 40, 30, 3), dtype="uint8")
VALUES = PIXELS / np.float32(255)
CUB = {
    "images": "".join(f"{i} 00{i}.A_Bird/a bird {i}.png\n" for i in (3, 1, 2, 4, 5)),
    "image_class_labels": "1 10\n2 2\n3 1\n4 10\n5 3\n",
    "classes": "1 001.Gull\n2 002.Tern\n3 003.Auk\n10 010.Wren\n",
    "train_test_split": "1 1\n2 0\n3 1\n4 0\n5 1\n",
    "bounding_boxes": "1 2.0 3.0 10.0 20.0\n2 0 0 30 40\n3 5 5 99 99\n4 1 1 1 1\n5 0 0 9 9\n",
}


def write(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, "PNG")  # whatever its name says: no pixel may change


@pytest.fixture
def birds(tmp_path):
    for number in range(1, 6):
        save(tmp_path / "images" / f"00{number}.A_Bird" / f"a bird {number}.png", PIXELS[number])
    write(tmp_path, CUB)
    return tmp_path


@pytest.mark.parametrize(
    ("protocol", "split", "images", "labels", "classes"),
    [
        ("classification", "train", [3, 1, 5], [0, 3, 2], 4),
        ("classification", "test", [2, 4], [1, 3], 4),
        ("retrieval", "train", [3, 2], [0, 1], 2),
        ("retrieval", "test", [1, 4, 5], [1, 1, 0], 2),
    ],
)
def test_cub(birds, protocol, split, images, labels, classes):
    dataset = datasets.cub(birds, protocol, split)
    assert dataset.labels.tolist() == labels and dataset.num_classes == classes
    np.testing.assert_array_equal(dataset.arrays()[0], VALUES[images])
    assert dataset.shuffle == (split == "train")
    whole = ["001.Gull", "002.Tern", "003.Auk", "010.Wren"]
    part = {"train": whole[:2], "test": whole[2:]}[split] if classes == 2 else whole
    assert dataset.class_names == part


def test_halves_share_no_class_and_splits_no_image(birds):
    for protocol in ("classification", "retrieval"):
        train, test = (datasets.cub(birds, protocol, split) for split in ("train", "test"))
        assert sorted(train.paths + test.paths) == sorted(map(str, birds.glob("images/*/*")))
        if protocol == "retrieval":
            assert not set(train.class_names) & set(test.class_names)


def test_a_box_is_read_and_nothing_else(birds):
    dataset = datasets.cub(birds, split="train", crop_to_box=True, size=(20, 10))
    np.testing.assert_array_equal(dataset.image(1), VALUES[1, 3:23, 2:12])
    with pytest.raises(ValueError, match=r"size=None.*is \(35, 25\).*is \(20, 10\)"):
        datasets.cub(birds, crop_to_box=True)
    (birds / "images" / "003.A_Bird" / "a bird 3.png").write_bytes(b"x")
    with pytest.warns(UserWarning, match="1 image files were skipped"):
        dataset = datasets.cub(birds, crop_to_box=True, size=(20, 10), on_error="skip")
    np.testing.assert_array_equal(dataset.image(0), VALUES[1, 3:23, 2:12])


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((2, 3, 10, 20), (2, 3, 10, 20)),
        ((-5, -5, 99, 99), (0, 0, 30, 40)),
        ((0, 0, np.inf, np.inf, 20), (0, 0, 30, 20)),
        ((0, 0, 30, 15, 20), (0, 0, 30, 15)),
        ((0, 0, -1, 9), None),
        ((30, 0, 40, 10), None),
        ((0, 21, 30, 40, 20), None),
        ((9, 9, 9, 12), None),
    ],
)
def test_what_lies_in_a_box(box, expected):
    if expected is None:
        with pytest.raises(ValueError, match="nothing of it in the box"):
            part_of((40, 30), box)
    else:
        assert part_of((40, 30), box) == expected


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("images", "1\n", "Line 1 of .*images.txt.*a number not used before and a value"),
        ("classes", "1 a\n1 b\n", "Line 2 of .*classes.txt"),
        ("image_class_labels", "1 1\n", "image_class_labels.txt.*begins with 3.*1 lines"),
        ("classes", "1 001.Gull\n", "classes.txt.*begins with 10"),
        ("bounding_boxes", "1 1 1\n3 1 1 1 1\n", "bounding_boxes.txt.*begins with 2"),
        ("bounding_boxes", CUB["bounding_boxes"].replace("9 9", "nan 9"), "x y width height"),
        ("bounding_boxes", CUB["bounding_boxes"].replace("9 9", "0 9"), "Received: '0 0 0 9'"),
        ("bounding_boxes", CUB["bounding_boxes"].replace("5 5", "-2 5"), "'-2 5 99 99'.*bird 3"),
        ("train_test_split", CUB["train_test_split"].replace("2 0", "2 2"), "split.txt.*: '2'"),
        ("classes", CUB["classes"].replace("2 002", "b 002"), "classes.txt.*number 'b'"),
        ("bounding_boxes", CUB["bounding_boxes"].replace("5 5", "50 5"), "a bird 3.*nothing of it"),
    ],
)
def test_wrong_files_of_cub(birds, name, text, message):
    (birds / f"{name}.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        datasets.cub(birds, crop_to_box=True, size=(8, 8))
    (birds / f"{name}.txt").unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}.txt"):
        datasets.cub(birds, crop_to_box=True, size=(8, 8))


def test_classes_come_in_the_order_of_their_numbers(birds):
    lines = CUB["classes"].splitlines(keepends=True)
    write(birds, {"classes": "".join(lines[::-1])})
    train = datasets.cub(birds, "retrieval")
    assert train.class_names == ["001.Gull", "002.Tern"] and train.labels.tolist() == [0, 1]


def aircraft(folder):
    texts = {
        "images_variant_trainval": "01 737-200\n02 F/A-18\n",
        "images_variant_test": "03 737-200\n",
        "variants": "737-200\nA 300\nF/A-18\n",
        "images_manufacturer_train": "01 Boeing\n",
        "manufacturers": "Airbus\nBoeing\n",
        "images_box": "01 2 3 30 20\n02 1 1 30 40\n",
    }
    write(folder, texts)
    for number in (1, 2, 3):
        save(folder / "images" / f"0{number}.jpg", PIXELS[number])
    return folder


def test_aircraft(tmp_path):
    aircraft(tmp_path / "data")
    train = datasets.fgvc_aircraft(tmp_path, "trainval")
    assert train.labels.tolist() == [0, 2] and train.num_classes == 3 and train.shuffle
    np.testing.assert_array_equal(train.arrays()[0], VALUES[[1, 2], :20])
    test = datasets.fgvc_aircraft(tmp_path / "data", "test", keep_banner=True)
    assert test.labels.tolist() == [0] and not test.shuffle
    np.testing.assert_array_equal(test.image(0), VALUES[3])
    makers = datasets.fgvc_aircraft(tmp_path, "train", "manufacturer", crop_to_box=True)
    assert makers.class_names == ["Airbus", "Boeing"] and makers.labels.tolist() == [1]
    np.testing.assert_array_equal(makers.image(0), VALUES[1, 2:20, 1:30])
    write(tmp_path / "data", {"images_box": "03 2 3 30 35\n"})
    for keep_banner, bottom in ((False, 20), (True, 35)):
        boxed = datasets.fgvc_aircraft(tmp_path, "test", crop_to_box=True, keep_banner=keep_banner)
        np.testing.assert_array_equal(boxed.image(0), VALUES[3, 2:bottom, 1:30])


def test_wrong_files_of_aircraft(tmp_path):
    folder = aircraft(tmp_path)
    with pytest.raises(ValueError, match="images_box.txt.*Received: 'none' of image '03'"):
        datasets.fgvc_aircraft(folder, "test", crop_to_box=True)
    (folder / "images_box.txt").write_text("01 9 9 1 20\n02 1 1 30 40\n")
    with pytest.raises(ValueError, match="Received: '9 9 1 20' of image '01'"):
        datasets.fgvc_aircraft(folder, "trainval", crop_to_box=True)
    with pytest.raises(FileNotFoundError, match="images_variant_val.txt"):
        datasets.fgvc_aircraft(folder, "val")
    (folder / "variants.txt").write_text("737-200\n")
    with pytest.raises(ValueError, match="`class_names`.*F/A-18"):
        datasets.fgvc_aircraft(folder, "trainval")


def car(number, label, test, file="fname"):
    ends = {"bbox_x1": 3.0, "bbox_y1": 4.0, "bbox_x2": 22.0, "bbox_y2": 33.0}
    name = f"0{number}.jpg" if file == "fname" else f"car_ims/0{number}.jpg"
    return {file: name, "class": label, "test": test, **ends}


def boxed_car(**ends):
    return {**car(1, 1, 0, "relative_im_path"), **ends}


NAMES = np.array(["Acura RL", "BMW M3", "Fiat 500", "smart"], object)


def joined_cars(folder, **changes):
    cars = [car(n, label, n % 2, "relative_im_path") for n, label in ((1, 4), (2, 1), (3, 2))]
    variables = {"annotations": cars, "class_names": NAMES, **changes}
    savemat(folder / "cars_annos.mat", variables, do_compression=True)
    for number in (1, 2, 3):
        save(folder / "car_ims" / f"0{number}.jpg", PIXELS[number])
    return folder


def kit_of_cars(folder, beside=False):
    (folder / "devkit").mkdir(parents=True)
    savemat(folder / "devkit" / "cars_meta.mat", {"class_names": NAMES})
    savemat(folder / "devkit" / "cars_train_annos.mat", {"annotations": [car(2, 1, 0)]})
    place = folder if beside else folder / "devkit"
    cars = [car(1, 4, 1), car(2, 2, 1)]
    savemat(place / "cars_test_annos_withlabels.mat", {"annotations": cars})
    for part, number, pixels in (("train", 2, 2), ("test", 1, 1), ("test", 2, 3)):
        save(folder / f"cars_{part}" / f"0{number}.jpg", PIXELS[pixels])
    return folder


@pytest.mark.parametrize(
    "layout", [joined_cars, kit_of_cars, lambda folder: kit_of_cars(folder, beside=True)]
)
def test_cars_of_each_layout(tmp_path, layout):
    folder = layout(tmp_path)
    expected = {
        ("classification", "train"): {2: 0},
        ("classification", "test"): {1: 3, 3: 1},
        ("retrieval", "train"): {2: 0, 3: 1},
        ("retrieval", "test"): {1: 1},
    }
    for part, labels in expected.items():
        dataset = datasets.stanford_cars(folder, *part)
        assert dataset.num_classes == (2 if part[0] == "retrieval" else 4)
        images, found = dataset.arrays()
        np.testing.assert_array_equal(images, VALUES[list(labels)])
        assert found.tolist() == list(labels.values())
    box = datasets.stanford_cars(folder, crop_to_box=True).image(0)
    np.testing.assert_array_equal(box, VALUES[2, 3:33, 2:22])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": 7.0}, "`class_names` must be names.*cars_annos.mat"),
        ({"annotations": 7.0}, "`annotations` must have `relative_im_path`"),
        ({"annotations": [{"class": 1}]}, "KeyError: 'bbox_x1'"),
        ({"annotations": [car(1, 5, 0, "relative_im_path")]}, "there is no class 5"),
        ({"annotations": []}, "there is no car.*cars_annos.mat"),
        ({"annotations": [boxed_car(bbox_y1=np.inf)]}, "OverflowError"),
    ],
)
def test_wrong_annotations_of_cars(tmp_path, changes, message):
    joined_cars(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        datasets.stanford_cars(tmp_path)


@pytest.mark.parametrize("ends", [{"bbox_x2": 0}, {"bbox_y2": -7}, {"bbox_x1": 0}])
def test_wrong_boxes_of_cars(tmp_path, ends):
    joined_cars(tmp_path, annotations=[boxed_car(**ends)])
    assert datasets.stanford_cars(tmp_path).num_classes == 4
    message = f"1 <= bbox_x1 <= bbox_x2.*Received: .*{next(iter(ends.values()))}.*car_ims/01.jpg"
    with pytest.raises(ValueError, match=message):
        datasets.stanford_cars(tmp_path, crop_to_box=True)


def test_damaged_matlab_files(tmp_path, monkeypatch):
    path = joined_cars(tmp_path) / "cars_annos.mat"
    whole = path.read_bytes()
    for damaged in (b"", b"hello", whole[:100], whole[: len(whole) * 2 // 3], whole[:300] + b"xx"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="cars_annos.mat.*undamaged MATLAB file"):
            datasets.stanford_cars(tmp_path)
    path.write_bytes(whole)
    monkeypatch.setattr(matlab, "LARGEST", len(whole) - 1)
    with pytest.raises(ValueError, match="it is larger than"):
        datasets.stanford_cars(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="cars_meta.mat"):
        datasets.stanford_cars(tmp_path)


def element(order, kind, body):
    """A tag of type and length, and the bytes in multiples of 8."""
    tag = np.array([kind, len(body)], f"{order}u4").tobytes()
    return tag + body + bytes(-len(body) % 8)


def matrix(order, kind, dims, values):
    flags = element(order, 6, np.array([kind, 0], f"{order}u4").tobytes())
    dims = element(order, 5, np.array(dims, f"{order}i4").tobytes())
    return element(order, 14, flags + dims + element(order, 1, b"x") + values)


def write_matlab(folder, order, *variables):
    mark = b"\x00\x01IM" if order == "<" else b"\x01\x00MI"
    (folder / "cars_annos.mat").write_bytes(b" " * 124 + mark + b"".join(variables))


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_packed_bomb_is_not_unpacked(tmp_path, order):
    """Two variables of 5 MiB of zeros, and one of 60 MiB: 70 KB in the file."""
    variables = []
    for size in (5 * 2**20, 60 * 2**20):
        zeros = matrix(order, 9, (1, 8), element(order, 2, bytes(size)))
        packed = zlib.compress(zeros)
        variables.append(np.array([15, len(packed)], f"{order}u4").tobytes() + packed)
    write_matlab(tmp_path, order, *variables)
    with pytest.raises(ValueError, match="its variables are larger than 67108864 bytes"):
        datasets.stanford_cars(tmp_path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "dims", "message"),
    [
        (4, (1, 2**27), r"of dimensions \(1, 134217728\)"),
        (4, (2**27, 0), r"of dimensions \(134217728, 0\)"),
        (4, (1, 2**20), "1048576 characters in 0 bytes"),
        (1, (2**11, 2**10), "more than 1048576 cells"),
        (1, (1, -1), "of dimensions"),
        (3, (1, 1), "of class 3"),
    ],
)
def test_a_matlab_file_gets_no_more_than_it_holds(tmp_path, order, kind, dims, message):
    write_matlab(tmp_path, order, matrix(order, kind, dims, element(order, 4, b"")))
    with pytest.raises(ValueError, match=f"cars_annos.mat.*undamaged.*{message}"):
        datasets.stanford_cars(tmp_path)


@pytest.mark.parametrize("kind", [0, 8, 14, 524, 65535])
def test_no_value_is_of_an_unknown_type(tmp_path, kind):
    """Type 524 ended the process in SciPy."""
    write_matlab(tmp_path, "<", matrix("<", 6, (1, 1), element("<", kind, bytes(8))))
    with pytest.raises(ValueError, match=f"it has values of type {kind}"):
        datasets.stanford_cars(tmp_path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_cells_in_cells(tmp_path, order):
    """SciPy follows them until the stack ends, and Python with it."""
    text = nested = matrix(order, 4, (1, 1), element(order, 16, b"a"))
    for depth in range(1, 18):
        nested = matrix(order, 1, (1, 1), nested)
        write_matlab(tmp_path, order, nested)
        if depth <= 16:
            assert "x" in matlab.matlab_file(tmp_path / "cars_annos.mat", "stanford_cars")
    with pytest.raises(ValueError, match="type 14 at depth 17"):
        matlab.matlab_file(tmp_path / "cars_annos.mat", "stanford_cars")
    write_matlab(tmp_path, order, text)
    assert matlab.matlab_file(tmp_path / "cars_annos.mat", "stanford_cars")["x"] == "a"


def test_what_a_matlab_file_may_hold(tmp_path):
    values = {
        "text": "a name",
        "nothing": "",
        "complex": np.array([1 + 2j, 3]),
        "truth": np.array([True, False]),
        "cells": np.array(["one", 2.5], object),
        "cars": [{"a": 1, "much_longer": "b"}, {"a": 2, "much_longer": ""}],
        "inner": {"deeper": {"deepest": np.zeros((0, 3))}},
    }
    for packed in (False, True):
        savemat(tmp_path / "values.mat", values, do_compression=packed)
        found = matlab.matlab_file(tmp_path / "values.mat", "stanford_cars")
        expected = loadmat(tmp_path / "values.mat", simplify_cells=True)
        np.testing.assert_equal(found, expected)
    savemat(tmp_path / "values.mat", {"text": "a name"}, format="4")
    with pytest.raises(ValueError, match="values.mat.*of another version"):
        matlab.matlab_file(tmp_path / "values.mat", "stanford_cars")


def test_scipy_is_named_where_it_is_missing(tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "scipy":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    joined_cars(tmp_path)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="`stanford_cars` needs SciPy.*pip install scipy"):
        datasets.stanford_cars(tmp_path)


@pytest.mark.parametrize(
    ("reader", "wrong"),
    [
        (datasets.cub, {"protocol": "both"}),
        (datasets.cub, {"split": "val"}),
        (datasets.stanford_cars, {"protocol": 1}),
        (datasets.stanford_cars, {"split": None}),
        (datasets.fgvc_aircraft, {"split": "all"}),
        (datasets.fgvc_aircraft, {"level": "variants"}),
    ],
)
def test_wrong_choices(tmp_path, reader, wrong):
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=f"`{name}` must be one of.*Received: {name}="):
        reader(tmp_path, **wrong)


@pytest.mark.parametrize("name", ["../a", "/etc/a", "b/../../a", "C:a", "C:/a", "b\\a", "//host/a"])
def test_no_list_leads_out_of_the_folder(birds, name):
    received = f"must name images inside of .*Received: .*{re.escape(repr(name)[1:-1])}"
    write(birds, {"images": CUB["images"].replace("001.A_Bird/a bird 1.png", name)})
    with pytest.raises(ValueError, match=f"images.txt.*{received}"):
        datasets.cub(birds)
    write(birds / "data", {"images_variant_test": f"{name} 737\n", "variants": "737\n"})
    with pytest.raises(ValueError, match=f"images_variant_test.txt.*{received}"):
        datasets.fgvc_aircraft(birds, "test")
    write(birds / "train_test_split", {"train_list": f"{name} 7\n"})
    with pytest.raises(ValueError, match=f"train_list.txt.*{received}"):
        datasets.vehicle_id(birds)
    outside = {**car(1, 1, 0, "relative_im_path"), "relative_im_path": name}
    joined_cars(birds, annotations=[outside])
    with pytest.raises(ValueError, match=f"cars_annos.mat.*{received}"):
        datasets.stanford_cars(birds)


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (datasets.cub, "crop_to_box"),
        (datasets.stanford_cars, "crop_to_box"),
        (datasets.fgvc_aircraft, "crop_to_box"),
        (datasets.fgvc_aircraft, "keep_banner"),
    ],
)
def test_no_text_stands_for_a_bool(birds, reader, name):
    aircraft(birds)
    with pytest.raises(ValueError, match=f"`{name}` must be True or False.*Received: {name}='no'"):
        reader(birds, split="test", **{name: "no"})
