"""The flow learns with the defaults under ordinary optimizers: it moves and does not fold."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close, to_numpy

OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(1e-3),
    "adamw": lambda: keras.optimizers.AdamW(1e-3),
    "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
}
CLASSES, SIDE = 4, 24


def task(seed=0, images=128):
    """Classes that differ by a fine pattern in one corner; the rest of the image says nothing."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, images).astype("int32")
    patterns = np.random.default_rng(7).uniform(size=(CLASSES, 10, 10, 1))
    values = 0.3 + 0.05 * rng.normal(size=(images, SIDE, SIDE, 1))
    values[:, 2:12, 2:12] = patterns[labels] + 0.4 * rng.normal(size=(images, 10, 10, 1))
    return values.astype("float32"), labels


def train(optimizer, policy="float32", epochs=20, **mode):
    keras.utils.set_random_seed(1)
    keras.config.set_dtype_policy(policy)
    warp = kr.layers.FlowWarpDownsample(1 / 3, data_format="channels_last")
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 1)),
            warp,
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, dtype="float32"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(OPTIMIZERS[optimizer](), loss, **mode)
    history = model.fit(*task(), batch_size=32, epochs=epochs, verbose=0)
    return warp, history.history["loss"]


def check_flow(warp):
    cells = to_numpy(warp.flow) * 8 / SIDE
    moved = float(np.sqrt(np.mean(np.sum(cells**2, axis=-1))))
    corners = to_numpy(kr.ops.corner_jacobians(warp.grid(np.zeros((1, SIDE, SIDE, 1), "float32"))))
    mean = float(np.mean(to_numpy(warp.jacobian())))
    assert np.all(np.isfinite(cells))
    assert moved > 0.05, f"the flow moved by {moved:.3f} cells only"
    assert corners.min() > 0, f"{np.sum(corners <= 0)} corners are folded"
    assert 0.3 <= mean <= 2.0, f"the mean Jacobian is {mean:.2f}"


@pytest.mark.every_backend
def test_step_by_step_it_learns_the_same():
    runs = [train("sgd", epochs=1, run_eagerly=eager) for eager in (False, True)]
    assert_close(runs[1][0].flow, runs[0][0].flow, 1e-4)
    assert_close(runs[1][1], runs[0][1], 1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_flow_moves_and_does_not_fold(optimizer):
    warp, losses = train(optimizer)
    check_flow(warp)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_mixed_float16(optimizer):
    warp, losses = train(optimizer, "mixed_float16")
    assert np.all(np.isfinite(losses))
    check_flow(warp)
