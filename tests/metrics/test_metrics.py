"""Verification numbers against the published scripts and against counting by hand."""

from pathlib import Path

import numpy as np
import pytest

from keras_resample.metrics import all_pairs, eer, lfw_accuracy, lfw_folds, roc, tar_at_far

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "metrics.npz")


def random_trials(n=200, seed=0, ties=True):
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.3
    scores = rng.normal(size=n) + 1.5 * same
    return (np.round(scores, 1) if ties else scores), same


@pytest.mark.parametrize("name", ["lfw_a", "lfw_b", "lfw_c"])
def test_lfw_of_the_published_script(name):
    folds = int(GOLDENS[f"{name}/folds"])
    embeddings, same = GOLDENS[f"{name}/emb"], GOLDENS[f"{name}/same"]
    accuracy, far, tar = lfw_folds(embeddings, same, folds)
    for found, key in ((accuracy, "acc"), (far, "fpr"), (tar, "tpr")):
        np.testing.assert_allclose(found, GOLDENS[f"{name}/{key}"], atol=1e-12)
    expected = GOLDENS[f"{name}/acc"].mean(), GOLDENS[f"{name}/acc"].std()
    np.testing.assert_allclose(lfw_accuracy(3 * embeddings, same, folds), expected, atol=1e-12)


def test_lfw_by_hand():
    rng = np.random.default_rng(1)
    embeddings, same = rng.normal(size=(46, 3)), rng.random(23) < 0.5
    unit = embeddings / np.linalg.norm(embeddings, axis=1)[:, None]
    distance = [np.sum((unit[2 * i] - unit[2 * i + 1]) ** 2) for i in range(23)]
    parts = [range(0, 6), range(6, 12), range(12, 18), range(18, 23)]
    accuracies = []
    for part in parts:
        best, best_correct = None, -1
        for threshold in np.arange(0, 4, 0.01):
            right = [(d < threshold) == s for d, s in zip(distance, same, strict=True)]
            correct = sum(r for i, r in enumerate(right) if i not in part)
            if correct > best_correct:
                best, best_correct = right, correct
        accuracies.append(np.mean([best[i] for i in part]))
    np.testing.assert_allclose(
        lfw_accuracy(embeddings, same, 4), (np.mean(accuracies), np.std(accuracies))
    )


def test_roc_of_scikit_learn():
    far, tar, thresholds = roc(GOLDENS["ijb/score"], GOLDENS["ijb/label"])
    np.testing.assert_allclose(far, GOLDENS["ijb/fpr_full"], atol=1e-12)
    np.testing.assert_allclose(tar, GOLDENS["ijb/tpr_full"], atol=1e-12)
    assert thresholds[0] == np.inf and np.all(np.diff(thresholds) < 0)


