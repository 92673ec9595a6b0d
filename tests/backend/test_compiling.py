"""A function that is compiled once is traced once, wherever it is called."""

import numpy as np
import pytest
from keras import ops

from keras_resample.backend.compiling import compiled_once, one_program


@pytest.fixture
def traced():
    """A compiled function, and the shapes that it was traced for."""
    shapes = []

    @compiled_once
    def repeated(values, *, times):
        shapes.append(tuple(values.shape))
        return ops.concatenate([values] * times, axis=-1)

    return repeated, shapes


def test_the_same_numbers(traced):
    values = np.arange(6, dtype="float32").reshape(2, 3)
    for times in (2, 3):
        found = traced[0](ops.convert_to_tensor(values), times=times)
        np.testing.assert_array_equal(ops.convert_to_numpy(found), np.tile(values, times))


@pytest.mark.backends("jax", reason="JAX traces for each batch")
def test_eager_calls_share_a_trace_on_jax(traced):
    function, shapes = traced
    for batch in (2, 2, 3):
        function(ops.ones((batch, 3)), times=2)
    assert shapes == [(2, 3), (3, 3)]


@pytest.mark.backends("tensorflow", reason="graphs in graphs")
def test_eager_calls_and_graphs_share_a_trace(traced):
    import tensorflow as tf

    function, shapes = traced
    for batch in (2, 3):
        function(ops.ones((batch, 3)), times=2)
    for signature in ((None, 3), (4, 3)):
        graph = tf.function(lambda v: function(v, times=2))
        graph.get_concrete_function(tf.TensorSpec(signature))
    assert shapes == [(None, 3)]
    function(ops.ones((1, 3)), times=tf.constant(2))  # one for all images stays one
    assert shapes == [(None, 3), (1, 3)]


@pytest.mark.backends("tensorflow", reason="sizes that only a graph knows")
def test_an_unknown_size_is_traced_in_place(traced):
    import tensorflow as tf

    function, shapes = traced
    graph = tf.function(lambda v: function(v, times=2), input_signature=[tf.TensorSpec((2, None))])
    np.testing.assert_array_equal(graph(np.ones((2, 3), "float32")), np.ones((2, 6)))
    assert shapes == [(2, None)]


def test_one_program_is_the_function():
    @one_program
    def scaled(values, *, factor):
        return values * factor

    for factor in (2.0, 3.0):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(scaled(ops.ones(3), factor=factor)), factor
        )


@pytest.mark.backends("jax", reason="the backend that compiles every operation")
def test_one_program_is_traced_once_for_each_size_and_setting():
    traces = []

    @one_program
    def scaled(values, *, factor):
        traces.append((values.shape, factor))
        return values * factor

    for count, factor in ((2, 1.0), (2, 1.0), (2, 3.0), (4, 3.0)):
        scaled(ops.ones(count), factor=factor)
    assert traces == [((2,), 1.0), ((2,), 3.0), ((4,), 3.0)]
