"""What every report shares."""

import pytest

from keras_resample.compare.engine.report import mean_std, percent, table


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
