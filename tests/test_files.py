"""What is written appears whole or not at all."""

import os

import pytest

from keras_resample.files import remove_unfinished, whole


def write(path, text):
    """A file, or a folder of two, that holds `text`."""
    if path.suffix:
        path.write_text(text)
        return
    (path / "deep").mkdir(parents=True)
    for file in (path / "a.txt", path / "deep" / "b.txt"):
        file.write_text(text)


def read(path):
    files = [path] if path.suffix else [path / "a.txt", path / "deep" / "b.txt"]
    return {file.read_text() for file in files}


@pytest.fixture(params=["model.keras", "folder"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_it_has_its_name_only_when_it_is_complete(path):
    for text in ("old", "new"):
        with whole(path) as (part,):
            assert part.suffix == path.suffix and part.parent == path.parent
            write(part, text)
            assert not path.exists() or read(path) == {"old"}
        assert read(path) == {text}
        assert os.listdir(path.parent) == [path.name]


def test_nothing_is_there_at_the_start(path):
    """What a killed process of the same number left does not mix with what is written."""
    with whole(path) as (part,):
        write(part, "new")
        left, what = part, path
    write(left, "killed")
    with whole(what) as (part,):
        assert part == left and not part.exists()
        write(part, "newer")
    assert read(what) == {"newer"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failed_write_leaves_what_was_there(path, error):
    write(path, "old")
    with pytest.raises(error), whole(path) as (part,):  # noqa: PT012
        write(part, "new")
        raise error
    assert read(path) == {"old"}
    assert os.listdir(path.parent) == [path.name]


def test_a_failed_rename_leaves_what_was_there(path, monkeypatch):
    write(path, "old")
    replace = os.replace

    def refuse(source, target):
        if str(target) == str(path) and ".replaced-" not in str(source):
            raise PermissionError("no")
        replace(source, target)

    with pytest.raises(PermissionError), whole(path) as (part,):  # noqa: PT012
        write(part, "new")
        monkeypatch.setattr(os, "replace", refuse)
    assert read(path) == {"old"}
    assert os.listdir(path.parent) == [path.name]


def test_it_is_on_the_disk_before_it_has_its_name(path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: (events.append("fsync"), fsync(file)))
    monkeypatch.setattr(os, "replace", lambda *ab: (events.append("rename"), replace(*ab)))
    with whole(path) as (part,):
        write(part, "new")
    assert events == ["fsync"] * (1 if path.suffix else 2) + ["rename"]


def test_several_files_appear_together(tmp_path):
    paths = tmp_path / "a.rec", tmp_path / "a.idx"
    with pytest.raises(FileNotFoundError), whole(*paths) as parts:
        write(parts[0], "one of two")
    assert os.listdir(tmp_path) == []
    with whole(*paths) as parts:
        for part in parts:
            write(part, "both")
    assert [read(path) for path in paths] == [{"both"}, {"both"}]


def test_what_a_killed_writer_left_is_removed(path):
    part = whole(path).__enter__()[0]
    write(part, "half")
    remove_unfinished(path.parent)
    assert os.listdir(path.parent) == []


def test_a_folder_survives_a_kill_between_two_renames(tmp_path, monkeypatch):
    """It lies beside its place, under a name that no later writer removes."""
    path = tmp_path / "folder"
    write(path, "old")
    replace, killed = os.replace, []

    def kill(source, target):
        if killed or str(target) == str(path):
            killed.append(True)
            raise SystemExit
        replace(source, target)

    monkeypatch.setattr(os, "replace", kill)
    with pytest.raises(SystemExit), whole(path) as (part,):
        write(part, "new")
    monkeypatch.undo()
    remove_unfinished(tmp_path)
    (left,) = tmp_path.iterdir()
    assert read(left) == {"old"}
    with whole(path) as (part,):
        write(part, "newer")
    assert read(path) == {"newer"} and read(left) == {"old"}
