"""Embeddings of length 1, on every backend."""

from keras import ops


def unit_length(embeddings):
    """Embeddings (b, dim) divided by their lengths, float32; zeros stay zeros, a NaN a NaN."""
    embeddings = ops.cast(embeddings, "float32")
    # Divided by the largest component first, no square overflows or vanishes.
    for measure in (_largest, _length):
        size = measure(embeddings)
        embeddings = embeddings / ops.where(size == 0, 1.0, size)
    return embeddings


def _largest(embeddings):
    return ops.max(ops.abs(embeddings), axis=-1, keepdims=True)


def _length(embeddings):
    return ops.norm(embeddings, axis=-1, keepdims=True)
