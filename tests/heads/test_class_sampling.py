"""The sampled softmax against the released PartialFC, and what it promises."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample.heads import AdaFace, ArcFace, CosFace, CurricularFace, MagFace, MarginHead
from keras_resample.heads.class_sampling import ABSENT, choose_classes, sample_classes
from tests.heads.cases import head_with, random_case
from tests.numerics import gradients, to_numpy, with_values

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "partial_fc.npz")
THROUGH = {"gradient": "straight_through"}
OFFICIAL = {
    "arc": (ArcFace, {"beyond_pi": "plain", **THROUGH}),
    "cos": (CosFace, {"margin": 0.4, **THROUGH}),
}
RATES = {"full": 1.0, "r04": 0.4, "r01": 0.1}


def compact_loss(head, labels, reduction="sum_over_batch_size"):
    """The loss of `training_logits` as a function of embeddings and kernel."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)

    def fn(embeddings, kernel):
        logits, columns = with_values(
            [head.kernel], [kernel], lambda: head.training_logits(embeddings, labels)
        )
        return loss(columns, logits)

    return fn


@pytest.mark.parametrize("kind", OFFICIAL)
@pytest.mark.parametrize("rate", RATES)
def test_official(rate, kind):
    name, (build, arguments) = f"{rate}_{kind}", OFFICIAL[kind]
    kernel = GOLDENS["W"].T.astype("float32")
    embeddings, labels = GOLDENS["emb"].astype("float32"), GOLDENS["y"].astype("int32")
    head = head_with(build(len(kernel), sample_rate=RATES[rate], **arguments), kernel)
    fn = compact_loss(head, labels)
    # At both rates the positives are more than the sample: they are all there is to compute.
    rows = compact_loss(head, labels, reduction=None)
    losses = to_numpy(rows(ops.convert_to_tensor(embeddings), ops.convert_to_tensor(kernel)))
    # Their loss takes the logarithm of at least 1e-30, though its gradient does not.
    loss = np.mean(np.minimum(losses, -np.log(1e-30)))
    np.testing.assert_allclose(loss, GOLDENS[f"{name}/loss"], rtol=1e-5)
    demb, dkernel = gradients(fn, embeddings, kernel)
    for found, expected in ((demb, GOLDENS[f"{name}/demb"]), (dkernel, GOLDENS[f"{name}/dW"].T)):
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    if rate != "full":
        classes, filled, columns = choose_classes(
            labels,
            ops.convert_to_tensor(GOLDENS[f"{name}/rand"], "float32"),
            num_classes=40,
            wanted=int(40 * RATES[rate]),
        )
        kept = to_numpy(classes)[to_numpy(filled)]
        np.testing.assert_array_equal(np.sort(kept), GOLDENS[f"{name}/index"])
        np.testing.assert_array_equal(to_numpy(classes)[to_numpy(columns)], labels)


@pytest.mark.parametrize(("b", "wanted"), [(1, 6), (4, 6), (8, 6), (8, 30), (60, 6), (60, 0)])
def test_positives_first_then_the_largest_random_numbers(b, wanted):
    rng = np.random.default_rng(b)
    labels, random = rng.integers(0, 30, b).astype("int32"), rng.uniform(size=30).astype("float32")
    found = choose_classes(labels, ops.convert_to_tensor(random), num_classes=30, wanted=wanted)
    classes, filled, columns = (to_numpy(x) for x in found)
    positives = set(labels.tolist())
    negatives = [j for j in np.argsort(-random) if j not in positives]
    expected = positives | set(negatives[: max(wanted - len(positives), 0)])
    assert set(classes[filled].tolist()) == expected and filled.sum() == len(expected)
    assert len(classes) == len(set(classes.tolist())) == max(wanted, min(b, 30))
    np.testing.assert_array_equal(classes[columns], labels)


def test_negatives_are_uniform():
    generator, labels = keras.random.SeedGenerator(1), ops.convert_to_tensor([3, 7], "int32")
    counts = np.zeros(20)
    for _ in range(300):
        classes, filled, _ = sample_classes(labels, 20, 0.3, generator)
        assert np.all(to_numpy(filled))
        counts[to_numpy(classes)] += 1
    assert counts[3] == counts[7] == 300
    # 4 of 18 negatives in each of 300 steps: 67 each, with a standard deviation of 7.
    negatives = np.delete(counts, [3, 7])
    assert negatives.sum() == 4 * 300 and np.all(np.abs(negatives - 66.7) < 30)


@pytest.mark.parametrize("build", [MarginHead, ArcFace, CurricularFace, MagFace, AdaFace])
def test_call_is_training_logits_spread_over_all_classes(build):
    embeddings, kernel, labels = random_case(b=3, classes=12)
    head = head_with(build(12, sample_rate=0.5), kernel)
    everything = head_with(build(12), kernel)
    for h in (head, everything):  # Statistics: the same batch a second time changes nothing else.
        h.momentum = 0.0
    expected = to_numpy(everything(embeddings, labels=labels, training=True))
    full = to_numpy(head(embeddings, labels=labels, training=True))
    present = full[0] > ABSENT
    assert present.sum() == 6 and np.all(present[labels])
    np.testing.assert_allclose(full[:, present], expected[:, present], atol=1e-4)
    assert np.all(full[:, ~present] == np.float32(ABSENT))
    logits, columns = (to_numpy(x) for x in head.training_logits(embeddings, labels[:, None]))
    assert logits.shape == (3, 6) and columns.shape == (3,)
    rows = np.arange(3)
    np.testing.assert_allclose(logits[rows, columns], expected[rows, labels], atol=1e-4)


