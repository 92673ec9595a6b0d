import builtins
import io
import os
import pickle
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from keras_resample import datasets

RANDOM = np.random.default_rng(0)


def pixels(*shape):
    return RANDOM.integers(0, 256, shape, dtype="uint8")


@pytest.fixture
def folder(tmp_path):
    """Two people, three grey images each, 20 x 16."""
    for name in ("ünï ö", "b"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(pixels(20, 16)).save(tmp_path / name / f"{i}.png")
    return tmp_path


# from_arrays and npz


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=20))
def test_labels_are_renumbered_in_sorted_order(labels):
    dataset = datasets.from_arrays(np.zeros((len(labels), 2, 2), "uint8"), labels)
    assert [int(dataset.class_names[k]) for k in dataset.labels] == labels
    assert [int(name) for name in dataset.class_names] == sorted(set(labels))


def test_values_of_each_type():
    integers = pixels(3, 4, 5, 3)
    dataset = datasets.from_arrays(integers, ["x", "y", "x"])
    np.testing.assert_array_equal(dataset.arrays()[0], integers.astype("float32") / 255)
    for dtype in ("float16", "float32", "float64"):
        floats = RANDOM.random((3, 4, 5)).astype(dtype)
        images = datasets.from_arrays(floats, [0, 0, 1]).arrays()[0]
        assert images.dtype == np.float32
        np.testing.assert_array_equal(images[..., 0], floats.astype("float32"))
    assert datasets.from_arrays(integers, np.array([b"\xc3\xa9", b"a", b"a"])).class_names == [
        "a",
        "é",
    ]


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (np.zeros((3, 4)), [0, 1, 2], ValueError, r"\(3, 4\)"),
        (np.zeros((0, 4, 4)), [], ValueError, r"\(0, 4, 4, 1\)"),
        (np.zeros((3, 4, 4, 1, 1)), [0, 1, 2], ValueError, "images"),
        (np.zeros((3, 4, 4), "int64"), [0, 1, 2], TypeError, "int64"),
        (np.zeros((3, 4, 4), bool), [0, 1, 2], TypeError, "bool"),
        (np.full((3, 4, 4), 1.5), [0, 1, 2], ValueError, "1.5"),
        (np.full((3, 4, 4), -0.1), [0, 1, 2], ValueError, "-0.1"),
        (np.full((3, 4, 4), np.nan), [0, 1, 2], ValueError, "nan"),
        (np.full((3, 4, 4), np.inf), [0, 1, 2], ValueError, "inf"),
        (np.zeros((3, 4, 4)), [0, 1], ValueError, "3 images and 2 labels"),
        (np.zeros((3, 4, 4)), [[0], [1], [2]], ValueError, r"\(3, 1\)"),
        (np.zeros((3, 4, 4)), [0.0, 1.0, 2.0], TypeError, "float64"),
        (np.zeros((3, 4, 4)), [0, None, 2], TypeError, "object"),
    ],
)
def test_wrong_arrays(tmp_path, images, labels, error, message):
    with pytest.raises(error, match=message):
        datasets.from_arrays(images, labels)
    if np.asarray(labels).dtype != object:
        np.savez(tmp_path / "a.npz", images=images, labels=labels)
        with pytest.raises(error, match=f"{message}.*a.npz"):
            datasets.npz(tmp_path / "a.npz")


def test_one_nan_far_inside_is_found():
    images = np.zeros((600, 2, 2))
    images[599, 1, 1] = np.nan
    with pytest.raises(ValueError, match="512 to 599"):
        datasets.from_arrays(images, np.zeros(600, int))


def test_npz_round_trip(tmp_path):
    images = pixels(6, 8, 7)
    np.savez_compressed(
        tmp_path / "é.npz", images=images, labels=["b", "b", "a", "a", "c", "c"], more=1
    )
    dataset = datasets.npz(tmp_path / "é.npz", batch_size=4, shuffle=False)
    assert dataset.class_names == ["a", "b", "c"]
    batch, labels = dataset[0]
    np.testing.assert_array_equal(batch[..., 0], images[:4].astype("float32") / 255)
    assert labels.tolist() == [1, 1, 0, 0]


