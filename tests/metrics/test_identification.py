"""Ranks, open-set rates and retrieval against published scripts and plain loops."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.metrics import (
    ScoreBlocks,
    cmc,
    mean_average_precision,
    mean_inverse_penalty,
    tpir_at_fpir,
    tpir_auc,
    tpir_curve,
)
from keras_resample.metrics.verification import score_blocks

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "metrics.npz")
RETRIEVAL = (mean_average_precision, mean_inverse_penalty)


def golden_search():
    """Scores and labels of the published script's match matrix: at most one mate a probe."""
    match = GOLDENS["id/match"]
    labels = np.where(match.any(axis=1), match.argmax(axis=1), -1)
    return GOLDENS["id/score"], labels, np.arange(match.shape[1])


@st.composite
def searches(draw, cameras=False):
    """Scores with ties; some probes without mate, at least one with and one without."""
    p, g = draw(st.integers(2, 8)), draw(st.integers(1, 9))
    numbers = st.lists(st.integers(0, 5), min_size=p * g, max_size=p * g)
    scores = np.array(draw(numbers), "float64").reshape(p, g)
    labels = draw(st.lists(st.integers(0, 3), min_size=p + g, max_size=p + g))
    probe_labels, gallery_labels = np.array(labels[:p]), np.array(labels[p:])
    probe_labels[0], probe_labels[1] = gallery_labels[0], 9
    if not cameras:
        return scores, probe_labels, gallery_labels
    cameras = draw(st.lists(st.integers(0, 1), min_size=p + g, max_size=p + g))
    probe_cameras, gallery_cameras = np.array(cameras[:p]), np.array(cameras[p:])
    gallery_cameras[0] = 1 - probe_cameras[0]
    return scores, probe_labels, gallery_labels, probe_cameras, gallery_cameras


def ranked(scores, pl, gl, pc=None, gc=None):
    """Of each probe: (score, is a match) of what is not junk, equal scores wrong ones first."""
    for i in range(len(pl)):
        entries = []
        for j in range(len(gl)):
            same = pl[i] == gl[j]
            if not (same and pc is not None and pc[i] == gc[j]):
                entries.append((scores[i, j], same))
        yield sorted(entries, key=lambda entry: (-entry[0], entry[1]))


def test_cmc_of_the_published_script():
    found = cmc(*golden_search(), ranks=(1, 5, 20))
    np.testing.assert_allclose(found, GOLDENS["id/cmc"], atol=1e-7)