@pytest.mark.parametrize("far", ["1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1"])
def test_tar_of_the_ijb_script(far):
    expected = GOLDENS[f"ijb_res/Norm:True_Det:True_tpr_at_fpr_{far}"]
    found = tar_at_far(GOLDENS["ijb/score"], GOLDENS["ijb/label"], float(far), rule="ijb")
    np.testing.assert_allclose(100 * found, expected, atol=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_roc_by_counting(seed):
    scores, same = random_trials(seed=seed)
    far, tar, thresholds = roc(scores, same)
    np.testing.assert_array_equal(thresholds[1:], np.unique(scores)[::-1])
    for i, threshold in enumerate(thresholds):
        accepted = scores >= threshold
        assert far[i] == np.sum(accepted & ~same) / np.sum(~same)
        assert tar[i] == np.sum(accepted & same) / np.sum(same)


@pytest.mark.parametrize("seed", range(3))
def test_strict_tar_by_counting(seed):
    scores, same = random_trials(seed=seed)
    negatives = np.sum(~same)
    fars = np.r_[1 / negatives, 3 / negatives, 0.01, 0.1, 0.5, 1.0]
    for far in fars:
        allowed = [0.0]
        for threshold in scores:
            if np.mean(scores[~same] >= threshold) <= far:
                allowed.append(np.mean(scores[same] >= threshold))
        assert tar_at_far(scores, same, far) == max(allowed)
    np.testing.assert_array_equal(
        tar_at_far(scores, same, fars.reshape(2, 3)),
        np.reshape([tar_at_far(scores, same, far) for far in fars], (2, 3)),
    )


def test_far_below_one_pair_is_not_measurable():
    scores, same = np.arange(1010.0), np.arange(1010) >= 1000
    found = tar_at_far(scores, same, [0, 1e-4, 0.00099, 0.001, 1])
    np.testing.assert_array_equal(np.isnan(found), [True, True, True, False, False])
    assert not np.any(np.isnan(tar_at_far(scores, same, [0, 1e-4], rule="ijb")))


def test_only_the_order_of_scores_matters():
    scores, same = random_trials(ties=False)
    for rule in ("strict", "ijb"):
        np.testing.assert_array_equal(
            tar_at_far(scores, same, [0.05, 0.1], rule),
            tar_at_far(scores**3, same, [0.05, 0.1], rule),
        )
    assert eer(scores, same) == eer(np.exp(scores), same)
    order = np.random.default_rng(3).permutation(len(same))
    assert eer(scores, same) == eer(scores[order], same[order])


def test_eer():
    assert eer([3, 2, 1, 0], [1, 1, 0, 0]) == 0
    assert eer([3, 2, 1, 0], [0, 0, 1, 1]) == 1
    assert eer([1, 1, 1, 1], [0, 0, 1, 1]) == 0.5
    # 100 of each kind, ten of each on the wrong side.
    scores = np.r_[np.full(90, 2.0), np.full(10, 0.0), np.full(90, -1.0), np.full(10, 1.0)]
    np.testing.assert_allclose(eer(scores, np.arange(200) < 100), 0.1)
    # The mirror image has the same rate: accepting different pairs is rejecting same ones.
    scores, same = random_trials()
    np.testing.assert_allclose(eer(scores, same), eer(-scores, ~same))


@pytest.mark.parametrize("n", [2, 7, 1025])
def test_all_pairs(n):
    rng = np.random.default_rng(0)
    embeddings, labels = rng.normal(size=(n, 4)), rng.integers(0, 3, n)
    embeddings[0] = 0
    scores, same = all_pairs(embeddings, labels)
    length = np.linalg.norm(embeddings, axis=1)
    length[0] = 1
    unit = embeddings / length[:, None]
    i, j = np.triu_indices(n, 1)
    np.testing.assert_allclose(scores, (unit @ unit.T)[i, j], atol=1e-6)
    np.testing.assert_array_equal(same, labels[i] == labels[j])
    assert (scores.dtype, same.dtype) == ("float32", "bool")
    others = rng.normal(size=(n, 4))
    scores, same = all_pairs(embeddings, labels, others)
    i, j = np.nonzero(~np.eye(n, dtype=bool))
    cosines = unit @ (others / np.linalg.norm(others, axis=1, keepdims=True)).T
    np.testing.assert_allclose(scores, cosines[i, j], atol=1e-6)
    np.testing.assert_array_equal(same, labels[i] == labels[j])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: roc([0.1, np.nan], [True, False]), "scores"),
        (lambda: roc([0.1, 0.2, 0.3], [True, False]), "scores"),
        (lambda: roc(np.zeros((2, 2)), np.eye(2)), "scores"),
        (lambda: roc([0.1, 0.2], [True, True]), "same"),
        (lambda: eer([0.1, 0.2], [False, False]), "same"),
        (lambda: eer([], []), "same"),
        (lambda: tar_at_far([0.1, 0.2], [True, False], -0.1), "fars"),
        (lambda: tar_at_far([0.1, 0.2], [True, False], [0.1, np.nan]), "fars"),
        (lambda: tar_at_far([0.1, 0.2], [True, False], 0.1, rule="loose"), "rule"),
        (lambda: lfw_accuracy(np.ones((5, 3)), [True, False]), "embeddings"),
        (lambda: lfw_accuracy(np.ones((6, 3)), [True, False]), "embeddings"),
        (lambda: lfw_accuracy(np.full((4, 3), np.nan), [True, False]), "embeddings"),
        (lambda: lfw_accuracy(np.ones((4, 3)), [True, True], 2), "same"),
        (lambda: lfw_accuracy(np.ones((4, 3)), [True, False], 1), "folds"),
        (lambda: lfw_accuracy(np.ones((4, 3)), [True, False], 3), "folds"),
        (lambda: all_pairs(np.ones((3, 2)), [0, 1]), "labels"),
        (lambda: all_pairs(np.ones((1, 2)), [0]), "labels"),
        (lambda: all_pairs(np.ones(3), [0, 1, 2]), "embeddings"),
        (lambda: all_pairs(np.ones((3, 2)), [0, 1, 2], np.ones((2, 2))), "others"),
        (lambda: all_pairs(np.ones((3, 2)), [0, 1, 2], np.full((3, 2), np.nan)), "others"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        call()
