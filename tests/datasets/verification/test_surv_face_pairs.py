"""The pairs of QMUL-SurvFace, on small files in their layout."""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from keras_resample import datasets

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3), dtype="uint8")
VALUES = PIXELS / np.float32(255)
PAIRS = {"positive_pairs_names": [(3, 1), (0, 2)], "negative_pairs_names": [(1, 4), (3, 0), (2, 2)]}


def write_pairs(folder, name, images):
    savemat(folder / f"{name}.mat", {name: np.array(images, object)})


@pytest.fixture
def faces(tmp_path):
    folder = tmp_path / "Face_Verification_Test_Set"
    (folder / "verification_images").mkdir(parents=True)
    for number, pixels in enumerate(PIXELS):
        # A PNG, whatever its name says: no pixel may change.
        Image.fromarray(pixels).save(folder / "verification_images" / f"{number}.jpg", "PNG")
    for name, pairs in PAIRS.items():
        write_pairs(folder, name, [[f"{one}.jpg", f"{other}.jpg"] for one, other in pairs])
    return tmp_path


def test_pairs(faces):
    pairs = datasets.surv_face_pairs(faces, data_format="channels_last")
    assert pairs.same.tolist() == [True, True, False, False, False]
    images = pairs.images.arrays()
    np.testing.assert_array_equal(images, VALUES[[3, 1, 0, 2, 1, 4, 3, 0, 2, 2]])


@pytest.mark.parametrize("pair", [["0.jpg", "1.jpg"], [["0.jpg", "1.jpg"]]])
def test_a_single_pair(faces, pair):
    write_pairs(faces / "Face_Verification_Test_Set", "positive_pairs_names", pair)
    pairs = datasets.surv_face_pairs(faces, data_format="channels_last")
    assert pairs.same.tolist() == [True, False, False, False]
    np.testing.assert_array_equal(pairs.images.arrays()[:2], VALUES[:2])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([["0.jpg", "1.jpg", "2.jpg"]], r"must be names \(n, 2\).*shape \(3,\), file .*names.mat"),
        ([["0.jpg"]], r"must be names \(n, 2\).*shape \(1,\)"),
        ([["0.jpg", 1.0]], "must be names, one a cell.*names.mat"),
        ([["0.jpg", "../1.jpg"]], "names.mat.*must name images inside of.*'../1.jpg'"),
        ([["0.jpg", "7.jpg"]], "7.jpg"),
    ],
)
def test_wrong_pairs(faces, images, message):
    write_pairs(faces / "Face_Verification_Test_Set", "negative_pairs_names", images)
    with pytest.raises(ValueError, match=message):
        datasets.surv_face_pairs(faces)


def test_missing_lists(faces):
    (faces / "Face_Verification_Test_Set" / "negative_pairs_names.mat").unlink()
    with pytest.raises(FileNotFoundError, match="negative_pairs_names.mat"):
        datasets.surv_face_pairs(faces)
