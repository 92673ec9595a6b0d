import builtins
import io
import os
import struct
import warnings

import numpy as np
import pytest
from PIL import Image

from keras_resample import datasets
from keras_resample.datasets.files import raster_files

RANDOM = np.random.default_rng(0)
# trainId of the ids 0..33 in the labels.py of the Cityscapes scripts.
CITYSCAPES_TRAIN_IDS = [
    *[255] * 7, 0, 1, 255, 255, 2, 3, 4, 255, 255, 255, 5, 255, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
    255, 255, 16, 17, 18,
]  # fmt: skip
# The colours in the label_colors.txt of CamVid, with the class each of them joins in SegNet.
CAMVID_COLORS = """
64 128 64 Animal pedestrian, 192 0 128 Archway building, 0 128 192 Bicyclist bicyclist,
0 128 64 Bridge building, 128 0 0 Building building, 64 0 128 Car car,
64 0 192 CartLuggagePram pedestrian, 192 128 64 Child pedestrian, 192 192 128 Column_Pole pole,
64 64 128 Fence fence, 128 0 192 LaneMkgsDriv road, 192 0 64 LaneMkgsNonDriv road,
128 128 64 Misc_Text sign, 192 0 192 MotorcycleScooter bicyclist, 128 64 64 OtherMoving car,
64 192 128 ParkingBlock pavement, 64 64 0 Pedestrian pedestrian, 128 64 128 Road road,
128 128 192 RoadShoulder pavement, 0 0 192 Sidewalk pavement, 192 128 128 SignSymbol sign,
128 128 128 Sky sky, 64 128 192 SUVPickupTruck car, 0 0 64 TrafficCone pole,
0 64 64 TrafficLight sign, 192 64 128 Train car, 128 128 0 Tree tree, 192 128 192 Truck_Bus car,
64 0 64 Tunnel building, 192 192 0 VegetationMisc tree, 0 0 0 Void void, 64 192 0 Wall building
"""
LAST = {"data_format": "channels_last"}


def pixels(*shape, high=256):
    return RANDOM.integers(0, high, shape, dtype="uint8")


def save(path, array, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path, **kwargs)
    return array


@pytest.fixture
def folder(tmp_path):
    """Three images of 20 x 30 with masks of the classes 0..3 and 255."""
    for name in ("c", "a", "b/ü ö"):
        save(tmp_path / "images" / f"{name}.png", pixels(20, 30, 3))
        mask = save(tmp_path / "masks" / f"{name}.png", pixels(20, 30, high=4))
        mask[0, 0] = 255
        save(tmp_path / "masks" / f"{name}.png", mask)
    return tmp_path


def read(folder, num_classes=4, **kwargs):
    arguments = {"batch_size": 1, **LAST, **kwargs}
    return datasets.segmentation_folder(
        folder / "images", folder / "masks", num_classes, **arguments
    )


# segmentation_folder


def test_images_and_masks_are_matched_by_name(folder):
    (folder / "images" / "notes.txt").write_text("no image")
    (folder / "images" / ".hidden.png").write_bytes(b"")
    dataset = read(folder)
    images, labels = dataset.arrays()
    assert images.shape == (3, 20, 30, 3) and dataset.ignore_class == 255
    for index, name in enumerate(("a", os.path.join("b", "ü ö"), "c")):
        image = np.asarray(Image.open(folder / "images" / f"{name}.png"))
        mask = np.asarray(Image.open(folder / "masks" / f"{name}.png"))
        np.testing.assert_array_equal(images[index], image)
        np.testing.assert_array_equal(labels[index], mask)
        np.testing.assert_array_equal(dataset.read(index, (3, 4, 5, 6))[0], image[3:8, 4:10])
        np.testing.assert_array_equal(dataset.read(index, (3, 4, 5, 6))[1], mask[3:8, 4:10])


