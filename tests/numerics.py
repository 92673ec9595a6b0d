"""Gradients and finite differences that read the same on TensorFlow, JAX and PyTorch.

Every function here takes `fn(*tensors) -> tensor`. Where the result is not a scalar, its sum is
differentiated: return the products, not their sum, and finite differences keep full precision.
"""

import keras
import numpy as np
from keras import ops

# A step that is a power of two changes a float32 coordinate by exactly that much.
DEFAULT_STEP = 2.0**-8


def to_numpy(x):
    """Numpy array of a tensor, variable or array; bfloat16, which numpy lacks, becomes float32."""
    array = np.asarray(ops.convert_to_numpy(x))
    return array.astype("float32") if array.dtype.name == "bfloat16" else array


def is_float(array):
    """Whether an array or tensor holds floating-point numbers, bfloat16 among them."""
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(array.dtype))


def assert_close(actual, expected, tolerance=1e-5, what="the result"):
    """Same shape and equal within `tolerance * max(1, largest expected value)`; NaN equals NaN."""
    actual, expected = to_numpy(actual), to_numpy(expected)
    assert actual.shape == expected.shape, (
        f"{what} has shape {actual.shape}, expected {expected.shape}"
    )
    if not actual.size:
        return
    actual, expected = actual.astype("float64"), expected.astype("float64")
    same_nan = np.isnan(actual) == np.isnan(expected)
    assert np.all(same_nan), f"{what}: NaN at {np.sum(~same_nan)} places where it does not belong"
    scale = max(1.0, float(np.max(np.abs(np.nan_to_num(expected)))))
    error = float(np.max(np.abs(np.nan_to_num(actual - expected))))
    assert error <= tolerance * scale, (
        f"{what} differs by {error:.3g} (allowed {tolerance * scale:.3g})"
    )


def gradients(fn, *arrays):
    """Gradients of `sum(fn(*tensors))` with respect to each array, as a list of numpy arrays.

    An array that `fn` does not depend on gets zeros; an integer array is a constant and gets None.
    """
    arrays = [np.asarray(array) for array in arrays]
    floating = [i for i, array in enumerate(arrays) if is_float(array)]
    constants = [ops.convert_to_tensor(array) for array in arrays]

    def scalar(*floats):
        tensors = list(constants)
        for i, tensor in zip(floating, floats, strict=True):
            tensors[i] = tensor
        return ops.sum(fn(*tensors))

    found = _GRADIENTS[keras.backend.backend()](scalar, [constants[i] for i in floating])
    result = [None] * len(arrays)
    for i, gradient in zip(floating, found, strict=True):
        result[i] = np.zeros_like(arrays[i]) if gradient is None else to_numpy(gradient)
    return result


def second_gradients(fn, *arrays, seed=0):
    """Gradients of `<gradient of sum(fn) wrt the first array, fixed random>` wrt each array."""
    arrays = [np.asarray(array) for array in arrays]
    weights = random_like(arrays[0], seed)
    return _SECOND[keras.backend.backend()](fn, arrays, weights)


