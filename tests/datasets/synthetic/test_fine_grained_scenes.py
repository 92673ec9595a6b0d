import pickle

import numpy as np
import pytest

from keras_resample import datasets, metrics
from keras_resample.datasets.synthetic.beetle_drawing import MARK_COLORS, mark_patterns

pytestmark = pytest.mark.backends("torch", reason="no backend draws")


def scenes(num_classes=4, images_per_class=3, size=(64, 64), **kwargs):
    return datasets.fine_grained_scenes(num_classes, images_per_class, size, **kwargs)


def cells(dataset, images):
    """The nine colours of each mark, read from the images at the middles of its cells."""
    shape = np.array(dataset.image_shape[:2])
    middles = (np.stack(np.mgrid[:3, :3], -1).reshape(9, 2) + 0.5) / 3
    found = []
    for index, image in enumerate(images):
        first, right, _, down = dataset.load.pose(index).corners()
        places = first + middles[:, 1:] * (right - first) + middles[:, :1] * (down - first)
        x, y = (places * shape[0]).astype(int).T
        found.append(image[y, x].ravel())
    return np.array(found)


def nearest_mean(features, labels, train):
    """Share of the images that are nearest to the mean of their class, of those not in `train`."""
    means = np.stack([features[train & (labels == k)].mean(0) for k in range(labels.max() + 1)])
    distance = ((features[:, None] - means) ** 2).sum(-1)
    return np.mean(distance.argmin(1)[~train] == labels[~train])


@pytest.fixture(scope="module")
def many():
    """240 images of four classes, and which of them train."""
    dataset = scenes(4, 60, (96, 96), seed=5)
    return dataset, *dataset.arrays(), np.arange(240) % 60 < 30


def test_a_global_look_does_not_tell_the_classes(many):
    _, images, labels, train = many
    chance = 0.25 + 3 * np.sqrt(0.25 * 0.75 / 120)
    for cells_a_side in (1, 2, 4, 8):
        k = 96 // cells_a_side
        small = images.reshape(240, cells_a_side, k, cells_a_side, k, 3).mean((2, 4))
        assert nearest_mean(small.reshape(240, -1), labels, train) < chance
    spread = np.concatenate([images.mean((1, 2)), images.std((1, 2))], axis=1)
    assert nearest_mean(spread / spread.std(0), labels, train) < chance


def test_the_part_tells_the_classes(many):
    dataset, images, labels, train = many
    assert nearest_mean(cells(dataset, images), labels, train) > 0.95


def test_a_mark_is_drawn_as_its_pattern():
    dataset = scenes(6, 1, (400, 400), part_size=(0.12, 0.12), seed=3)
    read = cells(dataset, dataset.arrays()[0]).reshape(6, 9, 3)
    for colors, mark in zip(read, dataset.load.marks.reshape(6, 9), strict=True):
        painted = np.array(MARK_COLORS)[mark]
        assert np.corrcoef(colors.ravel(), painted.ravel())[0, 1] > 0.97


def test_marks_are_different_and_of_the_same_colours():
    marks = mark_patterns(1680, np.random.default_rng(0)).reshape(-1, 9)
    assert len(np.unique(marks, axis=0)) == 1680
    for color in range(3):
        assert ((marks == color).sum(1) == 3).all()
    few = mark_patterns(12, np.random.default_rng(0)).reshape(-1, 9)
    np.testing.assert_array_equal(few, marks[:12])
    differences = (few[:, None] != few).sum(-1)[~np.eye(12, dtype=bool)]
    assert differences.min() >= 6  # random ones have pairs that differ in 2 to 4 cells


def test_the_part_is_small_and_anywhere():
    dataset = scenes(20, 20)
    boxes = np.array([dataset.load.part_box(index) for index in range(400)])
    assert boxes.min() > 0 and boxes.max() < 1
    sides = boxes[:, 2:] - boxes[:, :2]
    assert sides.min() > 0.02 and sides.max() < 0.08 * 1.7  # a diagonal, sheared
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (middle.std(0) > 0.12).all() and (middle.min(0) < 0.3).all()
    central = (np.abs(boxes - 0.5) < 0.25).all(1).mean()
    assert 0.2 < central < 0.8  # what a central crop of half the side holds
    wide = scenes(20, 20, (64, 128))
    boxes = np.array([wide.load.part_box(index) for index in range(400)])
    assert boxes.min() > 0 and boxes.max() < 1
    sides = (boxes[:, 2:] - boxes[:, :2]) * (2, 1)
    assert sides.max() < 0.08 * 1.7  # of the shorter side