def test_suffixes_tell_images_from_masks(tmp_path):
    image = save(tmp_path / "x_rgb.jpg", np.full((8, 8, 3), 77, "uint8"))
    mask = save(tmp_path / "x_ids.png", pixels(8, 8, high=2))
    dataset = datasets.segmentation_folder(
        tmp_path, str(tmp_path), 2, image_suffix="_rgb", mask_suffix="_ids", **LAST
    )
    np.testing.assert_array_equal(dataset[0][0][0], image)
    np.testing.assert_array_equal(dataset[0][1][0], mask)


def test_ids_and_colours_are_mapped(folder):
    dataset = read(folder, None, classes={0: 1, 1: 0, 2: 255, 3: 1, 255: 255})
    assert dataset.num_classes == 2
    plain = read(folder).arrays()[1]
    np.testing.assert_array_equal(
        dataset.arrays()[1], np.array([1, 0, 255, 1, 255])[np.minimum(plain, 4)]
    )
    colors = {(0, 0, 0): 255, (1, 2, 3): 0, (3, 2, 1): 1, (255, 255, 255): 1}
    number = pixels(20, 30, high=4)
    for name in ("a", "c", "b/ü ö"):
        save(folder / "masks" / f"{name}.png", np.array(list(colors), "uint8")[number])
    labels = read(folder, classes=colors, num_classes=3).arrays()[1]
    np.testing.assert_array_equal(labels[1], np.array(list(colors.values()))[number])


@pytest.mark.parametrize(
    ("name", "save_arguments", "mapped"),
    [
        ("x.png", {}, False),
        ("x.bmp", {}, False),
        ("x.webp", {"lossless": True}, False),
        ("x.npy", {}, True),
        ("x.ppm", {}, True),
        ("x.tif", {}, True),
        ("x.tiff", {"compression": "tiff_deflate"}, False),
    ],
)
@pytest.mark.parametrize("grey", [False, True])
def test_formats(tmp_path, name, save_arguments, mapped, grey):
    if grey and name == "x.ppm":
        name = "x.pgm"
    if grey and name == "x.webp":
        pytest.skip("WebP has no grey images")
    image = save(
        tmp_path / "images" / name, pixels(*((50, 33) if grey else (50, 33, 3))), **save_arguments
    )
    mask_name = name if name != "x.webp" else "x.png"
    mask_name = mask_name.replace("ppm", "pgm")
    mask = save(
        tmp_path / "masks" / mask_name,
        pixels(50, 33, high=4),
        **(save_arguments if mask_name == name else {}),
    )
    dataset = read(tmp_path)
    assert dataset.load.reads_windows(0) == mapped
    if grey:
        image = np.repeat(image[..., None], 3, -1)
    for window in ((0, 0, 50, 33), (3, 5, 20, 28), (49, 32, 1, 1)):
        top, left, height, width = window
        part = np.s_[top : top + height, left : left + width]
        np.testing.assert_array_equal(dataset.read(0, window)[0], image[part])
        np.testing.assert_array_equal(dataset.read(0, window)[1], mask[part])
    windows = dataset.windows((16, 16))
    assert windows.num_windows == 4 * 3 and windows[0][0].shape == (1, 16, 16, 3)


def write_tiff(path, array, block, tiled):
    """An uncompressed big-endian TIFF file in strips, or in tiles, the last one first."""
    height, width = array.shape[:2]
    samples = array.shape[2] if array.ndim == 3 else 1
    rows, columns = block
    blocks = []
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            part = array[top : top + rows, left : left + columns]
            if tiled:
                missing = [(0, n - m) for n, m in zip(block, part.shape, strict=False)]
                part = np.pad(part, [*missing, (0, 0)][: array.ndim], constant_values=99)
            blocks.append(part.tobytes())
    stored = blocks[::-1] if tiled else blocks
    content = b"".join(stored)
    offsets = [8 + sum(len(part) for part in stored[:i]) for i in range(len(stored))]
    offsets = offsets[::-1] if tiled else offsets
    places = {322: [columns], 323: [rows], 324: offsets, 325: [len(part) for part in blocks]}
    if not tiled:
        places = {273: offsets, 278: [rows], 279: places[325]}
    tags = {256: [width], 257: [height], 258: [8] * samples, 259: [1],
            262: [2 if samples == 3 else 1], 277: [samples], **places}  # fmt: skip
    start = 8 + len(content)
    extra, entries = b"", b""
    after = start + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        data = struct.pack(f">{len(values)}I", *values)
        place = data if len(values) == 1 else struct.pack(">I", after + len(extra))
        extra += b"" if len(values) == 1 else data
        entries += struct.pack(">HHI", tag, 4, len(values)) + place
    table = struct.pack(">H", len(tags)) + entries + struct.pack(">I", 0)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"MM\0*" + struct.pack(">I", start) + content + table + extra)


