"""An interrupted training goes on after its last whole epoch."""

import json
import time

import keras

from keras_resample.compare.engine.store import checkpoints, finite
from keras_resample.files import whole


class Checkpoint(keras.callbacks.Callback):
    """After each epoch the weights, the optimizer's state and the logs, each in one rename.

    Args:
        folder: folder of the run.

    Attributes:
        history: list of a dict for each epoch: its logs, and its "seconds".
    """

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.history = []

    def restore(self, model):
        """Loads the last checkpoint; returns the number of epochs it has seen."""
        found = checkpoints(self.folder)
        if not found:
            return 0
        model.load_weights(found[-1])
        epochs = int(found[-1].name.split("_")[1].split(".")[0])
        history = json.loads((self.folder / "history.json").read_text(encoding="utf-8"))
        self.history = history[:epochs]
        return epochs

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.started
        self.history.append({**{k: float(v) for k, v in (logs or {}).items()}, "seconds": seconds})
        with whole(self.folder / "history.json") as (path,):
            path.write_text(json.dumps(finite(self.history)), encoding="utf-8")
        earlier = checkpoints(self.folder)
        with whole(self.folder / f"epoch_{epoch + 1:05}.weights.h5") as (path,):
            self.model.save_weights(path)
        for checkpoint in earlier:
            checkpoint.unlink()
