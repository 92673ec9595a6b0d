"""What front ends add to others, from made-up runs."""

import pytest

from keras_resample.compare.recognition import gains
from keras_resample.compare.recognition.names import BASELINES, BEST_CROP, LEARNED
from tests.compare.recognition.test_table import runs


def run(name, seed, eer, tar):
    return {"front_end": name, "seed": seed, "eer": eer, "tar": {"1e-1": tar}}


def test_gains_are_differences_of_the_same_seed():
    gain = gains.gains(runs())["FlowWarp - uniform"]
    assert gain["eer"]["mean"] == pytest.approx(-0.15)
    assert gain["eer"]["std"] == pytest.approx(0, abs=1e-12)


def test_every_front_end_that_moves_is_set_against_the_uniform_one_of_its_filter():
    names = ("uniform", "saliency learned", "saliency predicted antialiased", "full resolution")
    some = [{**runs((0,))[0], "front_end": name, "eer": 0.1 * i} for i, name in enumerate(names)]
    found = gains.gains(some)
    assert list(found) == ["saliency learned - uniform"]
    assert found["saliency learned - uniform"]["eer"]["mean"] == pytest.approx(0.1)


def test_what_is_antialiased_is_set_against_every_baseline_that_is():
    names = (*BASELINES[False], *BASELINES[True], *LEARNED)
    some = [{**runs((0,))[0], "front_end": name, "eer": 0.1 * i} for i, name in enumerate(names)]
    found = {pair: gain["eer"]["mean"] for pair, gain in gains.gains(some).items()}
    expected = {"FlowWarp - uniform": 0.6}
    for i, name in enumerate(BASELINES[True], 1):
        expected[f"FlowWarp antialiased - {name}"] = 0.1 * (7 - i)
    assert list(found) == list(expected)
    assert found == pytest.approx(expected)
    assert {f"FlowWarp antialiased - {name}" for name in ("crop 20 %", BEST_CROP)} <= set(found)


def test_the_strongest_is_that_of_the_lowest_mean_filtered_or_not():
    some = [run("uniform", 0, 0.1, 0.5), run("uniform", 1, 0.5, 0.5)]
    some += [run(BEST_CROP, seed, 0.25, 0.7) for seed in (0, 1)]
    some += [run("full resolution", seed, 0.01, 0.9) for seed in (0, 1)]
    some += [run("FlowWarp", 0, 0.2, 0.75), run("FlowWarp", 1, 0.1, 0.85)]
    over = gains.over_strongest(some)
    assert over["baseline"] == BEST_CROP and list(over["gains"]) == ["FlowWarp"]
    gain = over["gains"]["FlowWarp"]
    assert gain["eer"] == pytest.approx({"mean": -0.1, "std": 0.1 / 2**0.5})
    assert gain["tar"]["1e-1"] == pytest.approx({"mean": 0.1, "std": 0.1 / 2**0.5})


def test_without_a_simple_front_end_or_one_that_moves_there_is_nothing_to_say():
    assert gains.over_strongest([run("FlowWarp", 0, 0.1, 0.5)]) is None
    assert gains.over_strongest([run("uniform", 0, 0.1, 0.5)]) is None
    assert gains.over_strongest([run("uniform", 0, None, None), run("FlowWarp", 0, 0, 1)]) is None


@pytest.mark.parametrize(
    ("eers", "tars", "verdict"),
    [
        ((0.1, 0.11), (0.7, 0.71), "above it by more than the spread"),
        ((0.05, 0.19), (0.7, 0.71), "above it by less than the spread"),
        ((0.1, 0.11), (0.4, 0.41), "not above it"),
        ((0.3, 0.31), (0.7, 0.71), "not above it"),
        ((0.2, 0.2), (0.5, 0.5), "not above it"),
        ((0.1, None), (0.7, None), "not above it"),
        ((0.1,), (0.7,), "above it with one seed, which has no spread"),
    ],
)
def test_above_is_better_in_both_numbers(eers, tars, verdict):
    some = [run("crop 10 %", seed, 0.2, 0.5) for seed in range(len(eers))]
    some += [run("FlowWarp", seed, *pair) for seed, pair in enumerate(zip(eers, tars, strict=True))]
    text = gains.sentence(gains.over_strongest(some), "1e-1")
    assert text.endswith(f", {verdict}.")
    assert "crop 10 %" in text and "generous" in text


def test_the_remark_says_the_differences_and_their_spread():
    some = [run("uniform", 0, 0.2, 0.5), run("uniform", 1, 0.2, 0.5)]
    some += [run("FlowWarp", 0, 0.1, 0.7), run("FlowWarp", 1, 0.12, 0.8)]
    text = gains.sentence(gains.over_strongest(some), "1e-1")
    assert "FlowWarp EER -9.00 ± 1.41, TAR@1e-1 +25.00 ± 7.07, above it" in text
    assert "TAR" not in gains.sentence(gains.over_strongest(some), None)
