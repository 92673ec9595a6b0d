"""Functions that hold loops, compiled once where every call would compile them anew."""

import functools

import keras


def compiled_once(function):
    """On JAX the jitted `function`: outside of `jit`, JAX compiles a loop at each call.

    Arguments by keyword are static. On the other backends the function itself.
    """
    if keras.backend.backend() != "jax":
        return function
    import jax

    @functools.lru_cache(maxsize=64)
    def jitted(options):
        return jax.jit(functools.partial(function, **dict(options)))

    return lambda *tensors, **options: jitted(tuple(options.items()))(*tensors)
