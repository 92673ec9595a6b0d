"""The margin heads against the released code, a loop, and their promises at the edges."""

import math
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample.heads import ArcFace, CosFace, MarginHead
from tests.heads.cases import cosines_of, head_with, logits_of, loss_of, random_case
from tests.layer_test_case import check_layer
from tests.numerics import check_gradients, gradients, to_numpy

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "margins.npz")
CLASSES = GOLDENS["W"].shape[1]
# What each golden file entry is in this package; the first two are straight-through.
OFFICIAL = {
    "insight_arcface": (ArcFace, {"beyond_pi": "plain", "gradient": "straight_through"}),
    "insight_cosface": (CosFace, {"margin": 0.4, "gradient": "straight_through"}),
    "cur_arcface_hard": (ArcFace, {}),
    "ada_arcface_clip": (ArcFace, {"beyond_pi": "clip"}),
    "pml_arcface": (ArcFace, {"margin": math.radians(28.6)}),
    "pml_cosface": (CosFace, {}),
    "pml_normalized_softmax": (MarginHead, {}),
}
HEADS = [MarginHead, CosFace] + [
    lambda n, beyond=beyond, **kwargs: ArcFace(n, beyond_pi=beyond, **kwargs)
    for beyond in ("hard", "plain", "easy", "clip", "reflect")
]


def naive_target(head, angle):
    """What the target angle becomes, from the definitions, one number at a time."""
    if isinstance(head, CosFace):
        return math.cos(angle) - head.margin
    if not isinstance(head, ArcFace):
        return math.cos(angle)
    m = head.margin
    if head.beyond_pi == "easy":
        return math.cos(angle + m) if angle < math.pi / 2 else math.cos(angle)
    if head.beyond_pi == "plain" or angle + m < math.pi:
        return math.cos(angle + m)
    if head.beyond_pi == "hard":
        return math.cos(angle) - m * math.sin(m)
    return -1.0 if head.beyond_pi == "clip" else -2.0 - math.cos(angle + m)