@pytest.mark.parametrize("tiled", [False, True])
@pytest.mark.parametrize("shape", [(70, 50), (70, 50, 3), (64, 48, 3), (5, 7)])
def test_blocks_of_tiff(tmp_path, shape, tiled):
    array = pixels(*shape)
    path = tmp_path / "x.tif"
    write_tiff(path, array, (16, 32) if tiled else (16, shape[1]), tiled)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), array)
    mapped = raster_files.mapped_raster(str(path))
    assert type(mapped).__name__ == "TiffBlocks" and mapped.shape == shape
    for _ in range(20):
        top, left = (int(RANDOM.integers(0, n)) for n in shape[:2])
        bottom, right = (
            int(RANDOM.integers(a, n)) + 1 for a, n in zip((top, left), shape[:2], strict=True)
        )
        part = np.s_[top:bottom, left:right]
        np.testing.assert_array_equal(mapped[part], array[part])
    mapped.offsets = [path.stat().st_size] * len(mapped.offsets)
    with pytest.raises(ValueError, match="truncated"):
        mapped[0:1, 0:1]


def test_palette_images_keep_their_colours(tmp_path):
    number = pixels(9, 9, high=4)
    colors = np.array([(7, 8, 9), (200, 0, 1), (0, 0, 0), (3, 99, 255)], "uint8")
    palette = Image.fromarray(number).convert("P")
    palette.putpalette(colors.ravel().tolist())
    for kind in ("png", "tif", "bmp"):
        folder = tmp_path / kind
        for part in ("images", "masks"):
            (folder / part).mkdir(parents=True)
            palette.save(folder / part / f"x.{kind}")
        image, label = read(folder).read(0)
        np.testing.assert_array_equal(image, colors[number])
        np.testing.assert_array_equal(label, number)
        by_color = read(folder, classes={tuple(map(int, c)): i for i, c in enumerate(colors)})
        np.testing.assert_array_equal(by_color.read(0)[1], number)


def test_a_mapped_file_is_not_read_whole(tmp_path, monkeypatch):
    image = np.zeros((4000, 3000, 3), "uint8")
    image[2000:2004, 1000:1006] = 9
    save(tmp_path / "images" / "x.tif", image)
    save(tmp_path / "masks" / "x.npy", np.zeros((4000, 3000), "int32"))
    dataset = read(tmp_path)

    def refuse(self):
        raise AssertionError("decoded whole")

    monkeypatch.setattr(Image.Image, "load", refuse)
    windows = dataset.windows((4, 6))
    assert windows.num_windows == 500_000
    pixels, labels = dataset.read(0, (2000, 1000, 4, 6))
    assert (pixels == 9).all() and not labels.any()


def test_palettes_and_sixteen_bits(tmp_path):
    number = pixels(9, 9, high=4)
    palette = Image.fromarray(number).convert("P")
    palette.putpalette([7, 8, 9] * 256)
    (tmp_path / "masks").mkdir()
    palette.save(tmp_path / "masks" / "x.png")
    deep = RANDOM.integers(0, 65536, (9, 9), dtype="uint16")
    save(tmp_path / "images" / "x.png", deep)
    dataset = read(tmp_path)
    np.testing.assert_array_equal(dataset.read(0)[0][..., 1], np.rint(deep / 65535 * 255))
    np.testing.assert_array_equal(dataset.read(0)[1], number)
    ids = RANDOM.choice(np.array([0, 300, 65535], "uint16"), (9, 9))
    save(tmp_path / "masks" / "x.png", ids)
    labels = read(tmp_path, None, classes={0: 0, 300: 1, 65535: 255}).read(0)[1]
    np.testing.assert_array_equal(labels, np.select([ids == 0, ids == 300], [0, 1], 255))


