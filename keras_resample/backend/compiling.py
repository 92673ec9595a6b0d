"""Functions that are compiled as one graph where their calls are slow to start otherwise."""

import functools
import inspect

import keras


def one_program(function):
    """`function` of tensors, and of settings by keyword only, as one program on JAX.

    Outside of `jit`, JAX would compile each of its operations for itself, anew for each size.
    """
    if keras.backend.backend() != "jax":
        return function
    import jax

    parameters = inspect.signature(function).parameters.values()
    settings = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    return jax.jit(function, static_argnames=settings)


def compiled_once(function):
    """`function` with loops, of tensors, and of integers by keyword, as one graph for each size.

    Outside of `jit`, JAX would compile its loops at every call, and TensorFlow would run them
    operation by operation. Inside of a graph TensorFlow would trace them anew for every graph
    (`predict`, `evaluate`, an export), where one is enough. On PyTorch, and where a size is not
    known before the graph runs, it is the function itself.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        return _compiled_by_jax(function)
    if backend == "tensorflow":
        return _compiled_by_tensorflow(function)
    return function


def _compiled_by_jax(function):
    import jax

    @functools.lru_cache(maxsize=64)
    def compiled(options):
        return jax.jit(functools.partial(function, **dict(options)))

    @functools.wraps(function)
    def call(*tensors, **options):
        return compiled(tuple((name, int(value)) for name, value in options.items()))(*tensors)

    return call


def _compiled_by_tensorflow(function):
    import tensorflow as tf

    @functools.lru_cache(maxsize=64)
    def compiled(options, shapes):
        signature = [tf.TensorSpec(shape, "float32") for shape in shapes]
        piece = functools.partial(function, **dict(options))
        return tf.function(piece, input_signature=signature, autograph=False)

    @functools.wraps(function)
    def call(*tensors, **options):
        if tf.executing_eagerly():
            options = {name: int(size) for name, size in options.items()}
        # One graph for all batches but those of 1, which may be shared by others.
        shapes = tuple((1 if t.shape[0] == 1 else None, *t.shape[1:]) for t in tensors)
        is_known = all(isinstance(size, int) for size in options.values())
        if not is_known or any(None in shape[1:] for shape in shapes):
            return function(*tensors, **options)
        return compiled(tuple(options.items()), shapes)(*tensors)

    return call
