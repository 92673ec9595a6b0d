"""What is wrong with an option is said before anything else happens."""

import math

import numpy as np
import pytest

from keras_resample.compare import RegionSettings, SegmentationSettings, SettingError, Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("factor", value) for value in (0, -0.5, 1.5, math.nan, "abc", True, None, "nan")),
        *(("size", value) for value in ("64", 64, (64,), (64, 0), (64, "a"), (1, 2, 3), (1.5, 2))),
        *(("epochs", value) for value in (0, -1, 1.5, "many", True)),
        *(("batch_size", value) for value in (0, 1, "x")),
        *(("seeds", value) for value in ((), (0, 0), (-1,), "a", (1.5,))),
        *(("learning_rate", value) for value in (0, -1, math.inf, "fast")),
        *(("scale", value) for value in (0, math.nan)),
        *(("margin", value) for value in (-0.1, 4, "wide")),
        *(("identities", value) for value in (3, 0, "few")),
        ("images_per_identity", 1),
        ("encoder", "resnet"),
        ("protocol", "thirds"),
        ("backend", "theano"),
        ("images", "/no/such/folder"),
        ("images", 3),
        ("out", ""),
        ("export", 1),
        *(("front_ends", value) for value in ((), ("uniform", "uniform"), ("zoom",), 3)),
    ],
)
def test_wrong_setting_is_named(name, value):
    with pytest.raises(SettingError) as raised:
        Settings(**{name: value})
    assert raised.value.name == name
    assert str(raised.value).startswith(f"`{name}` ")
    assert f"Received: {name}={value!r}" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("sizes", value) for value in ("24", (), [(8, 0)], (8, 12), ["8x12", (8, 12)], "8x1.5")),
        *(("scene_size", value) for value in ("0x5", None, 3)),
        *(("methods", value) for value in ("joints", (), ["joint", "joint"])),
        *(("blur_radii", value) for value in (0, ["wide"], (1, 1.0))),
        *(("sigma", value) for value in (0, math.inf, None)),
        *(("map_scale", value) for value in (0, 1.5)),
        ("edge_weight", -1),
        ("pictures", -1),
        ("images", 0),
        ("network", "resnet"),
        ("loss", "dice"),
        ("balance", "yes"),
        ("camvid", "/no/such/folder"),
        ("batch_size", 0),
    ],
)
def test_wrong_setting_of_segmentation_is_named(name, value):
    with pytest.raises(SettingError) as raised:
        SegmentationSettings(**{name: value})
    assert raised.value.name == name
    assert f"Received: {name}={value!r}" in str(raised.value)


def test_one_data_set_at_a_time(tmp_path):
    with pytest.raises(SettingError, match="`cityscapes` must be the only data set"):
        SegmentationSettings(camvid=tmp_path, cityscapes=tmp_path)


def test_strings_of_a_command_line_become_numbers():
    settings = Settings(factor="0.5", size=["32", "24"], epochs="3", seeds=["1", "2"])
    assert (settings.factor, settings.size, settings.epochs) == (0.5, (32, 24), 3)
    assert settings.seeds == (1, 2)
    settings = SegmentationSettings(sizes=["8x12", (4, 6)], blur_radii="3", methods="joint")
    assert (settings.sizes, settings.blur_radii) == (((8, 12), (4, 6)), (3.0,))
    assert (settings.methods, settings.scene_size, settings.images) == (("joint",), (128, 256), 128)


def test_front_ends_are_named_as_in_the_table_or_on_the_command_line():
    settings = Settings(front_ends=["FlowWarp antialiased", "saliency-of-jin-learned"])
    assert settings.front_ends == ("FlowWarp antialiased", "saliency of Jin learned")
    command = "python -m keras_resample compare --front-ends flowwarp-antialiased "
    assert settings.command() == command + "saliency-of-jin-learned"
    named, given = "uniform (mean of cell)", "crop-20"
    settings = Settings(front_ends=[named, given])
    assert settings.front_ends == (named, "crop 20 %") and Settings().front_ends[3] == "crop 10 %"
    assert settings.command().endswith(" --front-ends uniform-mean-of-cell crop-20")


def test_images_exclude_the_options_of_the_palmprints(tmp_path):
    with pytest.raises(SettingError, match="identities"):
        Settings(images=tmp_path, identities=10)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "images.txt"
    path.write_text("")
    with pytest.raises(SettingError, match="npz"):
        Settings(images=path)


def test_numbers_follow_the_content_of_the_images(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, images=np.zeros((4, 8, 8)))
    before = Settings(images=path).numbers()
    assert Settings(images=path, seeds=(3,), out="elsewhere").numbers() == before
    np.savez(path, images=np.ones((4, 8, 8)))
    assert Settings(images=path).numbers() != before


def test_command_says_what_differs_from_the_default():
    assert Settings().command() == "python -m keras_resample compare"
    command = Settings(factor=0.5, seeds=(0, 1), size=(32, 24), out="a b", export=False).command()
    assert command == (
        "python -m keras_resample compare --factor 0.5 --size 32 24 --out 'a b' --seeds 0 1 "
        "--no-export"
    )
    command = SegmentationSettings(
        sizes=[(45, 60)], balance=True, sigma=2, overwrite=True
    ).command()
    assert command == (
        "python -m keras_resample compare segmentation --sizes 45x60 --sigma 2.0 --balance"
    )


def test_command_says_what_differs_from_the_default_of_its_data_set(tmp_path):
    start = "python -m keras_resample compare regions"
    assert RegionSettings(size="64x64", epochs=10).command() == start
    lists = {"image_lists": tmp_path / "birds", "out": "there"}
    (tmp_path / "birds").mkdir()
    start += " --image-lists birds"
    assert RegionSettings(size="64x64", epochs=10, **lists).command() == (
        f"{start} --size 64x64 --epochs 10 --out there"
    )
    assert RegionSettings(size="112x112", epochs=60, **lists).command() == f"{start} --out there"


def test_a_page_does_not_say_where_things_lie(tmp_path):
    (tmp_path / "streets").mkdir()
    settings = SegmentationSettings(camvid=tmp_path / "streets", out=tmp_path / "out")
    command = "python -m keras_resample compare segmentation --camvid streets --out out"
    assert settings.command() == command
    assert str(tmp_path) not in str(settings.numbers())
    assert settings.out == str(tmp_path / "out") and settings.images is None