def test_an_id_without_a_class_is_named(folder):
    with pytest.raises(ValueError, match=r"a\.png'.*the id 3, which has no class"):
        read(folder, 3, shuffle=False)[0]
    with pytest.raises(ValueError, match=r"a\.png'.*the id 255, which has no class"):
        read(folder, 4, ignore_class=None, verify=True)
    save(folder / "masks" / "a.npy", np.full((20, 30), -1, "int64"))
    os.remove(folder / "masks" / "a.png")
    with pytest.raises(ValueError, match=r"a\.npy'.*the id -1, which has no class"):
        read(folder, shuffle=False)[0]
    save(folder / "masks" / "c.png", pixels(20, 30, 3))
    with pytest.raises(ValueError, match=r"c\.png'.*one integer a pixel.*\(20, 30, 3\)"):
        read(folder).read(2)
    colored = read(folder, classes={(1, 1, 1): 0})
    with pytest.raises(ValueError, match=r"c\.png'.*the colour \(\d+, \d+, \d+\), which has no"):
        colored.read(2)


def test_a_missing_mask_is_named(folder):
    os.remove(folder / "masks" / "c.png")
    with pytest.raises(ValueError, match=r"masks.c\.png' cannot be read.*Received: no file"):
        read(folder)
    with pytest.warns(UserWarning, match="1 images with their masks were skipped.*c.png"):
        dataset = read(folder, on_error="skip")
    assert dataset.num_images == 2 and len(dataset.skipped) == 1
    image, reason = dataset.skipped[0]
    assert image.endswith(os.path.join("images", "c.png")) and "FileNotFoundError" in reason


def test_a_mask_of_another_size_is_named(folder):
    save(folder / "masks" / "c.png", pixels(30, 20, high=4))
    with pytest.raises(ValueError, match=r"images.c\.png' of 20 x 30.*masks.c\.png' of 30 x 20"):
        read(folder)


