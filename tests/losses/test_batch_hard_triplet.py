"""The batch-hard triplet loss against loops, pytorch-metric-learning, and its own symmetries."""

import pathlib

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample.losses import BatchHardTriplet
from tests.numerics import assert_close, check_gradients, gradients, to_numpy

GOLDENS = pathlib.Path(__file__).parents[1] / "goldens" / "batch_hard_triplet.npz"
MARGINS = [0.0, 0.3, 2.0, "soft"]


def batch(n=14, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, n), rng.normal(size=(n, 5)).astype("float32")


def by_loop(labels, embeddings, margin=0.3, normalize=False):
    """Term of each anchor, None where it has no positive or no negative."""
    x = embeddings.astype("float64")
    if normalize:
        x = np.array([v / np.linalg.norm(v) if v.any() else v for v in x])
    terms = []
    for i in range(len(x)):
        distance = [np.linalg.norm(x[i] - x[j]) for j in range(len(x))]
        positives = [distance[j] for j in range(len(x)) if labels[j] == labels[i] and j != i]
        negatives = [distance[j] for j in range(len(x)) if labels[j] != labels[i]]
        if not positives or not negatives:
            terms.append(None)
            continue
        excess = max(positives) - min(negatives)
        soft = margin == "soft"
        terms.append(np.log1p(np.exp(excess)) if soft else max(0.0, margin + excess))
    return terms


def mean(terms):
    return np.mean([t for t in terms if t is not None])


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("classes", [2, 4, 9])
def test_by_loop(margin, normalize, classes):
    labels, embeddings = batch(classes=classes)
    found = BatchHardTriplet(margin, normalize=normalize)(labels, embeddings)
    assert_close(found, np.float64(mean(by_loop(labels, embeddings, margin, normalize))))


@pytest.mark.parametrize("kind", ["raw", "norm"])
def test_pytorch_metric_learning(kind):
    golden = np.load(GOLDENS)
    labels, embeddings = golden["y_trip"], golden["emb"].astype("float32")
    found = BatchHardTriplet(0.3, normalize=kind == "norm", reduction=None)(labels, embeddings)
    kept = golden[f"pml_batchhard_{kind}/anchors"]
    dropped = np.setdiff1d(np.arange(len(labels)), kept)
    assert not to_numpy(found)[dropped].any()
    whole = BatchHardTriplet(0.3, normalize=kind == "norm")(labels, embeddings)
    np.testing.assert_allclose(to_numpy(whole), golden[f"pml_batchhard_{kind}/loss"], rtol=1e-5)


@pytest.mark.parametrize("margin", MARGINS)
@pytest.mark.parametrize("normalize", [False, True])
def test_gradient(margin, normalize):
    labels, embeddings = batch()
    loss = BatchHardTriplet(margin, normalize=normalize)
    check_gradients(lambda x: loss(labels, x), embeddings, entries=20)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("margin", [0.3, "soft"])
def test_gradient_is_finite_at_duplicates(margin, normalize):
    labels = np.array([0, 0, 0, 1, 1, 2])
    embeddings = np.ones((6, 4), "float32")
    embeddings[5] = 0
    loss = BatchHardTriplet(margin, normalize=normalize)
    (gradient,) = gradients(lambda x: loss(labels, x), embeddings)
    assert np.all(np.isfinite(gradient))
    # All distances among the first five are 0; the sixth is no anchor.
    expected = np.log(2) if margin == "soft" else margin
    assert_close(loss(labels, embeddings), np.float32(expected))


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
def test_no_valid_anchor_gives_zero(labels, reduction):
    embeddings = np.random.default_rng(0).normal(size=(len(labels), 3)).astype("float32")
    loss = BatchHardTriplet(reduction=reduction)
    (gradient,) = gradients(lambda x: loss(np.array(labels), x), embeddings)
    assert float(loss(np.array(labels), embeddings)) == 0.0
    assert not gradient.any()


def test_reductions_and_sample_weights():
    labels, embeddings = batch(classes=9)
    terms = by_loop(labels, embeddings)
    assert None in terms
    kept = np.array([t is not None for t in terms])
    terms = np.array([t or 0.0 for t in terms])
    weight = np.random.default_rng(1).uniform(0, 2, len(labels)).astype("float32")

    def value(reduction, *arguments):
        return to_numpy(BatchHardTriplet(reduction=reduction)(labels, embeddings, *arguments))

    np.testing.assert_allclose(value(None), terms, atol=1e-5)
    np.testing.assert_allclose(value("sum"), terms.sum(), rtol=1e-5)
    np.testing.assert_allclose(value("mean"), terms.sum() / kept.sum(), rtol=1e-5)
    for one in (weight, weight[:, None]):
        np.testing.assert_allclose(value(None, one), terms * weight, atol=1e-5)
        np.testing.assert_allclose(
            value("sum_over_batch_size", one), (terms * weight).sum() / kept.sum(), rtol=1e-5
        )
        np.testing.assert_allclose(
            value("mean_with_sample_weight", one),
            (terms * weight).sum() / weight[kept].sum(),
            rtol=1e-5,
        )


