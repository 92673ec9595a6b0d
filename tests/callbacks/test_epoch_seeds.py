"""A training stopped at an epoch's end and resumed is the training that went through."""

import keras
import numpy as np
import pytest

from keras_resample.callbacks.epoch_seeds import EpochSeeds

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(12, 6, 6, 1)).astype("float32"), RNG.normal(size=(12, 2)).astype("float32")


class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyboardInterrupt


def build():
    keras.utils.set_random_seed(0)
    body = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            keras.layers.RandomFlip("horizontal", data_format="channels_last"),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
        ]
    )
    model = keras.Sequential([keras.Input((6, 6, 1)), body, keras.layers.Dense(2)])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "mse")
    return model


def train(model, *callbacks):
    options = {"epochs": 4, "batch_size": 4, "shuffle": False, "verbose": 0}
    model.fit(X, Y, callbacks=[EpochSeeds(), *callbacks], **options)
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def test_a_resumed_training_draws_what_it_would_have_drawn(tmp_path):
    whole = train(build())

    def backup():
        return keras.callbacks.BackupAndRestore(str(tmp_path), delete_checkpoint=False)

    stopped = build()
    try:
        train(stopped, backup(), Stop())
        raise AssertionError("the training was not stopped")
    except KeyboardInterrupt:
        resumed = train(build(), backup())
    for one, other in zip(whole, resumed, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-5, atol=1e-6)


def test_epochs_draw_different_numbers():
    model = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5, seed=3)])
    seeds = EpochSeeds()
    seeds.set_model(model)
    drawn = []
    for epoch in (0, 1, 0):
        seeds.on_epoch_begin(epoch)
        drawn.append(keras.ops.convert_to_numpy(model(np.ones((1, 50)), training=True)))
    np.testing.assert_array_equal(drawn[0], drawn[2])
    assert (drawn[0] != drawn[1]).any()


@pytest.mark.parametrize("seed", [-1, 0.5, True, None])
def test_bad_seed(seed):
    with pytest.raises(ValueError, match=f"`seed`.*Received: seed={seed!r}"):
        EpochSeeds(seed)
