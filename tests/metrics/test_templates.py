"""Template aggregation and the two IJB protocols against the published scripts and plain loops."""

import importlib
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.metrics import aggregate_templates, ijb_identification, ijb_verification

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "metrics.npz")
IJB = {name: GOLDENS[f"ijb/{name}"] for name in ("emb", "templates", "medias", "det")}
FARS = ("1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1")
templates_module = importlib.import_module("keras_resample.metrics.identification.templates")


def golden_templates(**kwargs):
    arguments = {"detector_scores": IJB["det"]} | kwargs
    return aggregate_templates(IJB["emb"], IJB["templates"], IJB["medias"], **arguments)


def by_hand(images, templates, media, scores, normalize_images, media_mean, template_mean):
    """Sums of a dict of lists, in the order of the documentation, not yet of length 1."""
    result = {}
    for template in sorted(set(templates)):
        by_medium = {}
        for image, t, medium, score in zip(images, templates, media, scores, strict=True):
            if t == template:
                length = np.linalg.norm(image)
                unit = image / length if normalize_images and length else image
                by_medium.setdefault(medium, []).append(score * unit)
        parts = [sum(x) / (len(x) if media_mean else 1) for x in by_medium.values()]
        result[template] = sum(parts) / (len(parts) if template_mean else 1)
    return result


def test_templates_of_the_published_script():
    features, ids = golden_templates()
    np.testing.assert_allclose(features, GOLDENS["ijb/tfeat"], atol=1e-14)
    np.testing.assert_array_equal(ids, np.unique(IJB["templates"]))


@pytest.mark.parametrize(("norm", "det"), [(True, True), (True, False), (False, True)])
def test_verification_of_the_published_script(norm, det):
    key = f"ijb_res/Norm:{norm}_Det:{det}_"
    features, ids = golden_templates(
        normalize_images=not norm, detector_scores=IJB["det"] if det else None
    )
    pairs = (GOLDENS[f"ijb/{name}"] for name in ("p1", "p2", "label"))
    found = ijb_verification(features, ids, *pairs)
    assert list(found) == [f"tar@far={float(far):g}" for far in FARS]
    expected = [GOLDENS[f"{key}tpr_at_fpr_{far}"] / 100 for far in FARS]
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-12)


def test_identification_of_the_published_script():
    probes, gallery = GOLDENS["cid/q"], GOLDENS["cid/g"]
    ids = np.arange(140)
    search = ids[:60], GOLDENS["cid/gt"], ids[60:], np.arange(80)
    found = ijb_identification(np.r_[probes, gallery], ids, *search)
    assert list(found) == ["rank_1", "rank_5", "rank_10", "tpir@fpir=0.01", "tpir@fpir=0.1"]
    expected = np.r_[GOLDENS["cid/top"], GOLDENS["cid/pr"]]
    np.testing.assert_allclose(list(found.values()), expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from(["mean", "sum"]),
       st.sampled_from(["mean", "sum"]), st.sampled_from(["sum", "mean"]))  # fmt: skip
def test_templates_by_hand(seed, normalize_images, media_reduction, template_reduction, flip):
    rng = np.random.default_rng(seed)
    n = rng.integers(1, 20)
    images, mirrored = rng.normal(size=(2, n, 3))
    images[0] = mirrored[0] = 0
    # Numbers of media begin again in every template.
    templates, media = rng.integers(0, 4, n) * 10, rng.integers(0, 3, n)
    scores = rng.uniform(0, 1, n)
    both = images + mirrored if flip == "sum" else (images + mirrored) / 2
    expected = by_hand(both, templates, media, scores, normalize_images,
                       media_reduction == "mean", template_reduction == "mean")  # fmt: skip
    options = {
        "mirrored": mirrored,
        "flip": flip,
        "normalize_images": normalize_images,
        "media_reduction": media_reduction,
        "template_reduction": template_reduction,
    }
    sums, ids = aggregate_templates(images, templates, media, scores, normalize=False, **options)
    assert ids.tolist() == list(expected)
    np.testing.assert_allclose(sums, list(expected.values()), atol=1e-13)
    unit, _ = aggregate_templates(images, templates, media, scores, **options)
    lengths = np.linalg.norm(sums, axis=1)[:, None]
    np.testing.assert_allclose(unit * lengths, sums, atol=1e-13)
    assert np.all(np.isfinite(unit))


