"""The layer checks pass on good layers and catch each kind of broken one."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.layer_test_case import LayerTestCase, check_layer

IMAGES = np.random.default_rng(0).uniform(size=(2, 8, 6, 3)).astype("float32")
VECTORS = np.random.default_rng(1).standard_normal((2, 5)).astype("float32")

register = keras.saving.register_keras_serializable(package="keras_resample_tests")


@register
class Convolution(keras.layers.Layer):
    """A good layer: a strided convolution in both data formats."""

    def __init__(self, filters=2, strides=2, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.strides = strides
        self.data_format = keras.config.image_data_format() if data_format is None else data_format

    def build(self, images_shape):
        channels = images_shape[-1 if self.data_format == "channels_last" else 1]
        self.kernel = self.add_weight(shape=(3, 3, channels, self.filters), name="kernel")

    def call(self, images):
        first = self.data_format == "channels_first"
        x = ops.transpose(images, (0, 2, 3, 1)) if first else images
        y = self.convolve(x)
        return ops.transpose(y, (0, 3, 1, 2)) if first else y

    def convolve(self, x):
        return ops.conv(x, self.kernel, self.strides, "same", data_format="channels_last")

    def compute_output_shape(self, images_shape):
        first = self.data_format == "channels_first"
        batch, *size = images_shape[:1] + (images_shape[2:] if first else images_shape[1:3])
        size = [None if n is None else -(-n // self.strides) for n in size]
        return (batch, self.filters, *size) if first else (batch, *size, self.filters)

    def get_config(self):
        return super().get_config() | {
            "filters": self.filters,
            "strides": self.strides,
            "data_format": self.data_format,
        }


@register
class Affinity(keras.layers.Layer):
    """A good layer of two inputs, the second an optional label, that returns float32 logits."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, embeddings_shape, labels_shape=None):
        self.kernel = self.add_weight(shape=(embeddings_shape[-1], self.units), name="kernel")

    def call(self, embeddings, labels=None):
        logits = ops.cast(ops.matmul(embeddings, self.kernel), "float32")
        if labels is None:
            return logits
        return logits - ops.one_hot(labels, self.units, dtype="float32")

    def compute_output_spec(self, embeddings, labels=None):
        return keras.KerasTensor((*embeddings.shape[:-1], self.units), dtype="float32")

    def compute_output_shape(self, embeddings_shape, labels_shape=None):
        return (*embeddings_shape[:-1], self.units)

    def get_config(self):
        return super().get_config() | {"units": self.units}


def test_keras_dense_passes():
    skip = {"config": "Keras writes lora_rank and quantization_config only where they are set"}
    check_layer(keras.layers.Dense, {"units": 3}, VECTORS, skip=skip)


def test_good_convolution_passes():
    check_layer(Convolution, {"filters": 4}, IMAGES)


def test_good_layer_with_two_inputs_passes():
    inputs = {"embeddings": VECTORS, "labels": np.array([1, 3], "int32")}
    check_layer(Affinity, {}, inputs, output_dtype="float32")


@register
class LosesAnArgument(Convolution):
    def get_config(self):
        config = super().get_config()
        del config["strides"]
        return config


@register
class WritesTheDefault(Convolution):
    def get_config(self):
        return super().get_config() | {"filters": 2}


@register
class ConfigIsNotJson(Convolution):
    def get_config(self):
        return super().get_config() | {"filters": np.int64(self.filters)}


@register
class HasNoAttribute(Convolution):
    def __init__(self, filters=2, bias=False, **kwargs):
        super().__init__(filters, **kwargs)
        self._bias = bias

    def get_config(self):
        return super().get_config() | {"bias": self._bias}


class IsNotRegistered(Convolution):
    __module__ = "keras_resample.layers.example"


@register
class BuildsLate(Convolution):
    def convolve(self, x):
        if not hasattr(self, "bias"):
            self.bias = self.add_weight(shape=(self.filters,), name="bias")
        return super().convolve(x) + self.bias


@register
class WrongOutputShape(Convolution):
    def compute_output_shape(self, images_shape):
        return (images_shape[0], images_shape[1], images_shape[2], self.filters)


@register
class WrongOutputDtype(Convolution):
    def compute_output_spec(self, images):
        return keras.KerasTensor(super().compute_output_spec(images).shape, dtype="float16")


@register
class RemembersTheSize(Convolution):
    def build(self, images_shape):
        super().build(images_shape)
        self.size = images_shape[1:3]

    def convolve(self, x):
        return super().convolve(x) * (self.size[0] or 1)


