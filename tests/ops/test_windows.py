"""Windows of maps, by loops over their places."""

import numpy as np
import pytest

from keras_resample.ops.windows import (
    from_windows,
    places_in_windows,
    shift_mask,
    shift_of,
    to_windows,
)
from tests.numerics import to_numpy

CASES = [((4, 6), 2, (1, 1)), ((7, 5), 5, (2, 0)), ((3, 4), 3, (0, 1)), ((5, 5), 5, (0, 0))]


@pytest.mark.parametrize(("grid_size", "window_size", "shift"), CASES)
def test_windows_hold_their_places_and_come_back(grid_size, window_size, shift):
    maps = np.random.default_rng(0).normal(size=(2, *grid_size, 3)).astype("float32")
    windows = to_numpy(to_windows(maps, window_size, shift))
    places = places_in_windows(grid_size, window_size, shift)
    assert windows.shape == (2, *places.shape, 3)
    flat = np.concatenate([maps.reshape(2, -1, 3), np.zeros((2, 1, 3))], axis=1)
    np.testing.assert_array_equal(windows, flat[:, places])
    assert sorted(places[places >= 0]) == list(range(np.prod(grid_size)))
    again = to_numpy(from_windows(windows, grid_size, window_size, shift))
    np.testing.assert_array_equal(again, maps)


@pytest.mark.backends("torch", reason="plain numpy")
@pytest.mark.parametrize(("grid_size", "window_size", "shift"), CASES)
def test_the_mask_keeps_apart_what_was_no_window(grid_size, window_size, shift):
    """Two of a window see each other where no edge of the padded map lies between them."""
    rows, cols = (-(-side // window_size) * window_size for side in grid_size)
    mask = shift_mask(grid_size, window_size, shift)
    for window, i, j in np.ndindex(mask.shape):
        starts = np.array(np.unravel_index(window, (rows // window_size, cols // window_size)))
        first, second = (
            window_size * starts + np.unravel_index(place, (window_size,) * 2) + shift
            for place in (i, j)
        )
        apart = np.any((first >= (rows, cols)) != (second >= (rows, cols)))
        assert mask[window, i, j] == (-100 if apart else 0)


@pytest.mark.backends("torch", reason="plain numpy")
def test_a_side_of_one_window_is_not_shifted():
    assert shift_of((5, 6), 5, 2) == (0, 2) and shift_of((4, 11), 5, 2) == (0, 2)
