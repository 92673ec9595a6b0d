"""The checks of `LayerTestCase`: each method `check_<name>` states one promise of every layer."""

import copy
import json
import os
import tempfile

import keras
import numpy as np
from keras import ops

from tests import numerics
from tests.exchange import files
from tests.numerics import is_float, to_numpy

HALF_POLICIES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


class LayerChecks:
    """One method for each promise; it raises AssertionError where the layer breaks it."""

    def check_config(self):
        """The configuration holds every argument, is JSON, and rebuilds an equal layer."""
        layer = self.make(built=False)
        config = layer.get_config()
        try:
            text = _json(config)
        except TypeError as error:
            raise AssertionError(f"get_config() is not JSON: {error}") from error
        given = self.arguments()
        built = self.make()
        for name in self.argument_names():
            assert hasattr(built, name), f"the argument {name!r} has no attribute of its name"
            assert name in config, f"get_config() lacks the argument {name!r}"
            value = given.get(name)
            if isinstance(value, (bool, int, float, str)) and not isinstance(config[name], dict):
                kept = keras.tree.flatten(config[name])
                assert all(k == value for k in kept), (
                    f"get_config() gives {name}={config[name]!r} where {value!r} was passed"
                )
        for source in (config, json.loads(text)):
            again = self.layer_class.from_config(copy.deepcopy(source))
            changed = _differences(config, again.get_config())
            assert not changed, f"from_config(get_config()) changes the configuration: {changed}"
        package = keras.saving.get_registered_name(self.layer_class).partition(">")[0]
        if self.layer_class.__module__.startswith("keras_resample"):
            assert package == "keras_resample", (
                f"the class is not registered under package keras_resample but under {package!r}"
            )
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
        assert type(again) is self.layer_class, f"deserialized as {type(again).__name__}"
        assert not _differences(config, again.get_config()), "serialization changes the config"

    def check_build(self):
        """`build` alone makes every weight, the same as a call makes."""
        built, called = self.make(), self.make(built=False)
        assert built.built, "build() leaves layer.built False"
        expected = [(w.path.rpartition("/")[2], tuple(w.shape)) for w in built.weights]
        self.call(called)
        actual = [(w.path.rpartition("/")[2], tuple(w.shape)) for w in called.weights]
        assert actual == expected, f"build() makes the weights {expected}, a call makes {actual}"
        self.call(built)
        after = len(built.weights)
        assert after == len(expected), f"a call after build() adds {after - len(expected)} weights"

    def check_symbolic_shape(self):
        """Symbolic shape and dtype, known and unknown batch, agree with the eager result."""
        layer = self.make()
        eager = self.call(layer)
        for batch in (None, next(iter(self.inputs.values())).shape[0]):
            symbols = {
                key: keras.KerasTensor((batch, *array.shape[1:]), dtype=array.dtype.name)
                for key, array in self.inputs.items()
            }
            self.compare_symbols(layer, symbols, eager, exact=True)
        model = self.model(layer)
        for actual, expected in zip(
            keras.tree.flatten(numerics.in_one_piece(model, self.inputs)), eager, strict=True
        ):  # fmt: skip
            self.close(actual, expected, "the functional model")

    def compare_symbols(self, layer, symbols, eager, exact):
        results = self.call(layer, symbols)
        for symbol, y in zip(results, eager, strict=True):
            dtype = keras.backend.standardize_dtype(y.dtype)
            assert symbol.dtype == dtype, f"symbolic dtype {symbol.dtype}, eager dtype {dtype}"
            shape, actual = tuple(symbol.shape), tuple(y.shape)
            fits = len(shape) == len(actual) and all(
                s == a or (s is None and (i == 0 or not exact))
                for i, (s, a) in enumerate(zip(shape, actual, strict=True))
            )
            assert fits, f"symbolic shape {shape}, eager shape {actual}"
        shapes = [tuple(s.shape) for s in symbols.values()]
        if len(shapes) == 1:
            computed = layer.compute_output_shape(shapes[0])
        else:
            named = {f"{k}_shape": s for k, s in zip(self.inputs, shapes, strict=True)}
            computed = layer.compute_output_shape(**named)
        expected = [tuple(s.shape) for s in results]
        computed = _flat_shapes(computed)
        assert computed == expected, (
            f"compute_output_shape({', '.join(map(str, shapes))}) gives {computed}, the symbolic "
            f"call gives {expected}"
        )

    def check_unknown_size(self):
        """Images of unknown height and width."""
        if not self.has_images:
            return
        layer = self.make()
        symbols = {
            key: keras.KerasTensor(
                (None, None, None, array.shape[-1])
                if array.ndim == 4
                else (None, *array.shape[1:]),
                dtype=array.dtype.name,
            )
            for key, array in self.inputs.items()
        }
        unknown = self.make(built=False)
        self.compare_symbols(unknown, symbols, self.results(layer), exact=False)
        unknown.set_weights([to_numpy(w) for w in layer.weights])
        run = self.model(unknown, unknown_size=True)
        if keras.backend.backend() == "tensorflow":
            run = _traced_with_unknown_shapes(run)
        for inputs in (self.inputs, self.other_inputs(grow=3)):
            tensors = {key: ops.convert_to_tensor(array) for key, array in inputs.items()}
            known = self.with_inputs(inputs)
            expected = known.results(known.make(like=layer))
            found = keras.tree.flatten(numerics.in_one_piece(run, tensors))
            for actual, y in zip(found, expected, strict=True):
                self.close(actual, y, "the model with unknown height and width")

    def check_data_format(self):
        """channels_first is channels_last transposed, by argument and by global setting."""
        if not self.has_images:
            return
        assert "data_format" in self.argument_names(), (
            "the layer takes images and has no argument data_format"
        )
        last = self.make(data_format="channels_last")
        expected = [np.moveaxis(y, -1, 1) if y.ndim == 4 else y for y in self.outputs(last)]
        swapped = self.with_inputs(
            {
                key: np.ascontiguousarray(np.moveaxis(array, -1, 1)) if array.ndim == 4 else array
                for key, array in self.inputs.items()
            }
        )
        layers = {
            "data_format='channels_first'": swapped.make(like=last, data_format="channels_first")
        }
        keras.config.set_image_data_format("channels_first")
        layers["the global setting channels_first"] = swapped.make(like=last, data_format=None)
        for what, layer in layers.items():
            for actual, y in zip(swapped.outputs(layer), expected, strict=True):
                self.close(actual, y, what)

    def check_half_precision(self):
        """Mixed float16 and bfloat16: the right dtype, and close to float32."""
        full = self.make()
        expected = self.outputs(full)
        for policy, compute_dtype in HALF_POLICIES.items():
            keras.config.set_dtype_policy(policy)
            layer = self.make(like=full)
            results = self.results(layer)
            symbols = self.call(layer, {
                key: keras.KerasTensor(array.shape, dtype=array.dtype.name)
                for key, array in self.inputs.items()
            })  # fmt: skip
            for y, y32, symbol in zip(results, expected, symbols, strict=True):
                if not is_float(y32):
                    continue
                dtype = keras.backend.standardize_dtype(y.dtype)
                wanted = self.output_dtype or compute_dtype
                assert dtype == wanted, f"{policy}: the output is {dtype}, not {wanted}"
                assert symbol.dtype == dtype, f"{policy}: symbolic {symbol.dtype}, eager {dtype}"
                span = max(float(np.ptp(y32)), 1e-3 * float(np.max(np.abs(y32)))) or 1.0
                error = np.max(np.abs(to_numpy(y).astype("float32") - y32)) / span
                assert error <= self.half_tolerance, (
                    f"{policy}: differs from float32 by {error:.2%} of the range "
                    f"(allowed {self.half_tolerance:.2%})"
                )
            floats = [key for key in self.inputs if is_float(self.inputs[key])]
            found = self.gradients_of(layer, floats, numerics.gradients)
            assert all(np.all(np.isfinite(g)) for g in found), f"{policy}: gradient not finite"

    def gradients_of(self, layer, floats, method, variables=None, **options):
        """`method(fn, *float inputs, *trainable weights)` for the projected output `fn`."""
        variables = layer.trainable_variables if variables is None else variables

        def fn(*tensors):
            inputs = {**self.inputs, **dict(zip(floats, tensors, strict=False))}
            values = tensors[len(floats) :]
            return numerics.project(
                numerics.with_values(variables, values, lambda: self.call(layer, inputs))
            )

        arrays = [self.inputs[k] for k in floats] + [to_numpy(v) for v in variables]
        return method(fn, *arrays, **options)

    def check_gradient(self):
        """Gradients to every float input and every trainable weight equal finite differences."""
        layer = self.make()
        floats = [key for key in self.inputs if is_float(self.inputs[key])]
        variables = [v for v in layer.trainable_variables if v.name not in self.own_gradient]
        names = floats + [v.path for v in variables]
        found = self.gradients_of(
            layer, floats, numerics.check_gradients, variables, names=names, **self.gradient
        )
        for name, gradient in zip(names, found, strict=True):
            assert np.all(np.isfinite(gradient)), f"the gradient to {name} is not finite"

    def check_keras_file(self):
        """Saved as `.keras` and loaded here: same numbers, eager and compiled."""
        layer = self.make()
        expected = self.outputs(layer)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.keras")
            self.model(layer).save(path)
            loaded = keras.saving.load_model(path)
        found = {"the loaded model": numerics.in_one_piece(loaded, self.inputs)}
        if "training" not in self.call_arguments:  # `predict` calls with training=False.
            found["predict of the loaded model"] = loaded.predict(self.inputs, verbose=0)
        for how, results in found.items():
            for actual, y in zip(keras.tree.flatten(results), expected, strict=True):
                self.close(actual, y, how)

    def check_exchange(self):
        """Leave a file that the other backends load; see tests/exchange."""
        modules = sorted({self.layer_class.__module__, *self.test_module})
        files.write(self.name, self.model(self.make()), self.inputs, modules)

    def check_fit(self):
        """`fit` as users call it: the loss is finite and every trainable weight moves."""
        self.fit_moves_the_weights(jit_compile="auto")

    def check_fit_without_jit(self):
        """The same as a plain graph on TensorFlow; elsewhere the other mode is step by step."""
        if keras.backend.backend() == "tensorflow":
            self.fit_moves_the_weights(jit_compile=False)

    def fit_moves_the_weights(self, **mode):
        layer = self.make()
        before = [to_numpy(w) for w in layer.trainable_weights]
        self.fit(layer, **mode)
        for weight, old in zip(layer.trainable_weights, before, strict=True):
            assert not np.array_equal(to_numpy(weight), old), f"fit does not move {weight.path}"

    def fit(self, layer, **mode):
        # A weight in front of the layer: there is something to train, and the gradient passes.
        model = self.model(layer, before=lambda x: Scale()(x))
        outputs = [y for y in model.outputs if keras.backend.is_float_dtype(y.dtype)]
        model = keras.Model(model.input, outputs)
        found = keras.tree.flatten(numerics.in_one_piece(model, self.inputs))
        targets = [numerics.random_like(y) for y in found]
        model.compile(keras.optimizers.Lion(1e-2), ["mse"] * len(targets), **mode)
        # Variables that appear in the first step make TensorFlow trace it twice.
        model.optimizer.build(model.trainable_variables)
        history = model.fit(self.inputs, targets, batch_size=len(targets[0]), verbose=0).history
        assert np.all(np.isfinite(history["loss"])), f"fit: loss {history['loss']}"

    def check_freezing(self):
        """`trainable=False`, given or set later, leaves no trainable weight and moves none."""
        layer = self.make()
        if not layer.trainable_weights:
            return
        given = self.make(trainable=False, like=layer)
        layer.trainable = False
        for frozen, how in ((given, "trainable=False"), (layer, "layer.trainable = False")):
            names = [w.path for w in frozen.trainable_weights]
            assert not names, f"{how} leaves trainable: {names}"
        before = [to_numpy(w) for w in given.weights]
        # What is frozen is decided before any compilation: the mode is the quickest.
        self.fit(given, run_eagerly=keras.backend.backend() == "tensorflow")
        for weight, old in zip(given.weights, before, strict=True):
            assert np.array_equal(to_numpy(weight), old), f"fit moves the frozen {weight.path}"

    def check_reuse(self):
        """A second input reuses the weights and leaves nothing behind."""
        layer = self.make()
        first, count = self.call(layer), len(layer.weights)
        self.results(layer, self.other_inputs())
        assert len(layer.weights) == count, "a second call adds weights"
        for actual, y in zip(self.call(layer), first, strict=True):
            self.close(actual, y, "the first input after a call on another")
        for model in (self.model(layer), self.model(layer)):
            assert len(model.weights) == count, "a second model adds weights"

    def check_export(self):
        """The exported SavedModel gives the same numbers, at another batch size too."""
        if keras.backend.backend() == "torch":
            return
        import tensorflow as tf

        layer = self.make()
        unknown_size = keras.backend.backend() == "tensorflow" and "unknown_size" not in self.skip
        model = self.model(layer, unknown_size=unknown_size)
        with tempfile.TemporaryDirectory() as folder:
            jax = keras.backend.backend() == "jax"  # A served file needs no gradient.
            options = {"jax2tf_kwargs": {"with_gradient": False}} if jax else {}
            model.export(folder, format="tf_saved_model", verbose=False, **options)
            served = tf.saved_model.load(folder)
            for inputs in (self.inputs, self.other_inputs()):
                tensors = {key: tf.convert_to_tensor(array) for key, array in inputs.items()}
                results = keras.tree.flatten(served.serve(tensors))
                for actual, y in zip(results, self.results(layer, inputs), strict=True):
                    self.close(actual.numpy(), y, "the exported model")


@keras.saving.register_keras_serializable(package="keras_resample_tests")
class Scale(keras.layers.Layer):
    """One trainable factor in front of the layer under test."""

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * self.factor


def _json(config):
    return json.dumps(config, sort_keys=True)


def _differences(config, other):
    """Keys whose JSON differs, with both values."""
    keys = sorted({*config, *other})
    return {
        key: (config.get(key), other.get(key))
        for key in keys
        if _json({"": config.get(key)}) != _json({"": other.get(key)})
    }


def _flat_shapes(shapes):
    if all(d is None or isinstance(d, int) for d in shapes):
        return [tuple(shapes)]
    values = shapes.values() if isinstance(shapes, dict) else shapes
    return [shape for s in values for shape in _flat_shapes(s)]


def _traced_with_unknown_shapes(model):
    import tensorflow as tf

    signature = {
        key: tf.TensorSpec([None] * (len(x.shape) - 1) + [x.shape[-1]], x.dtype)
        if len(x.shape) == 4
        else tf.TensorSpec([None, *x.shape[1:]], x.dtype)
        for key, x in model.input.items()
    }
    return tf.function(lambda inputs: model(inputs), input_signature=[signature])
