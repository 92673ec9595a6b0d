"""Tables of numbers for each query, read by the bucket of each pair, by every kernel."""

import numpy as np
import pytest
from keras import ops

from keras_resample import backend
from keras_resample.backend import attention
from tests.numerics import assert_close, gradients, second_gradients, to_numpy

KERNELS = {"kernel": backend.read_tables, "reference": attention.read_tables}
RANDOM = np.random.default_rng(0)
QUERIES, KEYS, BUCKETS = 6, 5, 4
IDS = RANDOM.integers(0, BUCKETS, (QUERIES, KEYS)).astype("int32")
# One row for all queries, one for each, both; and fewer tables than buckets.
SHAPES = [((2, 3, 1),), ((2, 3, QUERIES),), ((1, 3, QUERIES), (2, 3, 1)), ((1, 2, QUERIES),)]


def loop(tables, upstream):
    """What is read, and the gradient to each table."""
    expected = np.zeros(upstream.shape)
    slopes = [np.zeros(table.shape) for table in tables]
    for table, slope in zip(tables, slopes, strict=True):
        for index in np.ndindex(upstream.shape):
            batch, head, query, key = index
            place = batch % table.shape[0], head, query % table.shape[2], IDS[query, key]
            expected[index] += table[place]
            slope[place] += upstream[index]
    return expected, slopes


def case(shapes):
    tables = [RANDOM.normal(size=(*shape, BUCKETS)).astype("float32") for shape in shapes]
    outer = np.broadcast_shapes(*(shape[:2] for shape in shapes))
    return tables, RANDOM.normal(size=(*outer, QUERIES, KEYS)).astype("float32")


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("shapes", SHAPES)
def test_equals_a_loop(name, shapes):
    tables, upstream = case(shapes)
    expected, slopes = loop(tables, upstream)
    assert_close(KERNELS[name](IDS, tuple(map(ops.convert_to_tensor, tables))), expected)
    found = gradients(lambda *tables: ops.multiply(KERNELS[name](IDS, tables), upstream), *tables)
    for one, slope in zip(found, slopes, strict=True):
        assert_close(one, slope)


@pytest.mark.parametrize("shapes", SHAPES)
def test_second_derivatives_are_those_of_the_reference(shapes):
    tables, _ = case(shapes)

    def squared(kernel):
        return lambda *tables: kernel(IDS, tables) ** 3

    found, expected = (second_gradients(squared(kernel), *tables) for kernel in KERNELS.values())
    assert len(found) == len(tables) and any(to_numpy(one).any() for one in expected)
    for one, other in zip(found, expected, strict=True):
        assert_close(one, other)


@pytest.mark.backends("torch", reason="whose kernel makes ones and zeros in parts")
@pytest.mark.parametrize("numbers", [1, 2 * KEYS * BUCKETS])
def test_parts_are_the_whole(numbers, monkeypatch):
    from keras_resample.backend import torch_attention as kernels

    tables, upstream = case(SHAPES[1])

    def product(*tables):
        return ops.multiply(backend.read_tables(IDS, tables), upstream)

    whole = gradients(product, *tables)
    monkeypatch.setattr(kernels, "ONES", numbers)
    parts = gradients(product, *tables)
    assert_close(parts[0], whole[0], 1e-6)
