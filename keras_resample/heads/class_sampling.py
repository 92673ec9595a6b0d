"""Which classes a step of a sampled softmax computes."""

import keras
from keras import ops

from keras_resample.backend.compiling import one_program

# The logit of a class that takes no part: its probability is 0 in float32, its gradient too.
ABSENT = -1e9


def sample_classes(labels, num_classes, rate, seed):
    """All classes of the labels, and as many others as the rate leaves room for.

    The number of places is static: `int(rate * num_classes)`, or the size of the batch if that is
    more. As many as the rate says are filled, by the positives first and then by negatives drawn
    uniformly without repetition; if the positives are more, by them alone.

    Args:
        labels: int32 (b,), in [0, num_classes).
        num_classes: Number of all classes.
        rate: Fraction of them, in (0, 1).
        seed: A `keras.random.SeedGenerator`.

    Returns:
        The classes int32 (n,), which of these places are filled, bool (n,), and the place of each
        label, int32 (b,).
    """
    random = keras.random.uniform((num_classes,), seed=seed, dtype="float32")
    wanted = int(rate * num_classes)
    return choose_classes(labels, random, num_classes=num_classes, wanted=wanted)


@one_program
def choose_classes(labels, random, *, num_classes, wanted):
    """`sample_classes` with given random numbers (num_classes,) in [0, 1)."""
    batch = ops.shape(labels)[0]
    if isinstance(batch, int):
        places = max(wanted, min(batch, num_classes))
    else:
        places = ops.maximum(wanted, ops.minimum(batch, num_classes))
    score = ops.scatter_update(random, labels[:, None], 2.0 * ops.ones_like(labels, "float32"))
    best, classes = ops.top_k(score, places, sorted=True)
    classes = ops.cast(classes, "int32")
    order = ops.arange(places, dtype="int32")
    place_of = ops.scatter_update(ops.zeros((num_classes,), dtype="int32"), classes[:, None], order)
    filled = ops.logical_or(order < wanted, best > 1.0)
    return classes, filled, ops.take(place_of, labels, axis=0)


@one_program
def spread(logits, classes, *, num_classes):
    """Logits (b, n) of some classes as logits (b, num_classes), `ABSENT` elsewhere."""
    full = ops.full((num_classes, ops.shape(logits)[0]), ABSENT, dtype="float32")
    return ops.transpose(ops.scatter_update(full, classes[:, None], ops.transpose(logits)))
