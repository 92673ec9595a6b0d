"""Relative positions of image patches, in buckets, and the biases of attention read from tables.

Tokens are patches of a grid, row by row; the offset of a pair is query minus key, in patches.
"""

import math

import numpy as np

from keras_resample import backend
from keras_resample.arguments import as_integer, as_number, as_size, check_choice

METHODS = ("product", "euclidean", "quantized", "cross")


def relative_position_buckets(
    query_size, method="product", alpha=1.9, beta=3.8, gamma=15.2, skip=0
):
    """Bucket of the offset of each pair of patches, finer for near ones.

    With the piecewise function g of the reference (Eq. 18), odd: up to `alpha` the rounded
    distance, beyond it the logarithm of the distance, `beta` from `gamma` on, rounded down:

    | method | bucket of an offset (rows, columns) | buckets |
    |---|---|---|
    | `"product"` | g(rows) and g(columns), each two one | (2 b + 1)^2, b = floor(beta) |
    | `"euclidean"` | g of the rounded length of the offset | 2 b + 1 |
    | `"quantized"` | g of the squared length | 2 b + 1 |
    | `"cross"` | two, whose values are added: g(rows), g(columns) | 2 (2 b + 1) |

    Args:
        query_size: `(height, width)` of the grid of patches.
        method: a row of the table.
        alpha: offsets up to here have a bucket each, a positive number.
        beta: the largest g before it is rounded down, at least 1 and `alpha`.
        gamma: offset of which g is `beta`, above `alpha`.
        skip: number of tokens before the patches, such as class tokens. Pairs with one of them
            share a bucket of their own, the last one.

    Returns:
        `(ids, num_buckets)`: int32 tensor `(n, n)`, query by key, with `n = skip + height * width`,
        for `"cross"` `(2, n, n)`, and an int.

    Raises:
        ValueError: for an argument out of its range.

    Example:

    >>> import keras_resample as kr
    >>> ids, num_buckets = kr.ops.relative_position_buckets((14, 14))
    >>> ids.shape == (196, 196), num_buckets, int(ids[0, 0]), int(ids[0, 1]), int(ids[0, 14])
    (True, 49, 24, 23, 17)

    Reference:
        "Rethinking and Improving Relative Position Encoding for Vision Transformer" (iRPE), 2021
    """
    plan = as_bucket_plan(query_size, method, alpha, beta, gamma, skip)
    return _known_buckets(*plan), num_buckets(method, plan[3], plan[5])


def as_bucket_plan(size, method, alpha, beta, gamma, skip, name="query_size"):
    """The arguments of `relative_position_buckets` as plain numbers, checked."""
    height, width = as_size(size, name)
    check_choice(method, "method", METHODS)
    alpha = as_number(alpha, "alpha", "(0, inf)")
    beta = as_number(beta, "beta", f"[{max(alpha, 1)}, inf)")
    gamma = as_number(gamma, "gamma", f"({alpha}, inf)")
    skip = as_integer(skip, "skip", 0)
    return (height, width), method, alpha, beta, gamma, skip


def num_buckets(method, beta, skip=0):
    """Number of different buckets."""
    one = 2 * math.floor(beta) + 1
    own = one + bool(skip)
    return {"product": one**2 + bool(skip), "cross": 2 * own}.get(method, own)


def piecewise_index(offsets, alpha, beta, gamma):
    """g of integer offsets, an int64 array: exact up to alpha, then by the logarithm."""
    distance = np.abs(np.asarray(offsets, "float64"))
    far = np.maximum(distance, alpha) / alpha
    grown = alpha + np.log(far) / math.log(gamma / alpha) * (beta - alpha)
    near = np.round(distance)
    index = np.where(distance <= alpha, near, np.trunc(np.minimum(np.round(grown), beta)))
    return (np.sign(offsets) * index).astype("int64")


def bucket_ids(size, method, alpha, beta, gamma, skip):
    """`relative_position_buckets` as an int32 array."""
    rows, cols = _offsets(size)
    half = math.floor(beta)

    def g(offsets):
        return piecewise_index(offsets, alpha, beta, gamma) + half

    one = 2 * half + 1
    if method == "product":
        return _with_skipped(g(rows) * one + g(cols), skip, one**2)
    if method == "cross":
        own = one + bool(skip)
        parts = [_with_skipped(g(offsets), skip, one) for offsets in (rows, cols)]
        return np.stack([parts[0], parts[1] + own]).astype("int32")
    squared = rows**2 + cols**2
    if method == "euclidean":
        return _with_skipped(g(np.round(np.sqrt(squared)).astype("int64")), skip, one)
    return _with_skipped(g(squared), skip, one)


def offset_ids(size, skip=0):
    """A bucket for each offset of two patches, and one for pairs with a skipped token.

    Returns:
        `(ids, num_buckets)`: an int32 array (n, n) and (2 height - 1)(2 width - 1), one more with
        skipped tokens.
    """
    height, width = size
    rows, cols = _offsets(size)
    ids = (rows + height - 1) * (2 * width - 1) + cols + width - 1
    count = (2 * height - 1) * (2 * width - 1)
    return _with_skipped(ids, skip, count), count + bool(skip)


def read_tables(ids, *tables):
    """The value of each pair of tokens, `table[..., query, bucket]`, summed over the tables.

    Args:
        ids: integer array `(n, n)`, or `(k, n, n)` for the sum of k buckets.
        *tables: `(..., n, num_buckets)`, a row for each query, or `(..., 1, num_buckets)` where all
            queries share one. Axes before these broadcast: what fewer tokens or images share need
            not be repeated.

    Returns:
        A tensor `(..., n, n)` of the dtype of the tables.
    """
    if len(ids.shape) == 3:
        return sum(read_tables(part, *tables) for part in ids)
    return backend.read_tables(ids, tables)


def _offsets(size):
    """Rows and columns from key to query, integers (n, n) each."""
    places = np.indices(size).reshape(2, -1)
    return places[:, :, None] - places[:, None, :]


def _with_skipped(ids, skip, bucket):
    return np.pad(ids, ((skip, 0), (skip, 0)), constant_values=bucket).astype("int32")


@backend.constant
def _known_buckets(*plan):
    return bucket_ids(*plan)
