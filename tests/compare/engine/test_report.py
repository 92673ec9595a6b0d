"""What every report shares."""

import pytest

from keras_resample.compare.engine.report import (
    by_method,
    differences,
    mean_std,
    percent,
    table,
)


@pytest.mark.parametrize(
    ("values", "digits", "sign", "text"),
    [
        ([0.5], 1, "", "50.0"),
        ([0.5, 0.6], 1, "", "55.0 ± 7.1"),
        ([0.01, 0.02], 1, "+", "+1.5 ± 0.7"),
        ([-0.012], 2, "+", "-1.20"),
        ([0.5, None], 1, "", "n/m"),
    ],
)
def test_mean_and_spread_in_percent(values, digits, sign, text):
    assert percent(mean_std(values), digits, sign) == text


def test_a_table_is_aligned_markdown():
    assert table(["what", "n"], [["a", "1"], ["long name", "1,000"]]) == [
        "| what      |     n |",
        "| --------- | ----: |",
        "| a         |     1 |",
        "| long name | 1,000 |",
    ]


def test_records_by_method():
    records = [{"method": name, "seed": seed} for seed in (0, 1) for name in ("late", "early")]
    found = by_method(records, ("early", "late").index)
    assert list(found) == ["early", "late"]
    assert [record["seed"] for record in found["late"]] == [0, 1]


def test_differences_are_of_the_same_seed():
    def runs(*values):
        return [{"seed": seed, "score": value} for seed, value in enumerate(values)]

    methods = {"a": runs(0.5, 0.7, 0.1), "b": runs(0.6, 0.9), "c": runs(None, 0.2)}
    measured = {"{} points": lambda record: record["score"]}
    assert differences(methods, ("a", "b"), measured, str.upper) == [
        "* B - A: +15.0 ± 7.1 points",
        "* C - A: n/m points",
        "* C - B: n/m points",
    ]
    assert differences(methods, ("missing",), measured, str) == []
