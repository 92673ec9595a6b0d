"""The command line: which command, its options, what is wrong with them, and how it ends."""

import dataclasses
import os
import subprocess
import sys

import keras
import pytest

import keras_resample
from keras_resample.commands import dispatch
from keras_resample.commands.dispatch import COMMANDS, in_words, main
from keras_resample.commands.embed import Embed
from keras_resample.commands.export import Export
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.engine.settings import flag, word


def test_help_lists_compare_first(said):
    status, text = said("--help")
    places = [text.index(f"\n    {name} ") for name in ("compare", *COMMANDS)]
    assert status == 0 and places == sorted(places)


def test_version(said):
    assert said("--version") == (0, f"keras_resample {keras_resample.__version__}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_tells_every_word_and_default(name, said):
    status, text = said(name, "--help")
    text = " ".join(text.split())
    assert status == 0 and "%" not in text and "MISSING" not in text and "Exit status: 0" in text
    for field in dataclasses.fields(COMMANDS[name]):
        assert (
            word(field.name, COMMANDS[name]) if field.metadata["place"] else flag(field)
        ) in text
        if isinstance(field.default, (int, float)) and not isinstance(field.default, bool):
            assert f"(default: {field.default})" in text


def test_options_become_fields(files, images, tmp_path):
    out = str(tmp_path / "rows.npz")
    given = dispatch.read(["embed", files["encoder"], str(images), "--out", out, "--batch-size=3"])
    assert given == Embed(model=files["encoder"], images=str(images), out=out, batch_size=3)
    words = "--image-size 6x5 --scale 2 --offset -1 --endpoints serving_default --no-check"
    given = dispatch.read(["export", files["encoder"], "served/1", *words.split()])
    expected = {"image_size": (6, 5), "scale": 2.0, "offset": -1.0, "check": False}
    expected["endpoints"] = ("serving_default",)
    assert given == Export(model=files["encoder"], folder="served/1", **expected)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("compair", "there is no command compair; did you mean compare?"),
        ("x", "there is no command x; --help lists all."),
        ("", "the following arguments are required: COMMAND"),
        ("--x export", "python -m keras_resample: error:"),
        ("export {model} out/1 --ofset 1", "export has no option --ofset; did you mean --offset?"),
        ("export {model} out/1 --image-size 9", "--image-size must be HEIGHTxWIDTH in pixels"),
        ("export {model} out/1 --scale x", "--scale must be a number. Received: --scale x"),
        ("export {model} out/1 --max-pixels 0", "--max-pixels must be an integer of at least 1"),
        ("export gone.keras out/1", "MODEL must be an existing file. Received: MODEL gone.keras"),
        ("export {image} out/1", "MODEL must be a .keras file"),
        ("export {model}", "the following arguments are required: FOLDER"),
        (
            "export {model} out/1 --backend theano",
            "--backend must be one of tensorflow, jax, torch",
        ),
        ("export {model} out/1 --custom-modules a/b", "must be names of modules"),
        ("check gone {model}", "FOLDER must be an existing folder. Received: FOLDER gone"),
        ("check {images} {model} --tolerance -1", "--tolerance must be a number of at least 0"),
        ("embed {model} gone.png --out x.npz", "IMAGE must be image files, or folders of such"),
        ("embed {model} {image}", "the following arguments are required: --out"),
        ("embed {model} {image} --out x.txt", "--out must be a file that ends in .npz or .csv"),
        ("embed {model} {image} --out no/x.npz", "--out must be in a folder that exists"),
        ("embed {model} {image} --out x.npz --batch-size 0", "--batch-size must be an integer of"),
        ("embed {model} {image} --out x.npz --value-range 1 0", "two numbers, the lower first"),
        ("embed {model} {image} --out x.npz --value-range 0,1 2", "without commas"),
        ("verify {model} {image} gone.png", "SECOND must be an existing file"),
        ("verify {model} {image} {image} --threshold 2", "--threshold must be a number in [-1, 1]"),
    ],
)
def test_a_wrong_word_is_named(words, message, said, files, images):
    places = {"model": files["encoder"], "images": images, "image": images / "z.png"}
    status, text = said(*words.format(**places).split())
    assert status == 2 and message in text and "Traceback" not in text


def test_words_behind_two_dashes_are_no_options(said, files, tmp_path):
    out = tmp_path / "rows.npz"
    status, text = said("embed", "--out", out, "--", files["encoder"], "--gone.png")
    assert status == 2 and "that exist. Received: IMAGE --gone.png" in text


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "Stopped."),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (MemoryError(), 1, "out of memory"),
        (RuntimeError("The SavedModel could not be loaded"), 1, "could not be loaded"),
        (ValueError("`value_range` must be other"), 2, "error: --value-range must be other"),
        (ImportError("needs Pillow"), 2, "needs Pillow"),
        (SettingError("images", "must be others", "x.png"), 2, "Received: IMAGE x.png"),
        (SettingError("flip", "must be left out", True), 2, "Received: --flip\n"),
    ],
)
def test_how_a_command_ends(error, status, message, said, files, images, tmp_path, monkeypatch):
    def fail(command):
        raise error

    monkeypatch.setattr(Embed, "run", fail)
    words = ("embed", files["encoder"], images, "--out", tmp_path / "rows.npz")
    found, text = said(*words)
    assert found == status and message in text and "Traceback" not in text


def test_errors_of_functions_become_words(files):
    command = Export(model=files["encoder"], folder="served/1")
    told = {
        "`image_size` must be (6, 5). Received: image_size=(8, 9)": "--image-size must be (6, 5). "
        "Received: --image-size 8 9",
        "Pass overwrite=True. Received: path='a/1'": "Pass --overwrite. Received: FOLDER 'a/1'",
        "Received: path='served/.unfinished-71-1'": "Received: FOLDER 'served/1'",
        "my_scale=1, `scaled`, scale=None": "my_scale=1, `scaled`, --scale None",
    }
    assert {text: in_words(text, command) for text in told} == told


def test_another_backend_starts_the_program_again(files, images, tmp_path, monkeypatch):
    started = []

    def execve(*arguments):
        started.append(arguments)
        raise SystemExit

    monkeypatch.setattr(os, "execve", execve)
    other = "jax" if keras.backend.backend() != "jax" else "torch"
    out = str(tmp_path / "rows.npz")
    arguments = ["embed", files["encoder"], str(images), "--out", out, "--backend", other]
    with pytest.raises(SystemExit):
        main(arguments)
    program, line, environment = started[0]
    assert line == [program, "-m", "keras_resample", *arguments]
    assert environment["KERAS_BACKEND"] == other


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--help"], 0),
        (["embed", "--help"], 0),
        (["export", "gone.keras", "out/1"], 2),
        (["verify", "--treshold", "1"], 2),
    ],
)
def test_no_framework_is_imported_before_the_words_are_understood(words, status):
    line = [sys.executable, "-X", "importtime", "-m", "keras_resample", *words]
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(keras_resample.__path__[0])}
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.returncode == status
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "keras_resample.commands.dispatch" in imported
    assert not imported & {"keras", "tensorflow", "jax", "torch"}