class Attack:
    def __reduce__(self):
        return open, (os.environ["ATTACK_FILE"], "w")


def test_pickled_objects_are_refused_and_not_run(tmp_path, monkeypatch):
    target = tmp_path / "attacked"
    monkeypatch.setenv("ATTACK_FILE", str(target))
    attack = np.array([Attack()], dtype=object)
    np.savez(tmp_path / "object.npz", images=attack, labels=[0], allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "entry.npz", "w") as archive:
        archive.writestr("images.npy", pickle.dumps(Attack()))
        archive.writestr("labels.npy", pickle.dumps(Attack()))
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(Attack()))
    for name in ("object", "entry", "bare"):
        target.unlink(missing_ok=True)
        with pytest.raises(ValueError, match=f"{name}.npz"):
            datasets.npz(tmp_path / f"{name}.npz")
        assert not target.exists()


def test_wrong_npz_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.npz"):
        datasets.npz(tmp_path / "none.npz")
    np.savez(tmp_path / "keys.npz", x=pixels(2, 2, 2), labels=[0, 1])
    with pytest.raises(ValueError, match=r"'images'.*keys \['labels', 'x'\]"):
        datasets.npz(tmp_path / "keys.npz")
    np.save(tmp_path / "array.npy", pixels(2, 2, 2))
    with pytest.raises(ValueError, match="array.npy"):
        datasets.npz(tmp_path / "array.npy")
    np.savez_compressed(tmp_path / "whole.npz", images=pixels(9, 30, 30), labels=np.arange(9))
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    damaged = bytearray(whole)
    damaged[2000:2100] = bytes(100)
    (tmp_path / "damaged.npz").write_bytes(damaged)
    for name in ("cut.npz", "damaged.npz"):
        with pytest.raises(ValueError, match=name):
            datasets.npz(tmp_path / name)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (2**20, 2**20, 2**10)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("images.npy", header.getvalue())
        archive.writestr("labels.npy", header.getvalue())
    with pytest.raises(ValueError, match="huge.npz"):
        datasets.npz(tmp_path / "huge.npz")


# image_folder


def test_folder(folder):
    (folder / ".hidden").mkdir()
    (folder / "without images").mkdir()
    (folder / "without images" / "notes.txt").write_text("no image")
    (folder / "stray.png").write_bytes(b"not in an identity")
    (folder / "b" / "Thumbs.db").write_bytes(b"x")
    (folder / "b" / ".0.png").write_bytes(b"x")
    (folder / "b" / "deeper.png").mkdir()
    (folder / "b" / "link.PNG").symlink_to(folder / "b" / "0.png")
    (folder / "c").symlink_to(folder / "b")
    dataset = datasets.image_folder(folder, shuffle=False, verify=True, progress=True)
    assert dataset.class_names == ["b", "c", "ünï ö"]
    assert dataset.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 3
    assert dataset.image_shape == (20, 16, 1) and dataset.skipped == []
    stored = np.asarray(Image.open(folder / "b" / "1.png"), "float32") / 255
    np.testing.assert_array_equal(dataset.image(1)[..., 0], stored)
    np.testing.assert_array_equal(dataset.image(3), dataset.image(0))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_every_mode_gives_the_range(tmp_path, mode, channels):
    (tmp_path / "a").mkdir()
    ramp = np.linspace(0, 255, 48).round().astype("uint8").reshape(6, 8)
    if mode == "I;16":
        image = Image.fromarray(ramp.astype("uint16") * 257)
    else:
        image = Image.fromarray(np.stack([ramp] * 3, -1))
        image = image.convert(mode, palette=Image.Palette.ADAPTIVE)
    image.save(tmp_path / "a" / ("0.tif" if mode == "CMYK" else "0.png"))
    dataset = datasets.image_folder(tmp_path, channels=channels)
    grey = mode in ("1", "L", "LA", "I;16")
    assert dataset.image_shape == (6, 8, channels or (1 if grey else 3))
    read = dataset.image(0)
    assert read.dtype == np.float32 and read.min() < 0.02 and 0.98 < read.max() <= 1
    if mode != "1":
        np.testing.assert_allclose(read[..., 0], ramp / 255, atol=0.03)


