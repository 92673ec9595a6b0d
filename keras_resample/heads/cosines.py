"""Unit vectors and cosines with the directions of the classes, differentiable everywhere."""

import numpy as np
from keras import ops

from keras_resample.backend.compiling import one_program

# Vectors shorter than this get no gradient, and as directions of classes have cosine 0 with
# everything. The derivative of 1/|x| contains |x|^-3, which is still finite in float32 here and
# not much below.
SHORTEST = 1e-12
# Below are the numbers that some frameworks take for 0.
LEAST = float(np.finfo("float32").tiny)


@one_program
def class_cosines(embeddings, kernel, classes=None, *, subcenters=1):
    """Cosine of each embedding with the nearest direction of each class, in float32.

    Args:
        embeddings: (b, dim).
        kernel: (num_classes * subcenters, dim), the directions of one class in adjacent rows.
        classes: int32 (n,), the classes to compute, or `None` for all.
        subcenters: Directions per class.

    Returns:
        The cosines (b, n), and the lengths (b,) of the embeddings.
    """
    embeddings, kernel = ops.cast(embeddings, "float32"), ops.cast(kernel, "float32")
    if classes is not None:
        rows = classes[:, None] * subcenters + ops.arange(subcenters, dtype="int32")
        kernel = ops.take(kernel, ops.reshape(rows, (-1,)), axis=0)
    units, length = unit_vectors(embeddings)
    # The products are divided by the lengths of the kernel's rows, which are many more numbers.
    products = ops.matmul(units, ops.transpose(kernel))
    cosines = ops.multiply(products, inverse_length(kernel)[None, :])
    if subcenters > 1:
        batch = ops.shape(cosines)[0]
        cosines = ops.max(ops.reshape(cosines, (batch, -1, subcenters)), axis=-1)
    return cosines, length


def unit_vectors(vectors):
    """v / |v| and |v| of each row (b, dim), of any length that float32 holds.

    The largest component is divided by first, so that no square overflows or vanishes. Zeros stay
    zeros, and a row with a NaN is one of NaN. The gradient is 0 where no component reaches
    SHORTEST.
    """
    largest = ops.stop_gradient(ops.max(ops.abs(vectors), axis=-1, keepdims=True))
    vectors = ops.where(largest < SHORTEST, ops.stop_gradient(vectors), vectors)
    is_zero = largest < LEAST
    scaled = ops.divide(ops.where(is_zero, 0.0, vectors), ops.where(is_zero, 1.0, largest))
    # At least 1 but for zeros.
    square = ops.sum(ops.square(scaled), axis=-1, keepdims=True)
    inverse = ops.rsqrt(ops.where(is_zero, 1.0, square))
    length = ops.multiply(largest, ops.multiply(square, inverse))
    return ops.multiply(scaled, inverse), ops.squeeze(length, axis=-1)


def inverse_length(kernel):
    """1 / |v| of each row of a large matrix: 0 with gradient 0 where |v| < SHORTEST.

    Its rows are not divided by their largest components, which would read them once more: where
    |v|^2 overflows, it is NaN.
    """
    square = square_length(kernel)
    short = square < SHORTEST**2
    inverse = ops.rsqrt(ops.where(short, 1.0, square))
    return ops.where(short, 0.0, ops.where(square < np.inf, inverse, np.nan))


@ops.custom_gradient
def square_length(vectors):
    """|v|^2 of each row. The derivative of `square` reads a large kernel three times more."""

    def gradient(*args, upstream=None):
        if upstream is None:
            (upstream,) = args
        return ops.multiply(vectors, ops.multiply(2.0, upstream)[:, None])

    return ops.sum(ops.square(vectors), axis=-1), gradient


def column(factor):
    """A factor (b,) as (b, 1); a scalar as it is."""
    return factor[:, None] if len(getattr(factor, "shape", ())) == 1 else factor


def as_constant(changed, cosines):
    """The value of `changed` with the derivative of `cosines`."""
    if changed is cosines:
        return cosines
    return ops.add(cosines, ops.stop_gradient(ops.subtract(changed, cosines)))
