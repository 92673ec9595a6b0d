"""Which resolution serves an image: against a loop, in numpy, in tensors and in a graph."""

from fractions import Fraction

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import to_numpy

SQUARES = [(112, 112), (56, 56), (28, 28), (14, 14), (7, 7)]
OBLONGS = [(28, 24), (112, 96), (7, 6), (14, 12)]
STRATEGIES = [(i, r) for i in ("average", "min", "max") for r in ("floor", "near", "ceil")]
RANDOM = np.random.default_rng(0)
SIZES = np.concatenate([RANDOM.integers(1, 130, (200, 2)), SQUARES, OBLONGS, [(21, 21), (1, 5000)]])


def chosen_by_a_loop(sizes, resolutions, indicator, rounding):
    """In fractions, resolution by resolution, as the docstring says it."""
    how = {"average": lambda pair: sum(pair) / 2, "min": min, "max": max}[indicator]
    order = sorted(range(len(resolutions)), key=lambda i: resolutions[i])
    result = []
    for h, w in sizes.tolist():
        relative = {
            i: how((Fraction(h, resolutions[i][0]), Fraction(w, resolutions[i][1]))) for i in order
        }
        not_above = [i for i in order if relative[i] >= 1]
        not_below = [i for i in order if relative[i] <= 1]
        if rounding == "floor":
            result.append(not_above[-1] if not_above else order[0])
        elif rounding == "ceil":
            result.append(not_below[0] if not_below else order[-1])
        else:  # `min` takes the first of equals, the smaller
            result.append(min(order, key=lambda i: abs(relative[i] - 1) * resolutions[i][0]))
    return result


def in_a_graph(fn, array):
    """`fn` of a tensor, compiled as the backend does it."""
    tensor = keras.ops.convert_to_tensor(array)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec([None] * array.ndim, tensor.dtype)]
        if array.ndim == 2:
            signature = [tf.TensorSpec([None, 2], tensor.dtype)]
        return tf.function(fn, input_signature=signature)(tensor)
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(fn)(tensor)
    import torch

    return torch.compile(fn, backend="eager", fullgraph=True)(tensor)


@pytest.mark.parametrize("resolutions", [SQUARES, OBLONGS], ids=["squares", "oblongs"])
@pytest.mark.parametrize(("indicator", "rounding"), STRATEGIES)
def test_every_strategy_is_its_loop_in_numpy_and_in_tensors(indicator, rounding, resolutions):
    def choose(sizes):
        return kr.ops.choose_resolution(sizes, resolutions, indicator, rounding)

    expected = chosen_by_a_loop(SIZES, resolutions, indicator, rounding)
    found = choose(SIZES)
    assert isinstance(found, np.ndarray) and found.dtype == "int32"
    assert found.tolist() == choose(SIZES.tolist()).tolist() == expected
    tensors = choose(keras.ops.convert_to_tensor(SIZES, "int32"))
    assert keras.ops.is_tensor(tensors)
    assert keras.backend.standardize_dtype(tensors.dtype) == "int32"
    assert to_numpy(tensors).tolist() == expected


@pytest.mark.parametrize("rounding", ["floor", "near", "ceil"])
def test_in_a_graph(rounding):
    def choose(sizes):
        return kr.ops.choose_resolution(sizes, OBLONGS, "average", rounding)

    sizes = SIZES.astype("int32")
    assert to_numpy(in_a_graph(choose, sizes)).tolist() == choose(sizes).tolist()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32"])
def test_dtypes_of_few_bits_do_not_overflow(dtype):
    sizes = np.array([[120, 100], [127, 3]], dtype)
    expected = chosen_by_a_loop(sizes, SQUARES, "average", "near")
    for given in (sizes, keras.ops.convert_to_tensor(sizes)):
        found = kr.ops.choose_resolution(given, SQUARES, "average", "near")
        assert to_numpy(found).tolist() == expected


def test_huge_images_do_not_overflow():
    sizes = np.array([[2**31 - 1, 1], [1, 2**31 - 1], [2**31 - 1, 2**31 - 1]], "int32")
    for given in (sizes, keras.ops.convert_to_tensor(sizes)):
        for indicator, expected in (("max", [1, 1, 1]), ("average", [1, 1, 1]), ("min", [0, 0, 1])):
            found = kr.ops.choose_resolution(given, [(100, 99), (16300, 16137)], indicator, "near")
            assert to_numpy(found).tolist() == expected


