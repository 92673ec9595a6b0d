"""The Recognizer on a mesh of two devices has the numbers of one."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from keras_resample.heads import CurricularFace
from keras_resample.losses import BatchHardTriplet
from keras_resample.models import Recognizer

pytestmark = pytest.mark.backends("jax", reason="a mesh of several devices in one process is jax's")
SCRIPT = """
    import sys
    sys.path.insert(0, {folder!r})
    import numpy as np
    from keras import distribution
    from {module} import DISTRIBUTIONS, numbers

    one = numbers()
    devices = distribution.list_devices()
    assert len(devices) == 2
    distribution.set_distribution(DISTRIBUTIONS[{name!r}](devices))
    several = numbers()
    assert one.keys() == several.keys()
    for name in one:
        np.testing.assert_allclose(several[name], one[name], rtol=2e-5, atol=1e-5, err_msg=name)
"""


def halves_of_the_batch(devices):
    return keras.distribution.DataParallel(devices=devices)


def halves_of_the_classes(devices):
    mesh = keras.distribution.DeviceMesh((1, 2), ["batch", "classes"], devices)
    layout = keras.distribution.LayoutMap(mesh)
    layout[".*head/kernel"] = ("classes", None)
    return keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="batch")


DISTRIBUTIONS = {"batch": halves_of_the_batch, "classes": halves_of_the_classes}


def numbers():
    """What a training and the layers after it give: losses, statistic, embeddings, kernel."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(16, 6, 6, 1)).astype("float32")
    labels = np.arange(16) % 4
    encoder = keras.Sequential(
        [keras.Input((6, 6, 1)), keras.layers.Flatten(), keras.layers.Dense(8)]
    )
    head = CurricularFace(4, scale=8.0, momentum=0.2, name="head")
    model = Recognizer(encoder, head, auxiliary_losses=[(BatchHardTriplet("soft"), 0.5)])
    model.compile(keras.optimizers.SGD(0.05), metrics=["accuracy"])
    history = model.fit(images, labels, epochs=2, batch_size=8, shuffle=False, verbose=0).history
    history["embeddings"] = model.embed(images, batch_size=8)
    history["kernel"] = np.asarray(model.head.kernel)
    assert {"loss", "accuracy", "t", "batch_hard_triplet"} < set(history)
    return history


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_equals_one_device(name):
    script = SCRIPT.format(
        folder=os.path.dirname(__file__), module=__name__.rsplit(".", 1)[-1], name=name
    )
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = os.environ | flags | {"PYTHONPATH": root}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
