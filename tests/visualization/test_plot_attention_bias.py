"""Pictures of attention bias show the row of the query."""

import numpy as np
import pytest

import keras_resample as kr

pytest.importorskip("matplotlib")

BIAS = np.random.default_rng(0).normal(size=(2, 12, 12))
KEYPOINTS = np.random.default_rng(1).uniform(size=(2, 5, 2))
IMAGES = np.random.default_rng(2).uniform(size=(2, 15, 20, 1)).astype("float32")
pytestmark = pytest.mark.backends("torch", reason="drawn by Matplotlib and numpy")


def plot(bias=BIAS, grid_size=(3, 4), **options):
    return kr.visualization.plot_attention_bias(bias, grid_size, **options)


@pytest.mark.every_backend
def test_the_bias_of_the_query_less_its_mean_on_one_scale():
    axes = plot(query=(2, 1)).axes[:2]
    for ax, bias in zip(axes, BIAS, strict=True):
        row = bias[9].reshape(3, 4)
        np.testing.assert_allclose(ax.images[0].get_array(), row - row.mean())
        (star,) = ax.lines
        np.testing.assert_allclose(star.get_xydata(), [[1.5 / 4, 2.5 / 3]])
    low, high = axes[0].images[0].get_clim()
    assert low == -high and axes[1].images[0].get_clim() == (low, high)


def test_the_middle_asks_by_default():
    (ax, _) = plot(BIAS[0]).axes
    (star,) = ax.lines
    np.testing.assert_allclose(star.get_xydata(), [[2.5 / 4, 1.5 / 3]])


def test_images_stand_above_and_keypoints_on_all():
    axes = plot(keypoints=KEYPOINTS, images=IMAGES, data_format="channels_last").axes
    assert len(axes) == 5
    for i in range(2):
        np.testing.assert_allclose(axes[i].images[0].get_array(), IMAGES[i, :, :, 0])
        for ax in (axes[i], axes[2 + i]):
            np.testing.assert_allclose(ax.lines[-1].get_xydata(), KEYPOINTS[i])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bias": BIAS[0, :3]}, "`bias` must have shape"),
        ({"grid_size": 4}, "`bias` must have shape"),
        ({"query": (3, 0)}, "`query` must be a"),
        ({"query": 3}, "`query` must be"),
        ({"keypoints": KEYPOINTS[:1]}, "`keypoints` must be those of the 2 panels"),
        ({"keypoints": KEYPOINTS[0]}, "`keypoints` must have shape"),
        ({"images": IMAGES[:1], "data_format": "channels_last"}, "`images` must be those"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot(**arguments)