@register
class NeedsTheSize(Convolution):
    def convolve(self, x):
        return ops.reshape(super().convolve(x), (-1, int(x.shape[1]) // 2, 3, self.filters))


@register
class IgnoresDataFormat(Convolution):
    def build(self, images_shape):
        self.kernel = self.add_weight(shape=(3, 3, images_shape[-1], self.filters), name="kernel")

    def call(self, images):
        return self.convolve(images)


@register
class IgnoresGlobalDataFormat(Convolution):
    def __init__(self, filters=2, strides=2, data_format=None, **kwargs):
        super().__init__(filters, strides, data_format or "channels_last", **kwargs)


@register
class HasNoDataFormat(keras.layers.Layer):
    def call(self, images):
        return images[:, ::2]


@register
class ForgetsToCast(Convolution):
    def convolve(self, x):
        y = super().convolve(x)
        return y * ops.full((self.filters,), 0.5, dtype="float32")


@register
class LosesPrecision(Convolution):
    def convolve(self, x):
        return super().convolve(x + 500.0) - super().convolve(ops.full_like(x, 500.0))


@register
class WrongGradient(Convolution):
    def convolve(self, x):
        @ops.custom_gradient
        def double(x):
            def grad(*args, upstream=None):
                return (args[0] if upstream is None else upstream) * 1.9

            return x * 2.0, grad

        return super().convolve(double(x))


@register
class StopsTheGradient(Convolution):
    def convolve(self, x):
        kernel = ops.stop_gradient(ops.convert_to_tensor(self.kernel))
        return ops.conv(x, kernel, self.strides, "same", data_format="channels_last")


@register
class InfiniteGradient(Convolution):
    def convolve(self, x):
        return super().convolve(x) + ops.sqrt(ops.abs(x[:, ::2, ::2, :1]) * 0.0)


@register
class FileLosesState(Convolution):
    def convolve(self, x):
        return super().convolve(x) * getattr(self, "gain", 1.0)


@register
class FitIsNotFinite(Convolution):
    def convolve(self, x):
        return super().convolve(x) / 0.0


@register
class CannotBeFrozen(Convolution):
    def build(self, images_shape):
        super().build(images_shape)
        self.count = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="count"
        )  # fmt: skip

    def convolve(self, x):
        self.count.assign(self.count + 1.0)
        return super().convolve(x)


@register
class KeepsTheFirstInput(Convolution):
    def convolve(self, x):
        if not keras.backend.is_keras_tensor(x):
            self.first = ops.mean(x) + getattr(self, "first", 0.0)
            return super().convolve(x) + ops.cast(self.first, x.dtype)
        return super().convolve(x)


@register
class FixesTheBatch(Convolution):
    def convolve(self, x):
        return ops.reshape(super().convolve(x), (2, 4, 3, self.filters))


def add_gain(layer):
    layer.gain = 2.0


BROKEN = [
    (LosesAnArgument, "config", "lacks the argument 'strides'"),
    (WritesTheDefault, "config", "filters=2 where 4 was passed"),
    (ConfigIsNotJson, "config", "not JSON"),
    (HasNoAttribute, "config", "'bias' has no attribute"),
    (IsNotRegistered, "config", "not registered under package keras_resample"),
    (BuildsLate, "build", "cannot add new elements of state"),
    (WrongOutputShape, "symbolic_shape", "symbolic"),
    (WrongOutputDtype, "symbolic_shape", "symbolic dtype float16, eager dtype float32"),
    (RemembersTheSize, "unknown_size", "differs by"),
    pytest.param(
        *(NeedsTheSize, "unknown_size", "Error"),
        marks=pytest.mark.backends("tensorflow", reason="elsewhere a size is known in every call"),
    ),
    (IgnoresDataFormat, "data_format", "has shape|differs|ValueError"),
    (IgnoresGlobalDataFormat, "data_format", "global setting|ValueError"),
    (HasNoDataFormat, "data_format", "no argument data_format"),
    (ForgetsToCast, "half_precision", "the output is float32|Error"),
    (LosesPrecision, "half_precision", "differs from float32 by"),
    (WrongGradient, "gradient", "gradient with respect to images is wrong"),
    (StopsTheGradient, "gradient", "kernel is wrong"),
    (StopsTheGradient, "fit", "does not move .*kernel|No gradients|does not require grad"),
    pytest.param(
        *(StopsTheGradient, "fit_without_jit", "does not move .*kernel|No gradients"),
        marks=pytest.mark.backends("tensorflow", reason="elsewhere `fit` has one mode here"),
    ),
    (InfiniteGradient, "gradient", "nan|not finite"),
    (FileLosesState, "keras_file", "loaded model differs by"),
    (FitIsNotFinite, "fit", "loss"),
    (CannotBeFrozen, "freezing", "moves the frozen .*count"),
    (KeepsTheFirstInput, "reuse", "after a call on another differs|unexpected tracer"),
    (FixesTheBatch, "reuse", "Error"),
]


@pytest.mark.parametrize("layer_class, check, message", BROKEN)
def test_broken_layer_is_caught(layer_class, check, message):
    arguments = {} if layer_class is HasNoDataFormat else {"filters": 4}
    prepare = add_gain if layer_class is FileLosesState else None
    with pytest.raises(AssertionError, match=rf"(?s)fails 1 of 1 checks.*{check}: .*({message})"):
        check_layer(layer_class, arguments, IMAGES, prepare=prepare, only=[check])


@pytest.mark.backends("tensorflow", "jax", reason="PyTorch writes no SavedModel")
def test_broken_export_is_caught():
    with pytest.raises(AssertionError, match="export: "):
        check_layer(FixesTheBatch, {}, IMAGES, only=["export"])


def test_all_failures_are_reported_together():
    with pytest.raises(AssertionError, match="fails 2 of 2 checks:\n  config: .*\n  build: "):

        @register
        class Both(BuildsLate):
            def get_config(self):
                return keras.layers.Layer.get_config(self)

        check_layer(Both, {}, IMAGES, only=["config", "build"])


def test_settings_come_back():
    keras.config.set_image_data_format("channels_last")
    check_layer(Convolution, {}, IMAGES, only=["half_precision", "data_format"])
    assert keras.config.dtype_policy().name == "float32"
    assert keras.config.image_data_format() == "channels_last"


@pytest.mark.parametrize(
    "skip, message", [({"gradients": "typo"}, "No such check"), ({"gradient": " "}, "reason")]
)
def test_skips_need_a_known_name_and_a_reason(skip, message):
    with pytest.raises(ValueError, match=message):
        LayerTestCase(Convolution, {}, IMAGES, skip=skip)
