"""Checks of settings: of the words of a command line, and of values of Python."""

import importlib.util
import os

from keras_resample import arguments

BACKENDS = ("tensorflow", "jax", "torch")


class SettingError(ValueError):
    """A setting that cannot be used: `name`, what it must be, and the value received.

    Example:

    >>> from keras_resample.compare import Settings, SettingError
    >>> try:
    ...     Settings(factor=2)
    ... except SettingError as error:
    ...     print(error)
    `factor` must be a number in (0, 1]. Received: factor=2
    """

    def __init__(self, name, must, received):
        self.name, self.must, self.received = name, must, received
        super().__init__(f"`{name}` {must}. Received: {name}={received!r}")


def integer(minimum=1, must=None):
    """Check of an integer of at least `minimum`; what it `must` be is said by the error."""
    must = must or f"must be an integer of at least {minimum}"
    return _check(lambda value, name: arguments.as_integer(_read(value, int), name, minimum), must)


def number(interval, must=None):
    """Check of a number in an interval such as "(0, 1]"."""
    must = must or f"must be a number in {interval}"
    return _check(
        lambda value, name: arguments.as_number(_read(value, float), name, interval), must
    )


def several(check, must):
    """Check of one or more different values, each of which passes `check`."""

    def values(value, name):
        found = tuple(check(one, name) for one in _listed(value))
        if not found or len(set(found)) != len(found):
            raise ValueError
        return found

    return _check(values, must)


def choice(choices):
    """Check of one of several words."""

    def word(value, name):
        arguments.check_choice(value, name, choices)
        return value

    return _check(word, f"must be one of {', '.join(choices)}")


def switch(value, name):
    """Check of True or False."""
    return _check(arguments.as_bool, "must be True or False")(value, name)


def size(value, name):
    """Check of two positive integers, as a pair."""
    must = "must be two positive integers, height and width in pixels"

    def sides(value, name):
        if isinstance(value, (list, tuple)):
            value = [_read(side, int) for side in value]
        return arguments.as_size(value, name)

    return _check(sides, must)(value, name)


def value_range(value, name):
    """Check of two numbers, the lower first, as a pair."""
    must = "must be two numbers, the lower first"

    def bounds(value, name):
        if isinstance(value, (list, tuple)):
            value = [_read(bound, float) for bound in value]
        return arguments.as_value_range(value, name)

    return _check(bounds, must)(value, name)


def size_text(value, name):
    """Check of two positive integers, as a pair or as the text HEIGHTxWIDTH."""
    pair = value.split("x") if isinstance(value, str) else value
    try:
        return size(pair, name)
    except SettingError:
        raise SettingError(name, "must be HEIGHTxWIDTH in pixels", value) from None


def folder(value, name):
    """Check of the path of a folder, which need not exist."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        raise SettingError(name, "must be the path of a folder", value)
    return os.fspath(value)


def existing_folder(value, name):
    """Check of the path of a folder that exists."""
    if not os.path.isdir(folder(value, name)):
        raise SettingError(name, "must be an existing folder", value)
    return os.fspath(value)


def existing_file(value, name):
    """Check of the path of a file that exists."""
    if not isinstance(value, (str, os.PathLike)) or not os.path.isfile(value):
        raise SettingError(name, "must be an existing file", value)
    return os.fspath(value)


def backend(value, name):
    """Check of one of Keras's three backends that is installed."""
    choice(BACKENDS)(value, name)
    if importlib.util.find_spec(value) is None:
        must = f"must be installed: pip install 'keras-resample[{value}]'"
        raise SettingError(name, must, value)
    return value


def _check(convert, must):
    """What `convert` returns, or a `SettingError` for what it refuses."""

    def check(value, name):
        try:
            return convert(value, name)
        except ValueError:
            raise SettingError(name, must, value) from None

    return check


def _read(value, kind):
    """A word of a command line as a number."""
    return kind(value) if isinstance(value, str) else value


def _listed(value):
    single = isinstance(value, (str, bytes)) or not hasattr(value, "__len__")
    return (value,) if single else value