def finite_difference(fn, arrays, index=0, entries=12, step=None, seed=0):
    """Central differences of `sum(fn(*arrays))` with respect to random entries of `arrays[index]`.

    An entry whose forward and backward differences disagree sits on a kink (a pixel border of
    bilinear sampling, a relu) and is left out, because no derivative exists there.

    Args:
        fn: Function of tensors.
        arrays: All arguments of `fn`, or the only one.
        index: Which of them is moved.
        entries: Number of entries tried, all of them if the array is smaller.
        step: Change of the entry; by default `DEFAULT_STEP` times the scale of the array.
        seed: Seed of the choice of entries.

    Returns:
        Flat indices (n,) of the entries kept, and the derivatives (n,) in float64.
    """
    arrays = [np.asarray(a) for a in (arrays if isinstance(arrays, (list, tuple)) else [arrays])]
    moved = arrays[index]
    if step is None:
        step = DEFAULT_STEP * _power_of_two(np.max(np.abs(moved), initial=0.0))

    def value(entry, change):
        changed = moved.copy()
        changed.reshape(-1)[entry] += change
        at = changed.reshape(-1)[entry] - moved.reshape(-1)[entry] if change else 1.0
        result = fn(*[ops.convert_to_tensor(changed if i == index else a)
                      for i, a in enumerate(arrays)])  # fmt: skip
        return to_numpy(result).astype("float64"), float(at)

    order = np.random.default_rng(seed).permutation(moved.size)[:entries]
    centre, _ = value(0, 0.0)
    kept, derivatives = [], []
    for entry in order:
        (above, forward_step), (below, backward_step) = value(entry, step), value(entry, -step)
        forward = np.sum(above - centre) / forward_step
        backward = np.sum(below - centre) / backward_step
        noise = 1e-6 * np.max(np.abs(centre), initial=0.0) / step
        if abs(forward - backward) <= 0.02 * max(abs(forward), abs(backward)) + 4 * noise:
            kept.append(entry)
            derivatives.append(np.sum(above - below) / (forward_step - backward_step))
    return np.array(kept, "int64"), np.array(derivatives, "float64")


def check_gradients(fn, *arrays, entries=12, step=None, tolerance=1e-2, seed=0, names=None):
    """Fail unless the gradients of `fn` equal finite differences at random entries of each array.

    `tolerance` is relative to the largest gradient of the array. Returns the gradients.
    """
    found = gradients(fn, *arrays)
    fn = _compiled(fn)
    for index, gradient in enumerate(found):
        if gradient is None or gradient.size == 0:
            continue
        name = names[index] if names else f"argument {index}"
        tried = min(entries, gradient.size)
        kept, expected = finite_difference(fn, arrays, index, entries, step, seed)
        if len(kept) < (tried + 1) // 2:
            raise AssertionError(
                f"{name}: only {len(kept)} of {tried} entries are away from a kink; use another "
                "input or a smaller step."
            )
        actual = gradient.reshape(-1)[kept].astype("float64")
        scale = max(np.max(np.abs(expected)), np.max(np.abs(gradient)), 1e-6)
        error = np.abs(actual - expected)
        if not np.all(error <= tolerance * scale):
            worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
            place = tuple(int(i) for i in np.unravel_index(kept[worst], gradient.shape))
            raise AssertionError(
                f"The gradient with respect to {name} is wrong at {place}: the backend says "
                f"{actual[worst]:.6g}, finite differences say {expected[worst]:.6g} "
                f"(allowed {tolerance:g} of {scale:.3g})."
            )
    return found


def random_like(array, seed=0):
    """Fixed standard normal numbers of the shape of `array`, float32."""
    return np.random.default_rng(seed).standard_normal(tuple(array.shape)).astype("float32")


def project(outputs, seed=0):
    """Each output times fixed random numbers, flattened into one vector; sum it for a loss."""
    flat = keras.tree.flatten(outputs)
    return ops.concatenate(
        [
            ops.reshape(
                ops.multiply(ops.cast(output, "float32"), random_like(output, seed + i)), (-1,)
            )
            for i, output in enumerate(flat)
        ]
    )


def with_values(variables, values, fn):
    """Result of `fn()` while the variables read as `values` (tensors); nothing is assigned."""
    with keras.StatelessScope(
        state_mapping=list(zip(variables, values, strict=True)), collect_losses=True
    ):
        return fn()


def in_one_piece(fn, *arguments):
    """`fn(*arguments)` as one program on JAX, which compiles each operation outside of one.

    Variables that `fn` assigns keep their values.
    """
    if keras.backend.backend() != "jax":
        return fn(*arguments)
    import jax

    def piece(*tensors):
        with keras.StatelessScope():
            return fn(*tensors)

    return jax.jit(piece)(*arguments)


