import os

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets
from keras_resample.datasets.verification.aligned_face import to_image
from keras_resample.ops import face_template

TEMPLATE = face_template() * 112 - 0.5  # pixels, centres at integers


def similar(points, angle=0.3, scale=1.7, shift=(20, 35)):
    """Points turned, scaled and moved."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return points @ turn.T + shift


def smooth_image(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, (x + y) / 2], -1).astype("uint8")


@pytest.fixture
def folder(tmp_path):
    """Three images in two templates, with pairs, galleries and probes."""
    meta, crops = tmp_path / "meta", tmp_path / "loose_crop"
    meta.mkdir()
    crops.mkdir()
    points = [TEMPLATE, TEMPLATE + (10, 5), similar(TEMPLATE)]
    for number in range(3):
        Image.fromarray(smooth_image(250, 250)).save(crops / f"{number}.png")
    (meta / "ijbc_face_tid_mid.txt").write_text("0.png 7 100\n1.png 7 101\n2.png 9 102\n")
    lines = [
        " ".join([f"{number}.png", *(f"{v:.4f}" for v in five.ravel()), f"0.{number + 1}"])
        for number, five in enumerate(points)
    ]
    (meta / "ijbc_name_5pts_score.txt").write_text("\n".join(lines))
    (meta / "ijbc_template_pair_label.txt").write_text("7 9 0\n7 7 1\n")
    header = "TEMPLATE_ID,SUBJECT_ID,FILENAME\n"
    (meta / "ijbc_1N_gallery_G1.csv").write_text(header + "7,1,a\n7,1,b\n")
    (meta / "ijbc_1N_gallery_G2.csv").write_text(header + "9,2,c\n")
    (meta / "ijbc_1N_probe_mixed.csv").write_text("SUBJECT_ID,TEMPLATE_ID\n2,9\n1,7\n")
    return tmp_path


def read(folder, **kwargs):
    return datasets.IJBProtocol(folder, **{"data_format": "channels_last", **kwargs})


def test_meta_files(folder):
    ijb = read(folder)
    assert ijb.names == ["0.png", "1.png", "2.png"]
    assert ijb.templates.tolist() == [7, 7, 9] and ijb.media.tolist() == [100, 101, 102]
    np.testing.assert_allclose(ijb.detector_scores, [0.1, 0.2, 0.3])
    np.testing.assert_allclose(ijb.landmarks[1], TEMPLATE + (10, 5), atol=1e-3)
    assert ijb.first.tolist() == [7, 7] and ijb.second.tolist() == [9, 7]
    assert ijb.same.tolist() == [False, True]
    assert {k: [v.tolist() for v in g] for k, g in ijb.galleries.items()} == {
        "G1": [[7], [1]],
        "G2": [[9], [2]],
    }
    assert [values.tolist() for values in ijb.probes] == [[9, 7], [2, 1]]


def test_images_are_aligned(folder):
    ijb = read(folder, value_range=(0, 255))
    assert ijb.images.num_images == 3 and ijb.images[0].shape == (3, 112, 112, 3)
    crop = smooth_image(250, 250).astype("float32")
    # Landmarks on the template: the crop itself. Moved by (10, 5): the crop moved.
    np.testing.assert_allclose(ijb.images.image(0), crop[:112, :112], atol=1)
    np.testing.assert_allclose(ijb.images.image(1), crop[5:117, 10:122], atol=1)
    # The red and green values of this image are x and y: the aligned face shows where it looks.
    y, x = np.mgrid[:112, :112]
    expected = similar(np.stack([x, y], -1).reshape(-1, 2)).reshape(112, 112, 2)
    # Apart from what falls outside of the crop, which is black.
    inside = ((expected > 1) & (expected < 248)).all(-1)
    assert inside.mean() > 0.9
    np.testing.assert_allclose(ijb.images.image(2)[inside][:, :2], expected[inside], atol=1.5)


@pytest.mark.parametrize("size", [(112, 112), (224, 224), (56, 56)])
def test_the_map_takes_the_template_to_the_landmarks(size):
    landmarks = similar(TEMPLATE)
    edges = (TEMPLATE + 0.5) * (np.array(size[::-1]) / 112)
    found = edges @ to_image(landmarks, size)[:, :2].T + to_image(landmarks, size)[:, 2]
    np.testing.assert_allclose(found, landmarks + 0.5, atol=1e-9)


def test_the_map_is_the_least_squares_one():
    random = np.random.default_rng(0)
    landmarks = similar(TEMPLATE) + random.normal(0, 3, (5, 2))
    inverse = to_image(landmarks, (112, 112))
    forward = np.linalg.inv(np.vstack([inverse, [0, 0, 1]]))

    def error(matrix):
        found = (landmarks + 0.5) @ matrix[:2, :2].T + matrix[:2, 2]
        return ((found - TEMPLATE - 0.5) ** 2).sum()

    best = error(forward)
    for _ in range(50):
        a, b, c, d = random.normal(0, 1e-3, 4)
        other = forward + [[a, -b, c], [b, a, d], [0, 0, 0]]
        assert error(other) > best


def test_optional_files(folder):
    for name in ("template_pair_label.txt", "1N_gallery_G1.csv", "1N_probe_mixed.csv"):
        (folder / "meta" / f"ijbc_{name}").unlink()
    ijb = read(folder)
    assert ijb.same is None and ijb.first is None and ijb.probes is None
    assert list(ijb.galleries) == ["G2"]
    (folder / "meta" / "ijbc_face_tid_mid.txt").unlink()
    with pytest.raises(FileNotFoundError, match="face_tid_mid.txt.*with 0"):
        read(folder)
    with pytest.raises(NotADirectoryError, match="`path` must be a folder.*nowhere"):
        read(folder / "nowhere")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("face_tid_mid.txt", "", "with none"),
        ("face_tid_mid.txt", "0.png 7\n", "Line 1 of .*face_tid_mid.txt.*integers"),
        ("face_tid_mid.txt", "0.png 7 x\n", "Line 1 of .*integers"),
        ("face_tid_mid.txt", "0.png 7 99999999999\n", "Line 1 of .*integers"),
        ("face_tid_mid.txt", "../0.png 7 1\n", "inside of .*loose_crop.*'../0.png'"),
        ("face_tid_mid.txt", "/etc/0.png 7 1\n", "face_tid_mid.txt.*inside of .*loose_crop"),
        ("face_tid_mid.txt", "0.png 7 1\n", "Line 2 of .*5pts_score.txt.*not there"),
        ("name_5pts_score.txt", "1.png 1 2\n", "Line 1 of .*5pts.*'0.png', as in"),
        ("name_5pts_score.txt", "0.png 1\n", "Line 1 of .*five points"),
        ("name_5pts_score.txt", "0.png" + " 1" * 10 + " x\n", "Line 1 of .*five points"),
        ("name_5pts_score.txt", "0.png" + " 1" * 10 + " nan\n", "Line 1 of .*finite"),
        ("name_5pts_score.txt", "0.png" + " 1" * 11 + "\n", "3 lines.*with 1"),
        ("template_pair_label.txt", "7 9\n", "2 columns"),
        ("template_pair_label.txt", "7 9 2\n", "0 or 1"),
        ("template_pair_label.txt", "7 9 x\n", "3 integers.*label.txt"),
        ("1N_gallery_G1.csv", "7,1\n", "TEMPLATE_ID and SUBJECT_ID.*G1.csv"),
        ("1N_gallery_G1.csv", "TEMPLATE_ID,SUBJECT_ID\n7,x\n", "Line 2 of .*integer"),
        ("1N_gallery_G1.csv", "TEMPLATE_ID,SUBJECT_ID\n7\n", "Line 2 of .*integer"),
        ("1N_probe_mixed.csv", "TEMPLATE_ID,SUBJECT_ID\n7,1\n7,2\n", "Line 3 of .*one subject, 1"),
    ],
)
def test_wrong_meta_files(folder, name, text, message):
    (folder / "meta" / f"ijbc_{name}").write_text(text)
    with pytest.raises(ValueError, match=message):
        read(folder)


def test_bad_images_are_left_out_of_everything(folder):
    """One of the two images of template 7, and the only one of template 9."""
    (folder / "loose_crop" / "0.png").write_bytes(b"hello")
    points = (folder / "meta" / "ijbc_name_5pts_score.txt").read_text().splitlines()
    points[2] = "2.png" + " 30" * 10 + " 0.5"
    (folder / "meta" / "ijbc_name_5pts_score.txt").write_text("\n".join(points))
    with pytest.raises(ValueError, match="0.png.*cannot be read"):
        read(folder, verify=True)
    with pytest.warns(UserWarning, match="2 images were skipped.*0.png") as warned:
        ijb = read(folder, on_error="skip", batch_size=2)
    assert warned[0].filename == __file__
    assert [os.path.basename(file) for file, _ in ijb.skipped] == ["0.png", "2.png"]
    assert ijb.images.skipped == ijb.skipped and "in one point" in ijb.skipped[1][1]
    assert ijb.names == ["1.png"] and ijb.templates.tolist() == [7] and ijb.media.tolist() == [101]
    assert ijb.landmarks.shape == (1, 5, 2) and ijb.detector_scores.shape == (1,)
    np.testing.assert_array_equal(ijb.images.arrays()[0], read(folder).images.image(1))
    assert ijb.first.tolist() == ijb.second.tolist() == [7] and ijb.same.tolist() == [True]
    assert {k: [v.tolist() for v in g] for k, g in ijb.galleries.items()} == {
        "G1": [[7], [1]],
        "G2": [[], []],
    }
    assert [values.tolist() for values in ijb.probes] == [[7], [1]]
    (folder / "loose_crop" / "1.png").unlink()
    with pytest.raises(ValueError, match="must hold a readable.*3 skipped, the first.*0.png"):
        read(folder, on_error="skip")


def test_bad_images_are_named(folder):
    (folder / "loose_crop" / "1.png").write_bytes(b"hello")
    (folder / "loose_crop" / "2.png").unlink()
    ijb = read(folder)
    with pytest.raises(ValueError, match="1.png.*cannot be read"):
        ijb.images.image(1)
    with pytest.raises(ValueError, match="2.png.*no file"):
        ijb.images.image(2)
    points = (folder / "meta" / "ijbc_name_5pts_score.txt").read_text().splitlines()
    points[0] = "0.png" + " 30" * 10 + " 0.5"
    (folder / "meta" / "ijbc_name_5pts_score.txt").write_text("\n".join(points))
    with pytest.raises(ValueError, match="0.png.*in one point"):
        read(folder).images.image(0)
