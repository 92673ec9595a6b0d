"""Re-ranking against the dense loop of the published script, and what it may cost."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.metrics import ScoreBlocks, cmc, mean_average_precision, rerank
from keras_resample.metrics.identification import reciprocal
from keras_resample.metrics.verification import score_blocks

pytestmark = pytest.mark.backends("torch", reason="it is numpy, whatever the backend")


def search(p, g, seed=0, classes=8, noise=0.7, dim=16):
    """Embeddings of queries and gallery, of any length, and their labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, p + g)
    embeddings = rng.normal(size=(classes, dim))[labels] + noise * rng.normal(size=(p + g, dim))
    embeddings *= rng.uniform(0.1, 9, (p + g, 1))
    return embeddings[:p], embeddings[p:], labels[:p], labels[p:]


def matrix(*arguments, **named):
    return np.concatenate(list(rerank(*arguments, **named)))


def dense(query, gallery, k1, k2, lambda_value):
    """The final distance of the published script, in plain loops over the whole matrix."""
    features = np.concatenate([query, gallery])
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    n = len(features)
    original = np.array([[np.sum((a - b) ** 2) for b in features] for a in features])
    original = np.transpose(original / np.max(original, axis=0))
    initial_rank = np.argsort(original, axis=1, kind="stable")

    def reciprocal_of(i, k):
        return [j for j in initial_rank[i, : k + 1] if i in initial_rank[j, : k + 1]]

    encoded = np.zeros((n, n))
    for i in range(n):
        own = reciprocal_of(i, k1)
        expanded = set(own)
        for candidate in own:
            theirs = reciprocal_of(candidate, int(np.around(k1 / 2)))
            if len(set(theirs) & set(own)) > 2 / 3 * len(theirs):
                expanded |= set(theirs)
        members = sorted(expanded)
        weight = np.exp(-original[i, members])
        encoded[i, members] = weight / np.sum(weight)
    encoded = np.array([np.mean(encoded[initial_rank[i, :k2]], axis=0) for i in range(n)])
    jaccard = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            least = np.minimum(encoded[i], encoded[j]).sum()
            jaccard[i, j] = 1 - least / np.maximum(encoded[i], encoded[j]).sum()
    return jaccard * (1 - lambda_value) + original * lambda_value


@pytest.mark.parametrize(
    ("p", "g", "options"),
    [
        (7, 60, (20, 6, 0.3)),
        (5, 20, (6, 3, 0.3)),
        (10, 30, (5, 1, 0.0)),  # no averages; half of 5 is rounded to 2, as numpy does
        (6, 30, (1, 9, 0.5)),  # more averaged than neighbours
        (2, 4, (20, 6, 0.3)),  # fewer than k1
        (1, 1, (2, 2, 0.3)),
    ],
)
def test_the_dense_form(p, g, options):
    for seed in range(3):
        query, gallery, *_ = search(p, g, seed)
        expected = 1 - dense(query, gallery, *options)[:p, p:]
        np.testing.assert_allclose(matrix(query, gallery, *options), expected, atol=1e-6)
        short = matrix(query.astype("float32"), gallery.astype("float32"), *options)
        assert short.dtype == "float32"
        np.testing.assert_allclose(short, expected, atol=1e-5)


def test_a_set_that_is_its_own_gallery_stands_there_once():
    embeddings, none, *_ = search(30, 0)
    expected = 1 - dense(embeddings, none, 5, 3, 0.3)
    found = matrix(embeddings, k1=5, k2=3)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-6)
    assert not np.allclose(matrix(embeddings, embeddings, k1=5, k2=3), expected, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.integers(1, 400), st.integers(1, 9), st.integers(0, 99))
def test_the_highest_are_those_of_a_stable_sort(rows, columns, count, seed):
    count = min(count, columns)
    scores = np.random.default_rng(seed).integers(0, 9, (rows, columns)).astype("float32")
    expected = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(reciprocal.highest(scores, count), expected)


def test_ties_go_to_the_first_rows():
    vectors = np.eye(3, dtype="float32")[[0, 1, 0, 1, 0, 2]]
    neighbours, lowest = reciprocal.nearest(vectors, 3)
    assert neighbours.tolist() == [
        [0, 2, 4], [1, 3, 0], [2, 0, 4], [3, 1, 0], [4, 0, 2], [5, 0, 1],
    ]  # fmt: skip
    assert not lowest.any()