@pytest.mark.parametrize("part", ["images", "masks"])
@pytest.mark.parametrize("damage", ["empty", "text", "truncated"])
def test_damaged_files_are_named(folder, part, damage):
    file = folder / part / "c.png"
    content = file.read_bytes()
    file.write_bytes({"empty": b"", "text": b"hello" * 99, "truncated": content[:-60]}[damage])
    with pytest.raises(ValueError, match=rf"{part}.c\.png' cannot be read.*Received: \d+ bytes"):
        read(folder).read(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert read(folder, on_error="skip").num_images == 2


def test_truncated_files_that_are_mapped_are_named(tmp_path):
    for name in ("x.ppm", "x.tif", "x.npy"):
        path = tmp_path / name
        save(path, pixels(50, 40, 3))
        path.write_bytes(path.read_bytes()[:-2000])
        message = "truncated" if name != "x.npy" else "greater than file size"
        with pytest.raises(ValueError, match=message):
            raster_files.read_image(str(path), (0, 0, 50, 40))


def test_pickles_and_archives_named_npy_are_refused(tmp_path):
    save(tmp_path / "masks" / "x.npy", pixels(4, 4, high=2))
    path = tmp_path / "images" / "x.npy"
    path.parent.mkdir()
    np.save(path, np.array([[object()]]), allow_pickle=True)
    with pytest.raises(ValueError, match=r"x\.npy' cannot be read"):
        read(tmp_path)
    with open(path, "wb") as file:
        np.savez(file, a=np.zeros(3))
    with pytest.raises(ValueError, match=r"x\.npy' cannot be read"):
        read(tmp_path)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bombs_are_refused(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(ValueError, match=r"a\.png'.*DecompressionBombError: more than 500"):
        read(folder)
    monkeypatch.undo()
    png = (folder / "images" / "a.png").read_bytes()
    (folder / "images" / "a.png").write_bytes(
        png[:16] + struct.pack(">II", 2**30, 2**30) + png[24:]
    )
    with pytest.raises(ValueError, match=r"a\.png' cannot be read"):
        read(folder)


def test_two_files_of_one_name_are_refused(folder):
    save(folder / "masks" / "a.bmp", pixels(20, 30, high=4))
    with pytest.raises(ValueError, match=r"`masks`.*one file of each name.*a\.bmp.*a\.png|a\.png"):
        read(folder)


def test_ids_and_colours_are_integers_of_any_kind(folder):
    classes = {0: 1, 1: 0, 2: 255, 3: 1, 255: 255}
    of_numpy = {np.int64(number): np.uint8(label) for number, label in classes.items()}
    expected = read(folder, None, classes=classes)
    found = read(folder, None, classes=of_numpy)
    assert found.num_classes == expected.num_classes == 2
    np.testing.assert_array_equal(found.arrays()[1], expected.arrays()[1])
    grey = read(folder, classes={(np.uint8(n),) * 3: n for n in (0, 1, 2, 3, 255)})
    np.testing.assert_array_equal(grey.arrays()[1], read(folder).arrays()[1])


def test_wrong_arguments(folder, tmp_path):
    for kwargs, message in (
        ({"num_classes": None}, "`num_classes` or `classes`"),
        ({"num_classes": 0}, "`num_classes`"),
        ({"classes": [0, 1]}, "`classes` must be a dict"),
        ({"classes": {}}, "`classes` must be a dict"),
        ({"classes": {0: 4}}, r"`classes` must lead to classes in \[0, 4\)"),
        ({"classes": {0: 0, (1, 2, 3): 1}}, "keys of `classes`"),
        ({"classes": {(1, 2): 1}}, "keys of `classes`"),
        ({"classes": {70000: 1}}, "keys of `classes`"),
        ({"classes": {True: 1}}, "keys of `classes`"),
        ({"classes": {0: np.True_}}, r"`classes` must lead to classes in \[0, 4\)"),
        ({"classes": {0: "road"}, "num_classes": None}, "`classes` must lead to classes"),
        ({"on_error": "ignore"}, "`on_error`"),
    ):
        with pytest.raises(ValueError, match=f"(?s){message}.*Received: "):
            read(folder, **kwargs)
    with pytest.raises(NotADirectoryError, match="`masks`.*Received: masks="):
        datasets.segmentation_folder(folder / "images", folder / "nothing", 4)
    with pytest.raises(ValueError, match="`images`.*Received: images="):
        datasets.segmentation_folder(folder / "images", folder / "masks", 4, image_suffix="_x")


def test_without_pillow(folder, tmp_path, monkeypatch):
    save(tmp_path / "p" / "images" / "x.npy", pixels(4, 5, 3))
    save(tmp_path / "p" / "masks" / "x.npy", pixels(4, 5, high=2))
    find = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] == "PIL":
            raise ImportError(name)
        return find(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    assert read(tmp_path / "p")[0][0].shape == (1, 4, 5, 3)
    with pytest.raises(ImportError, match=r"keras-resample\[datasets\]"):
        read(folder)


# Cityscapes


@pytest.fixture
def cityscapes(tmp_path):
    """Two cities, every id in every mask."""
    for city, frame in (("ulm", "000000_000019"), ("bonn", "000001_000019")):
        name = f"{city}_{frame}"
        image = tmp_path / "leftImg8bit" / "val" / city / f"{name}_leftImg8bit.png"
        save(image, pixels(32, 68, 3))
        ids = RANDOM.permutation(np.arange(32 * 68) % 34).reshape(32, 68).astype("uint8")
        mask = tmp_path / "gtFine" / "val" / city / f"{name}_gtFine_labelIds.png"
        save(mask, ids)
        train_ids = np.array(CITYSCAPES_TRAIN_IDS, "uint8")[ids]
        save(mask.with_name(f"{name}_gtFine_labelTrainIds.png"), train_ids)
        save(mask.with_name(f"{name}_gtFine_instanceIds.png"), ids)
        save(mask.with_name(f"{name}_gtFine_color.png"), pixels(32, 68, 3))
    return tmp_path


def test_cityscapes(cityscapes):
    dataset = datasets.cityscapes(cityscapes, "val", **LAST)
    assert dataset.num_images == 2 and dataset.num_classes == 19 and dataset.ignore_class == 255
    assert dataset.class_names[0] == "road" and dataset.class_names[18] == "bicycle"
    assert dataset.class_colors[13].tolist() == [0, 0, 142]
    images, labels = dataset.arrays()
    first = cityscapes / "leftImg8bit/val/bonn/bonn_000001_000019_leftImg8bit.png"
    np.testing.assert_array_equal(images[0], np.asarray(Image.open(first)))
    mask = cityscapes / "gtFine/val/bonn/bonn_000001_000019_gtFine_labelIds.png"
    table = np.array(CITYSCAPES_TRAIN_IDS)
    np.testing.assert_array_equal(labels[0], table[np.asarray(Image.open(mask))])
    mapped = datasets.cityscapes(cityscapes, "val", labels="labelTrainIds", **LAST)
    np.testing.assert_array_equal(mapped.arrays()[1], labels)


def test_the_central_square_of_cityscapes(cityscapes):
    whole = datasets.cityscapes(cityscapes, "val", **LAST)
    square = datasets.cityscapes(cityscapes, "val", crop=(32, 32), **LAST)
    np.testing.assert_array_equal(square.arrays()[0], whole.arrays()[0][:, :, 18:50])
    np.testing.assert_array_equal(square.arrays()[1], whole.arrays()[1][:, :, 18:50])


def test_wrong_cityscapes(cityscapes, tmp_path):
    with pytest.raises(NotADirectoryError, match="`folder`.*train"):
        datasets.cityscapes(cityscapes, "train")
    with pytest.raises(ValueError, match="`split`.*Received: split='dev'"):
        datasets.cityscapes(cityscapes, "dev")
    with pytest.raises(ValueError, match="`labels`.*Received: labels='color'"):
        datasets.cityscapes(cityscapes, "val", labels="color")
    mask = cityscapes / "gtFine/val/ulm/ulm_000000_000019_gtFine_labelIds.png"
    save(mask, np.full((32, 68), 34, "uint8"))
    with pytest.raises(ValueError, match="ulm_000000_000019_gtFine_labelIds.*the id 34"):
        datasets.cityscapes(cityscapes, "val", verify=True)
    mask.unlink()
    with pytest.raises(ValueError, match="ulm_000000_000019_gtFine_labelIds.png.*no file"):
        datasets.cityscapes(cityscapes, "val")


# DeepGlobe


def test_deep_globe(tmp_path):
    colors = [
        (0, 255, 255),
        (255, 255, 0),
        (255, 0, 255),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
    ]
    number = pixels(16, 16, high=7)
    clean = np.array(colors, "int64")[number]
    # Lossy masks: anything on the right side of 128.
    noisy = np.where(clean == 255, RANDOM.integers(128, 256, clean.shape), clean)
    noisy = np.where(clean == 0, RANDOM.integers(0, 128, clean.shape), noisy).astype("uint8")
    noisy[0, 0] = (200, 10, 20)
    save(tmp_path / "10_sat.jpg", pixels(16, 16, 3))
    save(tmp_path / "10_mask.png", noisy)
    dataset = datasets.deep_globe(tmp_path, "all", **LAST)
    assert dataset.num_classes == 6 and dataset.ignore_class == 255
    assert dataset.class_names == [
        "urban", "agriculture", "rangeland", "forest", "water", "barren",
    ]  # fmt: skip
    expected = np.where(number == 6, 255, number)
    expected[0, 0] = 255
    np.testing.assert_array_equal(dataset[0][1][0], expected)


def test_the_split_of_deep_globe(tmp_path):
    image, mask = io.BytesIO(), io.BytesIO()
    Image.fromarray(pixels(2, 2, 3)).save(image, "JPEG")
    Image.fromarray(np.zeros((2, 2, 3), "uint8")).save(mask, "PNG")
    for number in range(803):
        (tmp_path / f"{number}_sat.jpg").write_bytes(image.getvalue())
        (tmp_path / f"{number}_mask.png").write_bytes(mask.getvalue())

    def names(split, **kwargs):
        return datasets.deep_globe(tmp_path, split, **kwargs, **LAST).load.images

    parts = [names(split) for split in ("train", "val", "test")]
    assert [len(part) for part in parts] == [454, 207, 142]
    assert len(set().union(*parts)) == 803
    assert names("val") == parts[1]
    assert names("val", split_seed=1) != parts[1] and len(names("val", split_seed=1)) == 207


def test_wrong_deep_globe(tmp_path):
    save(tmp_path / "1_sat.jpg", pixels(4, 4, 3))
    with pytest.raises(ValueError, match=r"1_mask\.png.*no file"):
        datasets.deep_globe(tmp_path, "train")
    with pytest.raises(ValueError, match="`folder`.*with 1 of them, split='val'"):
        datasets.deep_globe(tmp_path, "val")
    with pytest.raises(ValueError, match="`split`.*Received: split='dev'"):
        datasets.deep_globe(tmp_path, "dev")
    with pytest.raises(ValueError, match="`split_seed`"):
        datasets.deep_globe(tmp_path, "val", split_seed=-1)


# CamVid


def test_camvid_as_in_segnet(tmp_path):
    mask = pixels(36, 48, high=12)
    for split in ("train", "val", "test"):
        save(tmp_path / split / "0001TP_006690.png", pixels(36, 48, 3))
        save(tmp_path / f"{split}annot" / "0001TP_006690.png", mask)
    for split in ("train", "val", "test"):
        dataset = datasets.camvid(tmp_path, split, **LAST)
        np.testing.assert_array_equal(dataset[0][1][0], mask)
        assert dataset.num_classes == 11 and dataset.ignore_class == 11
    save(tmp_path / "testannot" / "0001TP_006690.png", np.full((36, 48), 12, "uint8"))
    with pytest.raises(ValueError, match=r"testannot.*the id 12"):
        datasets.camvid(tmp_path, "test")[0]


def test_camvid_as_published(tmp_path):
    lines = [line.split() for line in CAMVID_COLORS.replace("\n", " ").split(",")]
    assert len(lines) == 32
    colors = np.array([[int(value) for value in line[:3]] for line in lines], "uint8")
    number = pixels(36, 48, high=32)
    splits = {
        "0001TP_006690": "train", "0001TP_008520": "train", "0001TP_008550": "test",
        "0006R0_f00930": "train", "0016E5_00390": "train", "0016E5_07957": "train",
        "0016E5_07959": "val", "0016E5_08159": "val", "0016E5_08640": "train",
        "Seq05VD_f00000": "test",
    }  # fmt: skip
    for name in splits:
        save(tmp_path / "701_StillsRaw_full" / f"{name}.png", pixels(36, 48, 3))
        save(tmp_path / "LabeledApproved_full" / f"{name}_L.png", colors[number])
    for split in ("train", "val", "test"):
        dataset = datasets.camvid(tmp_path, split, **LAST)
        found = {os.path.basename(file)[:-4] for file in dataset.load.images}
        assert found == {name for name, part in splits.items() if part == split}
    names = [*dataset.class_names, "void"]
    expected = np.array([names.index(line[4]) for line in lines])[number]
    np.testing.assert_array_equal(dataset[0][1][0], expected)
    assert dataset.class_colors[names.index("building")].tolist() == [128, 0, 0]


def test_wrong_camvid(tmp_path):
    with pytest.raises(NotADirectoryError, match="`folder`"):
        datasets.camvid(tmp_path)
    with pytest.raises(ValueError, match="`split`.*Received: split='all'"):
        datasets.camvid(tmp_path, "all")
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match="`folder`.*Received: .*split='val'"):
        datasets.camvid(tmp_path, "val")
    (tmp_path / "LabeledApproved_full").mkdir()
    save(tmp_path / "701_StillsRaw_full" / "holiday.png", pixels(4, 4, 3))
    with pytest.raises(ValueError, match="named after sequence and frame.*Received: 'holiday'"):
        datasets.camvid(tmp_path, "val")
