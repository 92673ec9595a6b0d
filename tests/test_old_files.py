"""Files written by version 0.1.0 load, give their numbers, and train on (tests/old_files)."""

import pathlib

import keras
import numpy as np
import pytest

from tests.numerics import assert_close
from tests.old_files.write import images, labels, outputs

FOLDER = pathlib.Path(__file__).parent / "old_files"
NUMBERS = dict(np.load(FOLDER / "numbers.npz"))
NAMES = sorted(path.stem for path in FOLDER.glob("*.keras"))
# A step of one is compiled everywhere; those of the others run where none is compiled.
UNCOMPILED = pytest.mark.backends("torch")
TRAINED = [
    "recognizer_arcface",
    pytest.param("recognizer_adaface", marks=UNCOMPILED),
    pytest.param("recognizer_curricularface", marks=UNCOMPILED),
    pytest.param("segmenter", marks=UNCOMPILED),
]


def numbers(name, *keys):
    return [NUMBERS[f"{name}/{key}"] for key in keys]


@pytest.mark.parametrize("name", NAMES)
def test_outputs(name):
    found = outputs(keras.saving.load_model(FOLDER / f"{name}.keras"))
    expected = numbers(name, *range(len(found)))
    for y, wanted in zip(found, expected, strict=True):
        assert_close(y, wanted)


@pytest.mark.parametrize("name", TRAINED)
def test_next_step(name):
    """Training goes on from the optimizer's state and the head's statistics."""
    model = keras.saving.load_model(FOLDER / f"{name}.keras")
    loss, after = numbers(name, "loss", "next")
    assert_close(model.train_on_batch(images(), labels(model))[0], loss)
    assert_close(outputs(model)[0], after)


@pytest.mark.backends("tensorflow")
def test_saved_model():
    import tensorflow as tf

    served = tf.saved_model.load(FOLDER / "encoder" / "1")
    assert sorted(served.signatures) == ["serve_jpeg", "serving_default"]
    found = served.signatures["serving_default"](images=tf.constant(images(2)))
    assert_close(found["embedding"], NUMBERS["encoder"])
