"""Training from the package's datasets with several workers, threads or processes."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.steps import STEP_BY_STEP


def losses(**arguments):
    keras.utils.set_random_seed(0)
    palms = kr.datasets.bezier_palms(
        4, 6, size=(16, 16), batch_size=8, shuffle=False, creases=4, **arguments
    )
    encoder = keras.Sequential(
        [keras.Input((16, 16, 1)), keras.layers.Flatten(), keras.layers.Dense(8)]
    )
    recognizer = kr.models.Recognizer(encoder, kr.heads.ArcFace(4, scale=8.0))
    recognizer.compile(keras.optimizers.SGD(0.05), **STEP_BY_STEP)
    # Else Keras builds the model from the first prefetched batch, and starts with the second.
    recognizer.train_on_batch(*palms[0])
    history = recognizer.fit(palms, epochs=2, shuffle=False, verbose=0, validation_data=palms)
    return history.history


@pytest.mark.filterwarnings("ignore:os.fork")
@pytest.mark.parametrize("processes", [False, True])
def test_workers_do_not_change_the_training(processes):
    found = losses(workers=2, use_multiprocessing=processes, max_queue_size=4)
    expected = losses()
    assert set(found) == {"loss", "val_loss"}
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
