import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 10, 8), dtype="uint8")
STANDARD = ((PIXELS / np.float32(255) - np.float32(0.5)) / np.float32(0.5))[..., None]
SERVED = {"data_format": "channels_last", "value_range": (-1, 1)}


@pytest.fixture
def folder(tmp_path):
    """Images `palms/0.png` to `palms/5.png`."""
    (tmp_path / "palms").mkdir()
    for index, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / "palms" / f"{index}.png")
    return tmp_path


def pair_list(folder, text, **kwargs):
    (folder / "pairs.list").write_text(text)
    return datasets.pair_list(folder / "pairs.list", **{**SERVED, **kwargs})


@pytest.mark.parametrize(
    "text",
    [
        "palms/0.png palms/1.png 1\npalms/2.png palms/0.png 0\n",
        "palms/0.png,palms/1.png,1\npalms/2.png, palms/0.png, 0\n",
        "1 palms/0.png palms/1.png\n0 palms/2.png palms/0.png\n",
        "palms/0.png\tpalms/1.png\t1\npalms/2.png\tpalms/0.png 0\n",
    ],
)
def test_pairs_of_paths(folder, text):
    pairs = pair_list(folder, text)
    assert pairs.same.tolist() == [True, False]
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[[0, 1, 2, 0]])
    np.testing.assert_array_equal(pairs.images[0], STANDARD[[0, 1, 2, 0]])


@pytest.mark.parametrize("line", ["palms/a b.png\tpalms/1.png\t1", "1\tpalms/a b.png\tpalms/1.png"])
def test_names_with_spaces_between_tabs(folder, line):
    (folder / "palms" / "0.png").rename(folder / "palms" / "a b.png")
    pairs = pair_list(folder, line)
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[:2])
    assert pairs.images.paths == [str(folder / "palms" / name) for name in ("a b.png", "1.png")]


@pytest.mark.parametrize(
    "text", ["palms/0.png palms/1.png\n", "palms/0.png palms/1.png 2\n", "a b c d\n", "1 1\n"]
)
def test_wrong_pairs(folder, text):
    with pytest.raises(ValueError, match="Line 1 of .*pairs.list.*two paths and 0 or 1"):
        pair_list(folder, text)


def test_bad_files_of_pairs(folder):
    (folder / "palms" / "1.png").write_bytes(b"hello")
    text = "palms/0.png palms/1.png 1\npalms/2.png palms/0.png 0\n"
    with pytest.raises(ValueError, match="1.png.*cannot be read"):
        pair_list(folder, text)
    with pytest.warns(UserWarning, match="1 image files, and their pairs, were skipped"):
        pairs = pair_list(folder, text, on_error="skip")
    assert pairs.same.tolist() == [False] and len(pairs.skipped) == 1
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[[2, 0]])
    with pytest.raises(ValueError, match="`path`.*Received: path=.*, 0 files"):
        pair_list(folder, "\n")
    with pytest.raises(ValueError, match="1 pairs, 1 files skipped"):
        pair_list(folder, "palms/0.png palms/1.png 1", on_error="skip")


def lfw(folder, text, **kwargs):
    for name, number, index in (("Ann_Lee", 1, 0), ("Ann_Lee", 12, 1), ("Bob", 3, 2)):
        person = folder / "lfw" / name
        person.mkdir(parents=True, exist_ok=True)
        extension = "png" if index else "jpg"
        Image.fromarray(PIXELS[index]).save(person / f"{name}_{number:04d}.{extension}")
    (folder / "pairs.txt").write_text(text)
    return datasets.lfw_pairs(folder / "pairs.txt", folder / "lfw", **{**SERVED, **kwargs})


