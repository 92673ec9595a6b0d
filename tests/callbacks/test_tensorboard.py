"""What the callbacks of the package add to the log stands in TensorBoard's files."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.steps import STEP_BY_STEP

pytest.importorskip("tensorboard", reason="recent TensorFlow does not bring it along")
tensorflow = pytest.importorskip("tensorflow", reason="Keras writes for TensorBoard with it")


def written(folder):
    """Values of each scalar in the event files, by name."""
    found = {}
    for path in sorted(folder.rglob("events*")):
        for record in tensorflow.data.TFRecordDataset(str(path)):
            event = tensorflow.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if value.HasField("tensor"):
                    number = tensorflow.make_ndarray(value.tensor)
                    if number.shape == () and number.dtype.kind == "f":
                        found.setdefault(value.tag, []).append(float(number))
    return found


def test_numbers_of_earlier_callbacks_are_written(tmp_path):
    inputs = keras.Input((12, 12, 1))
    x = kr.layers.FlowWarpDownsample(0.5, data_format="channels_last")(inputs)
    encoder = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    recognizer = kr.models.Recognizer(encoder, kr.heads.CurricularFace(3))
    recognizer.compile("adam", **STEP_BY_STEP)
    images = np.random.default_rng(0).uniform(size=(40, 12, 12, 1)).astype("float32")
    callbacks = [
        kr.callbacks.JacobianLogger(),
        kr.callbacks.VerificationCallback((images, np.arange(20) % 2 == 0)),
        keras.callbacks.TensorBoard(tmp_path, write_graph=False),
    ]
    history = recognizer.fit(
        images, np.arange(40) % 3, epochs=2, verbose=0, callbacks=callbacks
    ).history
    found = written(tmp_path)
    names = {"loss", "t", "jacobian_min", "jacobian_mean", "folded_cells", "verification_accuracy"}
    assert names <= set(history)
    for name in names:
        np.testing.assert_allclose(found[f"epoch_{name}"], history[name], rtol=1e-6)
