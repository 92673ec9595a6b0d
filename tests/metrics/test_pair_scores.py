"""Scores in chunks equal the scores at once, and use no memory that grows with the pairs."""

import importlib
import tracemalloc

import keras
import numpy as np
import pytest

from keras_resample import metrics
from keras_resample.metrics import (
    ScoreBlocks,
    all_pairs,
    all_pairs_histogram,
    eer,
    flip_augmented,
    pair_scores,
    resolution_gain,
    tar_at_far,
)

# `metrics.all_pairs` is the function of that name.
all_pairs_module = importlib.import_module("keras_resample.metrics.verification.all_pairs")
pair_scores_module = importlib.import_module("keras_resample.metrics.verification.pair_scores")
score_blocks_module = importlib.import_module("keras_resample.metrics.verification.score_blocks")


def cosine(a, b):
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    return a @ b / lengths if lengths else 0.0


@pytest.fixture
def small_chunks(monkeypatch):
    """Chunks so small that a few embeddings need many."""
    monkeypatch.setattr(pair_scores_module, "GATHERED", 7)
    monkeypatch.setattr(pair_scores_module, "BLOCK", 16)
    monkeypatch.setattr(score_blocks_module, "BLOCK", 40)
    monkeypatch.setattr(all_pairs_module, "ROWS", 8)
    monkeypatch.setattr(all_pairs_module, "COLUMNS", 12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_pair_scores_by_hand(small_chunks, dtype):
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(30, 5)).astype(dtype)
    embeddings[3] = 0
    first, second = rng.integers(0, 30, (2, 100))
    first[50:53] = 3
    scores = pair_scores(embeddings, first, second)
    wide = embeddings.astype("float64")
    expected = [cosine(wide[i], wide[j]) for i, j in zip(first, second, strict=True)]
    tolerance = 1e-14 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(scores, expected, atol=tolerance)
    assert scores.dtype == ("float64" if dtype == "float64" else "float32")
    np.testing.assert_array_equal(scores[first == 3], 0)
    dots = pair_scores(embeddings, first, second, normalize=False)
    expected = [wide[i] @ wide[j] for i, j in zip(first, second, strict=True)]
    np.testing.assert_allclose(dots, expected, atol=20 * tolerance)


def test_chunks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(50, 8)).astype("float32")
    first, second = rng.integers(0, 50, (2, 5000))
    expected = pair_scores(embeddings, first, second)
    for gathered, block in ((3, 10), (256, 1000), (5000, 5000), (1, 1 << 20)):
        monkeypatch.setattr(pair_scores_module, "GATHERED", gathered)
        monkeypatch.setattr(pair_scores_module, "BLOCK", block)
        np.testing.assert_array_equal(pair_scores(embeddings, first, second), expected)


def test_relations_of_pair_scores(small_chunks):
    rng = np.random.default_rng(1)
    embeddings, (first, second) = rng.normal(size=(20, 6)), rng.integers(0, 20, (2, 70))
    scores = pair_scores(embeddings, first, second)
    np.testing.assert_array_equal(pair_scores(embeddings, second, first), scores)
    order = rng.permutation(70)
    np.testing.assert_array_equal(
        pair_scores(embeddings, first[order], second[order]), scores[order]
    )
    lengths = rng.uniform(0.1, 10, (20, 1))
    np.testing.assert_allclose(pair_scores(lengths * embeddings, first, second), scores, atol=1e-14)
    np.testing.assert_allclose(pair_scores(embeddings, first, first), 1, atol=1e-14)
    assert pair_scores(embeddings, [], []).shape == (0,)
    for dtype in ("int32", "uint16", "uint64"):
        rows = first.astype(dtype), second.astype(dtype)
        np.testing.assert_array_equal(pair_scores(embeddings, *rows), scores)


