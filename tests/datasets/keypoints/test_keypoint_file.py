"""Files of the formats that are around, and what is wrong with others."""

import os

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets

PIXELS = np.array([[38, 51], [73, 51], [56, 71], [41, 92], [70, 92]])
OTHERS = PIXELS[::-1] + 3
NUMBERS = " ".join(str(v) for v in PIXELS.ravel())


def read(place, text, **arguments):
    (place / "points.txt").write_text(text)
    return datasets.keypoint_file(place / "points.txt", **{"image_size": (112, 96), **arguments})


def relative(pixels, height=112, width=96):
    return (pixels + 0.5) / [width, height]


def test_lines(tmp_path):
    text = f"a/1.png {NUMBERS}\n\nb c.png, {', '.join(str(float(v)) for v in OTHERS.ravel())}\n"
    found = read(tmp_path, text)
    assert list(found) == [os.path.join(tmp_path, name) for name in ("a/1.png", "b c.png")]
    for points, pixels in zip(found.values(), (PIXELS, OTHERS), strict=True):
        assert points.dtype == "float32"
        np.testing.assert_allclose(points, relative(pixels), atol=1e-6)
    found = read(tmp_path, "1.png 3 4 nan nan\n", folder="faces", num_keypoints=2)
    np.testing.assert_allclose(found[os.path.join("faces", "1.png")][0], relative(np.array([3, 4])))
    assert np.isnan(found[os.path.join("faces", "1.png")][1]).all()


def test_celeba(tmp_path):
    header = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y"
    text = f"2\n{header}\n000001.jpg  {NUMBERS}\n000002.jpg {NUMBERS}\n"
    found = read(tmp_path, text, folder="img_align_celeba")
    assert [os.path.basename(name) for name in found] == ["000001.jpg", "000002.jpg"]
    with pytest.raises(ValueError, match="must hold the 3 images that it announces"):
        read(tmp_path, "3" + text[1:])


def test_npz(tmp_path):
    names = np.array(["a/1.png", "2.png"])
    path = tmp_path / "points.npz"
    np.savez(path, files=names, points=np.stack([PIXELS, OTHERS]).astype("float32"), prob=[1, 1])
    found = datasets.keypoint_file(path, "faces", image_size=(112, 96))
    assert list(found) == [os.path.join("faces", name) for name in names]
    np.testing.assert_allclose(found[os.path.join("faces", "2.png")], relative(OTHERS), atol=1e-6)
    for arrays in ({"files": names}, {"files": names, "points": PIXELS}):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match="`path` must .*points"):
            datasets.keypoint_file(path, image_size=(112, 96))


def test_sizes_are_those_of_the_images(tmp_path):
    Image.new("RGB", (96, 112)).save(tmp_path / "1.png")
    turned = Image.Exif()
    turned[0x0112] = 6  # stored with rows and columns exchanged
    Image.new("RGB", (120, 100)).save(tmp_path / "2.jpg", exif=turned)
    found = list(read(tmp_path, f"1.png {NUMBERS}\n2.jpg {NUMBERS}\n", image_size=None).values())
    np.testing.assert_allclose(found[0], relative(PIXELS), atol=1e-6)
    np.testing.assert_allclose(found[1], relative(PIXELS, height=120, width=100), atol=1e-6)
    with pytest.raises(ValueError, match="3.png' cannot be read"):
        read(tmp_path, f"3.png {NUMBERS}\n", image_size=None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"1.png {NUMBERS}\n2.png 1 2 3\n",
            "Line 2 of .*points.txt' must be the name",
        ),
        (f"{NUMBERS}\n", "Line 1 of .*must be the name"),
        (f"1.png {NUMBERS} 3 4\n", "Line 1 of .*5 times x y in pixels"),
        (f"1.png {NUMBERS[:-2]}xx\n", "Line 1 of .*5 times x y in pixels"),
        (f"1.png {NUMBERS[:-2]}inf\n", "Line 1 of .*5 times x y in pixels"),
        (f"1.png {NUMBERS}\n1.png {NUMBERS}\n", "must name an image once. Received: '1.png'"),
        (f"../1.png {NUMBERS}\n", "must name images inside of"),
        ("", "must hold the images that it announces"),
        (f"1.png {NUMBERS}999\n", "`keypoints of .*1.png` must be relative"),
    ],
)
def test_bad_files(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="`path` must be a file of keypoints"):
        datasets.keypoint_file(tmp_path / "none.txt")
