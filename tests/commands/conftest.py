"""Files of small models, and images that they read."""

import keras
import numpy as np
import pytest
from PIL import Image

import keras_resample as kr
from keras_resample.commands.dispatch import main

SIZE = (6, 5)


def encoder_of(size=SIZE, first=None, dim=4):
    """An encoder, which `first` makes of its images before anything else."""
    keras.utils.set_random_seed(0)
    images = keras.Input((*size, 3))
    x = images if first is None else first(images)
    x = keras.layers.Conv2D(3, 3, activation="tanh", data_format="channels_last")(x)
    pooling = keras.layers.GlobalAveragePooling2D(data_format="channels_last")
    x = keras.layers.Flatten()(x) if size == SIZE else pooling(x)
    return keras.Model(images, keras.layers.Dense(dim)(x))


def recognizer_of(encoder):
    recognizer = kr.models.Recognizer(encoder, kr.heads.ArcFace(3))
    recognizer.build((None, *SIZE, 3))
    return recognizer


def saved(model, path):
    model.save(path)
    return str(path)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """dict of the paths of an encoder, a Recognizer and a Verifier of the same weights."""
    folder = tmp_path_factory.mktemp("models")
    encoder = encoder_of()
    models = {
        "encoder": encoder,
        "recognizer": recognizer_of(encoder),
        "verifier": kr.models.Verifier(encoder, threshold=0.41),
    }
    return {name: saved(model, folder / f"{name}.keras") for name, model in models.items()}


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    """A folder of image files of several sizes, in folders, among others."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    sizes = {"z.png": (9, 8), "a.jpg": (20, 17), "b/c.png": SIZE, "b/.d.png": SIZE}
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (*size, 3), dtype="uint8")).save(path)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.fixture(scope="session")
def paths(images):
    """The image files in the order in which a command reads them."""
    return [str(images / name) for name in ("a.jpg", "z.png", "b/c.png")]


@pytest.fixture
def said(capsys):
    """Function of the words of a command that returns its status and what it printed."""

    def say(*words):
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = end.code
        return status, "".join(capsys.readouterr())

    return say
