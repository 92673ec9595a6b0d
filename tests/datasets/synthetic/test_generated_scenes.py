import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.datasets import generated_scenes
from keras_resample.datasets.synthetic.scene_canvas import SceneCanvas, lattice

CLASSES = dict(
    zip(
        ("sky", "building", "vegetation", "ground", "marking", "pole", "vehicle", "person"),
        range(8),
        strict=True,
    )
)


def scenes(num_images=10, size=(96, 160), **kwargs):
    return generated_scenes(num_images, size=size, data_format="channels_last", **kwargs)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**33), st.integers(0, 9), st.integers(1, 4))
def test_a_scene_depends_on_seed_and_index_only(seed, index, batch_size):
    image, label = scenes(seed=seed).read(index)
    assert image.shape == (96, 160, 3) and image.dtype == np.uint8
    assert label.shape == (96, 160) and label.dtype == np.uint8 and label.max() < 8
    grown = scenes(1000, seed=seed, batch_size=batch_size, shuffle=False)
    batch, row = divmod(index, batch_size)
    images, labels = grown[batch]
    np.testing.assert_array_equal(images[row], image)
    np.testing.assert_array_equal(labels[row], label)
    for other in (scenes(seed=seed + 1).read(index), grown.read(index + 1)):
        assert (other[0] != image).mean() > 0.5 and (other[1] != label).mean() > 0.05


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_window_is_a_part_of_the_whole_to_the_last_bit(data):
    dataset = scenes(3, size=(150, 100), seed=data.draw(st.integers(0, 5)))
    top, left = data.draw(st.integers(0, 149)), data.draw(st.integers(0, 99))
    height, width = data.draw(st.integers(1, 150 - top)), data.draw(st.integers(1, 100 - left))
    image, label = dataset.read(1)
    part = dataset.read(1, (top, left, height, width))
    np.testing.assert_array_equal(part[0], image[top : top + height, left : left + width])
    np.testing.assert_array_equal(part[1], label[top : top + height, left : left + width])


def test_the_same_scene_at_another_size():
    for index in range(4):
        large, label = scenes(size=(512, 768)).read(index)
        small, small_label = scenes(size=(128, 192)).read(index)
        majority = np.eye(8)[label].reshape(128, 4, 192, 4, 8).sum((1, 3)).argmax(-1)
        other = np.roll(majority, 8, axis=1)
        assert (majority == small_label).mean() > 0.97 > (other == small_label).mean()
        pooled = large.reshape(128, 4, 192, 4, 3).mean((1, 3))
        assert np.abs(pooled - small).mean() < 8


def test_what_a_scene_holds():
    labels = scenes(30, size=(512, 512)).arrays()[1]
    share = np.stack([(labels == k).mean((1, 2)) for k in range(8)], 1)
    # Every class is in nearly every scene; flat regions are large, the rest is small.
    assert ((share > 0).mean(0) > 0.85).all()
    mean = share.mean(0)
    assert (
        mean[[CLASSES[name] for name in ("sky", "building", "vegetation", "ground")]].min() > 0.06
    )
    assert mean[[CLASSES[name] for name in ("marking", "pole", "person")]].max() < 0.04
    # A pixel of a thin structure has another class one step to its side or above and below.
    for name, thinner_than in (("pole", 0.1), ("marking", 0.7), ("ground", 1.01)):
        inside = labels == CLASSES[name]
        neighbours = [np.roll(inside, shift, axis) for axis in (1, 2) for shift in (2, -2)]
        thick = inside & np.all(neighbours, axis=0)
        assert thick.sum() < thinner_than * inside.sum()
    assert (labels == CLASSES["ground"]).sum() > 20 * (labels == CLASSES["marking"]).sum()


def test_colour_alone_does_not_tell_the_class():
    images, labels = scenes(24, size=(128, 128)).arrays()
    color = (images // 32).astype(int) @ (64, 8, 1)
    table = np.zeros((512, 8))
    np.add.at(table, (color[:12].ravel(), labels[:12].ravel()), 1)
    found = (table / np.maximum(table.sum(0), 1)).argmax(1)[color[12:]]
    truth = labels[12:]
    recall = [(found[truth == k] == k).mean() for k in range(8)]
    assert np.mean(recall) < 0.6


def test_a_large_scene_is_never_held_as_floats():
    dataset = scenes(2, size=(1200, 1200))
    dataset.read(0)
    tracemalloc.start()
    image, label = dataset.read(1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert image.nbytes + label.nbytes < peak < 4 * image.nbytes
    million = scenes(1_000_000, size=(2448, 2448))
    assert million.read(999_999, (2440, 0, 8, 2448))[0].shape == (8, 2448, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 5)])
