"""The pictures that several comparisons share."""

import numpy as np
import pytest

figures = pytest.importorskip("keras_resample.compare.engine.figures")


def runs(*curves):
    return [{"history": [{"val_accuracy": value} for value in curve]} for curve in curves]


def test_learning_curves_are_means_of_the_seeds():
    by_method = {"a": runs((0.1, 0.3), (0.3, 0.5)), "b": runs((0.5, 0.5))}
    (ax,) = figures.learning_curves(by_method, str.upper).axes
    assert [line.get_label() for line in ax.lines] == ["A", "B"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, 20], [2, 40]])


def test_a_single_epoch_is_a_dot_at_a_whole_number():
    (ax,) = figures.learning_curves({"a": runs((0.25,))}, str).axes
    assert ax.lines[0].get_marker() == "o"
    assert [tick for tick in ax.get_xticks() if tick != round(tick)] == []


def test_a_title_without_runs_keeps_its_colour():
    by_method = {"a": [], "b": runs((0.5, 0.5))}
    (ax,) = figures.learning_curves(by_method, str).axes
    (line,) = ax.lines
    assert line.get_color() == "C1"
