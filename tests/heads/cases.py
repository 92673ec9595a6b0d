"""What the tests of the heads share: cases, a head as a function, and a loop for the cosines."""

import keras
import numpy as np

from tests.numerics import with_values


def head_with(head, kernel):
    """The head with this kernel (num_classes, dim)."""
    head.build((None, kernel.shape[1]))
    head.kernel.assign(kernel)
    return head


def cosines_of(embeddings, kernel):
    a, b = embeddings.astype("float64"), kernel.astype("float64")
    lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)
    return np.clip(a @ b.T / lengths, -1, 1)


def logits_of(head, labels, training=True):
    """The head as a function of embeddings and kernel, for gradients."""

    def fn(embeddings, kernel):
        return with_values(
            [head.kernel], [kernel], lambda: head(embeddings, labels=labels, training=training)
        )

    return fn


def loss_of(head, labels):
    fn = logits_of(head, labels)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return lambda *arrays: loss(labels, fn(*arrays))


def random_case(b=6, dim=5, classes=7, seed=0):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(b, dim)).astype("float32")
    kernel = rng.normal(size=(classes, dim)).astype("float32")
    return embeddings, kernel, rng.integers(0, classes, b).astype("int32")