@pytest.mark.parametrize("scale", [1e-25, 1e25])
def test_lengths_whose_squares_leave_float32(scale):
    rng = np.random.default_rng(1)
    embeddings = rng.normal(size=(20, 6)).astype("float32")
    first, second = rng.integers(0, 20, (2, 70))
    scaled = (embeddings * np.float32(scale)).astype("float32")
    expected = pair_scores(embeddings, first, second)
    np.testing.assert_allclose(pair_scores(scaled, first, second), expected, atol=1e-6)
    blocks = np.concatenate(list(ScoreBlocks(scaled, scaled)))
    np.testing.assert_allclose(blocks[first, second], expected, atol=1e-6)


@pytest.mark.every_backend
def test_tensors_of_the_backend_are_taken():
    array = np.eye(3, dtype="float32")
    tensor = keras.ops.convert_to_tensor(array)
    rows = keras.ops.convert_to_tensor(np.array([0, 1], "int32"))
    np.testing.assert_array_equal(pair_scores(tensor, rows, rows), [1, 1])
    half = keras.ops.cast(tensor, "bfloat16")
    np.testing.assert_array_equal(pair_scores(half, rows, rows), [1, 1])
    scores, same = all_pairs(tensor, keras.ops.convert_to_tensor(np.array([0, 1, 0], "int32")))
    assert scores.tolist() == [0, 0, 0] and same.tolist() == [False, True, False]
    # A tensor that gradients flow through.
    variable = keras.Variable(array)
    np.testing.assert_array_equal(pair_scores(variable.value, rows, rows), [1, 1])
    assert (
        eer(keras.ops.convert_to_tensor([3.0, 2.0]), keras.ops.convert_to_tensor([True, False]))
        == 0
    )


def test_memory_does_not_grow_with_the_pairs():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(2000, 64)).astype("float32")
    first, second = rng.integers(0, 2000, (2, 300_000))
    gathered = 2 * first.size * 64 * 4  # what all rows at once would take: 154 MB
    tracemalloc.start()
    scores = pair_scores(embeddings, first, second)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < scores.nbytes + gathered / 20


def test_memory_mapped_embeddings(tmp_path):
    embeddings = np.random.default_rng(0).normal(size=(40, 8)).astype("float32")
    np.save(tmp_path / "embeddings.npy", embeddings)
    mapped = np.load(tmp_path / "embeddings.npy", mmap_mode="r")
    rows = np.arange(39)
    np.testing.assert_array_equal(
        pair_scores(mapped, rows, rows + 1), pair_scores(embeddings, rows, rows + 1)
    )


@pytest.mark.parametrize("shapes", [(1, 1), (3, 50), (50, 3), (33, 21)])
def test_blocks_are_the_matrix(small_chunks, shapes):
    rng = np.random.default_rng(2)
    probes, gallery = (rng.normal(size=(n, 4)) for n in shapes)
    gallery[0] = 0
    blocks = ScoreBlocks(probes, gallery)
    expected = [[cosine(p, g) for g in gallery] for p in probes]
    assert blocks.shape == shapes
    for _ in range(2):
        np.testing.assert_allclose(np.concatenate(list(blocks)), expected, atol=1e-14)
    assert all(block.size <= max(40, shapes[1]) for block in blocks)
    dots = np.concatenate(list(ScoreBlocks(probes, gallery, normalize=False)))
    np.testing.assert_allclose(dots, probes @ gallery.T, atol=1e-13)
    mixed = np.concatenate(list(ScoreBlocks(probes.astype("float32"), gallery)))
    np.testing.assert_allclose(mixed, expected, atol=1e-6)


