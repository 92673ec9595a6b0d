"""The gradient tools agree with formulas, and catch a wrong gradient."""

import keras
import numpy as np
import pytest
from keras import ops

from tests import numerics

X = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")
Y = np.random.default_rng(1).standard_normal((3, 4)).astype("float32")


def product(x, y):
    return ops.multiply(ops.sin(x), ops.square(y))


def test_gradients_equal_formulas():
    by_x, by_y = numerics.gradients(product, X, Y)
    numerics.assert_close(by_x, np.cos(X) * Y**2)
    numerics.assert_close(by_y, 2 * np.sin(X) * Y)


def test_second_gradients_equal_formulas():
    weights = numerics.random_like(X)
    by_x, by_y = numerics.second_gradients(product, X, Y)
    numerics.assert_close(by_x, -weights * np.sin(X) * Y**2)
    numerics.assert_close(by_y, 2 * weights * np.cos(X) * Y)


def test_unused_and_integer_arguments():
    rows = np.array([0, 0])
    unused, by_x, by_rows = numerics.gradients(lambda u, x, i: ops.take(x, i, axis=0), Y, X, rows)
    assert not unused.any()
    numerics.assert_close(by_x, np.outer([2, 0, 0], np.ones(4)))
    assert by_rows is None


def test_loss_gradients_of_a_layer():
    layer = keras.layers.Dense(2)
    layer.build((None, 4))
    by_kernel, by_bias = numerics.loss_gradients(layer, X, loss=ops.square)
    y = X @ numerics.to_numpy(layer.kernel)
    numerics.assert_close(by_kernel, 2 * X.T @ y)
    numerics.assert_close(by_bias, 2 * y.sum(0))


def test_loss_gradients_reach_the_layers_own_losses():
    layer = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.5))
    layer.build((None, 4))
    by_kernel, _ = numerics.loss_gradients(layer, X, loss=lambda y: sum(layer.losses))
    numerics.assert_close(by_kernel, numerics.to_numpy(layer.kernel))


def test_finite_differences_leave_out_kinks():
    x = np.array([-1.0, 1e-4, 2.0], "float32")
    kept, derivatives = numerics.finite_difference(ops.abs, x)
    assert sorted(kept) == [0, 2]
    numerics.assert_close(derivatives, np.sign(x[kept]))


def test_check_gradients_passes_and_fails():
    numerics.check_gradients(product, X, Y)

    def wrong(x, y):
        return product(x, y) + 0.05 * (x - ops.stop_gradient(x)) * ops.cast(y > -9, "float32")

    with pytest.raises(AssertionError, match="gradient with respect to argument 0 is wrong"):
        numerics.check_gradients(wrong, X, Y)
    with pytest.raises(AssertionError, match="away from a kink"):
        numerics.check_gradients(ops.abs, np.zeros(5, "float32"))


@pytest.mark.parametrize("actual", [np.array([1.0, 2.1]), np.array([1.0, np.nan]), np.ones(3)])
def test_assert_close_fails(actual):
    with pytest.raises(AssertionError):
        numerics.assert_close(actual, np.array([1.0, 2.0]))
