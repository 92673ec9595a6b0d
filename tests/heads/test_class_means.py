"""Classifiers that are the mean embeddings of their classes."""

import numpy as np
import pytest

import keras_resample as kr
from tests.heads.test_every_head import made
from tests.numerics import assert_close, to_numpy

RANDOM = np.random.default_rng(0)
EMBEDDINGS = RANDOM.normal(size=(20, 8)).astype("float32")
LABELS = RANDOM.permutation(np.arange(20) % 6)


def by_a_loop():
    means = []
    for label in range(6):
        mean = np.mean([e for e, own in zip(EMBEDDINGS, LABELS, strict=True) if own == label], 0)
        means.append(mean / np.linalg.norm(mean))
    return np.stack(means)


@pytest.mark.parametrize("options", [{}, {"sample_rate": 0.5}, {"subcenters": 3}], ids=str)
@pytest.mark.parametrize("name", ["norm", "a-softmax", "curricular", "mag", "ada"])
def test_directions_are_the_means_of_a_loop(name, options):
    head = made(name, 6, **options)
    head.set_class_means(EMBEDDINGS, LABELS)
    kernel = to_numpy(head.kernel).reshape(6, -1, 8)
    for center in range(kernel.shape[1]):
        assert_close(kernel[:, center], by_a_loop(), 1e-6)


def test_a_head_that_learned_something_forgets_it():
    head = kr.heads.ArcFace(6, scale=10.0)
    head.build((None, 8))
    head.set_class_means(EMBEDDINGS, LABELS[:, None])
    units = EMBEDDINGS / np.linalg.norm(EMBEDDINGS, axis=1, keepdims=True)
    assert_close(head(EMBEDDINGS), 10 * units @ by_a_loop().T, 1e-5)
    assert float(kr.losses.InfluenceLoss(head)(LABELS, EMBEDDINGS)) > 0


@pytest.mark.in_turn
@pytest.mark.parametrize(
    "embeddings, labels, message",
    [
        (EMBEDDINGS[0], LABELS, "`embeddings` must be a finite array"),
        (np.where(LABELS[:, None] == 2, np.nan, EMBEDDINGS), LABELS, "must be a finite array"),
        (np.where(LABELS[:, None] == 2, 0, EMBEDDINGS), LABELS, r"zeros for the classes \[2\]"),
        (EMBEDDINGS, LABELS[1:], "one entry per embedding"),
        (EMBEDDINGS, LABELS + 1, r"in \[0, num_classes\)"),
        (EMBEDDINGS, LABELS * 1.0, "`labels` must be integers"),
        (EMBEDDINGS, np.where(LABELS == 3, 1, LABELS), r"`labels` must hold .* none of \[3\]"),
    ],
)
def test_mistakes_are_named(embeddings, labels, message):
    with pytest.raises(ValueError, match=message):
        kr.heads.ArcFace(6).set_class_means(embeddings, labels)


def test_embeddings_of_another_length():
    head = kr.heads.ArcFace(6)
    head.build((None, 5))
    with pytest.raises(ValueError, match="must have 5 components"):
        head.set_class_means(EMBEDDINGS, LABELS)
