import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.datasets import bezier_palms
from keras_resample.datasets.synthetic.palm_drawing import bernstein, draw_creases


def stack(**kwargs):
    return bezier_palms(**{"num_identities": 12, "images_per_identity": 6, **kwargs}).arrays()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**33), st.integers(0, 9), st.integers(0, 4), st.integers(1, 9))
def test_an_image_depends_on_seed_identity_and_index_only(seed, identity, index, batch_size):
    small = bezier_palms(10, 5, size=(24, 32), seed=seed)
    image = small.image(identity * 5 + index)
    assert image.shape == (24, 32, 1) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    grown = bezier_palms(200, 7, size=(24, 32), seed=seed, batch_size=batch_size, shuffle=False)
    np.testing.assert_array_equal(grown.image(identity * 7 + index), image)
    batch, row = divmod(identity * 7 + index, batch_size)
    np.testing.assert_array_equal(grown[batch][0][row], image)
    assert not np.array_equal(bezier_palms(10, 5, size=(24, 32), seed=seed + 1).image(0), image)


def test_a_million_images_cost_nothing():
    palms = bezier_palms(100_000, 10)
    assert palms.num_images == 1_000_000 and palms.num_classes == 100_000
    assert palms.image(999_999).shape == (112, 112, 1)


def test_images_of_one_palm_are_alike_and_palms_differ():
    images, labels = stack(size=(64, 64))
    flat = images.reshape(len(images), -1)
    # What all palms share says nothing about who it is.
    flat = flat - flat.mean(1, keepdims=True)
    flat = flat - flat.mean(0)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    scores = flat @ flat.T
    same = labels[:, None] == labels[None]
    pairs = ~np.eye(len(labels), dtype=bool)
    genuine, impostor = scores[same & pairs], scores[~same]
    assert genuine.mean() > impostor.mean() + 4 * impostor.std()
    assert genuine.max() < 1 - 1e-3


def test_what_tells_palms_apart_lies_in_the_middle():
    images, labels = stack(size=(60, 60), num_identities=20)
    palms = np.stack([images[labels == k].mean(0) for k in range(20)])[..., 0]
    variance = palms.var(0)
    middle = variance[20:40, 20:40].mean()
    border = np.ones_like(variance, bool)
    border[6:-6, 6:-6] = False
    assert middle > 10 * variance[border].mean()


def test_the_same_palm_at_another_size():
    large = bezier_palms(3, 2, size=(128, 128), noise=0.0).arrays()[0]
    small = bezier_palms(3, 2, size=(64, 64), noise=0.0).arrays()[0]
    pooled = large.reshape(6, 64, 2, 64, 2, 1).mean((2, 4))
    error = np.abs(pooled - small).reshape(6, -1).mean(1)
    other = np.abs(pooled - np.roll(small, 2, axis=0)).reshape(6, -1).mean(1)
    assert (error < 0.005).all() and (error < other / 2).all()


def test_options():
    grey = bezier_palms(2, 2, size=(40, 40)).image(1)
    colour = bezier_palms(2, 2, size=(40, 40), channels=3).image(1)
    assert colour.shape == (40, 40, 3)
    assert (colour.mean((0, 1)) != grey.mean()).all()
    assert np.corrcoef(colour.mean(-1).ravel(), grey.ravel())[0, 1] > 0.99
    still = bezier_palms(1, 2, size=(40, 40), creases=0, noise=0.0, jitter=0.0)
    assert np.abs(still.image(0) - still.image(1)).max() < 0.2
    assert bezier_palms(1, 1, size=(1, 300)).image(0).shape == (1, 300, 1)


def test_draw_creases_against_distances_written_as_a_loop():
    controls = np.array([[(0.1, 0.2), (0.3, 0.9), (0.6, 0.1), (1.2, 0.8)]])
    size, width, depth = (40, 50), 5.0, 0.3
    drawn = draw_creases(controls, np.array([depth]), width, size)
    points = bernstein(4000) @ (controls[0] * (50, 40))
    sigma = width * 40 / 112 / 2.355
    for row in range(0, 40, 3):
        for column in range(0, 50, 3):
            distance = np.hypot(points[:, 0] - column - 0.5, points[:, 1] - row - 0.5).min()
            expected = depth * np.exp(-(distance**2) / (2 * sigma**2))
            # Beyond its reach of 2.6 sigma a line stops: 0.3 exp(-3.38) = 0.0102.
            assert abs(drawn[row, column] - expected) < 0.011


def test_no_crease_is_a_blank_page():
    assert not draw_creases(np.zeros((0, 4, 2)), np.zeros(0), 1.0, (5, 6)).any()


@pytest.mark.parametrize(
    "kwargs",
    [
        {"num_identities": 0},
        {"images_per_identity": 1.5},
        {"size": (0, 5)},
        {"size": 64},
        {"size": "64"},
        {"channels": 2},
        {"seed": -1},
        {"noise": float("nan")},
        {"jitter": -0.1},
        {"line_width": "thin"},
        {"creases": -1},
    ],
)
def test_wrong_arguments(kwargs):
    name = next(iter(kwargs))
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
        bezier_palms(**{"num_identities": 2, "images_per_identity": 2, **kwargs})
