"""Comparisons that end in seconds."""

import functools
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_resample import datasets, models
from keras_resample.compare import compare
from keras_resample.compare.engine import run as engine
from keras_resample.compare.engine import speed
from keras_resample.compare.engine.progress import Progress
from keras_resample.compare.keypoints import networks as keypoint_networks
from keras_resample.compare.recognition import front_ends, task
from keras_resample.compare.regions import networks as region_networks
from keras_resample.compare.resolutions import networks as resolution_networks
from keras_resample.compare.segmentation import networks

TINY = {"depths": (1,), "filters": (4,), "embedding_dim": 8}
# With maps of a half and a quarter of the side.
TINY_STAGES = {"depths": (1, 1), "filters": (4, 6), "embedding_dim": 8}


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    """An .npz of 8 x 8 images: 6 identities, 5 images of each."""
    images, labels = datasets.digits().arrays()
    chosen = np.concatenate([np.flatnonzero(labels == label)[:5] for label in range(6)])
    path = tmp_path_factory.mktemp("data") / "digits.npz"
    np.savez(path, images=images[chosen], labels=labels[chosen])
    return path


def tiny_unet(input_shape, num_classes, width):
    """In place of the U-Net, whose steps take long to compile."""
    images = keras.Input(input_shape)
    x = keras.layers.Conv2D(width, 3, padding="same")(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(images, keras.layers.Conv2D(num_classes, 1)(x))


def shorten(monkeypatch):
    """Makes the networks tiny and the measurement of speed short."""
    monkeypatch.setattr(front_ends, "SMALL", TINY)
    monkeypatch.setattr(resolution_networks, "SMALL", TINY_STAGES)
    monkeypatch.setattr(networks, "unet", tiny_unet)
    monkeypatch.setattr(task, "SPEED_BATCH", 4)
    monkeypatch.setattr(speed.measure, "__defaults__", (2,))
    without_graphs(monkeypatch)


def without_graphs(monkeypatch):
    """Spares TensorFlow the tracing, which takes longer than a few steps."""
    if keras.backend.backend() == "tensorflow":
        for model in (models.Recognizer, models.Segmenter, models.BranchTrainer):
            eager = functools.partialmethod(model.compile, run_eagerly=True)
            monkeypatch.setattr(model, "compile", eager)
        for networks_of_a_task in (region_networks, keypoint_networks):
            build = functools.partial(built_without_graphs, build=networks_of_a_task.build)
            monkeypatch.setattr(networks_of_a_task, "build", build)


def built_without_graphs(*args, build):
    network = build(*args)
    network.compile = functools.partial(network.compile, run_eagerly=True)
    return network


def without_pictures(monkeypatch):
    """Spares a comparison the drawing, which takes longer than its tiny trainings."""
    monkeypatch.setattr(engine, "_figures", lambda *args: [])


def stopped_and_continued(settings, name):
    """A comparison that was stopped in the middle of the run `name`, and continued.

    Returns:
        dict of "out", its folder, "lines", what it said, and "results".
    """
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        with patch.context() as stopped:
            stop_at(stopped, name, 1.5)
            with pytest.raises(KeyboardInterrupt):
                compare(settings, lines.append)
        results = compare(settings, lines.append)
    return {"out": Path(settings.out), "lines": lines, "results": results}


def stop_at(monkeypatch, name, epochs):
    """Interrupts the run `name` after so many epochs."""
    update = Progress.update

    def stopping(self, run, epochs_done, loss=None):
        update(self, run, epochs_done, loss)
        if run == name and epochs_done >= epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "update", stopping)