def test_chunks_change_nothing(monkeypatch):
    expected, _ = golden_templates()
    for rows in (1, 7, 399, 400):
        monkeypatch.setattr(templates_module, "ROWS", rows)
        np.testing.assert_allclose(golden_templates()[0], expected, atol=1e-14)


def test_relations_of_templates():
    expected, ids = golden_templates()
    order = np.random.default_rng(0).permutation(400)
    moved = [IJB[name][order] for name in ("emb", "templates", "medias", "det")]
    np.testing.assert_allclose(aggregate_templates(*moved)[0], expected, atol=1e-14)
    # Only ratios of detector scores and of lengths matter.
    np.testing.assert_allclose(
        golden_templates(detector_scores=5 * IJB["det"])[0], expected, atol=1e-14
    )
    # An image with score 0 adds nothing but counts in the mean of its medium: seen where it is
    # a medium of its own.
    blind = IJB["det"] * (np.arange(400) > 0)
    media = np.where(np.arange(400) > 0, IJB["medias"], -1)
    without = aggregate_templates(
        IJB["emb"][1:], IJB["templates"][1:], media[1:], IJB["det"][1:], template_ids=ids
    )
    with_blind = aggregate_templates(IJB["emb"], IJB["templates"], media, blind)
    np.testing.assert_allclose(with_blind[0], without[0], atol=1e-14)
    # Still images: every image a medium, with numbers or without.
    stills = aggregate_templates(IJB["emb"], IJB["templates"], np.arange(400))
    np.testing.assert_array_equal(aggregate_templates(IJB["emb"], IJB["templates"])[0], stills[0])


def test_empty_templates_and_zeros_are_zeros():
    embeddings = np.array([[1.0, 0], [0, 0], [1, 2], [-1, -2]], "float32")
    features, ids = aggregate_templates(
        embeddings, [1, 2, 3, 3], [0, 0, 0, 1], template_ids=[9, 3, 2, 1, 0]
    )
    assert features.dtype == "float32" and ids.tolist() == [9, 3, 2, 1, 0]
    np.testing.assert_array_equal(features, [[0, 0], [0, 0], [0, 0], [1, 0], [0, 0]])
    blind, _ = aggregate_templates(embeddings, [1, 2, 3, 3], detector_scores=np.zeros(4))
    np.testing.assert_array_equal(blind, 0)
    # Zeros score 0 with everything, in both protocols.
    found = ijb_verification(features, ids, [1, 9, 1], [3, 2, 1], [False, False, True], fars=[0.5])
    assert found == {"tar@far=0.5": 1.0}
    found = ijb_identification(features, ids, [9], ["a"], [1, 0], ["a", "b"], (1, 2), [1.0])
    assert found == {"rank_1": 0.0, "rank_2": 1.0, "tpir@fpir=1": 0.0}


def test_names_of_templates():
    features, ids = aggregate_templates(np.eye(3), ["c", "a", "b"])
    assert ids.tolist() == ["a", "b", "c"]
    found = ijb_verification(features, ids, ["a", "a"], ["a", "c"], [1, 0], fars=[1.0])
    assert found == {"tar@far=1": 1.0}


@pytest.mark.parametrize("block", [1 << 23, 20])
def test_identification_by_hand(monkeypatch, block):
    blocks = importlib.import_module("keras_resample.metrics.verification.score_blocks")
    monkeypatch.setattr(blocks, "BLOCK", block)
    rng = np.random.default_rng(4)
    features, ids = rng.normal(size=(30, 4)), rng.permutation(30) + 100
    subjects = np.arange(8)
    probe_subjects = rng.integers(0, 8, 22)
    features[:22] += 2 * features[22:][probe_subjects]
    fpirs = (0.01, 0.1, 0.5, 1.0)
    found = ijb_identification(
        features, ids, ids[:22], probe_subjects, ids[22:], subjects, (1, 3), fpirs
    )
    unit = features / np.linalg.norm(features, axis=1)[:, None]
    scores = unit[:22] @ unit[22:].T
    mates = scores[np.arange(22), probe_subjects]
    others = sorted(scores[probe_subjects[:, None] != subjects])[::-1]
    for fpir in fpirs:
        threshold = others[math.ceil(22 * fpir) - 1]
        assert found[f"tpir@fpir={fpir:g}"] == np.mean(mates > threshold)
    for rank in (1, 3):
        places = np.sum(scores > mates[:, None], axis=1)
        assert found[f"rank_{rank}"] == pytest.approx(np.mean(places < rank))


