"""One check for each kind of argument, with one answer everywhere."""

import re

import keras
import numpy as np
import pytest

from keras_resample import arguments

INF, NAN = float("inf"), float("nan")
GOOD = [
    (arguments.as_integer, (3,), 3),
    (arguments.as_integer, (np.int64(3),), 3),
    (arguments.as_integer, (np.uint8(255),), 255),
    (arguments.as_integer, (0, 0), 0),
    (arguments.as_integer, (-2, -2), -2),
    (arguments.as_integer, (-300, None), -300),
    (arguments.as_integers, ([1, np.int32(2)],), (1, 2)),
    (arguments.as_integers, (np.array([3, 4]),), (3, 4)),
    (arguments.as_integers, ([0, 1], 0, 2), (0, 1)),
    (arguments.as_number, (2,), 2.0),
    (arguments.as_number, (np.float32(0.5),), 0.5),
    (arguments.as_number, (1, "(0, 1]"), 1.0),
    (arguments.as_number, (0, "[0, inf)"), 0.0),
    (arguments.as_numbers, ([1, 2.5],), (1.0, 2.5)),
    (arguments.as_numbers, ((0, 0.5), "[0, 1]", 2), (0.0, 0.5)),
    (arguments.as_bool, (np.True_,), True),
    (arguments.as_bool, (False,), False),
    (arguments.as_size, ((3, 4),), (3, 4)),
    (arguments.as_size, (np.array([3, 4], "uint16"),), (3, 4)),
    (arguments.as_value_range, ((-1, 1),), (-1.0, 1.0)),
    (arguments.as_interval, ([2, 2],), (2.0, 2.0)),
    (arguments.as_interval, ((0, np.float32(0.5)), "[0, 1]"), (0.0, 0.5)),
    (arguments.as_range, (30,), (-30.0, 30.0)),
    (arguments.as_range, ([30, 30],), (30.0, 30.0)),
    (arguments.as_range, (np.array([-1, 2]),), (-1.0, 2.0)),
]
BAD = [
    (arguments.as_integer, [True, np.True_, 1.0, 2.5, "1", None, 0, -1, [1], NAN]),
    (arguments.as_integers, [3, [], [1, True], [1, 0], "12", None, [1.0], np.ones((2, 2), int)]),
    (arguments.as_number, [True, "1", None, NAN, INF, [1.0], 1j]),
    (arguments.as_interval, [(1, 0), 1, (0, 1, 2), [], "01", None, (0, NAN), (0, INF), (0, True)]),
    (arguments.as_range, [-1, (1, 0), (0, 1, 2), [], "1", None, True, NAN, (0, INF), (0, None)]),
    (arguments.as_numbers, [1.0, [], [NAN], ["1"], "1", None]),
    (arguments.as_bool, [0, 1, "True", None]),
    (arguments.as_size, [3, (3,), (3, 4, 5), (3, 0), (3, 4.0), (True, 3), "34", None, {3, 4}, {}]),
    (arguments.as_value_range, [(1, 0), (0, 0), (0, INF), (0, NAN), 1, "01", None, (0, 1, 2)]),
]


def received(name, value):
    return re.escape(f"Received: {name}={value!r}") + r"\Z"


@pytest.mark.parametrize(("check", "given", "expected"), GOOD)
def test_good_values_take_one_form(check, given, expected):
    value, *options = given
    result = check(value, "it", *options)
    assert result == expected
    kinds = [type(item) for item in (result if isinstance(result, tuple) else (result,))]
    assert set(kinds) <= {int, float, bool}


@pytest.mark.parametrize(
    ("check", "value"), [(check, value) for check, values in BAD for value in values]
)
def test_bad_values_are_named_and_shown(check, value):
    with pytest.raises(ValueError, match=r"(?s)\A`it` must be .*" + received("it", value)):
        check(value, "it")


@pytest.mark.parametrize("value", [0.0, 1.5, -0.0, INF])
def test_bounds_outside_of_the_interval(value):
    with pytest.raises(ValueError, match=r"`it` must be a number in \(0, 1\]"):
        arguments.as_number(value, "it", "(0, 1]")


def test_lists_of_another_length():
    with pytest.raises(
        ValueError, match=r"`it` must be 3 positive integers\. Received: it=\[1, 2\]"
    ):
        arguments.as_integers([1, 2], "it", length=3)
    with pytest.raises(
        ValueError, match=r"`it` must be 2 numbers in \[0, 1\]\. Received: it=\[1\]"
    ):
        arguments.as_numbers([1], "it", "[0, 1]", length=2)


def test_what_was_let_through_before_is_named():
    with pytest.raises(ValueError, match=r"number in \[0, inf\) or 'soft'\. Received: it='hard'"):
        arguments.as_number("hard", "it", "[0, inf)", "or 'soft'")


def test_bounds_of_an_interval():
    with pytest.raises(ValueError, match=r"`it` must be 2 numbers in \(0, 1\]\. Received: it="):
        arguments.as_interval((0, 1), "it", "(0, 1]")


def test_seeds():
    assert arguments.as_seed(None) is None and arguments.as_seed(np.int64(7)) == 7
    for seed in (True, -1, 1.0, "1"):
        with pytest.raises(ValueError, match=r"\A`seed` must be .*" + received("seed", seed)):
            arguments.as_seed(seed)


def test_arrays_of_integers():
    for values in ([[1, 2], [3, 255]], np.array([[0, 7]], "uint8")):
        found = arguments.as_integer_array(values, "it", "pairs", (None, 2), "[0, 255]")
        np.testing.assert_array_equal(found, values)
    nothing = np.zeros((0, 2), int)
    assert arguments.as_integer_array(nothing, "it", "no pairs", (0, 2), "[0, 255]").size == 0
    for values in (1, [1, 2], [[1]], [[1.0, 2.0]], [[True, False]], [[1, -1]], [[256, 0]], nothing):
        with pytest.raises(ValueError, match=r"\A`it` must be pairs\. Received: it of shape \("):
            arguments.as_integer_array(values, "it", "pairs", (None, 2), "[0, 255]")


def test_places_on_the_disk(tmp_path):
    file = tmp_path / "list.txt"
    file.touch()
    arguments.check_folder(tmp_path)
    arguments.check_file(str(file), "a list")
    for place in (file, tmp_path / "nowhere"):
        message = "`masks` must be a folder. " + received("masks", str(place))
        with pytest.raises(NotADirectoryError, match=message):
            arguments.check_folder(place, "masks")
    for place in (tmp_path, tmp_path / "nowhere"):
        message = "`path` must be a list. " + received("path", str(place))
        with pytest.raises(FileNotFoundError, match=message):
            arguments.check_file(place, "a list")


def test_data_format():
    keras.config.set_image_data_format("channels_first")
    assert arguments.as_data_format(None) == "channels_first"
    assert arguments.as_data_format("channels_last") == "channels_last"
    with pytest.raises(ValueError, match="`data_format` must be one of .* or None"):
        arguments.as_data_format("NHWC")


def test_choices_are_listed():
    arguments.check_choice("b", "it", ("a", "b"))
    arguments.check_choice(np.str_("b"), "it", ("a", "b"))
    for value in ("c", None, 1, ["a"], np.array(["a", "b"])):
        with pytest.raises(ValueError, match=r"`it` must be one of 'a', 'b'\. Received: it="):
            arguments.check_choice(value, "it", ("a", "b"))
    with pytest.raises(ValueError, match="one of 1, 3"):
        arguments.check_choice(True, "it", (1, 3))
