"""Every reader serves the same pixels in the same way, whatever they are packed in."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageFile
from scipy.io import savemat

from keras_resample import datasets

PIXELS = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype="uint8")
# Where `IJBProtocol` turns and scales nothing.
POINTS = "38.2946 51.6963 73.5318 51.5014 56.0252 71.7366 41.5493 92.3655 70.7299 92.2041"


def encoded(pixels=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


def exif(number):
    """EXIF that holds an orientation and nothing else."""
    block = Image.Exif()
    block[0x0112] = number
    return block


def turned(stored, number):
    """Stored pixels as EXIF's orientation shows them: where row 0 and column 0 are."""
    return {
        1: stored,
        2: stored[:, ::-1],  # top, right
        3: stored[::-1, ::-1],  # bottom, right
        4: stored[::-1],  # bottom, left
        5: stored.swapaxes(0, 1),  # left, top
        6: np.rot90(stored, -1),  # right, top
        7: stored[::-1, ::-1].swapaxes(0, 1),  # right, bottom
        8: np.rot90(stored, 1),  # left, bottom
    }[number]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def image_folder(folder, png, **kwargs):
    write(folder / "ann" / "1.png", png)
    return datasets.image_folder(folder, **kwargs)


def image_list(folder, png, **kwargs):
    write(folder / "1.png", png)
    return datasets.image_list(write(folder / "train.list", "1.png ann\n"), **kwargs)


def face_records(folder, png, **kwargs):
    datasets.write_records(folder / "train.rec", [png], [0])
    return datasets.FaceRecords(folder, **kwargs)


def verification_pairs(folder, png, **kwargs):
    datasets.write_verification_pairs(folder / "lfw.bin", [png, png], [True])
    return datasets.verification_pairs(folder / "lfw.bin", **kwargs).images


def pair_list(folder, png, **kwargs):
    write(folder / "1.png", png)
    return datasets.pair_list(write(folder / "pairs.list", "1.png 1.png 1\n"), **kwargs).images


def lfw_pairs(folder, png, **kwargs):
    write(folder / "Ann" / "Ann_0001.png", png)
    pairs = write(folder / "pairs.txt", "Ann 1 1\n")
    return datasets.lfw_pairs(pairs, folder, **kwargs).images


def cfp_pairs(folder, png, **kwargs):
    write(folder / "1.png", png)
    for name, text in (("Pair_list_F", "1 ../1.png"), ("Split/FF/01/same", "1,1")):
        write(folder / "Protocol" / f"{name}.txt", text)
    write(folder / "Protocol" / "Split" / "FF" / "01" / "diff.txt", "")
    return datasets.cfp_pairs(folder, "FF", **kwargs).images


def ijb_protocol(folder, png, **kwargs):
    write(folder / "loose_crop" / "1.png", png)
    write(folder / "meta" / "a_face_tid_mid.txt", "1.png 1 1\n")
    write(folder / "meta" / "a_name_5pts_score.txt", f"1.png {POINTS} 0.9\n")
    return datasets.IJBProtocol(folder, **kwargs).images


def cub(folder, png, **kwargs):
    write(folder / "images" / "1.png", png)
    for name, value in (
        ("images", "1.png"),
        ("classes", "001.Gull"),
        ("image_class_labels", "1"),
        ("train_test_split", "1"),
    ):
        write(folder / f"{name}.txt", f"1 {value}")
    return datasets.cub(folder, **kwargs)


def stanford_cars(folder, png, **kwargs):
    ends = {"bbox_x1": 1, "bbox_y1": 1, "bbox_x2": 9, "bbox_y2": 9}
    car = {"relative_im_path": "1.png", "class": 1, "test": 0, **ends}
    write(folder / "1.png", png)
    savemat(folder / "cars_annos.mat", {"annotations": [car], "class_names": ["Fiat 500"]})
    return datasets.stanford_cars(folder, **kwargs)


def fgvc_aircraft(folder, png, **kwargs):
    write(folder / "images" / "1.jpg", png)
    write(folder / "images_variant_train.txt", "1 A300")
    write(folder / "variants.txt", "A300")
    return datasets.fgvc_aircraft(folder, keep_banner=True, **kwargs)


def veri(folder, png, **kwargs):
    write(folder / "image_train" / "0001_c001_1_0.jpg", png)
    write(folder / "name_train.txt", "0001_c001_1_0.jpg")
    return datasets.veri(folder, **kwargs)


def vehicle_id(folder, png, **kwargs):
    write(folder / "image" / "1.jpg", png)
    write(folder / "train_test_split" / "train_list.txt", "1 1")
    return datasets.vehicle_id(folder, **kwargs)


OF_FILES = [
    image_folder,
    image_list,
    face_records,
    verification_pairs,
    pair_list,
    lfw_pairs,
    cfp_pairs,
    ijb_protocol,
    cub,
    stanford_cars,
    fgvc_aircraft,
    veri,
    vehicle_id,
]


def from_arrays(folder, png, **kwargs):
    return datasets.from_arrays(PIXELS[None], [0], **kwargs)


def npz(folder, png, **kwargs):
    np.savez(folder / "faces.npz", images=PIXELS[None], labels=[0])
    return datasets.npz(folder / "faces.npz", **kwargs)


@pytest.mark.parametrize("reader", [*OF_FILES, from_arrays, npz], ids=lambda x: x.__name__)
def test_the_range_of_the_values(reader, tmp_path):
    unit = reader(tmp_path, encoded(), data_format="channels_last").image(0)
    np.testing.assert_allclose(unit, PIXELS / 255, atol=0.005)
    face = reader(tmp_path, encoded(), data_format="channels_last", value_range=(-1, 1)).image(0)
    np.testing.assert_allclose(face, (PIXELS / 255 - 0.5) / 0.5, atol=0.01)


