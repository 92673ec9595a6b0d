"""Functions that hold loops, compiled once for each size where eager calls are slow."""

import functools

import keras


def compiled_once(function):
    """`function` of tensors, and of integers by keyword, as one graph also where it runs eagerly.

    Outside of `jit`, JAX would compile its loops at every call, and TensorFlow would run them
    operation by operation. Inside of a graph, and on PyTorch, it is the function itself.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        compile_it, runs_eagerly = jax.jit, lambda: True
    elif backend == "tensorflow":
        import tensorflow as tf

        compile_it = functools.partial(tf.function, autograph=False)
        runs_eagerly = tf.executing_eagerly
    else:
        return function

    @functools.lru_cache(maxsize=64)
    def compiled(options):
        return compile_it(functools.partial(function, **dict(options)))

    @functools.wraps(function)
    def call(*tensors, **options):
        if not runs_eagerly():
            return function(*tensors, **options)
        return compiled(tuple((name, int(value)) for name, value in options.items()))(*tensors)

    return call
