"""The extremes of maps, also of an empty batch of them, which Keras refuses.

By `amin`, as Dynamo cannot trace `keras.ops.min` on PyTorch.
"""

from keras import ops


def least(maps):
    """The smallest value of each of maps (b, ...), with axes of 1 for all but the first."""
    return _of_each(ops.amin, maps)


def greatest(maps):
    """The largest value of each of maps (b, ...), with axes of 1 for all but the first."""
    return _of_each(ops.amax, maps)


def _of_each(function, maps):
    axes = tuple(range(1, len(maps.shape)))
    if maps.shape[0] == 0:
        function = ops.sum
    return function(maps, axis=axes, keepdims=True)
