"""Buckets of relative positions against the reference, and tables read by them."""

from pathlib import Path

import numpy as np
import pytest
from keras import ops

import keras_resample as kr
from keras_resample.ops.relative_position import offset_ids, piecewise_index, read_tables
from tests.numerics import assert_close, to_numpy

GOLDENS = np.load(Path(__file__).parents[1] / "goldens" / "irpe_buckets.npz")
METHODS = {"product": "product", "euclidean": "euclidean", "quant": "quantized"}
SIZES = {"14x14": (14, 14), "7x5": (7, 5)}


@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize("size", SIZES)
def test_buckets_are_those_of_the_reference(size, skip):
    for name, method in METHODS.items():
        ids, count = kr.ops.relative_position_buckets(SIZES[size], method, skip=skip)
        np.testing.assert_array_equal(to_numpy(ids), GOLDENS[f"{name}_{size}_s{skip}"])
        assert count == GOLDENS[f"{name}_{size}_s{skip}_nb"]
    ids, count = kr.ops.relative_position_buckets(SIZES[size], "cross", skip=skip)
    rows, cols = to_numpy(ids)
    half = GOLDENS[f"cross_rows_{size}_s{skip}_nb"]
    np.testing.assert_array_equal(rows, GOLDENS[f"cross_rows_{size}_s{skip}"])
    np.testing.assert_array_equal(cols - half, GOLDENS[f"cross_cols_{size}_s{skip}"])
    assert count == 2 * half


@pytest.mark.backends("torch", reason="plain numpy")
@pytest.mark.parametrize("ratio", [1.0, 1.9, 3.0])
def test_piecewise_index_is_that_of_the_reference(ratio):
    found = piecewise_index(GOLDENS["piecewise_in"], ratio, 2 * ratio, 8 * ratio)
    np.testing.assert_array_equal(found, GOLDENS[f"piecewise_r{ratio}"])


@pytest.mark.backends("torch", reason="plain numpy")
def test_facts_of_the_product():
    ids, count = kr.ops.relative_position_buckets((14, 14))
    ids = to_numpy(ids)
    np.testing.assert_array_equal(ids + ids.T, 48)
    assert count == 49 and set(ids.ravel()) == set(range(49)) and ids.sum() == 921984
    assert (ids[0, 0], ids[0, 1], ids[0, 14]) == (24, 23, 17)


@pytest.mark.backends("torch", reason="plain numpy")
def test_each_offset_has_a_number():
    ids, count = offset_ids((2, 3), skip=1)
    assert ids.shape == (7, 7) and count == 16 and set(ids[0]) == set(ids[:, 0]) == {15}
    by_offset = {}
    for i in range(6):
        for j in range(6):
            offset = i // 3 - j // 3, i % 3 - j % 3
            assert by_offset.setdefault(offset, ids[i + 1, j + 1]) == ids[i + 1, j + 1]
    assert len(set(by_offset.values())) == len(by_offset) == 15


@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("parts", [1, 2])
def test_tables_by_a_loop(rows, parts):
    random = np.random.default_rng(0)
    ids = random.integers(0, 5, (parts, 6, 6)).astype("int32")
    tables = random.normal(size=(2, 3, rows, 5)).astype("float32")
    expected = np.zeros((2, 3, 6, 6))
    for i in range(6):
        for j in range(6):
            for part in range(parts):
                expected[..., i, j] += tables[..., i if rows > 1 else 0, ids[part, i, j]]
    given = ids[0] if parts == 1 else ids
    assert_close(read_tables(given, ops.convert_to_tensor(tables)), expected)


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"query_size": 14}, "`query_size` must be two positive integers"),
        ({"method": "quant"}, "`method` must be one of"),
        ({"alpha": 0}, "`alpha` must be a number in"),
        ({"beta": 1.5}, "`beta` must be a number in"),
        ({"gamma": 1.9}, "`gamma` must be a number in"),
        ({"skip": -1}, "`skip` must be an integer of at least 0"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        kr.ops.relative_position_buckets(**{"query_size": (3, 4), **wrong})
