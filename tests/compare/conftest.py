"""A comparison that ends in seconds."""

import functools

import numpy as np
import pytest

from keras_resample import datasets
from keras_resample.compare import front_ends, speed

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


def shorten(monkeypatch):
    monkeypatch.setattr(front_ends, "SMALL", TINY)
    monkeypatch.setattr(speed, "measure", functools.partial(speed.measure, batch=4, calls=2))
