"""What branches cost: stored numbers as in the paper, and arithmetic counted by hand."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_resample as kr

LAST = {"padding": "same", "data_format": "channels_last"}


@pytest.mark.in_turn
def test_iresnet50_as_in_the_paper():
    with keras.StatelessScope():  # only shapes are made
        trunk = kr.models.IResNet50(data_format="channels_last")
        sides = [(side, side) for side in (56, 28, 14, 7)]
    network = kr.models.BTNet(trunk, sides, data_format="channels_last")
    costs = network.costs()
    assert [cost["resolution"] for cost in costs] == [(112, 112), *sides]
    numbers = [cost["parameters"] for cost in costs]
    assert numbers == [43_590_848, 117_824, 494_912, 2_297_792, 21_307_072]
    assert [round(100 * cost["share"], 1) for cost in costs] == [100, 0.3, 1.1, 5.3, 48.9]
    assert costs[0]["gflops"] == kr.models.gflops(trunk)
    found = [round(cost["gflops"], 2) for cost in costs]
    assert found == [12.62, 11.89, 10.48, 8.55, 3.03]  # as in docs/resolutions.md
    assert network.parts.entries == tuple(f"layer{stage}_0_add" for stage in (1, 2, 3, 4))


def test_by_hand():
    trunk = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, 2, **LAST),
            layers.BatchNormalization(),
            layers.Conv2D(5, 3, 2, **LAST),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(6),
        ]
    )
    network = kr.models.BTNet(trunk, [(4, 4), (2, 2)], data_format="channels_last")
    trunk_cost, middle, small = network.costs()
    first, second, dense = 27 * 4, 36 * 5, 20 * 6
    numbers = first + 4 + second + 5 + dense + 6 + 2 * (4 + 5)
    assert trunk_cost == {
        "resolution": (8, 8),
        "parameters": numbers,
        "share": 1.0,
        "gflops": pytest.approx(2e-9 * (16 * first + 4 * second + dense)),
        "ratio": 1.0,
    }
    added = first + 4 + 2 * (4 + 5)
    assert middle["parameters"] == added and middle["share"] == added / numbers
    assert middle["gflops"] == pytest.approx(2e-9 * (16 * first + 4 * second + dense))
    assert small["parameters"] == added + second + 5
    assert small["gflops"] == pytest.approx(2e-9 * (4 * first + 4 * second + dense))
    assert small["ratio"] == small["gflops"] / trunk_cost["gflops"]
    assert np.isscalar(small["ratio"])
