"""Readers of probes and galleries, on small files in their layouts, and their protocols."""

import re

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from keras_resample import datasets, metrics

pytestmark = pytest.mark.backends("torch", reason="no backend reads files")

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 7, 3), dtype="uint8")
VALUES = PIXELS / np.float32(255)
# Of each reader: the folders of its parts, its lists with their variables, and the last part.
SURV = {
    "train": "training_set",
    "gallery": "Face_Identification_Test_Set/gallery",
    "probe": "Face_Identification_Test_Set/mated_probe",
    "unmated": "Face_Identification_Test_Set/unmated_probe",
}
TINY = {
    "train": "Training_Set",
    "gallery": "Testing_Set/Gallery_Match",
    "probe": "Testing_Set/Probe",
    "distractors": "Testing_Set/Gallery_Distractor",
}
LISTS = {
    "surv_face": {
        "gallery": ("gallery_img_ID_pairs.mat", "gallery_set", "gallery_ids"),
        "probe": ("mated_probe_img_ID_pairs.mat", "mated_probe_set", "mated_probe_ids"),
    },
    "tiny_face": {
        "gallery": ("gallery_match_img_ID_pairs.mat", "gallery_set", "gallery_ids"),
        "probe": ("probe_img_ID_pairs.mat", "probe_set", "probe_ids"),
    },
}
# Images by their number, and identities, in the order of the lists: not that of the names.
LISTED = {"gallery": {3: 20, 2: 3, 4: 20}, "probe": {6: 3, 5: 20}}
READERS = [("surv_face", SURV, "unmated"), ("tiny_face", TINY, "distractors")]
each_reader = pytest.mark.parametrize(("reader", "folders", "strangers"), READERS)


def save(path, number):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PIXELS[number]).save(path, "PNG")  # whatever its name says: no pixel may change


def write_list(root, reader, part, **changes):
    """The list of a part, an image a row, as MATLAB has it; `changes` are names or ids."""
    name, names, ids = LISTS[reader][part]
    images = [f"{number}_cam1_1.jpg" for number in LISTED[part]]
    cells = np.array(changes.get("names", images), object)
    numbers = changes.get("ids", np.array([[i] for i in LISTED[part].values()], "uint16"))
    folder = (root / {"surv_face": SURV, "tiny_face": TINY}[reader][part]).parent
    savemat(folder / name, {names: cells[:, None] if cells.ndim == 1 else cells, ids: numbers})
    return folder / name


def write(root, reader, folders, strangers):
    for part, listed in LISTED.items():
        for number in listed:
            save(root / folders[part] / f"{number}_cam1_1.jpg", number)
        write_list(root, reader, part)
    for number in (8, 9, 7):
        save(root / folders[strangers] / f"distractors_{number}.jpg", number)
    (root / folders[strangers] / "readme.txt").write_text("no image")
    save(root / folders["train"] / "700" / "700_cam1_1.jpg", 1)
    save(root / folders["train"] / "61" / "61_cam2_1.jpg", 0)
    return root


@each_reader
def test_parts(tmp_path, reader, folders, strangers):
    write(tmp_path, reader, folders, strangers)
    read = getattr(datasets, reader)
    train = read(tmp_path)
    assert train.class_names == ["61", "700"] and train.shuffle
    np.testing.assert_array_equal(train.arrays()[0], VALUES[[0, 1]])
    images = {"gallery": [3, 2, 4], "probe": [6, 5], strangers: [7, 8, 9]}
    labels = {"gallery": [1, 0, 1], "probe": [0, 1], strangers: [2, 2, 2]}
    for part in images:
        dataset = read(tmp_path, part)
        assert dataset.class_names == ["3", "20", strangers] and not dataset.shuffle
        assert dataset.labels.tolist() == labels[part]
        assert dataset.cameras is None  # the protocols leave out nothing
        np.testing.assert_array_equal(dataset.arrays()[0], VALUES[images[part]])


@each_reader
def test_native_sizes(tmp_path, reader, folders, strangers):
    write(tmp_path, reader, folders, strangers)
    large = tmp_path / folders["gallery"] / "2_cam1_1.jpg"
    Image.new("RGB", (25, 31), (255, 0, 0)).save(large, "PNG")
    with pytest.raises(ValueError, match="size=None"):
        getattr(datasets, reader)(tmp_path, "gallery")
    gallery = getattr(datasets, reader)(tmp_path, "gallery", size=(9, 7))
    assert gallery.image_shape == (9, 7, 3) and gallery.paths[1] == str(large)
    assert datasets.image_files(gallery.paths[1])[0].shape == (1, 31, 25, 3)
    native = datasets.image_files(gallery.paths[2])[0]
    np.testing.assert_array_equal(native, VALUES[[4]])


def test_unmated_probes_are_never_found(tmp_path):
    """The first probe has its mate behind another person, the second before all others."""
    write(tmp_path, *READERS[0])
    gallery, probe, unmated = (
        datasets.surv_face(tmp_path, part) for part in ("gallery", "probe", "unmated")
    )
    mated = [[0.9, 0.8, 0.1], [0.7, 0.2, 0.1]]
    scores = np.r_[mated, [[0.75, 0.1, 0.1], [0.1, 0.1, 0.3], [0.1, 0.72, 0.2]]]
    labels = np.r_[probe.labels, unmated.labels]
    assert metrics.cmc(mated, probe.labels, gallery.labels, 1) == 0.5
    assert metrics.cmc(scores, labels, gallery.labels, 1) == 0.5
    found = metrics.tpir_at_fpir(scores, labels, gallery.labels, [1 / 3, 2 / 3], rank=20)
    assert found.tolist() == [0.5, 1.0]