def test_words_of_the_paper_for_squares():
    """An image of 20 x 30: its indicators are 25, 20 and 30."""
    for indicator, chosen in (
        ("average", {"floor": 14, "near": 28, "ceil": 28}),
        ("min", {"floor": 14, "near": 14, "ceil": 28}),
        ("max", {"floor": 28, "near": 28, "ceil": 56}),
    ):
        for rounding, side in chosen.items():
            index = kr.ops.choose_resolution((20, 30), SQUARES, indicator, rounding)
            assert SQUARES[index] == (side, side)


def test_ties_and_ends():
    branches = [(7, 7), (14, 14), (28, 28)]
    for indicator in ("average", "min", "max"):
        for rounding in ("floor", "near", "ceil"):
            for side, index in ((1, 0), (7, 0), (14, 1), (28, 2), (300, 2)):
                assert (
                    kr.ops.choose_resolution((side, side), branches, indicator, rounding) == index
                )
    assert kr.ops.choose_resolution((21, 21), branches, rounding="near") == 1
    assert kr.ops.choose_resolution((22, 22), branches, rounding="near") == 2
    assert kr.ops.choose_resolution((10, 11), branches, "average", "near") == 0  # 10.5


@pytest.mark.parametrize(("indicator", "rounding"), STRATEGIES)
def test_the_order_of_the_resolutions_does_not_matter(indicator, rounding):
    expected = np.array(OBLONGS)[kr.ops.choose_resolution(SIZES, OBLONGS, indicator, rounding)]
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]):
        resolutions = np.array(OBLONGS)[order]
        found = kr.ops.choose_resolution(SIZES, resolutions, indicator, rounding)
        np.testing.assert_array_equal(resolutions[found], expected)


def test_a_larger_image_is_never_served_by_less_and_ceil_is_above_floor():
    sizes = np.stack([np.arange(1, 140), np.arange(1, 140) // 2 + 1], axis=-1)
    for indicator in ("average", "min", "max"):
        sides = {}
        for rounding in ("floor", "near", "ceil"):
            which = kr.ops.choose_resolution(sizes, SQUARES, indicator, rounding)
            sides[rounding] = np.array(SQUARES)[which, 0]
            assert (np.diff(sides[rounding]) >= 0).all()
        assert (sides["floor"] <= sides["near"]).all() and (sides["near"] <= sides["ceil"]).all()


def test_shapes():
    for count, shape in ((0, (0, 2)), (1, (1, 2)), (3, (3, 2)), ((), (2,))):
        sizes = np.full(shape, 7, "int32")
        for given in (sizes, keras.ops.convert_to_tensor(sizes)):
            found = to_numpy(kr.ops.choose_resolution(given, SQUARES))
            np.testing.assert_array_equal(found, np.full(count, 4))
            assert to_numpy(kr.ops.choose_resolution(given, [(9, 9)])).shape == found.shape


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"resolutions": []}, "`resolutions` must be different"),
        ({"resolutions": 112}, "`resolutions` must be different"),
        ({"resolutions": [112, 56]}, "`resolutions` must be different"),
        ({"resolutions": [(112, 96), (28, 28)]}, "`resolutions` must be .* of one aspect ratio"),
        ({"resolutions": [(112, 96), (112, 96)]}, "`resolutions` must be different"),
        ({"resolutions": [(0, 0)]}, "`resolutions` must be different"),
        ({"resolutions": [(2**15, 2**15)]}, "`resolutions` .* of at most 16384 pixels a side"),
        ({"sizes": [(0, 5)]}, "`sizes` must be positive integers"),
        ({"sizes": [(5, -1)]}, "`sizes` must be positive integers"),
        ({"sizes": [(5.0, 7.5)]}, "`sizes` must be positive integers"),
        ({"sizes": []}, "`sizes` must be positive integers"),
        ({"sizes": [(1, 2), (3,)]}, "`sizes` must be positive integers"),
        ({"sizes": "12"}, "`sizes` must be positive integers"),
        ({"sizes": [(True, True)]}, "`sizes` must be positive integers"),
        ({"sizes": [(1, 2, 3)]}, r"of shape \(n, 2\) or \(2,\)"),
        ({"indicator": "avg"}, "`indicator` must be one of 'average', 'min', 'max'"),
        ({"rounding": "round"}, "`rounding` must be one of 'floor', 'near', 'ceil'"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        kr.ops.choose_resolution(**{"sizes": [(20, 20)], "resolutions": SQUARES, **wrong})


@pytest.mark.backends("torch", reason="arguments are checked in Python")
def test_a_tensor_of_floats_or_of_another_shape():
    for values in (np.ones((3, 2), "float32"), np.ones((3, 3), "int32")):
        with pytest.raises(ValueError, match="`sizes` must be positive integers"):
            kr.ops.choose_resolution(keras.ops.convert_to_tensor(values), SQUARES)
