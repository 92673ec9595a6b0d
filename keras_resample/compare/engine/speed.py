"""Images per second of the front ends and of the whole encoders, measured side by side."""

import time

import keras
import numpy as np

from keras_resample.compare import front_ends

BATCH = 256
CALLS = 15
SECONDS = 20.0


def measure(encoders, images, batch=BATCH, calls=CALLS, seconds=SECONDS):
    """Speed of inference, from images in memory to results in memory.

    The encoders take turns, batch after batch, so that a change of the machine's load meets all
    of them. The number is the median over the turns.

    Args:
        encoders: dict from a name to an encoder made by `front_ends.build`.
        images: float32 (n, h, w, channels), repeated to fill a batch.
        batch: images in a batch.
        calls: turns.
        seconds: no further turn begins after this time.

    Returns:
        dict from each name to a dict with "front_end", images per second of the front end alone,
        `None` where there is none, and "encoder", of front end and network.
    """
    images = np.resize(images, (batch, *images.shape[1:]))
    models = {}
    for name, encoder in encoders.items():
        models[name, "encoder"] = encoder
        sampler = front_ends.sampler(encoder)
        if sampler is not None:
            models[name, "front_end"] = keras.Model(encoder.input, sampler.output)
    for model in models.values():
        model.predict_on_batch(images)
    taken = {key: [] for key in models}
    started = time.perf_counter()
    for turn in range(calls):
        if turn > 2 and time.perf_counter() - started > seconds:
            break
        for key, model in models.items():
            before = time.perf_counter()
            model.predict_on_batch(images)
            taken[key].append(time.perf_counter() - before)
    return {
        name: {
            part: batch / float(np.median(taken[name, part])) if (name, part) in taken else None
            for part in ("front_end", "encoder")
        }
        for name in encoders
    }
