import io
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets
from keras_resample.datasets.files.record_file import MAGIC_BYTES, RecordFile, read_index

RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.integers(0, 256, (7, 10, 8, 3), dtype="uint8")
LABELS = np.array([2, 0, 1, 0, 2, 0, 4])  # identity 1 and 4 have one image, 3 none
ORDER = np.argsort(LABELS, kind="stable")
STANDARD = (PIXELS / np.float32(255) - np.float32(0.5)) / np.float32(0.5)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def frame(record, kind=0):
    head = struct.pack("<II", 0xCED7230A, kind << 29 | len(record))
    return head + record + bytes(-len(record) % 4)


def header(label, flag=0, key=0):
    """A record header; with a list of labels, these follow it."""
    if isinstance(label, list):
        values = struct.pack(f"<{len(label)}f", *label)
        return struct.pack("<IfQQ", len(label), 0.0, key, 0) + values
    return struct.pack("<IfQQ", flag, label, key, 0)


def write_frames(folder, frames):
    """A `.rec`/`.idx` pair written by hand: keys 0, 1, ..."""
    place, lines = 0, []
    for key, one in enumerate(frames):
        lines.append(f"{key}\t{place}\n")
        place += len(one)
    (folder / "train.rec").write_bytes(b"".join(frames))
    (folder / "train.idx").write_text("".join(lines))
    return folder


