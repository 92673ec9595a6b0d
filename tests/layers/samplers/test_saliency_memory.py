"""A large image of bytes is only gathered from: no sampler here makes a float copy of it."""

import ctypes
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_resample.layers import GridSampler, SaliencySampler

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
SIDE, SIZE, BATCH = 2448, 300, 4
LAYERS = {
    "GridSampler": lambda **options: GridSampler(**options),
    "learned map": lambda **options: SaliencySampler(saliency="learned", **options),
    "default network": lambda **options: SaliencySampler(**options),
}


def resident(name):
    """A line of /proc/self/status in bytes: VmRSS now, VmHWM at most since it was cleared."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return 1024 * int(lines[name].split()[0])


def bytes_of_program(layer, images):
    """What XLA says that the compiled layer needs."""
    import jax

    parts = jax.jit(lambda x: layer(x)).lower(images).compile().memory_analysis()
    return parts.temp_size_in_bytes + parts.output_size_in_bytes


def bytes_of_call(layer, images):
    """How far one call raises the memory of the process."""
    if not CLEAR.exists():
        pytest.skip("the peak of the process is told on Linux only")
    run = layer
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec([None, None, None, 3], "uint8")]
        run = tf.function(lambda x: layer(x), input_signature=signature)
    if keras.backend.backend() == "torch":
        import torch

        run = torch.no_grad()(layer)
    small, images = (keras.ops.convert_to_tensor(x) for x in (images[:, :600, :600], images))
    run(small)  # what is made once; of large images TensorFlow would keep the memory
    ctypes.CDLL(None).malloc_trim(0)
    CLEAR.write_text("5")
    before = resident("VmRSS")
    keras.ops.convert_to_numpy(run(images))
    return resident("VmHWM") - before


@pytest.mark.parametrize("name", LAYERS)
def test_at_most_half_of_the_images_and_the_output(name):
    """A copy in float32 would be four times the images."""
    layer = LAYERS[name](size=(SIZE, SIZE), data_format="channels_last")
    images = np.zeros((BATCH, SIDE, SIDE, 3), "uint8")
    layer.build(images.shape)
    output = BATCH * SIZE * SIZE * 3 * 4
    count = bytes_of_program if keras.backend.backend() == "jax" else bytes_of_call
    assert count(layer, images) <= images.nbytes // 2 + output