@pytest.mark.parametrize("rank", [1, 20])
def test_tpir_of_the_published_script(rank):
    found = tpir_at_fpir(*golden_search(), GOLDENS["id/fpir"], rank, rule="count")
    np.testing.assert_allclose(found, GOLDENS[f"id/tpir_r{rank}"], atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(searches(cameras=True), st.booleans())
def test_cmc_by_hand(search, use_cameras):
    search = search if use_cameras else search[:3]
    places = []
    for entries in ranked(*search):
        hits = [place for place, (_, same) in enumerate(entries, 1) if same]
        # Ahead of the best mate stand wrong entries only.
        places += hits[:1]
    expected = [np.mean(np.array(places) <= rank) for rank in (1, 2, 3, 99)]
    np.testing.assert_allclose(cmc(*search[:3], (1, 2, 3, 99), *search[3:]), expected)


@settings(max_examples=60, deadline=None)
@given(searches(), st.sampled_from([0.0, 0.2, 0.5, 1.0]), st.integers(1, 4))
def test_tpir_by_hand(search, fpir, rank):
    scores, pl, gl = search
    highest, hits, mated = [], [], 0
    for i, entries in enumerate(ranked(*search)):
        if pl[i] not in gl:
            highest.append(max(scores[i]))
            continue
        mated += 1
        place = [same for _, same in entries].index(True)
        if place < rank:
            hits.append(entries[place][0])
    highest, hits = np.sort(highest)[::-1], np.array(hits)
    thresholds = np.r_[np.inf, highest, hits]
    allowed = [np.sum(hits >= t) / mated for t in thresholds if np.mean(highest >= t) <= fpir]
    strict = tpir_at_fpir(*search, fpir, rank)
    assert np.isnan(strict) if fpir < 1 / len(highest) else strict == max(allowed)
    k = round(fpir * len(highest))
    threshold = highest[k - 1] if k else highest[0] + 1e-5
    count = tpir_at_fpir(*search, fpir, rank, rule="count")
    assert count == np.sum(hits >= threshold) / mated
    fpirs, tpirs, _ = tpir_curve(*search, rank)
    assert tpirs[-1] == cmc(*search, rank)
    assert fpirs[-1] == 1 and np.all(np.diff(fpirs) >= 0) and np.all(np.diff(tpirs) >= 0)
    steps = zip(np.diff(fpirs), tpirs[1:], tpirs[:-1], strict=True)
    assert tpir_auc(*search, rank) == pytest.approx(sum(w * (a + b) / 2 for w, a, b in steps))


@pytest.mark.parametrize("rule", ["strict", "count"])
def test_tpir_at_a_rounded_rate(rule):
    scores = np.random.default_rng(0).random((140, 30))
    search = scores, np.arange(140), np.arange(30)
    expected = tpir_at_fpir(*search, [0.1, 0.2], 20, rule)
    assert not np.isnan(expected).any()
    np.testing.assert_array_equal(tpir_at_fpir(*search, np.float32([0.1, 0.2]), 20, rule), expected)
    one = tpir_at_fpir(*search, 1 / 110, 20, rule)
    assert tpir_at_fpir(*search, np.float32(1 / 110), 20, rule) == one


def test_map_of_scikit_learn():
    search = [GOLDENS[f"reid/{key}"] for key in ("qid", "gid", "qc", "gc")]
    found = mean_average_precision(-GOLDENS["reid/dist"], *search)
    np.testing.assert_allclose(found, GOLDENS["reid/map_sklearn"], atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(searches(cameras=True), st.booleans())
def test_retrieval_by_hand(search, use_cameras):
    search = search if use_cameras else search[:3]
    average, penalty = [], []
    for entries in ranked(*search):
        scores = [score for score, _ in entries]
        hits = [score for score, same in entries if same]
        if hits:
            # Equal scores share the rank of the last of them.
            ranks = [sum(score >= hit for score in scores) for hit in hits]
            found = [sum(other >= hit for other in hits) for hit in hits]
            average.append(np.mean(np.divide(found, ranks)))
            penalty.append(len(hits) / max(ranks))
    np.testing.assert_allclose(mean_average_precision(*search), np.mean(average))
    np.testing.assert_allclose(mean_inverse_penalty(*search), np.mean(penalty))


@settings(max_examples=30, deadline=None)
@given(searches(cameras=True), st.randoms())
def test_what_leaves_the_numbers_unchanged(search, random):
    scores, pl, gl, pc, gc = search
    rows, columns = list(range(len(pl))), list(range(len(gl)))
    random.shuffle(rows)
    random.shuffle(columns)
    moved = np.exp(scores)[rows][:, columns], pl[rows], gl[columns]
    cameras = pc[rows], gc[columns]
    for metric in RETRIEVAL:
        expected = metric(*search)
        assert metric(*moved, *cameras) == pytest.approx(expected, abs=1e-12)
        # Names instead of numbers.
        names = pl.astype(str), gl.astype(str)
        assert metric(scores, *names, pc, gc) == expected
    np.testing.assert_allclose(cmc(*moved, (1, 2), *cameras), cmc(scores, pl, gl, (1, 2), pc, gc))
    assert tpir_auc(*moved) == pytest.approx(tpir_auc(scores, pl, gl), abs=1e-12)
    # Something that looks like nobody changes nothing, and a better mate never hurts.
    distractor = np.c_[scores, np.full(len(pl), -1.0)], pl, np.r_[gl, 77]
    np.testing.assert_array_equal(cmc(*distractor), cmc(scores, pl, gl))
    better = np.where(pl[:, None] == gl, scores + 1, scores)
    assert np.all(cmc(better, pl, gl, (1, 2)) >= cmc(scores, pl, gl, (1, 2)))
    assert mean_average_precision(better, pl, gl) >= mean_average_precision(scores, pl, gl) - 1e-12


def test_a_constant_score_is_worth_nothing():
    scores, labels = np.zeros((4, 40)), np.arange(4)
    gallery = np.arange(40)
    assert cmc(scores, labels, gallery, 1) == 0 and cmc(scores, labels, gallery, 40) == 1
    assert mean_average_precision(scores, labels, gallery) == pytest.approx(1 / 40)
    assert mean_inverse_penalty(scores, labels, gallery) == pytest.approx(1 / 40)


def test_the_probe_itself_is_left_out():
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(12, 4)), np.repeat(np.arange(4), 3)
    scores, images = ScoreBlocks(embeddings, embeddings), np.arange(12)
    matrix = np.concatenate(list(scores))
    np.fill_diagonal(matrix, -2)
    expected = labels[np.argmax(matrix, axis=1)] == labels
    assert cmc(scores, labels, labels, 1, images, images) == np.mean(expected)
    assert cmc(scores, labels, labels, 1) == 1  # every probe finds itself


def test_blocks_give_the_numbers_of_the_matrix(monkeypatch):
    rng = np.random.default_rng(3)
    probes, gallery = rng.normal(size=(37, 6)), rng.normal(size=(23, 6))
    pl, gl, pc, gc = (rng.integers(0, k, n) for k, n in ((30, 37), (20, 23), (2, 37), (2, 23)))
    matrix = np.concatenate(list(ScoreBlocks(probes, gallery)))
    expected = [metric(matrix, pl, gl, pc, gc) for metric in RETRIEVAL]
    ranks = cmc(matrix, pl, gl, (1, 5), pc, gc)
    tpirs = tpir_at_fpir(matrix, pl, gl, (0.2, 0.5))
    monkeypatch.setattr(score_blocks, "BLOCK", 100)
    for scores in (matrix, ScoreBlocks(probes, gallery)):
        np.testing.assert_array_equal([m(scores, pl, gl, pc, gc) for m in RETRIEVAL], expected)
        np.testing.assert_array_equal(cmc(scores, pl, gl, (1, 5), pc, gc), ranks)
        np.testing.assert_array_equal(tpir_at_fpir(scores, pl, gl, (0.2, 0.5)), tpirs)


S = np.array([[0.9, 0.1], [0.2, 0.4], [0.3, 0.5]])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: cmc(S[0], [0], [0, 1]), "scores"),
        (lambda: cmc(np.zeros((0, 2)), [], [0, 1]), "scores"),
        (lambda: cmc(np.where(S > 0.8, np.nan, S), [0, 1, 1], [0, 1]), "scores"),
        (lambda: cmc(-np.where(S > 0.8, np.inf, S), [0, 1, 1], [0, 1]), "scores"),
        (lambda: cmc(S, [0, 1], [0, 1]), "probe_labels"),
        (lambda: cmc(S, [0, 1, 2], [0, 1, 2]), "gallery_labels"),
        (lambda: cmc(S, [7, 8, 9], [0, 1]), "probe_labels"),
        (lambda: cmc(S, [0, 1, 2], [0, 1], ranks=0), "ranks"),
        (lambda: cmc(S, [0, 1, 2], [0, 1], ranks=1.5), "ranks"),
        (lambda: cmc(S, [0, 1, 2], [0, 1], 1, [0, 0, 0]), "gallery_cameras"),
        (lambda: cmc(S, [0, 1, 2], [0, 1], 1, None, [0, 0]), "probe_cameras"),
        (lambda: cmc(S, [0, 1, 2], [0, 1], 1, [0, 0], [0, 0]), "probe_cameras"),
        (lambda: cmc(S, [0, 1, 1], [0, 1], 1, [0, 0, 0], [0, 0]), "probe_labels"),
        (lambda: mean_average_precision(S, [7, 8, 9], [0, 1]), "probe_labels"),
        (lambda: mean_inverse_penalty(S, [0, 1, 1], [0, 1], [0] * 3, [0, 0]), "probe_labels"),
        (lambda: mean_average_precision(S, [0, 1, 1], [0]), "gallery_labels"),
        (lambda: tpir_at_fpir(S, [0, 1, 2], [0, 1], 1.5), "fpirs"),
        (lambda: tpir_at_fpir(S, [0, 1, 2], [0, 1], 0.5, rank=0), "rank"),
        (lambda: tpir_at_fpir(S, [0, 1, 2], [0, 1], 0.5, rule="ijb"), "rule"),
        (lambda: tpir_at_fpir(S, [0, 1, 1], [0, 1], 0.5), "probe_labels"),
        (lambda: tpir_auc(S, [7, 8, 9], [0, 1]), "probe_labels"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        call()