def test_all_classes_are_computed_at_rate_one_and_in_evaluation():
    embeddings, kernel, labels = random_case(classes=30)
    whole, sampled = (head_with(ArcFace(30, sample_rate=r), kernel) for r in (1.0, 0.1))
    logits, columns = whole.training_logits(embeddings, labels)
    np.testing.assert_array_equal(to_numpy(columns), labels)
    np.testing.assert_array_equal(
        to_numpy(logits), to_numpy(whole(embeddings, labels=labels, training=True))
    )
    for arguments in ({}, {"labels": labels}, {"labels": labels, "training": False}):
        found, expected = sampled(embeddings, **arguments), whole(embeddings, **arguments)
        np.testing.assert_array_equal(to_numpy(found), to_numpy(expected))


@pytest.mark.parametrize("compact", [True, False])
@pytest.mark.parametrize("subcenters", [1, 2])
def test_rows_left_out_have_no_gradient(compact, subcenters):
    embeddings, _, labels = random_case(b=4)
    kernel = np.random.default_rng(0).normal(size=(40 * subcenters, 5)).astype("float32")
    head = head_with(ArcFace(40, scale=4.0, sample_rate=0.3, seed=3, subcenters=subcenters), kernel)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def full(embeddings, kernel):
        return with_values(
            [head.kernel],
            [kernel],
            lambda: loss(labels, head(embeddings, labels=labels, training=True)),
        )

    _, found = gradients(compact_loss(head, labels) if compact else full, embeddings, kernel)
    moved = found.reshape(40, subcenters, 5).any(axis=(1, 2))
    assert moved.sum() == 12 and np.all(moved[labels])


def test_seed_repeats_the_samples():
    embeddings, kernel, labels = random_case(classes=50)
    runs = []
    for _ in range(2):
        head = head_with(ArcFace(50, sample_rate=0.2, seed=5), kernel)
        runs.append([to_numpy(head(embeddings, labels=labels, training=True)) for _ in range(2)])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.any(runs[0][0] != runs[0][1])


@pytest.mark.backends("tensorflow", "jax", reason="torch runs step by step")
def test_same_numbers_traced_or_not(backend):
    embeddings, kernel, labels = random_case(classes=50)
    eager, traced = (head_with(ArcFace(50, sample_rate=0.2, seed=5), kernel) for _ in range(2))
    expected = eager.training_logits(embeddings, labels)
    if backend == "jax":
        import jax

        seed = traced.seed_generator.state

        def step(value):
            return with_values([seed], [value], lambda: traced.training_logits(embeddings, labels))

        found = jax.jit(step)(seed.value)
    else:
        import tensorflow as tf

        found = tf.function(traced.training_logits)(tf.constant(embeddings), tf.constant(labels))
    np.testing.assert_allclose(to_numpy(found[0]), to_numpy(expected[0]), atol=1e-4)
    np.testing.assert_array_equal(to_numpy(found[1]), to_numpy(expected[1]))


@pytest.mark.backends("tensorflow", "jax", reason="torch runs step by step")
def test_compiled_by_xla(backend):
    """TensorFlow's XLA draws other classes from the same seed; their logits are the same."""
    embeddings, kernel, labels = random_case(classes=50)
    head, everything = (head_with(ArcFace(50, sample_rate=r), kernel) for r in (0.2, 1.0))
    expected = to_numpy(everything(embeddings, labels=labels, training=True))
    wrong = np.where(np.arange(6) == 2, 50, labels).astype("int32")

    def step(embeddings, labels):
        return with_values([], [], lambda: head(embeddings, labels=labels, training=True))

    if backend == "jax":
        import jax

        step = jax.jit(step)
    else:
        import tensorflow as tf

        step = tf.function(step, jit_compile=True)
    full = to_numpy(step(ops.convert_to_tensor(embeddings), ops.convert_to_tensor(labels)))
    present = full[0] > ABSENT
    assert present.sum() == 10 and np.all(present[labels])
    np.testing.assert_allclose(full[:, present], expected[:, present], atol=1e-4)
    full = to_numpy(step(ops.convert_to_tensor(embeddings), ops.convert_to_tensor(wrong)))
    known = np.arange(6) != 2
    assert np.all(np.isnan(full[2]).sum() == 10) and np.all(np.isfinite(full[known]))


def test_trains_in_a_functional_model_with_a_last_batch_of_another_size():
    embeddings, _, _ = random_case(b=50)
    labels = (np.arange(50) % 25).astype("int32")
    inputs = keras.Input((5,)), keras.Input((), dtype="int32")
    head = CosFace(25, sample_rate=0.2, scale=8.0, kernel_regularizer="l2")
    model = keras.Model(inputs, head(inputs[0], labels=inputs[1]))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    history = model.fit([embeddings, labels], labels, batch_size=16, epochs=4, verbose=0)
    losses = history.history["loss"]
    assert np.all(np.isfinite(losses)) and losses[-1] < losses[0]
