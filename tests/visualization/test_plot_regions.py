"""Pictures of regions show where the boxes are."""

import numpy as np
import pytest

import keras_resample as kr

pytest.importorskip("matplotlib")

IMAGES = np.random.default_rng(0).uniform(size=(2, 20, 40, 3)).astype("float32")
REGIONS = {
    "boxes": np.array([[0.0, 0.0, 0.5, 0.5], [0.25, 0.5, 0.75, 1.0]]),
    "confidence": np.random.default_rng(1).uniform(0.3, 0.7, size=(2, 5, 10)),
}
pytestmark = pytest.mark.backends("torch", reason="drawn by Matplotlib and numpy")


def plot(images=IMAGES, regions=REGIONS, **options):
    return kr.visualization.plot_regions(images, regions, data_format="channels_last", **options)


def box_of(ax):
    (line,) = ax.lines
    return np.min(line.get_xydata(), 0).tolist() + np.max(line.get_xydata(), 0).tolist()


@pytest.mark.every_backend
def test_a_box_and_the_confidence_of_each_image():
    axes = plot().axes
    assert [box_of(ax) for ax in axes] == [[0, 0, 20, 10], [10, 10, 30, 20]]
    for ax, confidence in zip(axes, REGIONS["confidence"], strict=True):
        shown = ax.images[1]
        assert list(shown.get_extent()) == [0, 40, 20, 0]
        np.testing.assert_allclose(shown.get_array(), confidence / confidence.mean())


def test_a_stage_sees_what_the_one_before_has_kept():
    axes = plot(regions=[REGIONS, REGIONS]).axes
    assert [box_of(ax) for ax in axes[2:]] == [[0, 0, 10, 5], [15, 15, 25, 20]]
    assert list(axes[3].images[1].get_extent()) == [10, 30, 20, 10]


def test_a_region_of_nan_is_not_drawn():
    regions = {name: np.full_like(value, np.nan) for name, value in REGIONS.items()}
    assert all(len(ax.images) == 1 for ax in plot(regions=regions).axes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"regions": REGIONS["boxes"]}, "`regions` must be the dict"),
        ({"regions": {"boxes": 1}}, "`regions` must be the dict"),
        ({"images": IMAGES[:1]}, "`regions` must be those of the 1 images"),
        ({"images": IMAGES[0]}, "`images` must have"),
        ({"alpha": 2}, "`alpha` must be"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot(**arguments)