def test_order_names_of_labels_and_position_do_not_matter():
    labels, embeddings = batch()
    order = np.random.default_rng(2).permutation(len(labels))
    loss = BatchHardTriplet()
    expected = loss(labels, embeddings)
    assert_close(loss(labels[order], embeddings[order]), expected)
    assert_close(loss(7 - labels[:, None], embeddings), expected)
    assert_close(loss(labels, embeddings + np.float32(100)), expected, 1e-4)
    (moved,) = gradients(lambda x: loss(labels, x), embeddings)
    np.testing.assert_allclose(moved.sum(axis=0), 0, atol=1e-6)


def test_neighbouring_large_labels_stay_apart():
    labels, embeddings = batch(classes=3)
    assert_close(
        BatchHardTriplet()(labels + 2**30, embeddings), BatchHardTriplet()(labels, embeddings)
    )


def test_length_does_not_matter_when_normalized():
    labels, embeddings = batch()
    lengths = np.random.default_rng(1).uniform(0.1, 9, (len(labels), 1)).astype("float32")
    loss = BatchHardTriplet(normalize=True)
    assert_close(loss(labels, embeddings * lengths), loss(labels, embeddings))


@pytest.mark.parametrize("length", [1e-25, 1e20])
def test_no_length_overflows_or_vanishes_when_normalized(length):
    labels, embeddings = batch()
    loss = BatchHardTriplet(normalize=True)
    long = embeddings * np.float32(length)
    long[3] = 0
    embeddings[3] = 0
    assert_close(loss(labels, long), loss(labels, embeddings))
    (gradient,) = gradients(lambda x: loss(labels, x), long)
    assert np.all(np.isfinite(gradient))


def test_far_from_the_origin_the_hardest_are_still_found():
    labels, embeddings = batch(n=40, classes=6)
    far = (embeddings.astype("float64") * 1e-3 + 30).astype("float32")
    assert_close(
        BatchHardTriplet(0.0)(labels, far) * 1e3,
        np.float64(1e3 * mean(by_loop(labels, far, 0.0))),
        1e-3,
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    labels, embeddings = batch()
    half = ops.cast(embeddings, dtype)
    found = BatchHardTriplet()(labels, half)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert_close(found, BatchHardTriplet()(labels, to_numpy(half).astype("float32")))


def test_trains_a_compiled_model():
    labels, embeddings = batch(32)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.Adam(0.01), BatchHardTriplet("soft"))
    history = model.fit(embeddings, labels, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("margin", [0.25, "soft"])
def test_configuration(margin):
    loss = BatchHardTriplet(margin, normalize=True, reduction="sum", name="triplet")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is BatchHardTriplet
    assert again.get_config() == loss.get_config()
    assert loss.get_config() == {
        "margin": margin, "normalize": True, "reduction": "sum", "name": "triplet"
    }  # fmt: skip


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("margin", [0.3, "soft"])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("rows", [slice(None), 0, 4], ids=["all", "an_anchor", "a_lonely_one"])
def test_embeddings_that_are_not_finite_make_the_loss_nan(bad, margin, normalize, rows):
    embeddings = batch(5)[1]
    embeddings[rows, 1] = bad
    loss = BatchHardTriplet(margin, normalize=normalize)
    (gradient,) = gradients(lambda x: loss(np.array([0, 0, 1, 1, 2]), x), embeddings)
    assert np.isnan(float(loss(np.array([0, 0, 1, 1, 2]), embeddings)))
    assert np.isnan(to_numpy(gradient)).any()  # what a scaled loss looks at


@pytest.mark.parametrize("margin", [-0.1, float("nan"), float("inf"), "hard", True])
def test_wrong_margins_are_named(margin):
    with pytest.raises(ValueError, match="`margin`.*Received"):
        BatchHardTriplet(margin)


def test_normalize_is_true_or_false():
    with pytest.raises(ValueError, match="`normalize` must be True or False.*Received"):
        BatchHardTriplet(normalize=1)


@pytest.mark.parametrize(
    ("labels", "embeddings", "name"),
    [
        (np.zeros((3, 2), "int32"), np.zeros((3, 4)), "y_true"),
        (np.zeros(4, "int32"), np.zeros((3, 4)), "y_true"),
        (np.zeros(3, "int32"), np.zeros((3, 4, 2)), "y_pred"),
    ],
)
def test_wrong_shapes_are_named(labels, embeddings, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        BatchHardTriplet()(labels, embeddings)