def test_blocks_give_the_numbers_of_the_matrix(monkeypatch):
    query, gallery, *_ = search(9, 40)
    expected = matrix(query, gallery, 5, 3)
    monkeypatch.setattr(score_blocks, "BLOCK", 100)
    monkeypatch.setattr(reciprocal, "ROWS", 7)
    scores = rerank(query, gallery, 5, 3)
    assert scores.shape == (9, 40) and len(list(scores)) == 5
    for _ in range(2):  # it can be read again
        np.testing.assert_allclose(np.concatenate(list(scores)), expected, atol=1e-12)


def test_lengths_and_the_order_of_the_rows_make_no_difference():
    query, gallery, *_ = search(6, 40)
    expected = matrix(query, gallery, 7, 3)
    rng = np.random.default_rng(1)
    rows, columns = rng.permutation(6), rng.permutation(40)
    moved = matrix(1e6 * query[rows], 1e-6 * gallery[columns], 7, 3)
    np.testing.assert_allclose(moved, expected[rows][:, columns], atol=1e-6)


def test_lambda_of_one_keeps_the_order_of_the_cosines():
    query, gallery, probe_labels, gallery_labels = search(20, 80)
    labels = probe_labels, gallery_labels
    expected = mean_average_precision(ScoreBlocks(query, gallery), *labels)
    same = rerank(query, gallery, lambda_value=1)
    assert mean_average_precision(same, *labels) == pytest.approx(expected)
    assert mean_average_precision(rerank(query, gallery), *labels) > expected


def test_metrics_take_it_with_cameras():
    query, gallery, *labels = search(12, 60, classes=5)
    rng = np.random.default_rng(2)
    arguments = *labels, rng.integers(0, 2, 12), rng.integers(0, 2, 60)
    scores, whole = rerank(query, gallery), matrix(query, gallery)
    assert mean_average_precision(scores, *arguments) == mean_average_precision(whole, *arguments)
    ranks = cmc(scores, *labels, (1, 5), *arguments[2:])
    np.testing.assert_array_equal(ranks, cmc(whole, *labels, (1, 5), *arguments[2:]))


def test_equal_and_empty_embeddings_have_finite_scores():
    np.testing.assert_allclose(matrix(np.ones((2, 4)), np.ones((30, 4))).max(), 1)
    query, gallery, *_ = search(3, 20)
    gallery[4] = query[1] = 0
    assert np.isfinite(matrix(query, gallery)).all()


def test_memory_is_that_of_the_neighbours(monkeypatch):
    query, gallery, *_ = search(20, 3980, classes=400, dim=8)
    monkeypatch.setattr(score_blocks, "BLOCK", 1 << 16)
    monkeypatch.setattr(reciprocal, "ROWS", 128)
    tracemalloc.start()
    for _ in rerank(query.astype("float32"), gallery.astype("float32")):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4000**2  # a quarter of one matrix in float32


def test_progress(capsys):
    query, gallery, *_ = search(3, 20)
    list(rerank(query, gallery))
    assert not capsys.readouterr().out
    scores = rerank(query, gallery, verbose=2)
    shown = capsys.readouterr().out
    assert "1/1" in shown and "2/2" in shown  # the neighbours, and their encodings
    list(scores)
    assert "1/1" in capsys.readouterr().out


Q, G = np.eye(3)[:2], np.eye(3)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: rerank(Q[0], G), "query"),
        (lambda: rerank(Q, G[:0]), "gallery"),
        (lambda: rerank(Q * np.nan, G), "query"),
        (lambda: rerank(Q, G - np.inf), "gallery"),
        (lambda: rerank(Q[:, :2], G), "query"),
        (lambda: rerank(Q, G, k1=0), "k1"),
        (lambda: rerank(Q, G, k1=2.5), "k1"),
        (lambda: rerank(Q, G, k2=0), "k2"),
        (lambda: rerank(Q, G, lambda_value=1.5), "lambda_value"),
        (lambda: rerank(Q, G, verbose=3), "verbose"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        call()
