"""One call that checks everything the project promises of any layer.

    from tests.layer_test_case import check_layer

    def test_uniform_downsample():
        check_layer(kr.layers.UniformDownsample, {"factor": 0.5}, images)

It runs every check below on the backend of the process and reports all that fail. A check that
cannot apply is switched off with a reason: `skip={"unknown_size": "the flow has a fixed size"}`.
"""

import copy
import inspect
import os
import re

import keras
import numpy as np
from keras import ops

from tests import numerics
from tests.layer_checks import LayerChecks
from tests.numerics import assert_close, is_float, to_numpy


def check_layer(layer_class, arguments=None, inputs=None, **options):
    """Check a layer class; see `LayerTestCase` for the arguments and options."""
    LayerTestCase(layer_class, arguments, inputs, **options).run()


class LayerTestCase(LayerChecks):
    """The checks, each a method `check_<name>` that raises AssertionError.

    Args:
        layer_class: The class under test.
        arguments: Its constructor arguments, a dict, or a function that returns the dict where
            an argument is an object that two layers cannot share (a sublayer).
        inputs: Input array, or a dict from call argument to array (the first one first). Choose
            random values: a check at zeros or at a kink sees little.
        call_arguments: Further call arguments that are no tensors, such as `{"training": True}`.
        prepare: Function of the built layer that gives its weights interesting values.
        output_dtype: Output dtype under a half precision policy, where it is not the compute
            dtype (a head that returns float32).
        tolerance: Allowed error, absolute below 1 and relative to the largest value above.
        half_tolerance: Allowed error under half precision, relative to the range of the output.
        gradient: Options of `numerics.check_gradients`: entries, step, tolerance, seed.
        own_gradient: Dict from the name of a weight, whose gradient is by design not the
            derivative, to the reason. Its gradient is still compared across backends.
        name: Name of the exchange file, by default made from the name of the running test.
        skip: Dict from the name of a check to the reason why it does not apply.
        only: Names of the checks to run, for a variant of a layer checked in full elsewhere.
    """

    def __init__(
        self,
        layer_class,
        arguments=None,
        inputs=None,
        *,
        call_arguments=None,
        prepare=None,
        output_dtype=None,
        tolerance=1e-5,
        half_tolerance=1e-2,
        gradient=None,
        own_gradient=None,
        name=None,
        skip=None,
        only=None,
    ):
        self.layer_class = layer_class
        self.arguments = arguments if callable(arguments) else lambda: dict(arguments or {})
        if not isinstance(inputs, dict):
            inputs = {_first_call_argument(layer_class): inputs}
        self.inputs = {key: np.asarray(value) for key, value in inputs.items()}
        self.call_arguments = call_arguments or {}
        self.prepare = prepare
        self.output_dtype = output_dtype
        self.tolerance = tolerance
        self.half_tolerance = half_tolerance
        self.gradient = gradient or {}
        self.own_gradient = own_gradient or {}
        self.name = name or re.sub(r"[^A-Za-z0-9.]+", "-", _running_test()).strip("-")
        self.skip = skip or {}
        self.only = only
        unknown = {*self.skip, *(only or ())} - set(self.names())
        if unknown:
            raise ValueError(f"No such check: {sorted(unknown)}. The checks: {self.names()}")
        if any(not str(why).strip() for why in [*self.skip.values(), *self.own_gradient.values()]):
            raise ValueError(
                "Every exception needs a reason. "
                f"Received: skip={self.skip}, own_gradient={self.own_gradient}"
            )

    @classmethod
    def names(cls):
        """Names of all checks, in the order in which they run."""
        return [n.removeprefix("check_") for n in vars(LayerChecks) if n.startswith("check_")]

    def run(self):
        """Run the checks and fail with the messages of all that failed."""
        failures = []
        chosen = [n for n in self.only or self.names() if n not in self.skip]
        for name in chosen:
            policy, data_format = keras.config.dtype_policy(), keras.config.image_data_format()
            keras.utils.set_random_seed(0)
            try:
                getattr(self, f"check_{name}")()
            except Exception as error:
                kind = "" if type(error) is AssertionError else f"{type(error).__name__}: "
                error.add_note(f"(check {name} of {self.layer_class.__name__})")
                failures.append((name, kind, error))
            finally:
                keras.config.set_dtype_policy(policy)
                keras.config.set_image_data_format(data_format)
        if failures:
            lines = [f"  {name}: {kind}{error}" for name, kind, error in failures]
            raise AssertionError(
                f"{self.layer_class.__name__} on {keras.backend.backend()} fails "
                f"{len(failures)} of {len(chosen)} checks:\n" + "\n".join(lines)
            ) from failures[0][2]

    def argument_names(self):
        """Names of the constructor's own arguments, and of those it hands to its bases."""
        names = []
        for base in self.layer_class.__mro__:
            if base is keras.layers.Layer:
                break
            if "__init__" not in vars(base):
                continue
            parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
            for p in parameters:
                if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or p.name == "self":
                    continue
                if base is self.layer_class or self.accepts(p):
                    names.append(p.name)
            if not any(p.kind is p.VAR_KEYWORD for p in parameters):
                break
        return [n for n in dict.fromkeys(names) if n not in ("name", "dtype", "trainable")]

    def accepts(self, parameter):
        """Whether the class passes this argument of a base on, instead of fixing it itself."""
        given = self.arguments()
        if parameter.name in given:
            return True
        if parameter.default is parameter.empty:
            return False
        try:
            self.layer_class(**given, **{parameter.name: parameter.default})
        except TypeError:
            return False
        return True

    # What the checks share.

    def make(self, built=True, like=None, **overrides):
        """A new layer; `like` gives the layer whose weights it takes."""
        layer = self.layer_class(**{**self.arguments(), **overrides})
        if built:
            self.build(layer)
            if like is not None:
                layer.set_weights([to_numpy(w) for w in like.weights])
            elif self.prepare:
                self.prepare(layer)
        return layer

    def build(self, layer):
        shapes = [(None, *array.shape[1:]) for array in self.inputs.values()]
        parameters = inspect.signature(layer.build).parameters
        if len(parameters) == 1:
            layer.build(shapes[0])
        else:
            layer.build(**{f"{k}_shape": s for k, s in zip(self.inputs, shapes, strict=True)})

    def call(self, layer, inputs=None):
        """Result of the layer as flat list of tensors."""
        inputs = self.inputs if inputs is None else inputs
        first, *rest = (ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x
                        for x in inputs.values())  # fmt: skip
        named = dict(zip(list(inputs)[1:], rest, strict=True))
        return keras.tree.flatten(layer(first, **named, **self.call_arguments))

    def results(self, layer, inputs=None):
        """`call` of a built layer, as quickly as the backend compiles it."""
        inputs = self.inputs if inputs is None else inputs

        def named(*arrays):
            return self.call(layer, dict(zip(inputs, arrays, strict=True)))

        return numerics.in_one_piece(named, *inputs.values())

    def outputs(self, layer, inputs=None):
        return [to_numpy(y) for y in self.results(layer, inputs)]

    def model(self, layer, before=None, unknown_size=False):
        """Functional model of the layer, from a dict of inputs to the list of outputs."""
        symbols = {}
        for key, array in self.inputs.items():
            shape = array.shape[1:]
            if unknown_size and array.ndim == 4:
                shape = (None, None, shape[-1])
            symbols[key] = keras.Input(shape, dtype=array.dtype.name, name=key)
        reached = {
            key: before(symbol) if before and is_float(self.inputs[key]) else symbol
            for key, symbol in symbols.items()
        }
        return keras.Model(symbols, self.call(layer, reached))

    def other_inputs(self, batch=3, grow=0):
        """Different values with another batch size, images larger by `grow` pixels."""
        result = {}
        for key, array in self.inputs.items():
            rows = np.resize(np.flip(array, 0), (batch, *array.shape[1:]))
            if grow and array.ndim == 4:
                margins = ((0, 0), (0, grow), (0, grow + 1), (0, 0))
                rows = np.pad(rows, margins, mode="reflect")
            result[key] = rows
        return result

    def with_inputs(self, inputs):
        """The same test case for other inputs."""
        case = copy.copy(self)
        case.inputs = inputs
        return case

    @property
    def test_module(self):
        """Importable name of the running test's module, as list of at most one."""
        path = _running_test().partition("::")[0]
        return [path.removesuffix(".py").replace("/", ".")] if path else []

    @property
    def has_images(self):
        return any(array.ndim == 4 for array in self.inputs.values())

    def close(self, actual, expected, what, tolerance=None):
        assert_close(actual, expected, tolerance or self.tolerance, what)


def _first_call_argument(layer_class):
    return list(inspect.signature(layer_class.call).parameters)[1]


def _running_test():
    """Node id of the running test, such as tests/layers/test_a.py::test_b[c], or nothing."""
    return os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
