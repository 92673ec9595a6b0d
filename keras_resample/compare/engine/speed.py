"""Images per second of models, measured side by side."""

import time

import keras
import numpy as np

CALLS = 15
SECONDS = 20.0


def measure(timed, calls=CALLS):
    """Speed of inference, from images in memory to results in memory.

    The models take turns, batch after batch, so that a change of the machine's load meets all
    of them. The number is the median over the turns. No turn begins after 20 seconds, but for the
    first three.

    Args:
        timed: dict from a label to a dict from the name of a part to `(model, batch)`, or to
            None where there is nothing to time. A batch is an array, or a dict of arrays.
        calls: turns.

    Returns:
        The same dicts with images per second, or None.
    """
    models = {
        (label, part): pair
        for label, parts in timed.items()
        for part, pair in parts.items()
        if pair is not None
    }
    for model, batch in models.values():
        model.predict_on_batch(batch)
    taken = {key: [] for key in models}
    started = time.perf_counter()
    for turn in range(calls):
        if turn > 2 and time.perf_counter() - started > SECONDS:
            break
        for key, (model, batch) in models.items():
            before = time.perf_counter()
            model.predict_on_batch(batch)
            taken[key].append(time.perf_counter() - before)
    images = {key: len(keras.tree.flatten(batch)[0]) for key, (_, batch) in models.items()}
    rates = {key: images[key] / float(np.median(seconds)) for key, seconds in taken.items()}
    return {
        label: {part: rates.get((label, part)) for part in parts} for label, parts in timed.items()
    }