def test_any_size(size):
    image, label = scenes(size=size).read(0)
    assert image.shape == (*size, 3) and label.shape == size


def canvas(size=(40, 60)):
    drawn = SceneCanvas(size, (0, 0, *size))
    drawn.mix(0, (0, 0, 0))
    return drawn, drawn.mix(1, (9, 9, 9))


def centres(size=(40, 60)):
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return x / size[0], y / size[0]


def test_shapes_against_their_definitions():
    x, y = centres()
    random = np.random.default_rng(0)
    for _ in range(20):
        middle, radius = random.uniform(-0.1, 1.4, 2), random.uniform(0.05, 0.4, 2)
        drawn, paint = canvas()
        drawn.ellipse(*middle, *radius, paint)
        inside = ((x - middle[0]) / radius[0]) ** 2 + ((y - middle[1]) / radius[1]) ** 2 <= 1
        np.testing.assert_array_equal(drawn.labels(), inside)

        drawn, paint = canvas()
        drawn.rectangle(*(middle - radius), *(middle + radius), paint)
        inside = (np.abs(x - middle[0]) <= radius[0]) & (np.abs(y - middle[1]) <= radius[1])
        np.testing.assert_array_equal(drawn.labels(), inside)

        angles = np.sort(random.uniform(0, 2 * np.pi, 5))
        corners = middle + radius * np.stack([np.cos(angles), np.sin(angles)], -1)
        drawn, paint = canvas()
        drawn.polygon(corners if random.random() < 0.5 else corners[::-1], paint)
        inside = np.ones(x.shape, bool)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, 0), strict=True):
            inside &= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
        np.testing.assert_array_equal(drawn.labels(), inside)


def test_a_wire_is_a_parabola_without_gaps():
    drawn, paint = canvas((100, 200))
    drawn.wire((1.8, 0.2), (0.1, 0.4), 0.3, 0.0001, paint)
    label = drawn.labels()
    for column in range(200):
        rows = np.flatnonzero(label[:, column])
        t = ((column + 0.5) / 100 - 0.1) / 1.7
        if not 0 <= t <= 1:
            assert rows.size == 0
            continue
        assert rows.size and (np.diff(rows) == 1).all()
        height = 100 * (0.4 - 0.2 * t + 4 * 0.3 * t * (1 - t))
        assert abs(rows.mean() + 0.5 - height) < 1.0
    filled = label.astype(bool)
    columns = np.flatnonzero(filled.any(0))
    for a, b in zip(columns[:-1], columns[1:], strict=True):
        first, second = np.flatnonzero(filled[:, a]), np.flatnonzero(filled[:, b])
        assert first.min() <= second.max() + 1 and second.min() <= first.max() + 1


def test_a_line_thinner_than_a_pixel_is_drawn_a_pixel_wide():
    drawn, paint = canvas()
    drawn.rectangle(0.31, 0.1, 0.3101, 0.9, paint)
    assert (drawn.labels().sum(1)[4:36] == 1).all()


def test_lattice_interpolates_its_nodes():
    nodes = np.arange(12.0, dtype="float32").reshape(3, 4)
    field = lattice(nodes, np.arange(8), np.arange(9), (8, 9))
    assert field.shape == (8, 9)
    y, x = (np.arange(8) + 0.5) / 8 * 2, (np.arange(9) + 0.5) / 9 * 3
    np.testing.assert_allclose(field, 4 * y[:, None] + x, rtol=1e-5)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"num_images": 0},
        {"size": (0, 5)},
        {"size": 64},
        {"size": (64, 20000)},
        {"seed": -1},
        {"batch_size": 0},
        {"crop": (97, 5)},
        {"crop_position": "top"},
    ],
)
def test_wrong_arguments(kwargs):
    name = next(iter(kwargs))
    with pytest.raises(ValueError, match=f"`{name}`.*Received: "):
        scenes(**{"num_images": 2, **kwargs})
