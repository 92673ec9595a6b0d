"""The files of a folder in one order, and those that hold no image."""

import shutil

import pytest

from keras_resample.commands.image_paths import files_of, readable
from keras_resample.compare.engine.checks import SettingError


def test_folders_are_walked_in_sorted_order(images, paths):
    assert files_of([str(images)], "images") == paths
    named = str(images / "b" / ".d.png")
    assert files_of([named, str(images / "b")], "images") == [named, paths[2]]


def test_a_link_to_a_folder_above_ends(images, paths, tmp_path):
    folder = tmp_path / "linked"
    shutil.copytree(images, folder)
    (folder / "b" / "up").symlink_to(folder)
    (folder / "b" / "beside").symlink_to(images / "b")
    names = ["a.jpg", "z.png", "b/c.png", "b/beside/c.png"]
    assert files_of([str(folder)], "images") == [str(folder / name) for name in names]


def test_a_folder_without_images_is_named(tmp_path, paths):
    with pytest.raises(SettingError, match="`images` must be folders that hold image files"):
        files_of([paths[0], str(tmp_path)], "images")


def test_what_is_no_image_is_named_or_left_out(paths, tmp_path):
    bad, cut = tmp_path / "bad.png", tmp_path / "cut.jpg"
    bad.write_text("no image")
    with open(paths[0], "rb") as file:
        cut.write_bytes(file.read()[:300])
    files = [paths[0], str(bad), str(cut), paths[1]]
    with pytest.raises(SettingError, match=r"`images` must .*; help.*bad.png.*the first of 2"):
        readable(files, "images", way_out="; help")
    found, skipped = readable(files, "images", skip=True)
    assert found == [paths[0], paths[1]]
    assert [file for file, _ in skipped] == [str(bad), str(cut)]
    with pytest.raises(SettingError, match=r"must be an image that can be read\. Received"):
        readable([str(bad)], "images", skip=True, way_out="; help")
