"""The one way to check an argument: `check_*` raises, `as_*` returns it in its one form.

Every message names the argument and ends with what was received.
"""

import operator
import os

import numpy as np

DATA_FORMATS = ("channels_last", "channels_first")


def as_integer(value, name, minimum=1):
    """`value` as an int of at least `minimum`, if any; integers of any kind, but no booleans."""
    try:
        number = None if isinstance(value, (bool, np.bool_)) else operator.index(value)
    except TypeError:
        number = None
    if number is None or (minimum is not None and number < minimum):
        kinds = {None: "an integer", 1: "a positive integer"}
        raise _error(name, kinds.get(minimum, f"an integer of at least {minimum}"), value)
    return number


def as_integers(values, name, minimum=1, length=None):
    """`values` as a tuple of `length` ints, or of at least one; see `as_integer`."""
    try:
        return _tuple(values, lambda value: as_integer(value, name, minimum), length)
    except (TypeError, ValueError):
        kind = "positive integers" if minimum == 1 else f"integers of at least {minimum}"
        raise _error(name, f"{length or 'a list of'} {kind}", values) from None


def as_number(value, name, interval="(-inf, inf)", more=""):
    """`value` as a float in an interval such as "(0, 1]" or "[0, inf)"; never NaN.

    `more` names what was let through before, such as "or None".
    """
    is_number = isinstance(value, (int, float, np.integer, np.floating))
    if not is_number or isinstance(value, bool) or not _lies_in(float(value), interval):
        kind = "a finite number" if interval == "(-inf, inf)" else f"a number in {interval}"
        raise _error(name, f"{kind} {more}".strip(), value)
    return float(value)


def as_numbers(values, name, interval="(-inf, inf)", length=None):
    """`values` as a tuple of `length` floats, or of at least one; see `as_number`."""
    try:
        return _tuple(values, lambda value: as_number(value, name, interval), length)
    except (TypeError, ValueError):
        kind = "finite numbers" if interval == "(-inf, inf)" else f"numbers in {interval}"
        raise _error(name, f"{length or 'a list of'} {kind}", values) from None


def as_integer_array(values, name, kind, shape, interval="(-inf, inf)"):
    """`values` as an array of integers in an interval; `None` in its shape is any number but 0.

    `kind` says what they must be.
    """
    array = np.asarray(values)
    fits = array.dtype.kind in "iu" and array.ndim == len(shape)
    fits = fits and all(
        n > 0 if of is None else n == of for n, of in zip(array.shape, shape, strict=True)
    )
    ends = (array.min(), array.max()) if fits and array.size else ()
    if not fits or not all(_lies_in(end, interval) for end in ends):
        raise ValueError(
            f"`{name}` must be {kind}. "
            f"Received: {name} of shape {array.shape} and dtype {array.dtype}"
        )
    return array


def as_seed(seed):
    """`seed` as an int of at least 0, or `None`."""
    return None if seed is None else as_integer(seed, "seed", 0)


def as_bool(value, name):
    """`value` as a bool; no number stands for one."""
    if not isinstance(value, (bool, np.bool_)):
        raise _error(name, "True or False", value)
    return bool(value)


def as_size(size, name="size"):
    """`size` as `(height, width)`, two positive integers."""
    try:
        height, width = as_integers(size, name, length=2)
    except ValueError:
        raise _error(name, "two positive integers (height, width)", size) from None
    return height, width


def as_data_format(data_format):
    """`data_format`, or Keras's global setting for `None`."""
    if data_format is None:
        import keras  # late, for the command line checks its words without a framework

        return keras.config.image_data_format()
    check_choice(data_format, "data_format", DATA_FORMATS, "or None")
    return data_format


def as_value_range(value_range, name="value_range"):
    """`value_range` as two finite floats, the first one smaller."""
    try:
        low, high = as_numbers(value_range, name, length=2)
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise _error(name, "(low, high), finite, low < high", value_range)
    return low, high


def as_interval(values, name, interval="(-inf, inf)"):
    """`values` as (low, high), two floats in an interval, low <= high."""
    low, high = as_numbers(values, name, interval, length=2)
    if low > high:
        raise _error(name, "(low, high), low <= high", values)
    return low, high


def as_range(value, name):
    """`value` as `as_interval`; a number r is the range from -r to r."""
    if isinstance(value, (tuple, list, np.ndarray)):
        return as_interval(value, name)
    high = as_number(value, name, "[0, inf)", "or (low, high)")
    return -high, high


def check_choice(value, name, choices, more=""):
    """Raises unless `value` is one of `choices`; `more` names what was let through before."""
    # True equals 1 but is none of 1 and 3; a string of numpy is a string.
    alike = (choice for choice in choices if isinstance(value, type(choice)))
    if isinstance(value, bool) or value not in alike:
        known = ", ".join(repr(choice) for choice in choices)
        raise _error(name, f"one of {known} {more}".strip(), value)


def check_folder(path, name="path"):
    """Raises unless there is a folder."""
    if not os.path.isdir(path):
        raise NotADirectoryError(f"`{name}` must be a folder. Received: {name}={str(path)!r}")


def check_file(path, kind, name="path"):
    """Raises unless there is a file; `kind` says of what."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`{name}` must be {kind}. Received: {name}={str(path)!r}")


def _error(name, kind, value):
    return ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}")


def _tuple(values, convert, length):
    is_list = isinstance(values, (tuple, list, range, np.ndarray)) and len(values) > 0
    if not is_list or length not in (None, len(values)):
        raise ValueError
    return tuple(convert(value) for value in values)


def _lies_in(value, interval):
    low, high = (float(bound) for bound in interval[1:-1].split(","))
    above = operator.ge if interval[0] == "[" else operator.gt
    below = operator.le if interval[-1] == "]" else operator.lt
    return above(value, low) and below(value, high)