@pytest.mark.parametrize("header", ["", "10\t300\n", "1\n"])
def test_lfw_pairs(folder, header):
    pairs = lfw(folder, header + "Ann_Lee\t1\t12\nAnn_Lee\t12\tBob\t3\n")
    assert pairs.same.tolist() == [True, False]
    images = pairs.images.arrays()
    # The first one is a JPEG.
    np.testing.assert_array_equal(images[1:], STANDARD[[1, 1, 2]])


def test_lfw_names_with_spaces_between_tabs(folder):
    person = folder / "lfw" / "Ann Lee"
    person.mkdir(parents=True)
    Image.fromarray(PIXELS[3]).save(person / "Ann Lee_0004.png")
    pairs = lfw(folder, "Ann Lee\t4\t4\nAnn Lee\t4\tBob\t3\nBob\t3 3\n")
    assert pairs.same.tolist() == [True, False, True]
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[[3, 3, 3, 2, 2, 2]])


@pytest.mark.parametrize(
    "line", ["Ann_Lee", "Ann_Lee 1", "Ann_Lee 1 x", "Ann_Lee 1 Bob x", "a b c d e"]
)
def test_wrong_lfw_pairs(folder, line):
    with pytest.raises(ValueError, match=r"Line 2 of .*pairs.txt.*name number"):
        lfw(folder, f"1 1\n{line}\n")
    with pytest.raises(ValueError, match="Bob_0009.jpg.*no file"):
        lfw(folder, "Ann_Lee 1 Bob 9\n")
    with pytest.raises(ValueError, match="`path`.*Received: path=.*, 0 files"):
        lfw(folder, "10 300\n")


def cfp(folder, files=None, **kwargs):
    """Frontal images 1, 2 and 3, profiles 1 and 2, one pair of each kind in two folds."""
    texts = {
        "Pair_list_F.txt": "1 ../palms/0.png\n2 ../palms/1.png\n3 ../palms/2.png\n",
        "Pair_list_P.txt": "1  ../palms/3.png\n2  ../palms/4.png\n",
        "Split/FP/01/same.txt": "1,1\n",
        "Split/FP/01/diff.txt": "2,1\n",
        "Split/FP/02/same.txt": "3,2\n",
        "Split/FP/02/diff.txt": "1,2\n",
        "Split/FF/01/same.txt": "1,2\n",
        "Split/FF/01/diff.txt": "3,1\n",
        "Split/FP/notes.txt": "",
        **(files or {}),
    }
    for name, text in texts.items():
        (folder / "Protocol" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "Protocol" / name).write_text(text)
    return datasets.cfp_pairs(folder, **{**SERVED, **kwargs})


def test_cfp_pairs(folder):
    pairs = cfp(folder)
    assert pairs.same.tolist() == [True, False, True, False]
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[[0, 3, 1, 3, 2, 4, 0, 4]])
    pairs = cfp(folder, kind="FF")
    assert pairs.same.tolist() == [True, False]
    np.testing.assert_array_equal(pairs.images.arrays(), STANDARD[[0, 1, 2, 0]])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("Pair_list_F.txt", "1\n", "Line 1 of .*Pair_list_F.txt.*number"),
        ("Pair_list_P.txt", "1 a.png\n1 b.png\n", "Line 2 of .*Pair_list_P.txt.*not used"),
        ("Split/FP/02/diff.txt", "1,1\n1,3\n", "Line 2 of .*diff.txt.*'1,3'"),
        ("Split/FP/02/diff.txt", "1\n", "Line 1 of .*diff.txt"),
        ("Pair_list_F.txt", "1 a.png\n2 b.png\n3 c.png\n", "a.png.*no file"),
    ],
)
def test_wrong_cfp_files(folder, name, text, message):
    with pytest.raises(ValueError, match=message):
        cfp(folder, {name: text})
    with pytest.raises(ValueError, match="`kind`.*Received: kind='PP'"):
        cfp(folder, kind="PP")
    with pytest.raises(FileNotFoundError, match="Pair_list_F.txt"):
        datasets.cfp_pairs(folder / "nowhere")