def by_hand():
    """The frames of a small set as insightface writes it: header, images, identities."""
    images = [header(float(k // 2), key=k + 1) + png(PIXELS[k]) for k in range(4)]
    identities = [header([1.0, 3.0], key=5), header([3.0, 5.0], key=6)]
    return [frame(one) for one in (header([5.0, 7.0]), *images, *identities)]


def read(path, **kwargs):
    return datasets.FaceRecords(
        path,
        **{
            "shuffle": False,
            "data_format": "channels_last",
            "value_range": (-1, 1),
            **kwargs,
        },
    )


@pytest.fixture
def folder(tmp_path):
    datasets.write_records(tmp_path / "train.rec", PIXELS, LABELS)
    return tmp_path


def test_round_trip(folder):
    faces = read(folder, batch_size=3)
    assert faces.labels.tolist() == LABELS[ORDER].tolist()
    assert faces.num_classes == 5 and faces.image_shape == (10, 8, 3) and faces.skipped == []
    images, labels = faces.arrays()
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, STANDARD[ORDER])
    np.testing.assert_array_equal(faces[1][0], STANDARD[ORDER][3:6])
    again = read(folder / "train.rec", value_range=(0, 1), verify=True, progress=True)
    np.testing.assert_array_equal(again.arrays()[0], (PIXELS / np.float32(255))[ORDER])
    first = read(folder, data_format="channels_first")
    np.testing.assert_array_equal(first.arrays()[0], np.moveaxis(STANDARD[ORDER], -1, 1))
    grey = read(folder, channels=1, size=(5, 4))
    assert grey.image(0).shape == (5, 4, 1)


def test_a_file_written_by_hand(tmp_path):
    faces = read(write_frames(tmp_path, by_hand()))
    assert faces.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_array_equal(faces.arrays()[0], STANDARD[:4])


def test_what_is_written_is_the_documented_layout(folder):
    rec, idx = (folder / "train.rec").read_bytes(), (folder / "train.idx").read_text()
    lines = [[int(number) for number in line.split("\t")] for line in idx.splitlines()]
    assert [key for key, _ in lines] == list(range(1 + 7 + 4))
    records = []
    for _, place in lines:
        magic, length = struct.unpack_from("<II", rec, place)
        assert magic == 0xCED7230A and place % 4 == 0
        records.append(rec[place + 8 : place + 8 + length])
    assert lines[-1][1] + 8 + len(records[-1]) == len(rec)
    assert records[0] == header([8.0, 12.0])
    for key, source in enumerate(ORDER, start=1):
        assert records[key][:24] == header(float(LABELS[source]), key=key)
        with Image.open(io.BytesIO(records[key][24:])) as image:
            np.testing.assert_array_equal(np.asarray(image), PIXELS[source])
    ranges = [struct.unpack("<2f", record[24:]) for record in records[8:]]
    assert ranges == [(1, 4), (4, 5), (5, 7), (7, 8)]


def test_without_a_header_record_every_record_is_an_image(tmp_path):
    write_frames(tmp_path, by_hand()[1:5])
    assert read(tmp_path).labels.tolist() == [0, 0, 1, 1]


def test_labels_that_follow_the_header(tmp_path):
    frames = [frame(header([float(k), 0.5]) + png(PIXELS[k])) for k in range(3)]
    faces = read(write_frames(tmp_path, frames))
    assert faces.labels.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(faces.arrays()[0], STANDARD[:3])


@pytest.mark.parametrize("places", [[0], [8], [4, 8], [0, 4, 20], [2], [6, 16]])
def test_the_magic_number_within_a_record(tmp_path, places):
    # Behind the end of a PNG, where decoders stop reading.
    body = bytearray(png(PIXELS[0]))
    body += bytes(-(24 + len(body)) % 4) + bytes(24)
    for place in places:
        first = len(body) - 24 + place
        body[first : first + 4] = MAGIC_BYTES
    datasets.write_records(tmp_path / "train.rec", [bytes(body)], [0])
    aligned = [place for place in places if place % 4 == 0]
    rec = (tmp_path / "train.rec").read_bytes()
    keys, starts, ends = read_index(str(tmp_path / "train.idx"), len(rec))
    assert rec[starts[1] : ends[1]].count(MAGIC_BYTES) == 1 + len(places)
    kinds = struct.unpack_from("<I", rec, starts[1] + 4)[0] >> 29
    assert kinds == (1 if aligned else 0)
    assert RecordFile(tmp_path / "train.rec").read(starts[1], ends[1]) == ((0.0,), bytes(body))
    faces = read(tmp_path)
    np.testing.assert_array_equal(faces.image(0), STANDARD[0])
    assert faces.labels.tolist() == [0]


def test_property(folder):
    (folder / "property").write_text("9,10,8")
    faces = read(folder)
    assert faces.num_classes == 9 and faces.image_shape == (10, 8, 3)
    (folder / "property").write_text("9,10,9")
    with pytest.raises(ValueError, match="Record 1 of .*10 x 8, not 10 x 9"):
        read(folder).image(0)
    assert read(folder, size=(10, 9)).image(0).shape == (10, 9, 3)
    (folder / "property").write_text("4,10,8")
    with pytest.raises(ValueError, match=r"Record 7 of .*label 4.0 is no integer in \[0, 4\)"):
        read(folder)
    for text in ("9,10", "many,10,8", "9,0,8", ""):
        (folder / "property").write_text(text)
        with pytest.raises(ValueError, match="classes,height,width.*property"):
            read(folder)


def test_resize_is_antialiased(tmp_path):
    stripes = np.zeros((32, 32, 3), "uint8")
    stripes[:, ::2] = 255
    datasets.write_records(tmp_path / "train.rec", [stripes], [0])
    small = read(tmp_path, size=(8, 8), value_range=(0, 1)).image(0)
    np.testing.assert_allclose(small[:, 1:-1], 0.5, atol=0.05)


def test_pickled_split_and_balanced(folder):
    faces = read(folder)
    faces.image(0)
    copied = pickle.loads(pickle.dumps(faces))
    np.testing.assert_array_equal(copied[0][0], faces[0][0])
    train, test = datasets.half_identities(faces)
    assert train.num_images + test.num_images == 7
    assert faces.balanced_batches(4, 2)[0][0].shape[0] == 8


def damage(frames, kind):
    """Damages record 2."""
    bad = bytearray(frames[2])
    if kind == "magic":
        bad[:4] = b"oops"
    elif kind == "length":
        bad[4:8] = struct.pack("<I", (1 << 29) - 1)
    elif kind == "flag":
        bad[4:8] = struct.pack("<I", 2 << 29 | struct.unpack_from("<I", bad, 4)[0])
    elif kind == "never ends":
        bad[4:8] = struct.pack("<I", 1 << 29 | struct.unpack_from("<I", bad, 4)[0])
    elif kind == "short":
        bad = bytearray(frame(b"0123456789"))
    elif kind == "many labels":
        bad[8:12] = struct.pack("<I", 0xFFFFFFFF)
    elif kind in ("nan", "negative", "half", "huge"):
        label = {"nan": np.nan, "negative": -1.0, "half": 0.5, "huge": 3e9}[kind]
        bad[12:16] = struct.pack("<f", label)
    elif kind == "no image":
        bad = bytearray(frame(header(0.0)))
    elif kind == "not an image":
        bad = bytearray(frame(header(0.0) + b"hello"))
    elif kind == "truncated image":
        bad = bytearray(frame(header(0.0) + png(PIXELS[0])[:-200]))
    return [*frames[:2], bytes(bad), *frames[3:]]


REASONS = {
    "magic": "not the magic number 0xced7230a",
    "length": "claims more than 67108864 bytes",
    "flag": "flag 2, out of order",
    "never ends": "cut off|out of order|claims",
    "short": "shorter than a header",
    "many labels": "4294967295 labels",
    "nan": "label nan",
    "negative": "label -1.0",
    "half": "label 0.5",
    "huge": "label 3000000000.0",
    "no image": "it holds no image",
    "not an image": "cannot identify image file",
    "truncated image": "truncated|broken",
}


@pytest.mark.parametrize("kind", REASONS)
def test_a_damaged_record_is_named_or_skipped(tmp_path, kind):
    write_frames(tmp_path, damage(by_hand(), kind))
    with pytest.raises(ValueError, match="Record 2 of .*train.rec") as raised:
        read(tmp_path, verify=True)
    assert raised.match(REASONS[kind])
    if kind in ("not an image", "truncated image"):
        with pytest.raises(ValueError, match="Record 2 of .*train.rec"):
            read(tmp_path, size=(10, 8)).arrays()
    with pytest.warns(UserWarning, match="1 records were skipped"):
        faces = read(tmp_path, on_error="skip")
    assert faces.labels.tolist() == [0, 1, 1]
    np.testing.assert_array_equal(faces.arrays()[0], STANDARD[[0, 2, 3]])
    [(file, reason)] = faces.skipped
    assert file.endswith("train.rec") and reason.startswith("record 2: ")


def test_skipping_all_is_an_error(tmp_path):
    frames = [frame(header(0.0) + b"hello")] * 3
    with pytest.raises(ValueError, match="3 records skipped"):
        read(write_frames(tmp_path, frames), on_error="skip")


def test_the_file_is_not_read_into_memory(tmp_path):
    # Whatever follows the end of a PNG is not looked at.
    images = [png(pixels) + bytes(4 << 20) for pixels in PIXELS]
    datasets.write_records(tmp_path / "train.rec", images, LABELS)
    tracemalloc.start()
    faces = read(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert os.path.getsize(tmp_path / "train.rec") > 28 << 20
    # One image, for the size of all.
    assert peak < 10 << 20
    np.testing.assert_array_equal(faces.arrays()[0], STANDARD[ORDER])


def test_a_record_of_many_parts_is_bounded(tmp_path):
    # Each part is within the file, together they claim more than any image has.
    part = frame(bytes(1 << 20), kind=2)
    with open(tmp_path / "train.rec", "wb") as file:
        file.write(frame(header(0.0), kind=1))
        for _ in range(66):
            file.write(part)
    (tmp_path / "train.idx").write_text("1\t0\n")
    with pytest.raises(ValueError, match="claims more than 67108864 bytes"):
        read(tmp_path)


def test_a_truncated_file(folder):
    whole = (folder / "train.rec").read_bytes()
    keys, starts, _ = read_index(str(folder / "train.idx"), len(whole))
    # In the middle of the last image: the index points beyond the end of the file.
    (folder / "train.rec").write_bytes(whole[: starts[7] + 40])
    with pytest.raises(ValueError, match=r"train.idx.*record 8 at byte"):
        read(folder)
    lines = (folder / "train.idx").read_text().splitlines(keepends=True)
    (folder / "train.idx").write_text("".join(lines[:8]))
    with pytest.raises(ValueError, match="Record 7 of .*train.rec.*claims"):
        read(folder)
    with pytest.warns(UserWarning, match="1 records"):
        assert read(folder, on_error="skip").num_images == 6


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("", "0 bytes"),
        ("\n\n", "must be 2 integers, key"),
        ("a\tb\n", "must be 2 integers, key"),
        ("1\t0.5\n", "must be 2 integers, key"),
        ("0\t0\n1\n", "must be 2 integers, key"),
        ("0 0 0\n", "3 columns"),
        ("0\t0\n1\t-4\n", "record 1 at byte -4"),
        ("0\t0\n1\t6\n", "record 1 at byte 6"),
        ("0\t0\n1\t999999999\n", "record 1 at byte 999999999"),
        ("0\t0\n1\t99999999999999999999\n", "must be 2 integers, key"),
        ("0\t0\n0\t52\n", "only one with its key"),
        ("0\t0\n3\t52\n", "without 6 of them, the first 1"),
        ("0\t0\n" * 100000, "a line of text for each record"),
        (b"\xff\xfe\x00", "must be 2 integers, key"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_a_wrong_index(folder, index, message):
    (folder / "train.idx").write_bytes(index if isinstance(index, bytes) else index.encode())
    with pytest.raises(ValueError, match=message):
        read(folder)


def test_the_index_of_another_file(folder):
    lines = (folder / "train.idx").read_text().splitlines()
    moved = [lines[0]] + [f"{k}\t{int(p) + 4}" for k, p in (line.split("\t") for line in lines[1:])]
    (folder / "train.idx").write_text("\n".join(moved))
    with pytest.raises(ValueError, match="Record 1 of .*not the magic number"):
        read(folder)


@pytest.mark.parametrize("labels", [[0.0, 9.0], [np.nan, 9.0], [2.5, 9.0], [-5.0, 9.0]])
def test_a_wrong_header_record(tmp_path, labels):
    write_frames(tmp_path, [frame(header(labels)), *by_hand()[1:]])
    with pytest.raises(ValueError, match="Record 0 must hold"):
        read(tmp_path)


def test_a_damaged_header_record(tmp_path):
    frames = by_hand()
    write_frames(tmp_path, [b"oops" + frames[0][4:], *frames[1:]])
    with pytest.raises(ValueError, match="Record 0 of .*cannot be read.*magic"):
        read(tmp_path, on_error="skip")


def test_missing_and_empty_files(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read(folder / "nowhere")
    (folder / "train.rec").write_bytes(b"")
    with pytest.raises(ValueError, match="train.rec.*0 bytes"):
        read(folder)
    (folder / "train.idx").unlink()
    with pytest.raises(FileNotFoundError, match="its .idx file"):
        read(folder)


def test_images_of_different_sizes(tmp_path):
    datasets.write_records(tmp_path / "train.rec", [PIXELS[0], PIXELS[1, :5]], [0, 1])
    faces = read(tmp_path)
    assert faces.image(0).shape == (10, 8, 3)
    with pytest.raises(ValueError, match=r"Record 2 of .*5 x 8, not 10 x 8.*size=\(height, width"):
        faces.image(1)
    assert read(tmp_path, size=(6, 6)).arrays()[0].shape == (2, 6, 6, 3)
    assert read(tmp_path, size=(6, 6), verify=True).num_images == 2


def test_an_image_of_another_size_is_found_at_construction(tmp_path):
    """The error of an epoch that stops advises what finds it before."""
    images = [PIXELS[0], PIXELS[1, :5], PIXELS[2], PIXELS[3, :, :6]]
    datasets.write_records(tmp_path / "train.rec", images, [0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"on_error='skip', verify=True. Received: "):
        read(tmp_path).arrays()
    with pytest.raises(ValueError, match=r"Record 2 of .*5 x 8, not 10 x 8"):
        read(tmp_path, verify=True)
    with pytest.warns(UserWarning, match="2 records were skipped.*record 2.*5 x 8, not 10 x 8"):
        faces = read(tmp_path, on_error="skip")
    np.testing.assert_array_equal(faces.arrays()[0], STANDARD[[0, 2]])
    # Labels are those of the file, and their number does not depend on what was skipped.
    assert faces.labels.tolist() == [0, 2] and faces.num_classes == 4
    (tmp_path / "property").write_text("4,5,8")
    with pytest.warns(UserWarning, match="3 records were skipped.*record 1.*10 x 8, not 5 x 8"):
        assert read(tmp_path, on_error="skip").labels.tolist() == [1]
    (tmp_path / "property").write_text("4,7,7")
    with pytest.raises(ValueError, match="4 records skipped, the first one: record 1.*not 7 x 7"):
        read(tmp_path, on_error="skip")


def test_a_gap_in_the_index(folder):
    lines = (folder / "train.idx").read_text().splitlines(keepends=True)
    (folder / "train.idx").write_text("".join(lines[:2] + lines[4:5] + lines[6:]))
    with pytest.raises(ValueError, match="without 3 of them, the first 2") as raised:
        read(folder)
    assert "on_error='skip'" in str(raised.value)
    with pytest.warns(UserWarning, match="2 records were skipped"):
        faces = read(folder, on_error="skip")
    assert [reason for _, reason in faces.skipped] == [
        "records 2 to 3: not in the index",
        "records 5 to 5: not in the index",
    ]
    kept = [0, 3, 5, 6]
    assert faces.labels.tolist() == LABELS[ORDER][kept].tolist()
    np.testing.assert_array_equal(faces.arrays()[0], STANDARD[ORDER][kept])


@pytest.mark.filterwarnings("ignore:Image size")
def test_decompression_bomb(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10 * 8 - 1)
    with pytest.raises(ValueError, match="Record 1 of .*DecompressionBomb"):
        read(folder)


def test_formats_that_are_no_face_are_not_decoded(tmp_path):
    file = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(file, "TIFF")
    datasets.write_records(tmp_path / "train.rec", [file.getvalue()], [0])
    with pytest.raises(ValueError, match="cannot identify"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"path": "a.bin"}, "`path`.*Received: path='a.bin'"),
        ({"labels": [0, 1, 2]}, "2 images and 3 labels"),
        ({"labels": [0, -1]}, "`labels`.*-1"),
        ({"labels": [0, 1 << 24]}, r"2\*\*24.*16777216"),
        ({"labels": [0.0, 1.0]}, "`labels`.*float64"),
        ({"images": np.zeros((2, 4, 4))}, "`images`.*float64 for image 0"),
        ({"images": np.zeros((2, 4, 4, 2), "uint8")}, r"`images`.*\(4, 4, 2\)"),
        ({"images": [PIXELS[0], b""]}, "`images`.*image 1"),
    ],
)
def test_wrong_writes_leave_nothing_behind(tmp_path, monkeypatch, kwargs, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        datasets.write_records(
            **{"path": "a.rec", "images": PIXELS[:2], "labels": [0, 1], **kwargs}
        )
    assert os.listdir(tmp_path) == []


def test_folders_that_cannot_be_written(tmp_path, monkeypatch):
    for path in (tmp_path / "nowhere" / "a.rec", tmp_path / "file" / "a.rec"):
        (tmp_path / "file").write_text("no folder")
        with pytest.raises(OSError, match="a.rec"):
            datasets.write_records(path, PIXELS[:2], [0, 1])
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(PermissionError("no")))
    with pytest.raises(PermissionError):
        datasets.write_records(tmp_path / "b.rec", PIXELS[:2], [0, 1])
    assert os.listdir(tmp_path) == ["file"]


def test_wrong_arguments(folder):
    for name, value in {"channels": 2, "size": 8, "on_error": "ignore", "batch_size": 0}.items():
        with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
            read(folder, **{name: value})
