import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 10, 8), dtype="uint8")
STANDARD = ((PIXELS / np.float32(255) - np.float32(0.5)) / np.float32(0.5))[..., None]


@pytest.fixture
def folder(tmp_path):
    """Images `palms/0.png` to `palms/5.png`, and `palms/a b.png` like the first."""
    (tmp_path / "palms").mkdir()
    for index, pixels in enumerate(PIXELS):
        Image.fromarray(pixels).save(tmp_path / "palms" / f"{index}.png")
    Image.fromarray(PIXELS[0]).save(tmp_path / "palms" / "a b.png")
    return tmp_path


def image_list(place, text, **kwargs):
    (place / "train.list").write_bytes(text if isinstance(text, bytes) else text.encode())
    return datasets.image_list(
        place / "train.list",
        **{
            "shuffle": False,
            "data_format": "channels_last",
            "value_range": (-1, 1),
            **kwargs,
        },
    )


def test_paths_and_labels(folder):
    palms = image_list(folder, "palms/3.png 10\n\npalms/0.png\t9\npalms/a b.png 10\n")
    assert palms.labels.tolist() == [1, 0, 1] and palms.class_names == ["9", "10"]
    images, _ = palms.arrays()
    np.testing.assert_array_equal(images, STANDARD[[3, 0, 0]])
    assert image_list(folder, "palms/3.png 1", data_format="channels_first").image_shape == (
        1,
        10,
        8,
    )


def test_names_commas_and_another_folder(folder):
    palms = image_list(
        folder,
        "\ufeff0.png, left ünï\r\n1.png,right\r\n",
        folder=folder / "palms",
        size=(5, 4),
        channels=3,
        value_range=(0, 1),
    )
    assert palms.class_names == ["left ünï", "right"]
    assert palms.image(0).shape == (5, 4, 3) and palms.image(0).min() >= 0


def test_half_identity_protocol(folder):
    lines = "".join(f"palms/{k}.png {k // 2}\n" for k in range(6))
    train, test = datasets.half_identities(image_list(folder, lines))
    assert train.class_names == ["0", "1"] and test.class_names == ["2"]
    np.testing.assert_array_equal(test.arrays()[0], STANDARD[4:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`path`.*Received: path=.*train.list.*, 0 files"),
        ("palms/0.png 1\npalms/1.png\n", r"Line 2 of .*train.list.*'palms/1.png'"),
        ("palms/0.png,\n", "Line 1 of .*path and a label"),
        ("palms/9.png 1\n", "9.png.*cannot be read.*no file"),
        ("palms/0.png 1\n" + "x" * 5000, "Line 2 of .*4096 characters"),
        (b"palms/0.png 1\n\xff\xfe 2\n", "UTF-8"),
    ],
)
def test_wrong_lists(folder, text, message):
    with pytest.raises(ValueError, match=message):
        image_list(folder, text)


def test_bad_files_of_a_list(folder):
    (folder / "palms" / "1.png").write_bytes(b"hello")
    lines = "palms/0.png a\npalms/1.png b\npalms/2.png c\n"
    with pytest.raises(ValueError, match="1.png.*cannot be read"):
        image_list(folder, lines)
    with pytest.warns(UserWarning, match="1 image files were skipped"):
        palms = image_list(folder, lines, on_error="skip")
    assert palms.class_names == ["a", "c"] and palms.labels.tolist() == [0, 1]
    assert palms.skipped[0][0].endswith("1.png")
    with pytest.raises(ValueError, match="`path`.*Received: path=.*, 1 files, 1 skipped"):
        image_list(folder, "palms/1.png b\n", on_error="skip")
    with pytest.raises(FileNotFoundError, match="nowhere.list"):
        datasets.image_list(folder / "nowhere.list")
