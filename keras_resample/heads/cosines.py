"""Cosines between embeddings and the directions of the classes, differentiable everywhere."""

from keras import ops

# Vectors shorter than this have cosine 0 with everything and gradient 0. The derivative of
# 1/|x| contains |x|^-3, which is still finite in float32 here and not much below.
SHORTEST = 1e-12


def class_cosines(embeddings, kernel, subcenters=1, classes=None):
    """Cosine of each embedding with the nearest direction of each class, in float32.

    Args:
        embeddings: (b, dim).
        kernel: (num_classes * subcenters, dim), the directions of one class in adjacent rows.
        subcenters: Directions per class.
        classes: int32 (n,), the classes to compute, or `None` for all.

    Returns:
        The cosines (b, n), and the lengths (b,) of the embeddings.
    """
    embeddings, kernel = ops.cast(embeddings, "float32"), ops.cast(kernel, "float32")
    if classes is not None:
        rows = classes[:, None] * subcenters + ops.arange(subcenters, dtype="int32")
        kernel = ops.take(kernel, ops.reshape(rows, (-1,)), axis=0)
    square, inverse = inverse_length(embeddings)
    # The products are divided by the lengths of the kernel's rows, which are many more numbers.
    products = ops.matmul(ops.multiply(embeddings, inverse[:, None]), ops.transpose(kernel))
    cosines = ops.multiply(products, inverse_length(kernel)[1][None, :])
    if subcenters > 1:
        batch = ops.shape(cosines)[0]
        cosines = ops.max(ops.reshape(cosines, (batch, -1, subcenters)), axis=-1)
    return cosines, ops.multiply(square, inverse)


def inverse_length(vectors):
    """|v|^2 and 1 / |v| of each row; the latter 0 with gradient 0 where |v| < SHORTEST."""
    square = square_length(vectors)
    usable = square > SHORTEST**2
    return square, ops.where(usable, ops.rsqrt(ops.where(usable, square, 1.0)), 0.0)


@ops.custom_gradient
def square_length(vectors):
    """|v|^2 of each row. The derivative of `square` reads a large kernel three times more."""

    def gradient(*args, upstream=None):
        if upstream is None:
            (upstream,) = args
        return ops.multiply(vectors, ops.multiply(2.0, upstream)[:, None])

    return ops.sum(ops.square(vectors), axis=-1), gradient
