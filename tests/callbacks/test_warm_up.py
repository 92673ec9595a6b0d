"""The warm-up against its formula, inside an optimizer, and saved."""

import keras
import numpy as np
import pytest

from keras_resample.callbacks.warm_up import WarmUp

SCHEDULES = {
    "constant": 0.1,
    "polynomial": keras.optimizers.schedules.PolynomialDecay(0.1, 40, power=2),
    "steps": keras.optimizers.schedules.PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001]),
}


def rate(schedule, step):
    return float(keras.ops.convert_to_numpy(schedule(step)))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("warmup_steps", "first"), [(0, 0.0), (8, 0.0), (8, 0.02)])
def test_rises_linearly_then_is_the_schedule(name, warmup_steps, first):
    schedule = SCHEDULES[name]
    warm = WarmUp(schedule, warmup_steps, first)

    def after(step):
        return schedule if name == "constant" else rate(schedule, step)

    for step in range(0, 60, 3):
        if step < warmup_steps:
            expected = first + (after(0) - first) * step / warmup_steps
        else:
            expected = after(step - warmup_steps)
        np.testing.assert_allclose(rate(warm, step), expected, rtol=1e-5, atol=1e-9)


def test_an_optimizer_uses_it_and_saves_it(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    schedule = WarmUp(SCHEDULES["polynomial"], 4)
    model.compile(keras.optimizers.SGD(schedule, momentum=0.9), "mse")
    x = np.ones((8, 2), "float32")
    model.fit(x, x[:, :1], batch_size=4, epochs=1, verbose=0)
    np.testing.assert_allclose(float(model.optimizer.learning_rate), 0.05, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(float(again.optimizer.learning_rate), 0.05, rtol=1e-5)
    assert again.optimizer.get_config() == model.optimizer.get_config()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fast", 3), "`schedule`.*Received: schedule='fast'"),
        ((True, 3), "`schedule`.*Received: schedule=True"),
        ((0.1, -1), "`warmup_steps`.*Received: warmup_steps=-1"),
        ((0.1, True), "`warmup_steps`.*Received: warmup_steps=True"),
        ((0.1, 3, float("nan")), "`initial_learning_rate`.*Received: initial_learning_rate=nan"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        WarmUp(*arguments)
