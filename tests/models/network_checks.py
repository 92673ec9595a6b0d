"""One call that checks what the project promises of every network, as `check_layer` of a layer.

    def test_promises(tmp_path):
        check_network(small, images(2, 37, 50, 3), half_layer="cls_4", folder=tmp_path)

The network and its numbers are made once, and everything is compared with them.
"""

import keras
import numpy as np

from tests.models.segmentation_networks import randomise, run
from tests.numerics import assert_close, to_numpy


def check_network(build, images, *, half_layer, half=0.1, folder, twin=None):
    """Check a network.

    Args:
        build: Function of `input_shape` (without the batch) and `data_format` that gives it.
        images: Channels-last inputs, or a dict or list of inputs whose first are the images.
        half_layer: Name of the last layer that computes in half precision, or a function of the
            model that gives it.
        half: Error allowed under half precision; None where it is too deep to compare.
        folder: Where a file may be written.
        twin: Function of the model and the images that gives the outputs in PyTorch, channels
            first, and the names of the layers it used.
    """
    case = _Network(build, images)
    failures = []
    for what, check in {
        "twin": lambda: case.check_twin(twin),
        "channels first": case.check_channels_first,
        "file": lambda: case.check_file(folder),
        "half precision": lambda: case.check_half_precision(half_layer, half),
    }.items():
        policy, data_format = keras.config.dtype_policy(), keras.config.image_data_format()
        try:
            check()
        except Exception as error:
            error.add_note(f"(check of the {what})")
            failures.append((what, error))
        finally:
            keras.config.set_dtype_policy(policy)
            keras.config.set_image_data_format(data_format)
    if failures:
        lines = [f"  {what}: {type(error).__name__}: {error}" for what, error in failures]
        raise AssertionError("The network fails:\n" + "\n".join(lines)) from failures[0][1]


class _Network:
    """A network with random weights and its outputs, channels-last."""

    def __init__(self, build, images):
        self.build, self.images = build, images
        self.model = self.made(data_format="channels_last")
        randomise(self.model)
        self.outputs = keras.tree.flatten(run(self.model, images))

    def made(self, **arguments):
        first = keras.config.image_data_format() == "channels_first" and not arguments
        height, width, channels = keras.tree.flatten(self.images)[0].shape[1:]
        shape = (channels, height, width) if first else (height, width, channels)
        return self.build(input_shape=shape, **arguments)

    def copied(self, model):
        """The model with the weights of ours, which may differ in axes of length one."""
        for mine, theirs in zip(model.weights, self.model.weights, strict=True):
            mine.assign(to_numpy(theirs).reshape(mine.shape))
        return model

    def compare(self, found, tolerance, what):
        for one, expected in zip(keras.tree.flatten(found), self.outputs, strict=True):
            assert_close(one, expected, tolerance, what)

    def check_twin(self, twin):
        """The network written out in torch functions gives the same from all of the weights."""
        if twin is None:
            return
        expected, used = twin(self.model, self.images)
        assert used == {layer.name for layer in self.model.layers if layer.weights}
        expected = expected if isinstance(expected, (list, tuple)) else [expected]
        self.compare([np.moveaxis(one, 1, -1) for one in expected], 1e-4, "the network in torch")

    def check_channels_first(self):
        keras.config.set_image_data_format("channels_first")
        model = self.copied(self.made())
        first = keras.tree.map_structure(channels_first, self.images)
        found = keras.tree.flatten(run(model, first))
        found = [np.moveaxis(y, 1, -1) if y.ndim == 4 else y for y in found]
        self.compare(found, 1e-4, "channels first")

    def check_file(self, folder):
        self.model.save(folder / "model.keras")
        self.compare(
            run(keras.saving.load_model(folder / "model.keras"), self.images),
            1e-5,
            "the loaded network",
        )

    def check_half_precision(self, layer, tolerance):
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = self.made(data_format="channels_last")
        inputs = keras.tree.map_structure(
            lambda x: keras.KerasTensor(x.shape, x.dtype.name), self.images
        )
        assert all(output.dtype == "float32" for output in keras.tree.flatten(model(inputs)))
        half = layer(model) if callable(layer) else model.get_layer(layer)
        assert half.output.dtype == "bfloat16"
        if tolerance is not None:
            self.compare(run(self.copied(model), self.images), tolerance, "bfloat16")


def channels_first(x):
    """Images, and nothing else, with their channels in front."""
    return np.moveaxis(x, -1, 1).copy() if x.ndim == 4 else x