def test_different_sizes_need_size(folder):
    Image.fromarray(pixels(30, 40, 3)).save(folder / "b" / "9.jpg")
    with pytest.raises(ValueError, match=r"size=\(height, width\).*9.jpg"):
        datasets.image_folder(folder)
    images, _ = datasets.image_folder(folder, size=(12, 10), batch_size=7)[0]
    assert images.shape == (7, 12, 10, 3)


BAD = {
    "empty": lambda good: b"",
    "truncated": lambda good: good[: len(good) * 2 // 3],
    "no image": lambda good: b"hello",
    "header only": lambda good: good[:60],
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("extension", ["png", "jpg", "bmp", "tif", "gif", "webp"])
def test_bad_files_are_named_or_skipped(folder, kind, extension):
    file = io.BytesIO()
    name = {"jpg": "JPEG", "tif": "TIFF"}.get(extension, extension.upper())
    Image.fromarray(pixels(20, 16)).save(file, name)
    (folder / "b" / f"bad.{extension}").write_bytes(BAD[kind](file.getvalue()))

    with pytest.raises(ValueError, match=f"bad.{extension}.*cannot be read"):
        datasets.image_folder(folder, verify=True)
    with pytest.raises(ValueError, match=f"bad.{extension}.*cannot be read"):
        datasets.image_folder(folder, channels=1).arrays()

    with pytest.warns(UserWarning, match="1 image files") as warned:
        dataset = datasets.image_folder(folder, on_error="skip")
    # Pillow may add warnings of its own.
    assert len([w for w in warned if "were skipped" in str(w.message)]) == 1
    assert dataset.num_images == 6 and dataset.arrays()[0].shape == (6, 20, 16, 1)
    [(skipped, reason)] = dataset.skipped
    assert skipped.endswith(f"bad.{extension}") and reason
    assert datasets.half_identities(dataset)[0].num_images == 3


def test_an_identity_of_bad_files_only_is_no_identity(folder):
    (folder / "a").mkdir()
    (folder / "a" / "0.png").write_bytes(b"")
    (folder / "a" / "1.png").symlink_to(folder / "nowhere")
    with pytest.warns(UserWarning, match="2 image files"):
        dataset = datasets.image_folder(folder, on_error="skip")
    assert dataset.class_names == ["b", "ünï ö"] and dataset.labels.max() == 1


def test_decompression_bomb(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20 * 16 - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="DecompressionBomb"):
            datasets.image_folder(folder)
        with pytest.raises(ValueError, match="6 files, 6 skipped"):
            datasets.image_folder(folder, on_error="skip")


def test_a_file_that_vanishes_is_named(folder):
    dataset = datasets.image_folder(folder)
    (folder / "b" / "0.png").unlink()
    with pytest.raises(ValueError, match="0.png.*no file"):
        dataset.image(0)


def test_wrong_folders(tmp_path):
    with pytest.raises(NotADirectoryError, match="nowhere"):
        datasets.image_folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="layout of `image_folder`.*Received: path=.*, 0 files"):
        datasets.image_folder(tmp_path)
    with pytest.raises(ValueError, match="on_error='ignore'"):
        datasets.image_folder(tmp_path, on_error="ignore")
    with pytest.raises(ValueError, match="channels=2"):
        datasets.image_folder(tmp_path, channels=2)
    with pytest.raises(ValueError, match="size=8"):
        datasets.image_folder(tmp_path, size=8)


def test_missing_packages_are_named(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] in ("PIL", "sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install keras-resample\[datasets\]"):
        datasets.digits()
    with pytest.raises(ImportError, match=r"pip install keras-resample\[datasets\]"):
        datasets.image_folder(tmp_path)