@pytest.mark.parametrize("fpir", [0.07, np.float32(0.07), np.float32(0.1), 1 - 0.99])
def test_a_rate_of_the_probes_is_not_rounded_to_the_next(fpir):
    features = np.random.default_rng(0).normal(size=(108, 3))
    subjects = np.arange(100) % 8
    found = ijb_identification(
        features,
        np.arange(108),
        np.arange(100),
        subjects,
        100 + np.arange(8),
        np.arange(8),
        1,
        fpir,
    )
    unit = features / np.linalg.norm(features, axis=1)[:, None]
    scores = unit[:100] @ unit[100:].T
    is_mate = subjects[:, None] == np.arange(8)
    threshold = np.sort(scores[~is_mate])[::-1][round(100 * fpir) - 1]
    assert found[f"tpir@fpir={fpir:g}"] == np.mean(scores[is_mate] > threshold)


E = np.eye(3)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: aggregate_templates(E[0], [0]), "embeddings"),
        (lambda: aggregate_templates(E * np.nan, [0, 1, 2]), "embeddings"),
        (lambda: aggregate_templates(E, [0, 1]), "templates"),
        (lambda: aggregate_templates(E, [0, 1, 2], [0]), "media"),
        (lambda: aggregate_templates(E, [0, 1, 2], None, [1, 1]), "detector_scores"),
        (lambda: aggregate_templates(E, [0, 1, 2], None, [1, 1, -1]), "detector_scores"),
        (lambda: aggregate_templates(E, [0, 1, 2], None, [1, 1, np.nan]), "detector_scores"),
        (lambda: aggregate_templates(E, [0, 1, 2], mirrored=E[:2]), "mirrored"),
        (lambda: aggregate_templates(E, [0, 1, 2], mirrored=E / 0.0), "mirrored"),
        (lambda: aggregate_templates(E, [0, 1, 2], template_ids=[1, 1]), "template_ids"),
        (lambda: aggregate_templates(E, [0, 1, 2], flip="max"), "flip"),
        (lambda: aggregate_templates(E, [0, 1, 2], normalize_images=1), "normalize_images"),
        (lambda: aggregate_templates(E, [0, 1, 2], normalize=None), "normalize"),
        (lambda: aggregate_templates(E, [0, 1, 2], media_reduction="max"), "media_reduction"),
        (lambda: aggregate_templates(E, [0, 1, 2], template_reduction=0), "template_reduction"),
        (lambda: ijb_verification(E, [0, 1, 2], [0, 0], [1, 3], [True, False]), "second"),
        (lambda: ijb_verification(E, [0, 1, 1], [0, 0], [1, 1], [True, False]), "ids"),
        (lambda: ijb_verification(E, [0, 1], [0, 0], [1, 1], [True, False]), "ids"),
        (lambda: ijb_verification(E, [0, 1, 2], [0, 0], [1, 2], [True, True]), "same"),
        (lambda: ijb_verification(E, [0, 1, 2], [0, 0], [1, 2], [1, 0], [2]), "fars"),
        (lambda: ijb_identification(E, [0, 1, 2], [0], [7], [1, 2], [8, 9]), "probe_subjects"),
        (lambda: ijb_identification(E, [0, 1, 2], [0], [8], [1, 2], [8, 8]), "gallery_subjects"),
        (lambda: ijb_identification(E, [0, 1, 2], [5], [8], [1, 2], [8, 9]), "probe_templates"),
        (lambda: ijb_identification(E, [0, 1, 2], [0], [8], [1, 5], [8, 9]), "gallery_templates"),
        (lambda: ijb_identification(E, [0, 1, 2], [0], [8], [1], [8], fpirs=[0]), "fpirs"),
        (lambda: ijb_identification(E, [0, 1, 2], [0], [8], [1], [8], ranks=[0]), "ranks"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ValueError, match=f"`{name}`.*Received"):
        call()
