"""The picture of the README is drawn by its script."""

import importlib.util
import os
import pathlib

import keras
import pytest
from PIL import Image

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "examples/draw_where_it_looks.py"
# Nothing in it depends on the backend: of a run on several, the last one draws.
BACKENDS = os.environ.get("KERAS_RESAMPLE_EXCHANGE_BACKENDS", keras.backend.backend()).split(",")


@pytest.mark.skipif(keras.backend.backend() != BACKENDS[-1], reason="one backend draws")
def test_it_writes_the_picture(tmp_path):
    spec = importlib.util.spec_from_file_location(SCRIPT.stem, SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    out = tmp_path / "picture.png"
    script.main(f"--identities 2 --images-per-identity 2 --epochs 1 --out {out}".split())
    width, height = Image.open(out).size
    assert width > 2 * height > 0
