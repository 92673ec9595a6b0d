"""The command line: options, exit statuses, and the choice of the backend."""

import dataclasses
import os
import runpy
import subprocess
import sys

import keras
import pytest

import keras_resample
from keras_resample import program
from keras_resample.compare import (
    KeypointSettings,
    RegionSettings,
    ResolutionSettings,
    SegmentationSettings,
    Settings,
    command,
    startup,
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--factor", "0"], "--factor must be a number in (0, 1]. Received: --factor 0"),
        (["--factor", "abc"], "--factor must be a number in (0, 1]. Received: --factor abc"),
        (["--size", "64", "x"], "--size must be two positive integers, height and width in pixels"),
        (["--batch-size", "1"], "--batch-size must be an integer of at least 2"),
        (["--images", "/no/such"], "--images must exist: a folder or an .npz file"),
        (["--backend", "theano"], "--backend must be one of tensorflow, jax, torch"),
        (["--identities", "3"], "--identities must be an integer of at least 4"),
        (["--seeds", "0,1"], "Received: --seeds 0,1 (several words stand apart, without commas)"),
        (["--front-ends", "zoom"], "--front-ends must be different ones of uniform"),
        (["segmentation", "--sizes", "24"], "must be different sizes, each HEIGHTxWIDTH"),
        (["segmentation", "--scene-size", "0x5"], "compare segmentation: error: --scene-size must"),
        (["segmentation", "--methods", "joints"], "must be different ones of uniform"),
        (["regions", "--k", "x"], "--k must be different numbers of at least 0"),
        (["segmentation", "--factor", "0.5"], "--factor"),
        (["--factor", "0.5", "segmentation"], "the task comes first"),
        (["detection"], "invalid choice: 'detection'"),
        (["--factr", "0.5"], "no option --factr; did you mean --factor?"),
        (["--xyz=1"], "recognition has no option --xyz; --help lists all."),
    ],
)
def test_a_wrong_option_is_named(options, message, capsys):
    with pytest.raises(SystemExit) as raised:
        command.main(["compare", *options])
    assert raised.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        ([], Settings),
        (["segmentation"], SegmentationSettings),
        (["regions"], RegionSettings),
        (["keypoints"], KeypointSettings),
        (["resolutions"], ResolutionSettings),
    ],
)
def test_help_tells_every_option_and_default(words, settings, capsys):
    with pytest.raises(SystemExit) as raised:
        command.main(["compare", *words, "--help"])
    assert raised.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for field in dataclasses.fields(settings):
        off = "no-" if field.default is True else ""
        assert f"--{off}{field.name.replace('_', '-')}" in text
    assert "%" not in text
    seeds = " ".join(map(str, settings().seeds))
    rate = f"(default: {settings().learning_rate:g})"
    for default in (rate, f"(default: {settings().out})", f"(default: {seeds})"):
        assert default in text


def test_options_become_settings():
    assert command.read(["compare"]) == Settings()
    given = command.read(["compare", "recognition", "--factor", "0.5", "--seeds", "0", "1"])
    assert given == Settings(factor=0.5, seeds=(0, 1))
    words = "--sizes 8x12 4x6 --methods joint uniform --balance --report --blur-radii 1"
    assert command.read(["compare", "segmentation", *words.split()]) == SegmentationSettings(
        sizes=[(8, 12), (4, 6)],
        methods=["joint", "uniform"],
        balance=True,
        report=True,
        blur_radii=[1],
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device"), 1),
        (command.SettingError("out", "must be a folder", "x"), 2),
    ],
)
@pytest.mark.parametrize("task", [[], ["segmentation"]])
def test_a_stopped_comparison_says_how_to_go_on(task, error, status, monkeypatch, tmp_path, capsys):
    def stop(settings):
        raise error

    monkeypatch.setattr(command, "compare", stop)
    monkeypatch.setattr(command, "start", lambda *args: None)
    out = str(tmp_path / "my out")
    assert command.main(["compare", *task, "--out", out, "--overwrite"]) == status
    printed = "".join(capsys.readouterr())
    if status != 2:
        # Overwriting once is enough.
        words = " ".join(["python -m keras_resample compare", *task])
        assert f"{words} --out '{out}'\n" in printed
    else:
        assert "--out must be a folder. Received: --out x" in printed


