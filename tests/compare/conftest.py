"""A comparison that ends in seconds."""

import functools

import keras
import numpy as np
import pytest

from keras_resample import datasets, models
from keras_resample.compare import front_ends
from keras_resample.compare.engine import speed

TINY = {"depths": (1,), "filters": (4,), "embedding_dim": 8}


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """An .npz of 8 x 8 images: 6 identities, 5 images of each."""
    images, labels = datasets.digits().arrays()
    chosen = np.concatenate([np.flatnonzero(labels == label)[:5] for label in range(6)])
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(path, images=images[chosen], labels=labels[chosen])
    return path


@pytest.fixture
def tiny(monkeypatch):
    """Makes the small encoder tiny and the measurement of speed short."""
    shorten(monkeypatch)


def without_graphs(monkeypatch):
    """Spares TensorFlow the tracing, which takes longer than these few steps."""
    if keras.backend.backend() == "tensorflow":
        compile_ = functools.partialmethod(models.Recognizer.compile, run_eagerly=True)
        monkeypatch.setattr(models.Recognizer, "compile", compile_)


def shorten(monkeypatch):
    monkeypatch.setattr(front_ends, "SMALL", TINY)
    monkeypatch.setattr(speed, "measure", functools.partial(speed.measure, batch=4, calls=2))