@pytest.mark.parametrize("n", [2, 8, 9, 61])
def test_histogram_counts_every_pair_once(small_chunks, n):
    rng = np.random.default_rng(n)
    embeddings, labels = rng.normal(size=(n, 3)), rng.integers(0, 4, n)
    labels[:2] = 0
    scores, same = all_pairs(embeddings, labels)
    bins = 64
    edges, of_same, counts = all_pairs_histogram(embeddings, labels, bins)
    assert counts.sum() == len(scores) and counts[of_same].sum() == same.sum()
    for edge, kind, count in zip(edges, of_same, counts, strict=True):
        inside = (scores >= edge - 1e-6) & (scores < edge + 2 / bins + 1e-6) & (same == kind)
        assert count <= inside.sum()
    others = rng.normal(size=(n, 3))
    scores, same = all_pairs(embeddings, labels, others)
    edges, of_same, counts = all_pairs_histogram(embeddings, labels, bins, others=others)
    index = np.clip((scores + np.float32(1)) * np.float32(bins / 2), 0, bins - 1).astype(int)
    for kind in (False, True):
        expected = np.bincount(index[same == kind], minlength=bins)
        np.testing.assert_array_equal(counts[of_same == kind], expected[expected > 0])


def test_numbers_of_the_histogram_are_those_of_the_pairs():
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(60), 10)
    embeddings = rng.normal(size=(60, 16))[labels] + 1.2 * rng.normal(size=(600, 16))
    scores, same = all_pairs(embeddings, labels)
    edges, of_same, counts = all_pairs_histogram(embeddings, labels)
    fars = [1e-4, 1e-3, 1e-2, 0.1]
    exact = tar_at_far(scores, same, fars)
    found = tar_at_far(edges, of_same, fars, counts=counts)
    assert np.all(found <= exact)
    np.testing.assert_allclose(found, exact, atol=0.003)
    assert eer(edges, of_same, counts) == pytest.approx(eer(scores, same), abs=1e-3)
    coarse = all_pairs_histogram(embeddings, labels, bins=50)
    assert np.all(tar_at_far(*coarse[:2], fars, counts=coarse[2]) <= exact)


def test_too_many_pairs_to_keep_become_a_histogram(monkeypatch):
    embeddings, labels = np.random.default_rng(0).normal(size=(5, 3)), [0, 0, 1, 1, 2]
    for most, expected in (
        (10, (*all_pairs(embeddings, labels), None)),
        (9, all_pairs_histogram(embeddings, labels)),
        (20, (*all_pairs(embeddings, labels, embeddings), None)),
        (19, all_pairs_histogram(embeddings, labels, others=embeddings)),
    ):
        monkeypatch.setattr(all_pairs_module, "MOST_PAIRS", most)
        others = embeddings if most > 10 else None
        found = all_pairs_module.bounded_pairs(embeddings, labels, others)
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_progress_bar(capsys):
    rows = np.arange(3)
    for verbose in (1, "auto", 2):
        pair_scores(np.eye(3), rows, rows, verbose=verbose)
        assert "1/1" in capsys.readouterr().out
    list(ScoreBlocks(np.eye(3), np.eye(3), verbose=1))
    assert "1/1" in capsys.readouterr().out
    all_pairs_histogram(np.eye(3), rows, verbose=1)
    assert "1/1" in capsys.readouterr().out
    pair_scores(np.eye(3), rows, rows)
    assert not capsys.readouterr().out