def test_the_box_is_where_the_mark_is():
    """Only the mark has another class on the other drawing: what differs lies in its box."""
    dataset, other = scenes(2, 6), scenes(2, 6)
    other.load.marks = other.load.marks[::-1]
    for index in (0, 3, 8):
        differs = np.abs(dataset.image(index) - other.image(index)).max(-1) > 0.02
        rows, columns = np.nonzero(differs)
        x0, y0, x1, y1 = dataset.load.part_box(index) * 64
        assert x0 - 1.5 < columns.min() and columns.max() < x1 + 0.5
        assert y0 - 1.5 < rows.min() and rows.max() < y1 + 0.5
        assert differs.sum() > 2


@pytest.mark.parametrize("num_cameras", [None, 2])
def test_an_image_depends_on_seed_class_and_index_alone(num_cameras):
    dataset = scenes(seed=2, num_cameras=num_cameras)
    image = dataset.image(2 * 3 + 1)
    assert image.shape == (64, 64, 3) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1 and image.std() > 0.05
    grown = scenes(30, 50, seed=2, num_cameras=num_cameras, batch_size=7, shuffle=False)
    np.testing.assert_array_equal(grown.image(2 * 50 + 1), image)
    np.testing.assert_array_equal(grown[14][0][3], image)
    copied = pickle.loads(pickle.dumps(dataset.load))
    np.testing.assert_array_equal(copied(7), image)
    for unlike in (scenes(seed=3, num_cameras=num_cameras).image(7), dataset.image(8)):
        assert np.abs(unlike - image).mean() > 0.02


def test_a_million_images_cost_nothing():
    dataset = scenes(1000, 1000)
    assert dataset.num_images == 1_000_000 and dataset.image(999_999).shape == (64, 64, 3)


def test_the_same_scene_at_another_size():
    large = scenes(size=(128, 128)).arrays()[0]
    small = scenes().arrays()[0]
    pooled = large.reshape(12, 64, 2, 64, 2, 3).mean((2, 4))
    error = np.abs(pooled - small).reshape(12, -1).mean(1)
    other = np.abs(pooled - np.roll(small, 1, axis=0)).reshape(12, -1).mean(1)
    assert (error < 0.025).all() and (error < other / 2).all()


def test_a_camera_has_its_own_light_and_cast():
    plain = scenes(3, 9).arrays()[0].mean((1, 2))
    seen = scenes(3, 9, num_cameras=3)
    assert seen.cameras.tolist() == [0, 1, 2] * 9 and scenes().cameras is None
    ratio = seen.arrays()[0].mean((1, 2)) / plain
    means = np.stack([ratio[seen.cameras == camera].mean(0) for camera in range(3)])
    spread = np.stack([ratio[seen.cameras == camera].std(0) for camera in range(3)])
    assert spread.max() < 0.05
    differences = np.abs(means[:, None] - means).max(-1)[~np.eye(3, dtype=bool)]
    assert differences.min() > 0.05
    boxes = [[d.load.part_box(i) for i in range(27)] for d in (scenes(3, 9), seen)]
    assert np.abs(np.subtract(*boxes)).mean() > 0.005  # the viewpoint moves the mark


def test_individuals_are_found_under_other_cameras_by_their_part():
    dataset = scenes(12, 6, (128, 128), num_cameras=3)
    images, labels = dataset.arrays()
    parts = cells(dataset, images)
    parts /= np.linalg.norm(parts, axis=1, keepdims=True)
    whole = images.reshape(72, 16, 8, 16, 8, 3).mean((2, 4)).reshape(72, -1)
    arguments = labels, labels, dataset.cameras, dataset.cameras
    by_part, by_all = (
        metrics.mean_average_precision(-((x[:, None] - x) ** 2).sum(-1), *arguments)
        for x in (parts, whole)
    )
    assert by_part > 0.7 > 3 * by_all
    train, test = datasets.half_identities(dataset)
    assert train.cameras.tolist() == test.cameras.tolist() == dataset.cameras[:36].tolist()


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (90, 1), (17, 5)])
def test_any_size(size):
    dataset = scenes(size=size, clutter=0)
    assert dataset.image(0).shape == (*size, 3) and np.isfinite(dataset.load.part_box(0)).all()


@pytest.mark.parametrize(
    "kwargs",
    [
        {"num_classes": 0},
        {"num_classes": 1681},
        {"images_per_class": 0},
        {"size": 64},
        {"size": (64, 5000)},
        {"seed": -1},
        {"batch_size": 0},
        {"part_size": 0.05},
        {"part_size": (0.0, 0.1)},
        {"part_size": (0.1, 0.2)},
        {"part_size": (0.08, 0.04)},
        {"clutter": -1},
        {"num_cameras": 0},
    ],
)
def test_wrong_arguments(kwargs):
    name = next(iter(kwargs))
    with pytest.raises(ValueError, match=f"`{name}`.*Received: "):
        scenes(**kwargs)