def loss_gradients(layer, inputs, loss=None, **call_arguments):
    """Gradients of a loss with respect to the trainable variables of a built layer or model.

    Args:
        layer: A built layer or model.
        inputs: Its input array, or a list of arrays passed as separate positional arguments
            if it is a tuple.
        loss: Function of the outputs; its sum is differentiated. `layer.losses` may be read in
            it. By default the outputs times fixed random numbers.
        **call_arguments: Passed to the call.

    Returns:
        A list of numpy arrays in the order of `layer.trainable_variables`.
    """
    variables = layer.trainable_variables
    arguments = inputs if isinstance(inputs, tuple) else (inputs,)
    loss = loss or project

    def fn(*values):
        return with_values(variables, values, lambda: loss(layer(*arguments, **call_arguments)))

    return gradients(fn, *[to_numpy(v) for v in variables])


def _compiled(fn):
    """`fn` as one program, where calling it many times step by step takes longer."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(fn, autograph=False)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(fn)
    return fn


def _power_of_two(scale):
    return 2.0 ** np.round(np.log2(scale)) if np.isfinite(scale) and scale > 1e-3 else 1.0


def _tensorflow_gradients(scalar, tensors):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        for tensor in tensors:
            tape.watch(tensor)
        value = scalar(*tensors)
    return [
        None if gradient is None else tf.convert_to_tensor(gradient)
        for gradient in tape.gradient(value, tensors)
    ]


def _jax_gradients(scalar, tensors):
    import jax

    if not tensors:
        return ()
    # One compilation of the whole is much quicker than one for every operation.
    return jax.jit(jax.grad(scalar, argnums=tuple(range(len(tensors)))))(*tensors)


def _torch_gradients(scalar, tensors):
    import torch

    leaves = [tensor.detach().clone().requires_grad_(True) for tensor in tensors]
    value = scalar(*leaves)
    if not value.requires_grad:
        return [None] * len(leaves)
    return torch.autograd.grad(value, leaves, allow_unused=True)


_GRADIENTS = {
    "tensorflow": _tensorflow_gradients,
    "jax": _jax_gradients,
    "torch": _torch_gradients,
}


def _tensorflow_second(fn, arrays, weights):
    import tensorflow as tf

    tensors = [tf.convert_to_tensor(a) for a in arrays]
    with tf.GradientTape() as outer:
        for tensor in tensors:
            outer.watch(tensor)
        with tf.GradientTape() as inner:
            inner.watch(tensors[0])
            value = ops.sum(fn(*tensors))
        first = inner.gradient(value, tensors[0], unconnected_gradients="zero")
        dot = tf.reduce_sum(first * weights)
    found = outer.gradient(dot, tensors, unconnected_gradients="zero")
    return [to_numpy(tf.convert_to_tensor(g)) for g in found]


def _jax_second(fn, arrays, weights):
    import jax

    def dot(*tensors):
        first = jax.grad(lambda *t: ops.sum(fn(*t)))(*tensors)
        return ops.sum(ops.multiply(first, weights))

    tensors = [ops.convert_to_tensor(a) for a in arrays]
    found = jax.jit(jax.grad(dot, argnums=tuple(range(len(arrays)))))(*tensors)
    return [to_numpy(g) for g in found]


def _torch_second(fn, arrays, weights):
    import torch

    tensors = [ops.convert_to_tensor(a).detach().clone().requires_grad_(True) for a in arrays]
    (first,) = torch.autograd.grad(ops.sum(fn(*tensors)), tensors[0], create_graph=True)
    dot = ops.sum(first * ops.convert_to_tensor(weights))
    if not dot.requires_grad:
        return [np.zeros_like(a) for a in arrays]
    found = torch.autograd.grad(dot, tensors, allow_unused=True)
    return [
        np.zeros_like(a) if g is None else to_numpy(g) for g, a in zip(found, arrays, strict=True)
    ]


_SECOND = {"tensorflow": _tensorflow_second, "jax": _jax_second, "torch": _torch_second}
