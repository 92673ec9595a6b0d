"""One run: a front end trained with a seed, and tested."""

import json
import time

import keras
import numpy as np

from keras_resample import callbacks, metrics
from keras_resample.compare import front_ends
from keras_resample.compare.engine.flops import gflops
from keras_resample.compare.engine.progress import ProgressCallback
from keras_resample.compare.engine.results import atomic, checkpoints, finite
from keras_resample.metrics.verification.all_pairs import bounded_pairs

# False accept rates of the table; 1e-4 to 1e-6 are those of the paper.
FARS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
TEST_BATCH = 64


def run_name(front_end, seed):
    """Name of a run for people."""
    return f"{front_end}, seed {seed}"


def folder_name(front_end, seed):
    """Name of a run's folder."""
    return f"{front_end.lower().replace(' ', '_')}-seed{seed}"


def train(front_end, seed, settings, data, store, progress):
    """Trains and tests one run, from its last checkpoint if there is one.

    Writes the recognizer, the test embeddings and the numbers into the folder of the run.
    """
    folder = store.run_folder(folder_name(front_end, seed))
    recognizer = front_ends.build(
        front_end, settings, data.image_shape, data.train.num_classes, seed
    )
    steps = len(data.train) * settings.epochs
    schedule = keras.optimizers.schedules.CosineDecay(settings.learning_rate, steps)
    recognizer.compile(optimizer=keras.optimizers.Adam(schedule))
    # A checkpoint needs the optimizer's variables; inside the first step they take longer to make.
    recognizer.build((None, *data.image_shape))
    recognizer.optimizer.build(recognizer.trainable_variables)

    saver = _Checkpoint(folder)
    epochs_done = saver.restore(recognizer)
    data.train.seed, data.train.epoch = seed, epochs_done
    progress.skip(run_name(front_end, seed), epochs_done)
    recognizer.fit(
        data.train,
        epochs=settings.epochs,
        initial_epoch=epochs_done,
        # The dataset's own order is a function of seed and epoch, so all front ends share it.
        shuffle=False,
        verbose=0,
        callbacks=[
            *([callbacks.JacobianLogger()] if front_end in front_ends.LEARNED else []),
            ProgressCallback(progress, run_name(front_end, seed)),
            saver,
        ],
    )

    embeddings = recognizer.encoder.predict(data.test_images, batch_size=TEST_BATCH, verbose=0)
    with atomic(folder / "model.keras") as path:
        recognizer.save(path)
    record = {
        "front_end": front_end,
        "seed": seed,
        "gflops": gflops(recognizer.encoder),
        "parameters": recognizer.encoder.count_params(),
        "encoder_input": _encoder_input(recognizer.encoder, data.image_shape),
        **verification(embeddings, data.test_labels),
        # Of the last epoch, and only where a grid is learned.
        "folded_cells": saver.history[-1].get("folded_cells"),
        "jacobian_min": saver.history[-1].get("jacobian_min"),
        "history": saver.history,
    }
    store.finish(folder_name(front_end, seed), record, {"embeddings": embeddings.astype("float32")})


def verification(embeddings, labels):
    """TAR at each of `FARS` and EER over all pairs of test images.

    A rate below one impostor pair cannot be measured and is NaN, as everything is for embeddings
    that are not finite.

    Returns:
        dict with "eer" and "tar", a dict from the text of each rate.
    """
    if not np.isfinite(embeddings).all():
        return {"eer": np.nan, "tar": dict.fromkeys(map(_text, FARS), np.nan)}
    scores, same, counts = bounded_pairs(embeddings, labels)
    tars = metrics.tar_at_far(scores, same, FARS, counts=counts)
    return {
        "eer": metrics.eer(scores, same, counts),
        "tar": {_text(far): float(tar) for far, tar in zip(FARS, tars, strict=True)},
    }


def _text(far):
    """A rate as the papers write it: 1e-4."""
    return f"{far:.0e}".replace("e-0", "e-")


def _encoder_input(encoder, image_shape):
    sampler = front_ends.sampler(encoder)
    height, width = image_shape[:2]
    return list((height, width) if sampler is None else sampler.target_size(height, width))


class _Checkpoint(keras.callbacks.Callback):
    """After each epoch the weights, the optimizer's state and the logs, each in one rename."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder
        self.history = []

    def restore(self, recognizer):
        """Loads the last checkpoint; returns the number of epochs it has seen."""
        found = checkpoints(self.folder)
        if not found:
            return 0
        recognizer.load_weights(found[-1])
        epochs = int(found[-1].name.split("_")[1].split(".")[0])
        history = json.loads((self.folder / "history.json").read_text(encoding="utf-8"))
        self.history = history[:epochs]
        return epochs

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.started
        self.history.append({**{k: float(v) for k, v in (logs or {}).items()}, "seconds": seconds})
        with atomic(self.folder / "history.json") as path:
            path.write_text(json.dumps(finite(self.history)), encoding="utf-8")
        earlier = checkpoints(self.folder)
        with atomic(self.folder / f"epoch_{epoch + 1:05}.weights.h5") as path:
            self.model.save_weights(path)
        for checkpoint in earlier:
            checkpoint.unlink()
