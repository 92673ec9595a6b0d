"""The notebook of a trunk and its branches."""

import numpy as np
import pytest

from tests.example_scripts import notebooks


@pytest.mark.backends("torch", reason="what it calls is tested on every backend")
def test_the_notebook_runs():
    pytest.importorskip("matplotlib").use("agg")
    names = notebooks.run("one_space_for_every_resolution", "palms_of_each, epochs = 2, 1")
    found = names["found"]
    assert (
        set(found["branch"])
        == set(found["enlarged"])
        == {f"{one} & {side}" for side in (14, 7) for one in (28, side)}
    )
    rates = [rate for by_pair in found.values() for rate in by_pair.values()]
    assert len(rates) == 9 and all(0 <= rate <= 1 for rate in rates)
    # The palms that are verified are others than those trained on.
    trained = {image.tobytes() for image in names["train"].arrays()[0]}
    assert not trained & {image.tobytes() for image in names["images"]}
    # Every image is compared with all others but itself.
    same = np.equal.outer(names["labels"], names["labels"])
    assert same.sum() - len(same) == len(same)
