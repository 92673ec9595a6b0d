"""The picture of the README is drawn by its script."""

import importlib.util
import pathlib

import pytest
from PIL import Image

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "examples/draw_where_it_looks.py"

spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
script = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)


def test_it_writes_the_picture(tmp_path):
    out = tmp_path / "picture.png"
    script.main(f"--identities 2 --images-per-identity 2 --epochs 1 --out {out}".split())
    width, height = Image.open(out).size
    assert width > 2 * height > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--epochs 0", "must be a positive integer. Received: 0"),
        ("--out nowhere/picture.png", "in an existing folder. Received: nowhere/picture.png"),
        ("--out picture.txt", "must end in one of .png, "),
    ],
)
def test_what_cannot_be_drawn_is_said_before_anything_is_trained(
    words, message, monkeypatch, capsys
):
    monkeypatch.setattr(script, "trained_sampler", pytest.fail)
    with pytest.raises(SystemExit):
        script.main(words.split())
    assert message in capsys.readouterr().err
