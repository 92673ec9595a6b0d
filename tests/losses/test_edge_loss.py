"""The edge loss against its formula, and its gradients."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close, check_gradients, gradients, to_numpy


def random_maps(batch=3, height=5, width=7, seed=0):
    return np.random.default_rng(seed).uniform(size=(batch, height, width)).astype("float32")


def loss_loop(y_true, y_pred):
    """Terms (b,), pixel by pixel."""
    terms = []
    for pair in zip(y_true.astype("float64"), y_pred.astype("float64"), strict=True):
        target, found = ((m - m.min()) / (np.ptp(m) or 1.0) for m in pair)
        terms.append(np.mean((target - found) ** 2))
    return np.array(terms)


def test_terms_and_mean():
    edges, saliency = random_maps(), random_maps(seed=1)
    expected = loss_loop(edges, saliency)
    assert_close(kr.losses.EdgeLoss(reduction=None)(edges, saliency), expected, 1e-6)
    assert_close(kr.losses.EdgeLoss()(edges, saliency), expected.mean(), 1e-6)
    weights = np.array([0.0, 1.0, 3.0], "float32")
    weighted = kr.losses.EdgeLoss()(edges, saliency, weights)
    assert_close(weighted, np.mean(weights * expected), 1e-6)


def test_zero_for_a_map_that_is_the_edges_in_another_scale():
    edges = random_maps()
    scale = np.array([1e-3, 1.0, 50.0], "float32")[:, None, None]
    assert_close(kr.losses.EdgeLoss()(edges, scale * edges + 0.25 * scale), 0.0, 1e-6)


def test_samples_do_not_share_a_scale():
    edges, saliency = random_maps(2), random_maps(2, seed=1)
    alone = [kr.losses.EdgeLoss()(edges[i : i + 1], saliency[i : i + 1]) for i in range(2)]
    saliency[1] *= 1000.0
    both = kr.losses.EdgeLoss(reduction=None)(edges, saliency)
    assert_close(both, np.array([float(a) for a in alone]), 1e-5)


def test_constant_maps_are_zeros_with_finite_gradients():
    edges, saliency = random_maps(), random_maps(seed=1)
    edges[0], saliency[1] = 0.0, 1 / 35
    saliency[2] = 1 / 35 * (1 + np.float32(1e-7) * np.sign(saliency[2] - 0.5))  # rounding
    terms = to_numpy(kr.losses.EdgeLoss(reduction=None)(edges, saliency))
    expected = loss_loop(edges, np.where(np.arange(3)[:, None, None] > 0, 0.0, saliency))
    assert_close(terms, expected, 1e-6)
    (gradient,) = gradients(lambda s: kr.losses.EdgeLoss()(edges, s), saliency)
    assert np.all(np.isfinite(gradient)) and np.any(gradient[0])
    assert not np.any(gradient[1:])


def test_gradients_are_those_of_the_scaled_map():
    edges, saliency = random_maps(), random_maps(seed=1)
    check_gradients(lambda s: kr.losses.EdgeLoss(reduction=None)(edges, s), saliency)


def test_half_precision_maps():
    edges, saliency = random_maps(), random_maps(seed=1)
    half = keras.ops.cast(saliency, "float16")
    exact = kr.losses.EdgeLoss()(edges, to_numpy(half).astype("float32"))
    assert_close(kr.losses.EdgeLoss()(edges, half), exact, 1e-6)


def test_config_and_training():
    loss = kr.losses.EdgeLoss(reduction="sum", name="edges")
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    inputs = keras.Input((5, 7, 1))
    outputs = keras.layers.Conv2D(1, 3, padding="same", data_format="channels_last")(inputs)
    model = keras.Model(inputs, keras.layers.Reshape((5, 7))(outputs))
    model.compile(keras.optimizers.Adam(0.05), kr.losses.EdgeLoss())
    maps = random_maps()
    history = model.fit(maps[..., None], maps, epochs=15, verbose=0).history["loss"]
    assert np.all(np.isfinite(history)) and history[-1] < 0.7 * history[0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("places", [np.s_[1], np.s_[1, 2, 3]], ids=["a_map", "a_pixel"])
def test_a_map_that_is_not_finite_makes_its_own_term_nan(bad, places):
    edges, saliency = random_maps(), random_maps(seed=1)
    saliency[places] = bad
    terms = to_numpy(kr.losses.EdgeLoss(reduction=None)(edges, saliency))
    assert np.isnan(terms).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "true, pred, message",
    [
        ((2, 4), (2, 4, 4), "`y_true` must"),
        ((2, 4, 4), (2, 4, 4, 1), "`y_pred` must"),
        ((2, 4, 4), (2, 4, 5), "`y_true` and `y_pred` must"),
    ],
)
def test_bad_maps(true, pred, message):
    with pytest.raises(ValueError, match=f"{message} .*Received: "):
        kr.losses.EdgeLoss()(np.zeros(true), np.zeros(pred))
