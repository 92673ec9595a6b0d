"""Every reader serves the same pixels in the same way, whatever they are packed in."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets

PIXELS = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype="uint8")
# Where `IJBProtocol` turns and scales nothing.
POINTS = "38.2946 51.6963 73.5318 51.5014 56.0252 71.7366 41.5493 92.3655 70.7299 92.2041"


def encoded(pixels=PIXELS, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", **options)
    return file.getvalue()


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


OF_FILES = [
    image_folder,
    image_list,
    face_records,
    verification_pairs,
    pair_list,
    lfw_pairs,
    cfp_pairs,
    ijb_protocol,
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
    np.testing.assert_allclose(face, (PIXELS / 255 - 0.5) / 0.5, atol=0.005)
