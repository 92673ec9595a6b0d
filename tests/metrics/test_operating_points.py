"""Thresholds, the four rules of TAR at FAR, VAL at FAR, DET and AUC."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.metrics import auc, det, eer, roc, tar_at_far, threshold_at_far, val_at_far
from keras_resample.metrics.verification.binomial import binomial_bounds

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "metrics.npz")
RULES = ("strict", "ijb", "nearest", "count")
FARS = (0.01, 0.02, 0.1, 0.25, 0.5, 1.0)


@st.composite
def trials(draw):
    """Scores with ties, of pairs of both kinds."""
    scores = draw(st.lists(st.integers(-6, 6), min_size=2, max_size=40))
    same = draw(st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    same[0], same[1] = True, False
    return np.array(scores, "float64"), np.array(same)


@pytest.mark.parametrize("name", ["lfw_a", "lfw_b", "lfw_c"])
@pytest.mark.parametrize("far", ["0.001", "0.01", "0.05"])
def test_val_of_the_published_script(name, far):
    embeddings, same = GOLDENS[f"{name}/emb"], GOLDENS[f"{name}/same"]
    found = val_at_far(embeddings, same, float(far), int(GOLDENS[f"{name}/folds"]))
    np.testing.assert_allclose(found, GOLDENS[f"{name}/val_{far}"], atol=1e-12)
    scaled = val_at_far(7 * embeddings, same, float(far), int(GOLDENS[f"{name}/folds"]))
    np.testing.assert_allclose(scaled, found, atol=1e-12)


def test_val_where_the_rate_is_never_reached():
    a, b = np.eye(2)
    # Different pairs are opposite: no threshold below 4 accepts them, so nothing is accepted.
    opposite = [a, a, a, -a] * 3
    assert val_at_far(opposite, [True, False] * 3, 0.1, folds=3) == (0.0, 0.0, 0.0)
    assert val_at_far([a, a, a, b] * 3, [True, False] * 3, 0.1, folds=3)[0] == 1.0


@pytest.mark.parametrize("far", ["1e-06", "0.0001", "0.001", "0.01", "0.1"])
def test_threshold_of_the_ijb_script(far):
    found = threshold_at_far(GOLDENS["ijb/score"], GOLDENS["ijb/label"], float(far), rule="ijb")
    expected = GOLDENS[f"ijb_res/Norm:True_Det:True_thresh_at_fpr_{far}"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("far", [0.0, 1e-3, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("trials", [1, 7, 300, 10**9])
@pytest.mark.parametrize("confidence", [0.5, 0.95])
def test_bounds_are_quantiles_of_the_binomial_distribution(trials, far, confidence):
    from scipy.stats import binom

    tail = (1 - confidence) / 2
    found = binomial_bounds(trials, np.array([[far]]), confidence)
    expected = binom.ppf(tail, trials, far), binom.isf(tail, trials, far)
    np.testing.assert_array_equal(np.ravel(found), expected)


def test_the_interval_of_a_threshold_holds_it_as_often_as_it_says():
    random = np.random.default_rng(0)
    same = np.arange(401) == 400
    for far in (0.01, 0.1):
        held = []
        for _ in range(400):
            ends = threshold_at_far(random.random(401), same, [far, 0.5], confidence=0.8)[1:]
            held.append([low[0] <= 1 - far <= high[0] for low, high in [ends]][0])
        # At least as often; a whole count cannot be hit exactly.
        assert 0.77 <= np.mean(held) <= 0.95
    scores = np.arange(8.0)
    middle, low, high = threshold_at_far(scores, scores == 7, [0.2, 0.5], confidence=0.9)
    assert np.isinf(high[0]) and np.all(low < middle) and np.all(middle < high)
    assert middle.tolist() == threshold_at_far(scores, scores == 7, [0.2, 0.5]).tolist()
    ends = threshold_at_far(scores, scores == 7, 0.5, counts=np.full(8, 100), confidence=0.9)
    assert 0 <= ends[2] - ends[1] < high[1] - low[1]


def test_count_rule_of_the_tinyface_script():
    scores, same = GOLDENS["id/score"].ravel(), GOLDENS["id/match"].ravel()
    fars = [1e-3, 1e-2, 1e-1]
    np.testing.assert_allclose(tar_at_far(scores, same, fars, "count"), GOLDENS["id/roc_tar"])
    thresholds = threshold_at_far(scores, same, fars, "count")
    np.testing.assert_allclose(thresholds, GOLDENS["id/roc_thr"], atol=1e-12)
    accepted = [np.mean(scores[~same] >= t) for t in thresholds]
    np.testing.assert_allclose(accepted, GOLDENS["id/roc_far"])


@settings(max_examples=60, deadline=None)
@given(trials(), st.sampled_from(FARS))
def test_every_rule_by_its_definition(pairs, far):
    scores, same = pairs
    others, mates = np.sort(scores[~same])[::-1], scores[same]
    points = [(np.mean(others >= t), np.mean(mates >= t)) for t in [np.inf, *np.unique(scores)]]
    allowed = max(tar for measured, tar in points if measured <= far)
    strict = tar_at_far(scores, same, far)
    assert np.isnan(strict) if far < 1 / len(others) else strict == allowed
    distance = min(abs(measured - far) for measured, _ in points)
    nearest = [p for p in points if abs(p[0] - far) == distance]
    assert tar_at_far(scores, same, far, "nearest") == max(nearest)[1]
    k = round(far * len(others))
    threshold = others[k - 1] if k else others[0] + 1e-5
    assert tar_at_far(scores, same, far, "count") == np.mean(mates >= threshold)


def test_of_two_rates_as_near_the_larger_tar_counts():
    # The curve goes through (0, 0), (0.5, 0), (0.5, 1) and (1, 1).
    scores, same = [5, 4, 3], [False, True, False]
    for rule in ("ijb", "nearest"):
        assert tar_at_far(scores, same, [0.2, 0.25, 0.3], rule).tolist() == [0, 1, 1]


@settings(max_examples=40, deadline=None)
@given(trials(), st.sampled_from(FARS))
def test_ijb_rule_is_the_nearest_point_of_scikit_learn(pairs, far):
    roc_curve = pytest.importorskip("sklearn.metrics").roc_curve
    scores, same = pairs
    for rule, drop in (("ijb", True), ("nearest", False)):
        fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=drop)
        fpr, tpr = fpr[::-1], tpr[::-1]
        assert tar_at_far(scores, same, far, rule) == tpr[np.argmin(np.abs(fpr - far))]


@settings(max_examples=40, deadline=None)
@given(trials(), st.sampled_from(FARS), st.sampled_from(RULES))
def test_tar_is_what_the_threshold_accepts(pairs, far, rule):
    scores, same = pairs
    threshold = threshold_at_far(scores, same, far, rule)
    tar = tar_at_far(scores, same, far, rule)
    assert np.isnan(threshold) == np.isnan(tar)
    if not np.isnan(tar):
        assert tar == np.mean(scores[same] >= threshold)
        if rule == "strict":
            assert np.mean(scores[~same] >= threshold) <= far


@settings(max_examples=40, deadline=None)
@given(trials(), st.permutations(range(7)))
def test_what_leaves_the_numbers_unchanged(pairs, order):
    scores, same = pairs
    order = np.argsort(np.resize(order, len(same)), kind="stable")
    for rule in RULES[:3]:  # the count rule adds 1e-5 to a score
        expected = tar_at_far(scores, same, FARS, rule)
        np.testing.assert_array_equal(tar_at_far(np.exp(scores), same, FARS, rule), expected)
        np.testing.assert_array_equal(tar_at_far(scores[order], same[order], FARS, rule), expected)
    assert auc(scores, same) == pytest.approx(auc(3 * scores[order] - 2, same[order]), abs=1e-12)
    # A pair that everybody gets right never hurts.
    better = np.r_[scores, 99.0], np.r_[same, True]
    assert auc(*better) >= auc(scores, same) - 1e-12
    before, after = tar_at_far(scores, same, FARS), tar_at_far(*better, FARS)
    assert np.all((after >= before) | np.isnan(before))


@settings(max_examples=40, deadline=None)
@given(trials(), st.data())
def test_counts_are_repetitions(pairs, data):
    scores, same = pairs
    counts = data.draw(st.lists(st.integers(0, 4), min_size=len(same), max_size=len(same)))
    counts[0] = counts[1] = 2
    repeated = np.repeat(scores, counts), np.repeat(same, counts)
    for rule in RULES:
        np.testing.assert_array_equal(
            tar_at_far(scores, same, FARS, rule, np.array(counts)),
            tar_at_far(*repeated, FARS, rule),
        )
    assert eer(scores, same, np.array(counts)) == pytest.approx(eer(*repeated), abs=1e-12)
    assert auc(scores, same, np.array(counts)) == pytest.approx(auc(*repeated), abs=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("impostors", [10, 100, 150, 1000, 100_000])
def test_a_rate_means_the_same_however_it_is_rounded(rule, impostors):
    rng = np.random.default_rng(0)
    scores = np.r_[rng.normal(size=impostors), rng.normal(1.5, size=50)]
    same = np.arange(len(scores)) >= impostors
    of_one = 1 / impostors
    for rates, rounded in (
        ([0.1, 0.01, 0.07], np.float32([0.1, 0.01, 0.07])),
        ([1e-5, 1e-4, 1e-3, 1e-2, 1e-1], np.logspace(-5, -1, 5)),
        ([0.01, 0.03], [1 - 0.99, 0.1 * 0.3]),
        (of_one, np.nextafter(of_one, [0, 1])),
    ):
        if rule in ("ijb", "nearest") and len(rounded) == 2:
            continue  # of two points as near, rounding decides in the scripts too
        for function in (tar_at_far, threshold_at_far):
            expected = np.broadcast_to(function(scores, same, rates, rule), np.shape(rounded))
            np.testing.assert_array_equal(function(scores, same, rounded, rule), expected)
    assert not np.isnan(tar_at_far(scores, same, np.float32(of_one), rule))
    # A rate that is really below one pair stays out of reach, and none is rounded to the next.
    assert np.isnan(tar_at_far(scores, same, 0.99 * of_one)) and tar_at_far(
        scores, same, 1.99 * of_one
    ) == tar_at_far(scores, same, of_one)


def test_val_at_a_rounded_rate():
    rng = np.random.default_rng(0)
    same = np.arange(40) % 2 == 0
    embeddings = rng.normal(size=(80, 4))
    expected = val_at_far(embeddings, same, 0.1, folds=2)
    assert val_at_far(embeddings, same, np.float32(0.1), folds=2) == expected
    assert val_at_far(embeddings, same, np.nextafter(0.1, 0), folds=2) == expected


@settings(max_examples=40, deadline=None)
@given(trials())
def test_threshold_of_the_equal_error_rate(pairs):
    scores, same = pairs
    rate, threshold = eer(scores, same, return_threshold=True)
    assert rate == eer(scores, same) and threshold in scores
    differences = {
        t: abs(np.mean(scores[~same] >= t) - np.mean(scores[same] < t)) for t in scores.tolist()
    }
    assert differences[threshold] == pytest.approx(min(differences.values()), abs=1e-12)


def test_auc_by_counting_pairs():
    np.testing.assert_allclose(auc(GOLDENS["ijb/score"], GOLDENS["ijb/label"]), GOLDENS["ijb/auc"])
    rng = np.random.default_rng(0)
    scores, same = rng.integers(0, 9, 60), rng.random(60) < 0.4
    difference = scores[same][:, None] - scores[~same]
    expected = np.mean((difference > 0) + 0.5 * (difference == 0))
    assert auc(scores, same) == pytest.approx(expected, abs=1e-12)


def test_det_is_the_roc_upside_down():
    scores, same = np.array([3, 1, 2, 2, 0]), np.array([1, 0, 1, 0, 1])
    far, frr, thresholds = det(scores, same)
    expected_far, tar, expected_thresholds = roc(scores, same)
    np.testing.assert_allclose(frr, 1 - tar, atol=1e-15)
    np.testing.assert_array_equal(far, expected_far)
    np.testing.assert_array_equal(thresholds, expected_thresholds)
    # Swapping the two kinds of pair and the sign of the score swaps the two errors.
    swapped_far, swapped_frr, _ = det(-scores, 1 - same)
    np.testing.assert_allclose(swapped_far[::-1], frr, atol=1e-15)
    np.testing.assert_allclose(swapped_frr[::-1], far, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: tar_at_far([0.1, 0.2], [1, -1], 0.1), "same"),
        (lambda: roc([0.1, 0.2], [True, False], counts=[1.0, 2.0]), "counts"),
        (lambda: roc([0.1, 0.2], [True, False], counts=[1, -2]), "counts"),
        (lambda: roc([0.1, 0.2], [True, False], counts=[1]), "counts"),
        (lambda: roc([0.1, 0.2], [True, False], counts=[1, 0]), "same"),
        (lambda: auc([0.1, np.nan], [True, False]), "scores"),
        (lambda: det([0.1, 0.2], [True, True]), "same"),
        (lambda: threshold_at_far([0.1, 0.2], [True, False], 2), "fars"),
        (lambda: threshold_at_far([0.1, 0.2], [True, False], 0.1, confidence=1), "confidence"),
        (lambda: threshold_at_far([0.1, 0.2], [True, False], 0.1, "loose"), "rule"),
        (lambda: eer([0.1, 0.2], [True, False], return_threshold=1), "return_threshold"),
        (lambda: val_at_far(np.ones((4, 3)), [True, False], -0.1, 2), "far"),
        (lambda: val_at_far(np.ones((4, 3)), [True, False], 0.1, 2), "same"),
        (lambda: val_at_far(np.ones((4, 3)), [True, True], 0.1, 2), "same"),
        (lambda: val_at_far(np.ones((8, 3)), [True, False] * 2, 0.1, 1), "folds"),
        (lambda: val_at_far(np.ones((3, 3)), [True, False], 0.1, 2), "embeddings"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        call()
