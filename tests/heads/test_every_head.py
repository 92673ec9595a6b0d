"""What every head promises, whatever its margin: a loop, derivatives, edges, statistics, saving."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample.heads import (
    AdaFace,
    CombinedMargin,
    CurricularFace,
    MagFace,
    MVSoftmax,
    NormFace,
    SphereFace,
)
from keras_resample.heads.angles import add_margin, multiply_add_margin
from tests.heads.cases import head_with, logits_of, loss_of, random_case
from tests.layer_test_case import check_layer
from tests.numerics import check_gradients, gradients, to_numpy

LENGTHS = {"lengths": (1.0, 5.0)}  # where random embeddings of five numbers lie
HEADS = {
    "norm": (NormFace, {"learn_scale": True}),
    "a-softmax": (SphereFace, {"annealing": (2.0, 0.12, 1.0, 0.5)}),
    "sphere": (SphereFace, {"margin": 1.7, "annealing": None, "keep_length": False}),
    "combined": (CombinedMargin, {"m1": 1.2, "m2": 0.3, "m3": 0.2}),
    "combined-3": (CombinedMargin, {"m1": 3, "m2": 0.3, "beyond_pi": "reflect"}),
    "curricular": (CurricularFace, {"momentum": 0.5}),
    "mv-arc": (MVSoftmax, {}),
    "mv-am": (MVSoftmax, {"kind": "am", "adaptive": False}),
    "mag": (MagFace, {**LENGTHS, "beyond_pi": "hard"}),
    "ada": (AdaFace, {"momentum": 0.9, "epsilon": 0.0}),
    "subcenters": (CombinedMargin, {"m2": 0.5, "subcenters": 3}),
    "threshold": (MVSoftmax, {"kind": "am", "interclass_threshold": 0.3}),
}


def made(name, classes=7, **arguments):
    build, own = HEADS[name]
    return build(classes, **{**own, **arguments})


def case_of(name, b=6, classes=7):
    embeddings, kernel, labels = random_case(b, 5, classes)
    if "subcenters" in HEADS[name][1]:
        kernel = np.random.default_rng(1).normal(size=(3 * classes, 5)).astype("float32")
    return embeddings, kernel, labels


def continued(angle, m1, m2, beyond_pi):
    """cos(m1 t + m2) beyond pi, from the definitions."""
    phi = m1 * angle + m2
    if beyond_pi == "easy":
        return math.cos(phi) if angle < math.pi / 2 else math.cos(angle)
    if beyond_pi == "plain" or phi <= math.pi:
        return math.cos(phi)
    added = math.pi - (math.pi - m2) / m1
    folds = math.floor(phi / math.pi)
    return {
        "hard": math.cos(angle) - added * math.sin(added),
        "clip": -1.0,
        "reflect": (-1) ** folds * math.cos(phi) - 2 * folds,
    }[beyond_pi]


def looped(head, embeddings, kernel, labels):
    """The training logits, one number at a time, from the equations of the docstrings."""
    embeddings, kernel = embeddings.astype("float64"), kernel.astype("float64")
    length = [math.sqrt(sum(x * x)) for x in embeddings]
    cosines = np.zeros((len(labels), head.num_classes))
    for i, j in np.ndindex(cosines.shape):
        rows = kernel[j * head.subcenters : (j + 1) * head.subcenters]
        cosines[i, j] = max(
            math.fsum(embeddings[i] * w) / length[i] / math.sqrt(sum(w * w)) for w in rows
        )
    own = [cosines[i, label] for i, label in enumerate(labels)]
    if isinstance(head, AdaFace):
        mean = 0.1 * 20 + 0.9 * np.mean(length)
        std = 0.1 * 100 + 0.9 * np.std(length, ddof=1)
    logits = np.zeros_like(cosines)
    for i, j in np.ndindex(cosines.shape):
        c, target, scale = cosines[i, j], own[i], head.scale
        angle = math.acos(target)
        if j != labels[i] and head.interclass_threshold is not None:
            c = 0.0 if c > head.interclass_threshold else c
        if isinstance(head, SphereFace):
            psi = continued(angle, head.margin, 0.0, "reflect")
            weight = max(2.0 / 1.12, 0.5) if head.annealing else 0.0
            changed = (weight * target + psi) / (1 + weight)
            scale = scale * length[i] if head.keep_length else scale
        elif isinstance(head, CombinedMargin):
            changed = continued(angle, head.m1, head.m2, head.beyond_pi) - head.m3
        elif isinstance(head, CurricularFace):
            changed = continued(angle, 1, head.margin, "hard")
            if c > math.cos(angle + head.margin):
                c = c * (0.5 * np.mean(own) + c)
        elif isinstance(head, MVSoftmax):
            m, w, arc = head.margin, head.weight, head.kind == "arc"
            shifted = math.cos(angle + m) if arc else target - m
            changed = shifted if target > (0 if arc else m) else target
            if c > shifted:
                c = (w if head.adaptive else 1) * c + w - 1
        elif isinstance(head, MagFace):
            a = min(max(length[i], 1.0), 5.0)
            changed = continued(angle, 1, 0.45 + 0.35 * (a - 1) / 4, "hard")
        elif isinstance(head, AdaFace):
            z = min(max(0.333 * (length[i] - mean) / (std + 0.001), -1), 1)
            phi = min(max(angle - 0.4 * z, 0), math.pi)
            changed = math.cos(phi) - 0.4 - 0.4 * z
        else:
            changed = target
        logits[i, j] = scale * (changed if j == labels[i] else c)
    return logits


@pytest.mark.parametrize("name", HEADS)
def test_equals_a_loop(name):
    embeddings, kernel, labels = case_of(name, b=20)
    first = kernel[labels[0] * (3 if "subcenters" in HEADS[name][1] else 1)]
    embeddings[0] = -first + 0.1 * embeddings[0]  # close to the angle pi
    head = head_with(made(name), kernel)
    expected = looped(head, embeddings, kernel, labels)
    found = to_numpy(head(embeddings, labels=labels, training=True))
    np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("beyond_pi", ["hard", "plain", "easy", "clip", "reflect"])
def test_multiplied_angles(beyond_pi):
    angles = np.linspace(0.01, 3.13, 53)
    cosines = ops.convert_to_tensor(np.cos(angles), "float32")
    for m1, m2 in ((1.0, 0.5), (1.35, 0.0), (2.0, 0.4), (4.0, 0.0), (4.5, 1.0), (0.9, 0.4)):
        found = to_numpy(multiply_add_margin(cosines, m1, m2, beyond_pi))
        expected = [continued(angle, m1, m2, beyond_pi) for angle in angles]
        np.testing.assert_allclose(found, expected, atol=2e-4, err_msg=f"{m1=}, {m2=}")
        if beyond_pi == "reflect":
            assert np.all(np.diff(found) < 0)


@pytest.mark.parametrize("name", HEADS)
def test_gradient_is_the_derivative(name):
    embeddings, kernel, labels = case_of(name)
    head = head_with(made(name, scale=4.0, trainable=True), kernel)
    if name in ("curricular", "ada"):  # Their running averages follow the input, with no gradient.
        head.momentum = 0.0
    if name == "ada":
        head.h = 1e-6  # The lengths have no gradient by design.
    check_gradients(logits_of(head, labels), embeddings, kernel)


@pytest.mark.parametrize("name", HEADS)
def test_straight_through_is_the_gradient_without_a_margin(name):
    embeddings, kernel, labels = case_of(name)
    through = head_with(made(name, gradient="straight_through"), kernel)
    exact = head_with(made(name), kernel)
    np.testing.assert_allclose(
        to_numpy(through(embeddings, labels=labels, training=True)),
        to_numpy(exact(embeddings, labels=labels, training=True)),
        atol=5e-5,
    )
    keep = np.ones((6, 7), "float32")
    if exact.interclass_threshold is not None:
        keep = to_numpy(exact(embeddings)) / exact.scale <= exact.interclass_threshold
        keep[np.arange(6), labels] = True
        keep = keep.astype("float32")
    if name in ("a-softmax", "sphere", "norm"):
        return  # Their factor has a derivative of its own.
    plain = logits_of(head_with(made(name), kernel), labels, training=False)
    for found, expected in zip(
        gradients(logits_of(through, labels), embeddings, kernel),
        gradients(lambda *arrays: ops.multiply(plain(*arrays), keep), embeddings, kernel),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, "float32") for name in HEADS]
    + [(name, dtype) for name in ("combined", "mag", "ada") for dtype in ("float16", "bfloat16")],
)
def test_loss_and_gradients_are_finite_at_the_edges(name, dtype):
    classes, rng = 40, np.random.default_rng(0)
    kernel = rng.normal(size=(classes * HEADS[name][1].get("subcenters", 1), 16)).astype("float32")
    # Along, against and almost along the class direction, of any length, and no direction at all.
    factors = np.array([1, -1, 1e-4, -1e4, 0, 1e-20, 1e-9, 3, -3] * 4, "float32")
    labels = np.arange(len(factors), dtype="int32")
    embeddings = kernel[labels * (len(kernel) // classes)] * factors[:, None]
    embeddings[9::9, 0] += 1e-4
    scale = {} if name == "a-softmax" else {"scale": 64.0}
    head = head_with(made(name, classes, **scale), kernel)
    loss = loss_of(head, labels)

    def rounded(embeddings, kernel):
        return loss(ops.cast(embeddings, dtype), kernel)

    value = to_numpy(rounded(ops.convert_to_tensor(embeddings), ops.convert_to_tensor(kernel)))
    found = gradients(rounded, embeddings, kernel)
    assert np.isfinite(value) and all(np.all(np.isfinite(g)) for g in found)
    assert found[0].any() and not found[0][4].any()


@pytest.mark.parametrize("name", HEADS)
def test_a_batch_of_one_and_one_class(name):
    embeddings, kernel, _ = case_of(name, b=1, classes=1)
    labels = np.zeros(1, "int32")
    head = head_with(made(name, 1), kernel)
    before = [to_numpy(w) for w in head.non_trainable_weights]
    assert to_numpy(loss_of(head, labels)(embeddings, ops.convert_to_tensor(kernel))) == 0
    assert not any(g.any() for g in gradients(loss_of(head, labels), embeddings, kernel))
    head(embeddings, labels=labels, training=True)
    assert all(np.isfinite(to_numpy(w)) for w in head.non_trainable_weights)
    if name == "ada":
        assert to_numpy(head.std) == before[1] == 100 and to_numpy(head.mean) != before[0]


@pytest.mark.parametrize("name", ["curricular", "ada", "mag", "a-softmax"])
def test_statistics_move_in_training_only(name):
    embeddings, kernel, labels = case_of(name)
    head = head_with(made(name), kernel)
    weights = head.non_trainable_weights

    def values():
        return [float(to_numpy(weight)) for weight in weights]

    before = values()
    head(embeddings, labels=labels)
    head(embeddings, labels=labels, training=False)
    head(embeddings, training=True)
    head.trainable = False
    head(embeddings, labels=labels, training=True)
    assert values() == before
    head.trainable = True
    head(embeddings, labels=labels, training=True)
    assert all(new != old for new, old in zip(values(), before, strict=True))
    if name != "a-softmax":
        after = values()
        head(np.full_like(embeddings, np.nan), labels=labels, training=True)
        assert values() == after
    assert all(np.shape(to_numpy(value)) == () for value in head.statistics().values())


@pytest.mark.parametrize("name", ["norm", "a-softmax", "curricular", "mag", "ada"])
def test_trains_and_is_saved_with_its_statistics(name, tmp_path):
    embeddings, _, _ = random_case(b=28)
    labels = (np.arange(28) % 7).astype("int32")
    inputs = keras.Input((5,)), keras.Input((), dtype="int32")
    head = made(name)
    model = keras.Model(inputs, head(inputs[0], labels=inputs[1]))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = [to_numpy(w) for w in head.weights]
    history = model.fit([embeddings, labels], labels, batch_size=14, epochs=2, verbose=0).history
    assert np.all(np.isfinite(history["loss"]))
    assert all(np.any(to_numpy(w) != old) for w, old in zip(head.weights, before, strict=True))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert len(copy.weights) == len(head.weights)
    for found, expected in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(found), to_numpy(expected))
    np.testing.assert_allclose(
        to_numpy(copy([embeddings, labels], training=True)),
        to_numpy(model([embeddings, labels], training=True)),
        atol=1e-4,
    )


@pytest.mark.parametrize("name", HEADS)
def test_evaluation_has_no_margin(name):
    embeddings, kernel, labels = case_of(name)
    head = head_with(made(name), kernel)
    with_labels = to_numpy(head(embeddings, labels=labels, training=False))
    np.testing.assert_array_equal(with_labels, to_numpy(head(embeddings)))
    if head.subcenters == 1:
        lengths = np.linalg.norm(embeddings, axis=1)[:, None]
        cosines = embeddings @ kernel.T / lengths / np.linalg.norm(kernel, axis=1)
        scale = head.scale * (lengths if getattr(head, "keep_length", False) else 1)
        np.testing.assert_allclose(with_labels, scale * cosines, atol=2e-5)


@pytest.mark.parametrize("name", HEADS)
def test_configuration(name):
    embeddings, _, labels = case_of(name)
    build, arguments = HEADS[name]
    check_layer(
        build,
        {"num_classes": 7, **arguments},
        {"embeddings": embeddings, "labels": labels},
        call_arguments={"training": False},
        output_dtype="float32",
        only=("config", "build", "symbolic_shape", "exchange"),
    )


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: NormFace(3, subcenters=0), "subcenters"),
        (lambda: NormFace(3, sample_rate=0), "sample_rate"),
        (lambda: NormFace(3, sample_rate=1.1), "sample_rate"),
        (lambda: NormFace(3, interclass_threshold=1.5), "interclass_threshold"),
        (lambda: NormFace(3, learn_scale=1), "learn_scale"),
        (lambda: SphereFace(3, margin=0.5), "margin"),
        (lambda: SphereFace(3, keep_length=None), "keep_length"),
        (lambda: SphereFace(3, annealing=(1, 2)), "annealing"),
        (lambda: SphereFace(3, beyond_pi="soft"), "beyond_pi"),
        (lambda: CombinedMargin(3, m1=0), "m1"),
        (lambda: CombinedMargin(3, m2=4), "m2"),
        (lambda: CombinedMargin(3, m3=-1), "m3"),
        (lambda: CombinedMargin(3, beyond_pi="soft"), "beyond_pi"),
        (lambda: CurricularFace(3, margin=4), "margin"),
        (lambda: CurricularFace(3, momentum=2), "momentum"),
        (lambda: CurricularFace(3, beyond_pi=None), "beyond_pi"),
        (lambda: MVSoftmax(3, kind="cos"), "kind"),
        (lambda: MVSoftmax(3, weight=0.5), "weight"),
        (lambda: MVSoftmax(3, adaptive="no"), "adaptive"),
        (lambda: MVSoftmax(3, margin=3.2), "margin"),
        (lambda: MVSoftmax(3, kind="am", margin=2.1), "margin"),
        (lambda: MVSoftmax(3, kind="am", beyond_pi="hard"), "beyond_pi"),
        (lambda: MagFace(3, margins=(0.8, 0.45)), "margins"),
        (lambda: MagFace(3, margins=(0.8, 4)), "margins"),
        (lambda: MagFace(3, lengths=(0, 110)), "lengths"),
        (lambda: MagFace(3, length_weight=-1), "length_weight"),
        (lambda: MagFace(3, momentum=-1), "momentum"),
        (lambda: AdaFace(3, margin=2), "margin"),
        (lambda: AdaFace(3, h=0), "h"),
        (lambda: AdaFace(3, momentum=2), "momentum"),
        (lambda: AdaFace(3, epsilon=1), "epsilon"),
        (lambda: AdaFace(3, beyond_pi="soft"), "beyond_pi"),
    ],
)
def test_wrong_arguments_are_named(build, name):
    with pytest.raises(ValueError, match=rf"`{name}`.*Received"):
        build()


def test_a_head_without_an_angle_has_no_beyond_pi():
    with pytest.raises(ValueError, match="beyond_pi"):
        NormFace(3, beyond_pi="hard")


@pytest.mark.parametrize("name", HEADS)
def test_nan_passes(name):
    embeddings, kernel, labels = case_of(name)
    embeddings[1] = np.nan
    head = head_with(made(name), kernel)
    logits = to_numpy(head(embeddings, labels, training=True))
    assert np.isnan(logits[1]).all() and np.isfinite(logits[[0, 2]]).all()
    assert all(np.isnan(to_numpy(loss)).all() for loss in head.losses)


@pytest.mark.parametrize("beyond_pi", ["hard", "plain", "easy", "clip", "reflect"])
@pytest.mark.parametrize("m1", [1, 2, 1.5])
@pytest.mark.parametrize("m2", [0.3, np.float32([0.3, 0.3])], ids=["number", "tensor"])
def test_nan_passes_every_continuation(beyond_pi, m1, m2):
    cosines = ops.convert_to_tensor(np.float32([np.nan, -0.99]))
    if m1 == 1:
        found = add_margin(cosines, m2, beyond_pi)
    else:
        found = multiply_add_margin(cosines, m1, 0.3, beyond_pi)
    assert np.isnan(to_numpy(found)).tolist() == [True, False]