def test_another_backend_starts_the_program_again(monkeypatch):
    started = []

    def execve(*arguments):
        started.append(arguments)
        raise SystemExit

    monkeypatch.setattr(os, "execve", execve)
    other = "jax" if keras.backend.backend() != "jax" else "torch"
    arguments = ["compare", "--backend", other]
    with pytest.raises(SystemExit):
        startup.start(Settings(backend=other), arguments)
    program, line, environment = started[0]
    assert line == [program, "-m", "keras_resample", *arguments]
    assert environment["KERAS_BACKEND"] == other


def test_before_keras_is_imported_the_backend_is_only_named(monkeypatch, tmp_path):
    (tmp_path / "keras.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    monkeypatch.setattr(os, "execve", pytest.fail)
    startup.start(Settings(), [])
    assert os.environ["KERAS_BACKEND"] == "torch"
    monkeypatch.delitem(sys.modules, "keras")
    startup.start(Settings(backend="jax"), [])
    assert os.environ["KERAS_BACKEND"] == "jax"


def test_a_backend_that_keras_is_configured_for_and_that_is_missing_is_named(monkeypatch, tmp_path):
    missing = "raise ModuleNotFoundError('No module named', name='tensorflow')"
    (tmp_path / "keras.py").write_text(missing)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "keras")
    with pytest.raises(command.SettingError, match="`backend` must be one that is installed"):
        startup.start(Settings(), [])


def test_the_running_backend_goes_on(monkeypatch):
    monkeypatch.setenv(startup.LOG_LEVEL, "3")
    monkeypatch.setattr(os, "execve", pytest.fail)
    startup.start(Settings(backend=keras.backend.backend()), [])
    startup.start(Settings(), [])


@pytest.mark.backends("torch", reason="no backend takes part")
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["compare", "segmentation", "--help"], 0),
        (["compair"], 2),
        (["compare", "--factr", "0.5"], 2),
        (["compare", "--images", "nowhere"], 2),
    ],
)
def test_no_framework_is_imported_before_the_words_are_understood(words, status):
    line = [sys.executable, "-X", "importtime", "-m", "keras_resample", *words]
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(keras_resample.__path__[0])}
    done = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert done.returncode == status
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "keras_resample.compare.command" in imported
    assert not imported & {"keras", "tensorflow", "jax", "torch"}


@pytest.mark.parametrize(
    ("seen", "whole_line", "expected"),
    [
        (["-m", "--help"], ["python", "-m", "keras_resample", "--help"], True),
        (["-m"], ["python", "-Im", "keras_resample"], True),
        (["-m", "keras_resample"], ["python", "-m", "mine", "keras_resample"], False),
        (["-m"], ["python", "-m", "keras_resample.compare"], False),
        (["-c"], ["python", "-c", "import keras_resample"], False),
        (["train.py"], ["python", "train.py", "-m", "keras_resample"], False),
        ([], [], False),
    ],
)
def test_only_the_command_leaves_the_package_for_later(seen, whole_line, expected, monkeypatch):
    monkeypatch.setattr(sys, "argv", seen)
    monkeypatch.setattr(sys, "orig_argv", whole_line)
    assert program.is_starting() is expected


def test_the_module_runs(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["keras_resample", "compare", "--factor", "2"])
    with pytest.raises(SystemExit) as raised:
        runpy.run_module("keras_resample", run_name="__main__")
    assert raised.value.code == 2
    assert "--factor must be a number in (0, 1]" in capsys.readouterr().err