def test_distractors_stand_before_mates(tmp_path):
    write(tmp_path, *READERS[1])
    probe, gallery, distractors = (
        datasets.tiny_face(tmp_path, part) for part in ("probe", "gallery", "distractors")
    )
    scores = np.array([[0.1, 0.5, 0.1, 0.2, 0.3, 0.4], [0.5, 0.1, 0.1, 0.2, 0.6, 0.4]])
    labels = np.r_[gallery.labels, distractors.labels]
    assert metrics.cmc(scores[:, :3], probe.labels, gallery.labels, 1) == 1.0
    assert metrics.cmc(scores, probe.labels, labels, [1, 2]).tolist() == [0.5, 1.0]


@each_reader
def test_an_image_that_is_left_out_shifts_no_label(tmp_path, reader, folders, strangers):
    write(tmp_path, reader, folders, strangers)
    (tmp_path / folders["gallery"] / "2_cam1_1.jpg").write_bytes(b"x")  # the only one of 3
    (tmp_path / folders["probe"] / "5_cam1_1.jpg").unlink()
    read = getattr(datasets, reader)
    with pytest.raises(ValueError, match="2_cam1_1.jpg"):
        read(tmp_path, "gallery")
    with pytest.warns(UserWarning, match="1 image files were skipped") as warned:
        gallery = read(tmp_path, "gallery", on_error="skip")
    assert warned[0].filename == __file__
    with pytest.warns(UserWarning, match="1 image files were skipped"):
        probe = read(tmp_path, "probe", on_error="skip")
    assert gallery.labels.tolist() == [1, 1] and probe.labels.tolist() == [0]
    assert gallery.class_names == probe.class_names == ["3", "20", strangers]


@each_reader
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"names": ["a", 7.0, "b"]}, "`gallery_set` must be names, one a cell.*{file}"),
        ({"names": [["a", "b"], ["a", "b"]]}, "`gallery_ids` must be whole.*the 4 images"),
        (
            {"names": ["a", "b"]},
            "`gallery_ids` must be whole numbers, one for each of the 2",
        ),
        ({"names": [np.array(["a", "b"], object), "c", "d"]}, "`gallery_set` must be names"),
        ({"ids": [1.5, 2, 3]}, "`gallery_ids` must be whole.*`gallery_set`.*{file}"),
        ({"ids": [np.nan, 2, 3]}, "`gallery_ids` must be whole"),
        ({"ids": [np.inf, 2, 3]}, "`gallery_ids` must be whole"),
        ({"ids": ["1", "2", "3"]}, "`gallery_ids` must be whole"),
        ({"ids": np.array([1, "2", 3], object)}, "`gallery_ids` must be whole"),
        ({"ids": {"a": 1}}, "`gallery_ids` must be whole"),
        ({"ids": np.ones((3, 2))}, "`gallery_ids` must be whole"),
    ],
)
def test_wrong_lists(tmp_path, reader, folders, strangers, changes, message):
    write(tmp_path, reader, folders, strangers)
    file = write_list(tmp_path, reader, "gallery", **changes).name
    for part in ("gallery", "probe", strangers):  # all need the identities of both
        with pytest.raises(ValueError, match=message.format(file=file)):
            getattr(datasets, reader)(tmp_path, part)


@each_reader
@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "b/../../a.jpg", "C:a.jpg", "b\\a.jpg"])
def test_no_list_leads_out_of_its_folder(tmp_path, reader, folders, strangers, name):
    write(tmp_path, reader, folders, strangers)
    file = write_list(tmp_path, reader, "probe", names=[name, "5_cam1_1.jpg"]).name
    message = f"{file}.*must name images inside of .*{re.escape(repr(name)[1:-1])}"
    with pytest.raises(ValueError, match=message):
        getattr(datasets, reader)(tmp_path, "gallery")


@each_reader
def test_a_name_that_no_file_can_have(tmp_path, reader, folders, strangers):
    write(tmp_path, reader, folders, strangers)
    write_list(tmp_path, reader, "probe", names=["6_cam1_1.jpg", "a\0b.jpg"])
    with pytest.raises(ValueError, match="b.jpg.*cannot be read"):
        getattr(datasets, reader)(tmp_path, "probe")


@each_reader
def test_damaged_and_missing_files(tmp_path, reader, folders, strangers):
    write(tmp_path, reader, folders, strangers)
    read = getattr(datasets, reader)
    path = write_list(tmp_path, reader, "gallery")
    savemat(path, {"other": 1})
    with pytest.raises(ValueError, match="`gallery_set` must be names"):
        read(tmp_path, "gallery")
    path.write_bytes(b"hello")
    with pytest.raises(ValueError, match=f"{path.name}.*undamaged MATLAB file"):
        read(tmp_path, "gallery")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=path.name):
        read(tmp_path, strangers)
    write_list(tmp_path, reader, "gallery")
    for file in (tmp_path / folders[strangers]).glob("*.jpg"):
        file.unlink()
    with pytest.raises(ValueError, match=f"layout of `{reader}`.*0 files"):
        read(tmp_path, strangers)
    (tmp_path / folders[strangers]).rename(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError, match=folders[strangers]):
        read(tmp_path, strangers)
    with pytest.raises(NotADirectoryError, match=folders["train"]):
        read(tmp_path / "elsewhere")


@each_reader
def test_wrong_parts(tmp_path, reader, folders, strangers):
    for part in ("test", "Gallery", None):
        with pytest.raises(ValueError, match=f"`part` must be one of.*Received: part={part!r}"):
            getattr(datasets, reader)(tmp_path, part)