@pytest.mark.parametrize("reader", OF_FILES, ids=lambda x: x.__name__)
def test_an_image_is_turned_as_exif_says(reader, tmp_path):
    png = encoded(exif=exif(6))
    image = reader(tmp_path, png, data_format="channels_last").image(0)
    np.testing.assert_allclose(image, turned(PIXELS, 6) / 255, atol=0.005)


@pytest.mark.parametrize("extension", ["jpg", "png", "tif", "webp"])
def test_every_orientation_of_every_format(extension, tmp_path):
    stored = np.zeros((16, 32, 3), "uint8")
    stored[:8, :8] = 250  # a bright corner shows which way is up
    (tmp_path / "ann").mkdir()
    for number in (*range(9), 77):
        file = tmp_path / "ann" / f"0.{extension}"
        Image.fromarray(stored).save(file, exif=exif(number), quality=100)
        expected = turned(stored, number if number in range(1, 9) else 1) / 255
        faces = datasets.image_folder(tmp_path)
        assert faces.image_shape == expected.shape
        np.testing.assert_allclose(faces.image(0), expected, atol=0.05)
        small = datasets.image_folder(tmp_path, size=(8, 4), channels=1).image(0)
        large = datasets.image_folder(tmp_path, size=(32, 16), channels=1).image(0)
        for resized in (small, large):  # the bright corner is where it was
            corners = resized[[0, 0, -1, -1], [0, -1, 0, -1], 0] > 0.5
            expected_corners = expected[[0, 0, -1, -1], [0, -1, 0, -1], 0] > 0.5
            np.testing.assert_array_equal(corners, expected_corners)


@pytest.mark.parametrize(
    "damage", [b"", b"II*", b"Exif\x00\x00MM\x00*\xff\xff\xff\xff", b"\xff" * 40]
)
def test_damaged_exif_leaves_an_image_as_it_is(damage, tmp_path):
    faces = image_folder(tmp_path, encoded(exif=damage), verify=True)
    np.testing.assert_allclose(faces.image(0), PIXELS / 255, atol=1e-6)


def test_only_exif_in_the_header_turns(tmp_path):
    """As in `serve_bytes`: no XMP, and no EXIF behind the pixels of a PNG file."""
    png, jpeg = encoded(exif=exif(6)), io.BytesIO()
    start, end = png.index(b"eXIf") - 4, png.index(b"IDAT") - 4
    late = png[:start] + png[end:-12] + png[start:end] + png[-12:]
    Image.fromarray(np.repeat(PIXELS[:, :64, :1], 3, 2)).save(jpeg, "JPEG")
    xmp = b'http://ns.adobe.com/xap/1.0/\x00<x tiff:Orientation="6"/>'
    segment = b"\xff\xe1" + struct.pack(">H", 2 + len(xmp)) + xmp
    for number, file in enumerate((late, jpeg.getvalue()[:2] + segment + jpeg.getvalue()[2:])):
        faces = image_folder(tmp_path / str(number), file, verify=True)
        with Image.open(io.BytesIO(file)) as stored:
            stored = np.asarray(stored) / 255
        assert faces.image_shape == stored.shape
        np.testing.assert_allclose(faces.image(0), stored, atol=1e-6)


def test_no_pixel_of_a_png_is_decoded_for_its_header(tmp_path, monkeypatch):
    decoded = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: decoded.append(image))
    assert image_folder(tmp_path, encoded()).image_shape == PIXELS.shape
    assert image_folder(tmp_path, encoded(PIXELS[:9], exif=exif(6))).image_shape == (112, 9, 3)
    assert not decoded


@pytest.mark.parametrize("extension", ["jpg", "png", "tif"])
def test_an_image_is_turned_to_its_mask(extension, tmp_path):
    """As of a camera: the image is stored on its side, the mask was drawn on the upright one."""
    stored = np.zeros((16, 24, 3), "uint8")
    stored[:8, 8:16] = 250
    mask = (turned(stored, 6)[..., 0] > 0).astype("uint8")
    write(tmp_path / "masks" / "a.png", encoded(mask))
    (tmp_path / "images").mkdir()
    file = tmp_path / "images" / f"a.{extension}"
    Image.fromarray(stored).save(file, exif=exif(6), quality=100)
    folders = tmp_path / "images", tmp_path / "masks"
    scenes = datasets.segmentation_folder(*folders, 2, data_format="channels_last", verify=True)
    assert scenes.image_shape == (24, 16, 3)
    image, label = scenes.read(0)
    np.testing.assert_array_equal(image[..., 0] > 128, label == 1)
    part, part_label = scenes.read(0, (4, 2, 15, 9))
    np.testing.assert_array_equal(part, image[4:19, 2:11])
    np.testing.assert_array_equal(part_label, label[4:19, 2:11])
    # A mask that is stored on its side as well says so itself, or does not fit.
    on_its_side = turned(mask, 8)
    write(tmp_path / "masks" / "a.png", encoded(on_its_side, exif=exif(6)))
    scenes = datasets.segmentation_folder(*folders, 2, data_format="channels_last")
    np.testing.assert_array_equal(scenes.read(0)[1], label)
    write(tmp_path / "masks" / "a.png", encoded(on_its_side))
    with pytest.raises(ValueError, match="turned as its EXIF.*24 x 16.*16 x 24"):
        datasets.segmentation_folder(*folders, 2)