@pytest.mark.parametrize("name", OFFICIAL)
def test_official(name):
    build, arguments = OFFICIAL[name]
    kernel = GOLDENS["W"].T.astype("float32")
    embeddings = GOLDENS["emb"].astype("float32")
    labels = GOLDENS["y"].astype("int32")
    head = head_with(build(CLASSES, **arguments), kernel)
    # AdaFace's code clips cosines to 1e-4 from 1, which moves the first two rows; we do not.
    rows = slice(2, None) if name == "ada_arcface_clip" else slice(None)
    if f"{name}/logits" in GOLDENS:
        logits = to_numpy(head(embeddings, labels=labels, training=True))
        # A float32 cosine is good to 3e-7. The first two embeddings are nearly parallel to their
        # class, where cos(t + m) changes 1/sin(t), more than a hundred times, as fast.
        sine = np.min(np.sqrt(1 - np.square(cosines_of(embeddings, kernel))), axis=1)
        error = np.abs(logits - GOLDENS[f"{name}/logits"]).max(axis=1)
        assert np.all((error < 64 * 3e-7 * (1 + 1 / sine))[rows])
    demb, dkernel = gradients(loss_of(head, labels), embeddings, kernel)
    expected = GOLDENS[f"{name}/demb"]
    np.testing.assert_allclose(demb[rows], expected[rows], atol=1e-5 * np.abs(expected).max())
    if name != "ada_arcface_clip":
        loss = to_numpy(loss_of(head, labels)(embeddings, ops.convert_to_tensor(kernel)))
        np.testing.assert_allclose(loss, GOLDENS[f"{name}/loss"], rtol=1e-5)
        expected = GOLDENS[f"{name}/dW"].T
        np.testing.assert_allclose(dkernel, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("build", HEADS)
def test_equals_a_loop(build):
    embeddings, kernel, labels = random_case(b=12, dim=3)
    embeddings[0] = -kernel[labels[0]]  # beyond pi
    head = head_with(build(7, scale=10.0), kernel)
    cosines = cosines_of(embeddings, kernel)
    shifted = cosines.copy()
    for i, label in enumerate(labels):
        shifted[i, label] = naive_target(head, math.acos(cosines[i, label]))
    for training, expected in ((True, shifted), (False, cosines)):
        found = head(embeddings, labels=labels, training=training)
        np.testing.assert_allclose(to_numpy(found), 10 * expected, atol=2e-5)
    np.testing.assert_allclose(to_numpy(head(embeddings, training=True)), 10 * cosines, atol=2e-5)


@pytest.mark.parametrize(
    ("angle", "values"),
    [
        (2.0, (-0.8011, -0.8011, -0.4161, -0.8011, -0.8011)),
        (2.7, (-0.9983, -1.1438, -0.9041, -1.0000, -1.0017)),
        (3.1, (-0.8968, -1.2388, -0.9991, -1.0000, -1.1032)),
    ],
)
def test_beyond_pi_table(angle, values):
    for beyond_pi, value in zip(("plain", "hard", "easy", "clip", "reflect"), values, strict=True):
        head = ArcFace(2, beyond_pi=beyond_pi)
        found = to_numpy(head.target(ops.convert_to_tensor(np.float32([math.cos(angle)]))))
        np.testing.assert_allclose(found, [value], atol=1e-4)


@pytest.mark.parametrize("build", HEADS)
def test_gradient_is_the_derivative(build):
    embeddings, kernel, labels = random_case()
    head = head_with(build(7, scale=4.0), kernel)
    check_gradients(logits_of(head, labels), embeddings, kernel)


@pytest.mark.parametrize("build", HEADS)
def test_straight_through_ignores_the_margin(build):
    embeddings, kernel, labels = random_case()
    head = head_with(build(7, gradient="straight_through"), kernel)
    plain = head_with(MarginHead(7), kernel)
    for found, expected in zip(
        gradients(logits_of(head, labels), embeddings, kernel),
        gradients(logits_of(plain, labels), embeddings, kernel),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    exact = head_with(build(7), kernel)
    np.testing.assert_allclose(
        to_numpy(head(embeddings, labels=labels, training=True)),
        to_numpy(exact(embeddings, labels=labels, training=True)),
        atol=2e-5,
    )


@pytest.mark.parametrize("gradient", ["exact", "straight_through"])
@pytest.mark.parametrize("build", HEADS)
def test_gradient_is_finite_at_the_edges(build, gradient):
    _, kernel, _ = random_case(dim=16, classes=40)
    # Along, against and almost along the class direction, of any length, and no direction at all.
    factors = np.array([1, -1, 1e-4, -1e4, 0, 1e-20, 1e-9, 3, -3] * 4, "float32")
    labels = np.arange(len(factors), dtype="int32")
    embeddings = kernel[labels] * factors[:, None]
    embeddings[9::9, 0] += 1e-4
    head = head_with(build(40, gradient=gradient), kernel)
    loss = to_numpy(loss_of(head, labels)(embeddings, ops.convert_to_tensor(kernel)))
    assert np.isfinite(loss)
    embedding_gradient, kernel_gradient = gradients(loss_of(head, labels), embeddings, kernel)
    assert np.all(np.isfinite(embedding_gradient)) and np.all(np.isfinite(kernel_gradient))
    assert not embedding_gradient[4].any()


@pytest.mark.parametrize("build", HEADS)
def test_target_is_finite_beyond_one(build):
    """Rounding gives cosines a little outside [-1, 1]."""
    cosines = np.float32([1, -1, 1 + 2e-7, -1 - 2e-7, 1 - 6e-8, -1 + 6e-8])
    head = build(2)
    (found,) = gradients(head.target, cosines)
    assert np.all(np.isfinite(found))
    np.testing.assert_allclose(
        to_numpy(head.target(ops.convert_to_tensor(cosines))),
        [naive_target(head, math.acos(np.clip(c, -1, 1))) for c in cosines.astype("float64")],
        atol=2e-6,
    )


def test_a_kernel_row_of_zeros_is_finite():
    embeddings, kernel, labels = random_case()
    kernel[labels[0]] = 0
    head = head_with(ArcFace(7), kernel)
    assert all(np.all(np.isfinite(g)) for g in gradients(loss_of(head, labels), embeddings, kernel))


def test_one_class_has_no_loss():
    embeddings, kernel, _ = random_case(classes=1)
    labels = np.zeros(6, "int32")
    head = head_with(ArcFace(1), kernel)
    assert to_numpy(loss_of(head, labels)(embeddings, ops.convert_to_tensor(kernel))) == 0
    assert not any(g.any() for g in gradients(loss_of(head, labels), embeddings, kernel))


def test_lengths_and_order_do_not_matter():
    embeddings, kernel, labels = random_case()
    head = head_with(ArcFace(7), kernel)
    expected = to_numpy(head(embeddings, labels=labels, training=True))
    head.kernel.assign(kernel * np.float32([[0.01], [1], [2], [3], [50], [6], [7]]))
    found = to_numpy(head(embeddings * 17, labels=labels[:, None], training=True))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    order = [5, 3, 0, 1, 2, 4]
    found = to_numpy(head(embeddings[order], labels=labels[order], training=True))
    np.testing.assert_allclose(found, expected[order], atol=1e-4)


@pytest.mark.parametrize("length", [1e-25, 1e-13, 1e20, 3e37])
def test_embeddings_of_any_length_have_their_cosine(length):
    embeddings, kernel, labels = random_case()
    embeddings /= np.abs(embeddings).max(axis=1, keepdims=True)
    head = head_with(ArcFace(7), kernel)
    expected = to_numpy(head(embeddings, labels=labels, training=True))
    assert np.ptp(expected) > 1
    long = embeddings * np.float32(length)
    np.testing.assert_allclose(
        to_numpy(head(long, labels=labels, training=True)), expected, atol=1e-4
    )
    found = gradients(loss_of(head, labels), long, kernel)
    assert all(np.all(np.isfinite(g)) for g in found)
    if length == 1e20:  # of 3e37 the smallest ones are no normal numbers
        exact = gradients(loss_of(head, labels), embeddings, kernel)
        np.testing.assert_allclose(found[0] * length, exact[0], atol=1e-4)


def test_nan_in_an_embedding_reaches_its_logits_alone():
    embeddings, kernel, labels = random_case()
    embeddings[2, 1] = np.nan
    found = to_numpy(head_with(ArcFace(7), kernel)(embeddings, labels=labels, training=True))
    assert np.isnan(found[2]).all() and not np.isnan(np.delete(found, 2, axis=0)).any()


def test_a_kernel_row_whose_length_overflows_is_not_silent():
    embeddings, kernel, _ = random_case()
    kernel[3] *= np.float32(1e20)
    assert np.isnan(to_numpy(head_with(ArcFace(7), kernel)(embeddings))[:, 3]).all()


@pytest.mark.parametrize("constraint", ["unit_norm", keras.constraints.UnitNorm(axis=1)])
def test_a_constraint_runs_along_the_directions_of_the_classes(constraint):
    head = ArcFace(3, kernel_constraint=constraint)
    for one in (head, ArcFace.from_config(head.get_config())):
        kernel = to_numpy(one.kernel_constraint(np.random.default_rng(0).normal(size=(3, 4))))
        np.testing.assert_allclose(np.linalg.norm(kernel, axis=1), 1, rtol=1e-5)


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_a_constraint_across_the_classes_is_told():
    with pytest.warns(UserWarning, match=r"`kernel_constraint`.*\(axis=1\).*Received.*axis=0"):
        ArcFace(3, kernel_constraint=keras.constraints.MaxNorm(1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ArcFace(3, kernel_constraint="non_neg")


def test_margin_of_zero_is_no_margin():
    embeddings, kernel, labels = random_case()
    expected = to_numpy(head_with(MarginHead(7), kernel)(embeddings))
    for head in (ArcFace(7, margin=0.0), CosFace(7, margin=0.0)):
        found = head_with(head, kernel)(embeddings, labels=labels, training=True)
        np.testing.assert_allclose(to_numpy(found), expected, atol=2e-5)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16"])
def test_half_precision_policies_compute_in_float32(policy):
    embeddings, kernel, labels = random_case()
    head = ArcFace(7, dtype=policy, kernel_initializer="zeros")
    head.build((None, 5))
    head.kernel.assign(kernel)
    expected = head_with(ArcFace(7), to_numpy(head.kernel).astype("float32"))
    found = head(embeddings, labels=labels, training=True)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    np.testing.assert_array_equal(
        to_numpy(found), to_numpy(expected(embeddings, labels=labels, training=True))
    )


def test_half_precision_embeddings():
    embeddings, kernel, labels = random_case()
    head = head_with(ArcFace(7), kernel)
    half = ops.cast(embeddings, "float16")
    found = head(half, labels=labels, training=True)
    expected = head(ops.cast(half, "float32"), labels=labels, training=True)
    np.testing.assert_array_equal(to_numpy(found), to_numpy(expected))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64"])
def test_integer_labels_of_any_kind(dtype):
    embeddings, kernel, labels = random_case()
    head = head_with(ArcFace(7), kernel)
    found = head(embeddings, labels=labels.astype(dtype), training=True)
    np.testing.assert_array_equal(
        to_numpy(found), to_numpy(head(embeddings, labels=labels, training=True))
    )


@pytest.mark.parametrize("wrong", [-1, 7, 1000])
@pytest.mark.parametrize("training", [True, False])
def test_labels_out_of_range_raise(wrong, training):
    embeddings, kernel, labels = random_case()
    labels[2] = wrong
    with pytest.raises(ValueError, match=rf"`labels` must be in \[0, num_classes\).*\[{wrong}\]"):
        head_with(ArcFace(7), kernel)(embeddings, labels=labels, training=training)


@pytest.mark.backends("tensorflow", "jax", reason="torch runs step by step and raises")
@pytest.mark.parametrize("training", [True, False])
def test_labels_out_of_range_are_nan_in_a_traced_step(backend, training):
    embeddings, kernel, labels = random_case()
    labels[2], labels[4] = -1, 7
    head = head_with(ArcFace(7), kernel)

    def step(embeddings, labels):
        return head(embeddings, labels=labels, training=training)

    if backend == "jax":
        import jax

        found = jax.jit(step)(embeddings, labels)
    else:
        import tensorflow as tf

        found = tf.function(step)(tf.constant(embeddings), tf.constant(labels))
    wrong = np.isnan(to_numpy(found))
    np.testing.assert_array_equal(np.all(wrong, axis=1), [False, False, True, False, True, False])
    assert wrong.sum() == 14


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: MarginHead(0), "num_classes"),
        (lambda: MarginHead(2.5), "num_classes"),
        (lambda: ArcFace(num_classes=True), "num_classes"),
        (lambda: MarginHead(3, scale="64"), "scale"),
        (lambda: MarginHead(3, scale=0), "scale"),
        (lambda: MarginHead(3, scale=-1.0), "scale"),
        (lambda: MarginHead(3, scale=float("nan")), "scale"),
        (lambda: MarginHead(3, gradient="detached"), "gradient"),
        (lambda: ArcFace(3, margin=-0.1), "margin"),
        (lambda: ArcFace(3, margin=28.6), "margin"),
        (lambda: ArcFace(3, beyond_pi="soft"), "beyond_pi"),
        (lambda: CosFace(3, margin=-0.1), "margin"),
        (lambda: CosFace(3, margin=2.1), "margin"),
        (lambda: MarginHead(3)(np.zeros((2, 4, 5), "float32")), "embeddings"),
        (lambda: MarginHead(3)(np.zeros(4, "float32")), "embeddings"),
        (lambda: MarginHead(3).build((None, None)), "embeddings"),
    ],
)
def test_wrong_arguments_are_named(build, name):
    with pytest.raises(ValueError, match=rf"`{name}`.*Received"):
        build()


@pytest.mark.parametrize(
    "labels", [np.zeros(6), np.zeros(6, bool), np.zeros(5, "int32"), np.zeros((6, 2), "int32")]
)
def test_wrong_labels_are_named(labels):
    embeddings, kernel, _ = random_case()
    head = head_with(ArcFace(7), kernel)
    with pytest.raises(ValueError, match="`labels`.*Received"):
        head(embeddings, labels=labels, training=True)
    symbolic = keras.Input(labels.shape[1:], batch_size=len(labels), dtype=labels.dtype.name)
    with pytest.raises(ValueError, match="`labels`.*Received"):
        head(keras.Input((5,), batch_size=6), labels=symbolic)


def test_config_and_symbolic_shape():
    head = ArcFace(
        7,
        margin=0.3,
        beyond_pi="clip",
        scale=32.0,
        gradient="straight_through",
        kernel_regularizer="l2",
        kernel_constraint="unit_norm",
        name="head",
    )
    copy = ArcFace.from_config(head.get_config())
    assert copy.get_config() == head.get_config()
    assert (copy.margin, copy.beyond_pi, copy.scale) == (0.3, "clip", 32.0)
    output = copy(keras.Input((5,)), labels=keras.Input((), dtype="int32"))
    assert output.shape == (None, 7) and output.dtype == "float32"
    assert copy.kernel.path.endswith("head/kernel") and copy.kernel.shape == (7, 5)
    assert copy.compute_output_shape((None, 5)) == (None, 7)
    assert len(copy.losses) == 1


def test_kernel_starts_as_in_insightface():
    head = MarginHead(2000)
    head.build((None, 50))
    kernel = to_numpy(head.kernel)
    assert abs(kernel.std() - 0.01) < 1e-4 and abs(kernel.mean()) < 1e-4


def test_functional_model_with_two_inputs_learns_and_reloads(tmp_path):
    embeddings, _, _ = random_case(b=70)
    labels = (np.arange(70) % 7).astype("int32")
    inputs = keras.Input((5,)), keras.Input((), dtype="int32")
    model = keras.Model(inputs, ArcFace(7, scale=8.0)(inputs[0], labels=inputs[1]))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit([embeddings, labels], labels, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        copy.predict([embeddings, labels], verbose=0),
        model.predict([embeddings, labels], verbose=0),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("layer", "training", "only"),
    [
        (ArcFace, False, None),
        (ArcFace, True, ("config", "half_precision", "gradient", "exchange")),
        (CosFace, True, ("config", "half_precision", "gradient", "exchange")),
    ],
)
def test_what_every_layer_promises(layer, training, only):
    embeddings, _, labels = random_case()
    check_layer(
        layer,
        {"num_classes": 7, "scale": 8.0, "margin": 0.3, "kernel_regularizer": "l2"},
        {"embeddings": embeddings, "labels": labels},
        call_arguments={"training": training},
        output_dtype="float32",
        only=only,
    )
