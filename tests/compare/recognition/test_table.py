"""The numbers of the table, from made-up runs."""

import pytest

from keras_resample.compare.recognition import table
from keras_resample.compare.recognition.names import FULL, LEARNED

FRONT_ENDS = ("uniform", "uniform antialiased", *LEARNED, FULL)
EER = {"uniform": 0.2, "uniform antialiased": 0.1, "FlowWarp": 0.05, "FlowWarp antialiased": 0.08,
       "full resolution": 0.01}  # fmt: skip


def runs(seeds=(0, 1)):
    return [
        {
            "front_end": name,
            "seed": seed,
            "encoder_input": [4, 4],
            "gflops": 0.01,
            "parameters": 10,
            "eer": EER[name] + 0.02 * seed,
            "tar": {"1e-1": 0.9, "1e-2": 0.8 if seed == 0 else 0.6, "1e-3": None},
            "folded_cells": seed if "Flow" in name else None,
            "jacobian_min": 0.5 - seed if "Flow" in name else None,
            "history": [{"loss": 1.0, "seconds": 2.0}] * 3,
        }
        for seed in seeds
        for name in FRONT_ENDS
    ]


SPEED = {name: {"front_end": 12345.0, "encoder": 678.0} for name in FRONT_ENDS}


def test_mean_and_standard_deviation_over_seeds():
    row = table.rows(runs(), SPEED)[0]
    assert row["eer"]["mean"] == pytest.approx(0.21)
    assert row["eer"]["std"] == pytest.approx(0.02 / 2**0.5)
    assert row["tar"]["1e-3"] == {"mean": None, "std": None}
    assert row["training_seconds"]["mean"] == 6


def test_the_worst_seed_is_shown_for_folds():
    row = table.rows(runs(), SPEED)[2]
    assert (row["folded_cells"], row["jacobian_min"]) == (1, -0.5)


def test_one_seed_has_no_spread():
    assert table.rows(runs((3,)), SPEED)[0]["eer"] == {"mean": pytest.approx(0.26), "std": None}


def test_the_best_is_not_the_full_resolution():
    assert table.best(table.rows(runs(), SPEED)) == "FlowWarp"


def test_diverged_runs_are_not_the_best():
    diverged = [run | {"eer": None} if run["front_end"] == "FlowWarp" else run for run in runs()]
    assert table.best(table.rows(diverged, SPEED)) == "FlowWarp antialiased"
    assert table.best(table.rows([run | {"eer": None} for run in runs()], SPEED)) is None


@pytest.mark.parametrize(
    ("impostors", "expected"), [(100, "1e-1"), (75, None), (1000, "1e-2"), (10**6, "1e-3")]
)
def test_a_telling_rate_rests_on_ten_pairs(impostors, expected):
    assert table.telling_far(impostors, ["1e-1", "1e-2", "1e-3"]) == expected


def test_the_table_is_aligned_markdown():
    lines = table.table_lines({"rows": table.rows(runs(), SPEED)})
    assert len(lines) == 2 + len(FRONT_ENDS)
    assert len({len(line) for line in lines}) == 1
    assert "| uniform " in lines[2]
    assert "70.0 ± 14.1" in lines[2]
    assert "n/m" in lines[2]
    assert "12,300" in lines[2]
