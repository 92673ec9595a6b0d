"""The notebook of FlowWarpDownsample, on few palms."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.compare.conftest import without_graphs
from tests.example_scripts import notebooks


def test_the_notebook_runs(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib")
    pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    without_graphs(monkeypatch)
    names = notebooks.run("learn_where_to_look", "people, images_per_person, epochs = 4, 3, 1")
    assert sorted(names["curves"]) == ["FlowWarp", "antialiased resize"]
    again = keras.saving.load_model("palms.keras")
    expected = names["warped"].encoder.predict(names["images"], verbose=0)
    np.testing.assert_allclose(
        again.encoder.predict(names["images"], verbose=0), expected, atol=1e-5
    )
    assert Path("served/palms/1/saved_model.pb").exists()
