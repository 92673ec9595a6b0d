"""The kernels inside of a Keras model: training, compiled training, export and sharding."""

import os
import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest
from keras import ops

from keras_resample.backend import bilinear, reference

BACKEND = keras.backend.backend()


@keras.saving.register_keras_serializable(package="keras_resample_tests")
class Sampler(keras.layers.Layer):
    """Samples 3 x 3 points of the image, at learned places shared by the batch."""

    def build(self, input_shape):
        places = keras.initializers.RandomUniform(0.2, 4.8, seed=0)
        self.places = self.add_weight(shape=(1, 9, 2), initializer=places)

    def call(self, images):
        return ops.reshape(bilinear(images, self.places[:, :, None]), (-1, 27))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 27)


def data(n=12):
    rng = np.random.default_rng(0)
    return rng.uniform(size=(n, 6, 6, 3)).astype("float32"), rng.uniform(size=n).astype("float32")


def build():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((6, 6, 3)), Sampler(), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


@pytest.mark.parametrize("jit_compile", [False] if BACKEND == "torch" else [False, True])
def test_places_are_trained(jit_compile):
    model = build()
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=jit_compile)
    before = ops.convert_to_numpy(model.layers[0].places)
    losses = model.fit(*data(), epochs=4, batch_size=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert np.abs(ops.convert_to_numpy(model.layers[0].places) - before).max() > 1e-4


@pytest.mark.skipif(BACKEND == "torch", reason="Keras writes a SavedModel of no torch model")
def test_saved_model_runs_at_any_batch_size_and_needs_no_compiler(tmp_path):
    import tensorflow as tf

    model, (images, _) = build(), data()
    model.export(str(tmp_path), verbose=False)
    assert b"_XlaMustCompile" not in (tmp_path / "saved_model.pb").read_bytes()
    served = tf.saved_model.load(str(tmp_path))
    for n in (1, 4, 4, 4, 7):
        expected = model.predict(images[:n], verbose=0)
        np.testing.assert_allclose(served.serve(images[:n]).numpy(), expected, atol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the height is static on the other backends")
def test_unknown_height_and_width():
    import tensorflow as tf

    def call(images, positions):
        with tf.GradientTape() as tape:
            tape.watch([images, positions])
            output = bilinear(images, positions)
        return output, *tape.gradient(output, [images, positions])

    spec = [tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None, None, 1, 2))]
    dynamic = tf.function(call, input_signature=spec, autograph=False)
    rng = np.random.default_rng(0)
    for height, width in ((5, 7), (1, 4), (6, 6)):
        images = rng.normal(size=(2, height, width, 3)).astype("float32")
        positions = rng.uniform(0, [width - 1, height - 1], (2, 5, 1, 2)).astype("float32")
        inputs = [tf.constant(images), tf.constant(positions)]
        for found, expected in zip(dynamic(*inputs), call(*inputs), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.skipif(BACKEND != "torch", reason="torch.export")
def test_torch_export_with_a_dynamic_batch():
    import torch

    class Module(torch.nn.Module):
        def forward(self, images, positions):
            return bilinear(images, positions)

    images, positions = torch.rand(4, 6, 6, 3), torch.rand(1, 9, 1, 2) * 5
    shapes = {"images": {0: torch.export.Dim("batch")}, "positions": None}
    program = torch.export.export(Module(), (images, positions), dynamic_shapes=shapes).module()
    for n in (2, 5):
        more = torch.rand(n, 6, 6, 3)
        torch.testing.assert_close(program(more, positions), reference.bilinear(more, positions))


@pytest.mark.skipif(BACKEND != "jax", reason="a mesh of several devices in one process is jax's")
def test_data_parallel_equals_one_device():
    script = f"""
        import sys
        sys.path.insert(0, {os.path.dirname(__file__)!r})
        import keras
        from {__name__.rsplit(".", 1)[-1]} import build, data

        def losses():
            history = build().fit(*data(), epochs=2, batch_size=4, shuffle=False, verbose=0)
            return history.history["loss"]

        one = losses()
        devices = keras.distribution.list_devices()
        assert len(devices) == 2
        keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
        assert max(abs(a - b) for a, b in zip(one, losses())) < 1e-5
    """
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = os.environ | flags | {"PYTHONPATH": root}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.backends("torch", reason="torch.func")
@pytest.mark.parametrize("grids", [1, 4])
def test_functional_gradients_are_those_of_autograd(grids):
    import torch

    images, _ = data(4)
    images = torch.tensor(images)
    places = torch.rand(grids, 9, 1, 2, generator=torch.Generator().manual_seed(0)) * 5

    def loss(images, places):
        return bilinear(images, places).square().sum()

    found = torch.func.grad(loss, argnums=(0, 1))(images, places)
    leaves = images.requires_grad_(), places.requires_grad_()
    expected = torch.autograd.grad(loss(*leaves), leaves)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted)
