"""Every head against the numbers of the code that its docstring names."""

import math
from pathlib import Path

import numpy as np
import pytest
from keras import ops

from keras_resample.heads import (
    AdaFace,
    ArcFace,
    CombinedMargin,
    CosFace,
    CurricularFace,
    MagFace,
    MVSoftmax,
    NormFace,
    SphereFace,
)
from tests.heads.cases import cosines_of, head_with, loss_of
from tests.numerics import gradients, to_numpy

FOLDER = Path(__file__).parents[1] / "goldens"
ARRAYS = np.load(FOLDER / "margins.npz")
GOLDENS = {**ARRAYS, **np.load(FOLDER / "margins_more.npz")}
THROUGH = {"gradient": "straight_through"}
MODERN = {"margin": 1.5, "annealing": None, "keep_length": False, **THROUGH}

# name: head, its arguments, statistics before, arrays in the place of "emb" and "W"
PUBLISHED = {
    "insight_combined_m2": (CombinedMargin, {"m2": 0.5, "beyond_pi": "plain", **THROUGH}),
    "insight_combined_m3": (CombinedMargin, {"m3": 0.35, **THROUGH}),
    "insight_combined_filter": (
        CombinedMargin,
        {"m2": 0.5, "beyond_pi": "plain", "interclass_threshold": 0.3, **THROUGH},
    ),
    "curricular_step1": (CurricularFace, {}),
    "curricular_step2": (CurricularFace, {}, {"t": 0.37}),
    "ada_adaface": (AdaFace, {}),
    "ada_adaface_step2": (AdaFace, {}, {"mean": 20.30464144, "std": 99.33776464}),
    "ada_adaface_t1": (AdaFace, {"momentum": 1.0}),
    "ada_adaface_h2": (AdaFace, {"momentum": 1.0, "h": 2.0}),
    "cvl_adaface": (AdaFace, {"epsilon": 0.0, **THROUGH}),
    "magface_easy": (MagFace, {"length_weight": 0.0}),
    "magface_hard": (MagFace, {"length_weight": 0.0, "beyond_pi": "hard"}),
    "pml_subcenter_arcface": (
        ArcFace,
        {"margin": math.radians(28.6), "subcenters": 3},
        {},
        {"W": "W_sub"},
    ),
    "pml_normalized_softmax": (NormFace, {"scale": 64.0}),
    "pml_sphereface_m4": (SphereFace, {"annealing": None}, {}, {"emb": "emb_small"}),
    "mv_arc": (MVSoftmax, {}),
    "mv_am": (MVSoftmax, {"kind": "am"}),
    "osphere_v0": (SphereFace, MODERN),
    "osphere_v1": (SphereFace, {**MODERN, "beyond_pi": "clip"}),
    "asoftmax_it1": (SphereFace, {}, {}, {"emb": "emb_small"}),
    "asoftmax_it5000": (SphereFace, {}, {"steps": 4999.0}, {"emb": "emb_small"}),
}


def published(name):
    """The head of a golden entry, and the arrays it was computed from."""
    build, arguments, statistics, arrays = (*PUBLISHED[name], {}, {})[:4]
    kernel = ARRAYS[arrays.get("W", "W")].T.astype("float32")
    head = head_with(build(ARRAYS["W"].shape[1], **arguments), kernel)
    for weight, value in statistics.items():
        getattr(head, weight).assign(value)
    embeddings = ARRAYS[arrays.get("emb", "emb")].astype("float32")
    return head, embeddings, kernel, ARRAYS["y"].astype("int32")


@pytest.mark.parametrize("name", PUBLISHED)
def test_logits_loss_and_gradients(name):
    head, embeddings, kernel, labels = published(name)
    demb, dkernel = gradients(loss_of(head, labels), embeddings, kernel)
    for found, expected in ((demb, GOLDENS[f"{name}/demb"]), (dkernel, GOLDENS[f"{name}/dW"].T)):
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    loss = to_numpy(loss_of(head, labels)(embeddings, ops.convert_to_tensor(kernel)))
    np.testing.assert_allclose(loss, GOLDENS[f"{name}/loss"], rtol=1e-5)
    if f"{name}/logits" in GOLDENS:
        logits = to_numpy(head(embeddings, labels=labels, training=True))
        # A float32 cosine is good to 3e-7; its sine and multiples of its angle are less so.
        sine = np.min(np.sqrt(1 - np.square(cosines_of(embeddings, kernel))), axis=1)
        error = np.abs(logits - GOLDENS[f"{name}/logits"]).max(axis=1)
        assert np.all(error < 64 * 3e-7 * (2 + 1 / sine)), error


@pytest.mark.parametrize("name", [n for n in PUBLISHED if n.startswith(("cur", "ada", "cvl"))])
def test_statistics(name):
    head, embeddings, _, labels = published(name)
    head(embeddings, labels=labels, training=True)
    for weight in ("t", "mean", "std"):
        if f"{name}/{weight}" in GOLDENS:
            found = to_numpy(getattr(head, weight))
            np.testing.assert_allclose(found, GOLDENS[f"{name}/{weight}"][0], rtol=1e-6)


@pytest.mark.parametrize("name", ["magface_easy", "magface_hard"])
def test_magface_regularizer(name):
    head, embeddings, kernel, labels = published(name)
    head.length_weight = 1.0

    def regularizer(embeddings):
        head(embeddings, labels=labels, training=True)
        return head.losses[0]

    value = to_numpy(regularizer(ops.convert_to_tensor(embeddings)))
    np.testing.assert_allclose(value, GOLDENS[f"{name}/g"], rtol=1e-6)
    (found,) = gradients(regularizer, embeddings)
    expected = GOLDENS[f"{name}/dg_demb"]
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_arcface_and_cosface_are_combined_margins():
    _, embeddings, kernel, labels = published("mv_arc")
    for beyond_pi in ("hard", "plain", "easy", "clip", "reflect"):
        arc = head_with(ArcFace(12, beyond_pi=beyond_pi), kernel)
        combined = head_with(CombinedMargin(12, m2=0.5, beyond_pi=beyond_pi), kernel)
        np.testing.assert_array_equal(
            to_numpy(arc(embeddings, labels=labels, training=True)),
            to_numpy(combined(embeddings, labels=labels, training=True)),
        )
    cos, combined = (head_with(h, kernel) for h in (CosFace(12), CombinedMargin(12, m3=0.35)))
    np.testing.assert_allclose(
        to_numpy(cos(embeddings, labels=labels, training=True)),
        to_numpy(combined(embeddings, labels=labels, training=True)),
        atol=1e-5,
    )
