"""What is wrong with an option is said before anything else happens."""

import math

import numpy as np
import pytest

from keras_resample.compare.settings import SettingError, Settings


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
    ],
)
def test_wrong_setting_is_named(name, value):
    with pytest.raises(SettingError) as raised:
        Settings(**{name: value})
    assert raised.value.name == name
    assert str(raised.value).startswith(f"`{name}` ")
    assert f"Received: {name}={value!r}" in str(raised.value)


def test_strings_of_a_command_line_become_numbers():
    settings = Settings(factor="0.5", size=["32", "24"], epochs="3", seeds=["1", "2"])
    assert (settings.factor, settings.size, settings.epochs) == (0.5, (32, 24), 3)
    assert settings.seeds == (1, 2)


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