@pytest.mark.every_backend
def test_flip_augmented():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 6, 4))
    a[0] = b[0] = 0
    a[1], b[1] = 1, -1
    both = flip_augmented(a, b)
    expected = [[*(x + y) / (np.linalg.norm(x + y) or 1)] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(both, expected, atol=1e-14)
    np.testing.assert_array_equal(both[:2], 0)
    np.testing.assert_array_equal(flip_augmented(b, a), both)
    np.testing.assert_array_equal(flip_augmented(a, b, normalize=False), a + b)
    joined = flip_augmented(a, b, "concatenate", normalize=False)
    np.testing.assert_array_equal(joined, [[*x, *y] for x, y in zip(a, b, strict=True)])
    unit = flip_augmented(a, b, "concatenate")
    np.testing.assert_allclose(np.linalg.norm(unit[1:], axis=1), 1)


# Table 2 of "Learning Unified Representations for Multi-Resolution Face Recognition": accuracies
# and gains of 112&7, 112&14, 112&28, 7&7, 14&14 and 28&28.
HIGH = [57.75, 81.02, 95.90, 60.70, 73.88, 93.58]
TABLE = {
    "mm": ([50.58, 49.90, 50.03, 62.57, 78.00, 94.68], [-0.89, -4.82, -305.80, 1.00, 1.00, 1.00]),
    "mr": ([65.85, 87.47, 96.05, 61.02, 80.32, 95.12], [1.00, 1.00, 1.00, 0.17, 1.56, 1.40]),
    "mr(v2)": ([65.68, 87.13, 95.70, 60.82, 80.22, 95.63], [0.98, 0.95, -1.33, 0.06, 1.54, 1.86]),
    "mr(v3)": ([68.80, 88.13, 96.62, 61.62, 80.55, 94.78], [1.36, 1.10, 4.80, 0.49, 1.62, 1.09]),
    "bt": ([86.10, 94.08, 96.65, 77.78, 90.90, 96.27], [3.50, 2.02, 5.00, 9.13, 4.13, 2.45]),
}


@pytest.mark.parametrize("network", TABLE)
def test_resolution_gains_of_the_paper(network):
    """Across resolutions against phi_mr, within one against phi_mm."""
    accuracies, gains = TABLE[network]
    reference = [*TABLE["mr"][0][:3], *TABLE["mm"][0][3:]]
    np.testing.assert_array_equal(np.round(resolution_gain(accuracies, HIGH, reference), 2), gains)


def test_resolution_gain_at_its_ends():
    # Where the reference is worse than the baseline a gain stays a gain.
    assert resolution_gain(65.0, 60.0, 50.0) == 0.5
    np.testing.assert_array_equal(resolution_gain([1.0, 2.0], 1.0, [1.0, 3.0]), [np.nan, 0.5])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: pair_scores(np.ones(3), [0], [0]), "embeddings"),
        (lambda: pair_scores(np.ones((0, 3)), [], []), "embeddings"),
        (lambda: pair_scores([[1.0, np.nan]], [0], [0]), "embeddings"),
        (lambda: pair_scores([[1.0, np.inf]], [], []), "embeddings"),
        (lambda: pair_scores(np.eye(3), [0, 3], [0, 0]), "first"),
        (lambda: pair_scores(np.eye(3), [0, 0], [0, -1]), "second"),
        (lambda: pair_scores(np.eye(3), [0.0], [0]), "first"),
        (lambda: pair_scores(np.eye(3), [0], [[0]]), "second"),
        (lambda: pair_scores(np.eye(3), [0, 1], [0]), "second"),
        (lambda: pair_scores(np.eye(3), [0], [0], normalize=1), "normalize"),
        (lambda: pair_scores(np.eye(3), [0], [0], verbose=3), "verbose"),
        (lambda: pair_scores(np.eye(3), [0], [0], verbose=True), "verbose"),
        (lambda: ScoreBlocks(np.eye(3), np.eye(2)), "gallery"),
        (lambda: ScoreBlocks([[np.nan]], [[1.0]]), "probes"),
        (lambda: ScoreBlocks([[1.0]], [[np.inf]]), "gallery"),
        (lambda: ScoreBlocks([1.0], [[1.0]]), "probes"),
        (lambda: ScoreBlocks([[1.0]], [[1.0]], normalize=None), "normalize"),
        (lambda: ScoreBlocks([[1.0]], [[1.0]], verbose="loud"), "verbose"),
        (lambda: all_pairs_histogram(np.eye(3), [0, 1]), "labels"),
        (lambda: all_pairs_histogram(np.eye(3), [0, 1, 2], bins=1), "bins"),
        (lambda: metrics.flip_augmented(np.eye(2), np.eye(3)), "mirrored"),
        (lambda: metrics.flip_augmented(np.eye(2), np.eye(2), "mean"), "combination"),
        (lambda: metrics.flip_augmented([[1.0]], [[np.nan]]), "embeddings"),
        (lambda: metrics.flip_augmented([[1.0]], [[1.0]], normalize="l2"), "normalize"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        call()
