"""Random patches that a network does not see in training."""

import numpy as np
import pytest

import keras_resample as kr
from tests.layer_test_case import check_layer
from tests.numerics import to_numpy

TOKENS = np.random.default_rng(0).normal(size=(4, 10, 3)).astype("float32")


def test_promises():
    """Those of a layer that passes its tokens on; what `fit` sees is drawn anew each time."""
    skip = {
        "data_format": "it has no images",
        "unknown_size": "how many tokens are masked is fixed",
        "gradient": "nothing depends on the learned token but in training",
    }
    check_layer(kr.layers.MaskedTokens, {"rate": 0.3, "seed": 0}, {"tokens": TOKENS}, skip=skip)


def test_a_share_of_the_tokens_of_each_image_is_masked_in_training():
    layer = kr.layers.MaskedTokens(0.3, seed=0)
    found = to_numpy(layer(TOKENS, training=True))
    masked = np.all(found == to_numpy(layer.token)[0, 0], axis=-1)
    np.testing.assert_array_equal(masked.sum(1), 3)
    np.testing.assert_array_equal(found[~masked], TOKENS[~masked])
    assert len({row.tobytes() for row in masked}) > 1
    np.testing.assert_array_equal(to_numpy(layer(TOKENS, training=False)), TOKENS)


@pytest.mark.backends("torch", reason="arguments are checked in Python")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 1.0}, "`rate` must be a number in"),
        ({"rate": -0.1}, "`rate` must be a number in"),
        ({"rate": 0.3, "seed": 0.5}, "`seed` must be an integer"),
    ],
)
def test_bad_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        kr.layers.MaskedTokens(**wrong)
