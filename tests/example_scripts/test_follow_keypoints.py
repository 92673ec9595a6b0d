"""The notebook of three vision transformers on warped digits."""

import numpy as np
import pytest

import keras_resample as kr
from tests.example_scripts import notebooks


@pytest.mark.backends("torch", reason="what it calls is tested on every backend")
def test_the_notebook_runs():
    pytest.importorskip("matplotlib").use("agg")
    names = notebooks.run("follow_keypoints", "count, epochs = 64, 1")
    assert set(names["curves"]) == {"absolute", "keypoint", "aligned"}
    for curve in names["curves"].values():
        assert len(curve) == 4 and all(0 <= share <= 1 for share in curve)
    # Nothing that is tested is trained on, and nothing is left out.
    parts = [np.arange(64)[names[part]] for part in ("train", "test")]
    assert sorted(np.concatenate(parts)) == list(range(64))
    # Upright is as it was, and keypoints are those of the digits that are shown.
    upright, points = names["warped"](names["test"], 0)
    np.testing.assert_array_equal(upright, names["images"][names["test"]])
    found = kr.datasets.foreground_keypoints(upright, 0.2)
    np.testing.assert_allclose(points, found, atol=1e-6)
    assert isinstance(names["layer"], kr.layers.KeypointRelativeBias)
    assert names["bias"].shape == (4, 4, 49, 49)
