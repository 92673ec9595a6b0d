import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.datasets import SegmentationDataset
from keras_resample.datasets.base.classes import default_colors

NUM_CLASSES = 200


class Coded:
    """Images that say where each pixel comes from: (index, row, column); the label follows."""

    def __init__(self):
        self.calls = []

    def __call__(self, index, window):
        self.calls.append((index, window))
        top, left, height, width = window
        image = np.zeros((height, width, 3), "uint8")
        image[..., 0] = index
        image[..., 1] = np.arange(top, top + height)[:, None]
        image[..., 2] = np.arange(left, left + width)
        return image, label_of(image).astype("int64")


def label_of(image):
    index, row, column = np.moveaxis(image.astype("int64"), -1, 0)
    return (31 * index + 7 * row + column) % NUM_CLASSES


def coded(num_images=7, size=(12, 20), load=None, **kwargs):
    arguments = {"batch_size": 2, "data_format": "channels_last", **kwargs}
    return SegmentationDataset(load or Coded(), [size] * num_images, NUM_CLASSES, **arguments)


def epoch_of(dataset):
    batches = [dataset[i] for i in range(len(dataset))]
    return tuple(np.concatenate(part) for part in zip(*batches, strict=True))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**33),
    st.integers(0, 50),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([None, (5, 9), (12, 20), (1, 1)]),
)
def test_a_label_stays_with_its_pixel(seed, epoch, batch_size, flip, crop):
    dataset = coded(seed=seed, batch_size=batch_size, flip=flip, crop=crop, crop_position="random")
    dataset.epoch = epoch
    images, labels = epoch_of(dataset)
    assert images.dtype == labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, label_of(images))
    assert sorted(images[:, 0, 0, 0]) == list(range(7))
    # Neighbours stay neighbours: the rows count up, the columns up or, flipped, down.
    assert (np.diff(images[..., 1].astype(int), axis=1) == 1).all()
    steps = np.diff(images[..., 2].astype(int), axis=2)
    assert (steps == steps[:, :1, :1]).all() if steps.size else True
    assert set(np.unique(steps)) <= ({1, -1} if flip else {1})


def test_batches_do_not_decide_what_an_image_looks_like():
    arguments = {"flip": True, "crop": (6, 6), "crop_position": "random", "seed": 5}
    for epoch in range(3):
        looks = []
        for batch_size in (1, 2, 7):
            dataset = coded(batch_size=batch_size, **arguments)
            dataset.epoch = epoch
            images, _ = epoch_of(dataset)
            looks.append(images)
        np.testing.assert_array_equal(looks[0], looks[1])
        np.testing.assert_array_equal(looks[0], looks[2])


def test_each_epoch_has_its_own_order_flips_and_crops_and_they_come_again():
    dataset = coded(40, flip=True, crop=(6, 6), crop_position="random")
    first = epoch_of(dataset)[0]
    dataset.on_epoch_end()
    assert dataset.epoch == 1
    second = epoch_of(dataset)[0]
    by_index = [epoch[np.argsort(epoch[:, 0, 0, 0])] for epoch in (first, second)]
    assert (first[:, 0, 0, 0] != second[:, 0, 0, 0]).any()
    flipped = [images[:, 0, 0, 2] > images[:, 0, 1, 2] for images in by_index]
    assert all(8 < each.sum() < 32 for each in flipped) and (flipped[0] != flipped[1]).any()
    assert (by_index[0][:, 0, 0, 1] != by_index[1][:, 0, 0, 1]).any()
    again = coded(40, flip=True, crop=(6, 6), crop_position="random")
    again.epoch_callback().on_epoch_begin(1)
    np.testing.assert_array_equal(epoch_of(again)[0], second)
    other = coded(40, flip=True, crop=(6, 6), crop_position="random", seed=1)
    assert (epoch_of(other)[0] != first).any()


def test_without_shuffle_the_order_is_that_of_the_images():
    dataset = coded(shuffle=False)
    for _ in range(2):
        assert epoch_of(dataset)[0][:, 0, 0, 0].tolist() == list(range(7))
        dataset.on_epoch_end()
    assert len(dataset) == 4 and len(dataset[3][0]) == 1
    assert dataset[-1][0][0, 0, 0, 0] == 6
    with pytest.raises(IndexError, match="4 batch indices. Received: index=4"):
        dataset[4]


def test_only_what_is_asked_for_is_loaded_once():
    load = Coded()
    dataset = coded(100_000, load=load, shuffle=False, crop=(4, 6))
    assert not load.calls
    dataset[7]
    assert load.calls == [(14, (4, 7, 4, 6)), (15, (4, 7, 4, 6))]


def test_a_center_crop():
    images, _ = coded(size=(13, 20), crop=(4, 6), shuffle=False)[0]
    assert images[0, 0, 0].tolist() == [0, 4, 7]
    assert images[0, -1, -1].tolist() == [0, 7, 12]


def test_random_crops_reach_every_place():
    dataset = coded(1, size=(4, 5), crop=(3, 3), crop_position="random", batch_size=1)
    corners = set()
    for epoch in range(100):
        dataset.epoch = epoch
        corners.add(tuple(dataset[0][0][0, 0, 0, 1:].tolist()))
    assert corners == {(row, column) for row in range(2) for column in range(3)}


def test_images_of_different_sizes():
    sizes = [(12, 20), (9, 30)]
    arguments = {"num_classes": NUM_CLASSES, "data_format": "channels_last"}
    message = r"`batch_size` must be 1.*`crop=.*batch_size=2, sizes \(.*12.*20.*\) and \(.*9.*30"
    with pytest.raises(ValueError, match=message):
        SegmentationDataset(Coded(), sizes, batch_size=2, **arguments)
    dataset = SegmentationDataset(Coded(), sizes, batch_size=1, shuffle=False, **arguments)
    assert dataset.image_shape == (None, None, 3)
    assert [dataset[i][0].shape for i in range(2)] == [(1, 12, 20, 3), (1, 9, 30, 3)]
    with pytest.raises(ValueError, match="`crop` is needed.*Received: crop=None"):
        dataset.arrays()
    cropped = SegmentationDataset(Coded(), sizes, batch_size=2, crop=(9, 20), **arguments)
    assert cropped[0][0].shape == (2, 9, 20, 3)
    with pytest.raises(ValueError, match=r"`crop` must fit.*image 1 is 9 x 30.*crop=\(10, 20\)"):
        SegmentationDataset(Coded(), sizes, batch_size=2, crop=(10, 20), **arguments)


def test_channels_first_moves_the_channels_of_the_images_only():
    last, first = coded(flip=True), coded(flip=True, data_format="channels_first")
    assert first.image_shape == (3, 12, 20)
    for (a, b), (c, d) in zip(
        (last[i] for i in range(4)), (first[i] for i in range(4)), strict=True
    ):
        np.testing.assert_array_equal(np.moveaxis(a, -1, 1), c)
        np.testing.assert_array_equal(b, d)
        assert a.flags.c_contiguous and c.flags.c_contiguous
    assert first.read(3)[0].shape == (3, 12, 20)
    keras.config.set_image_data_format("channels_first")
    assert coded(data_format=None).data_format == "channels_first"


def test_read_gives_any_window():
    dataset = coded(flip=True, crop=(4, 4))
    image, label = dataset.read(-1, (2, 3, 5, 6))
    np.testing.assert_array_equal(image, Coded()(6, (2, 3, 5, 6))[0])
    np.testing.assert_array_equal(label, label_of(image))
    assert dataset.read(0)[0].shape == (12, 20, 3)
    for window in (
        (0, 0, 13, 2),
        (0, 15, 2, 6),
        (-1, 0, 2, 2),
        (0, 0, 0, 2),
        (0, 0, 2),
        "all",
        3,
        (0.0, 0.0, 2.0, 2.0),
    ):
        with pytest.raises(ValueError, match="`window`.*12 x 20.*Received: window="):
            dataset.read(0, window)


def test_arrays_and_subsets():
    dataset = coded(crop=(4, 6), flip=True, crop_position="random")
    images, labels = dataset.arrays()
    assert images.shape == (7, 4, 6, 3) and labels.shape == (7, 4, 6)
    assert images[:, 0, 0].tolist() == [[i, 4, 7] for i in range(7)]
    np.testing.assert_array_equal(labels, label_of(images))
    part = dataset.subset([5, 2]).subset(np.array([False, True]))
    assert part.num_images == 1 and len(part) == 1
    assert part.arrays()[0][:, 0, 0, 0].tolist() == [2]
    assert dataset.num_images == 7
    with pytest.raises(ValueError, match="`indices`"):
        dataset.subset([7])


def test_a_dataset_can_be_pickled():
    dataset = coded(flip=True, seed=3)
    copy = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copy[1][0], dataset[1][0])


@pytest.mark.every_backend
@pytest.mark.parametrize("workers", [1, 3])
def test_fit(workers):
    dataset = coded(flip=True, workers=workers, data_format=None)
    inputs = keras.Input(dataset.image_shape, dtype="uint8")
    scores = keras.layers.Conv2D(NUM_CLASSES, 1)(keras.layers.Rescaling(1 / 255)(inputs))
    if dataset.data_format == "channels_first":
        scores = keras.layers.Permute((2, 3, 1))(scores)
    model = keras.Model(inputs, keras.layers.Reshape((-1, NUM_CLASSES))(scores))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", lambda y, p: loss(keras.ops.reshape(y, (-1, 240)), p))
    history = model.fit(dataset, epochs=2, verbose=0, callbacks=[dataset.epoch_callback()])
    assert np.isfinite(history.history["loss"]).all()


def test_class_colors():
    colors = default_colors(21)
    # The map of the VOC development kit, from its second colour on.
    assert colors[:4].tolist() == [[128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert colors[7].tolist() == [64, 0, 0] and colors[19].tolist() == [0, 64, 128]
    assert len(np.unique(default_colors(255), axis=0)) == 255
    dataset = SegmentationDataset(
        Coded(), [(4, 4)], 2, class_names=["a", "b"], class_colors=[(1, 2, 3), (4, 5, 6)]
    )
    assert dataset.class_names == ["a", "b"]
    assert dataset.class_colors.tolist() == [[1, 2, 3], [4, 5, 6]]


def result(image=None, label=None):
    return lambda index, window: (
        np.zeros((4, 5, 3), "uint8") if image is None else image,
        np.zeros((4, 5), "int32") if label is None else label,
    )


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (result(image=np.zeros((4, 5, 3))), r"uint8.*\(4, 5, 3\).*Received: float64.*image 0"),
        (result(image=np.zeros((5, 4, 3), "uint8")), r"\(4, 5, 3\).*Received: .*\(5, 4, 3\)"),
        (result(image=np.zeros((4, 5), "uint8")), r"Received: uint8 of shape \(4, 5\)"),
        (result(label=np.zeros((4, 4), "uint8")), r"\(4, 5\).*Received: .*\(4, 4\)"),
        (result(label=np.zeros((4, 5))), "integer labels.*Received: float64"),
        (result(label=np.full((4, 5), 3)), r"\[0, 3\).*ignore_class=255.*Received: 3 .*image 0"),
        (result(label=np.full((4, 5), -1)), r"Received: -1 in the label of image 0"),
        (result(label=np.full((4, 5), 256)), "Received: 256"),
    ],
)
def test_wrong_images_and_labels(load, message):
    dataset = SegmentationDataset(load, [(4, 5)], 3, ignore_class=255)
    with pytest.raises(ValueError, match=message):
        dataset[0]


def test_ignored_pixels_stay():
    label = np.where(np.eye(4, 5, dtype=bool), 255, 2)
    dataset = SegmentationDataset(result(label=label), [(4, 5)], 3, ignore_class=255)
    np.testing.assert_array_equal(dataset[0][1][0], label)
    dataset = SegmentationDataset(result(label=label), [(4, 5)], 3)
    with pytest.raises(ValueError, match="ignore_class=None. Received: 255"):
        dataset[0]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"load": 3},
        {"image_sizes": []},
        {"image_sizes": [(0, 4)]},
        {"image_sizes": [(4.0, 4.0)]},
        {"image_sizes": (4, 4)},
        {"num_classes": 0},
        {"num_classes": 256},
        {"num_classes": 2.5},
        {"ignore_class": -1},
        {"ignore_class": 256},
        {"ignore_class": "void"},
        {"ignore_class": True},
        {"class_names": ["a"]},
        {"class_colors": [(0, 0, 0)]},
        {"class_colors": [(0, 0, 300)] * 3},
        {"class_colors": [(0.5, 0, 0)] * 3},
        {"batch_size": 0},
        {"seed": -1},
        {"crop": 4},
        {"crop": (0, 4)},
        {"crop": (5, 4)},
        {"crop_position": "left"},
        {"data_format": "HWC"},
    ],
)
def test_wrong_arguments(kwargs):
    name = next(iter(kwargs))
    arguments = {"load": result(), "image_sizes": [(4, 5)], "num_classes": 3, **kwargs}
    with pytest.raises((ValueError, TypeError), match=f"(?s)`{name}`.*Received: "):
        SegmentationDataset(**arguments)


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_an_ordered_view_has_the_images_of_arrays():
    dataset = coded(seed=1, flip=True, crop=(5, 9), crop_position="random")
    for found, expected in zip(epoch_of(dataset.ordered()), dataset.arrays(), strict=True):
        np.testing.assert_array_equal(found, expected)
    windows = coded(seed=1, flip=True).windows((6, 10), batch_size=4)
    images, _ = epoch_of(windows.ordered())
    assert images[:, 0, 0, 0].tolist() == np.repeat(np.arange(7), 4).tolist()
    assert (images[:, 0, 0, 2] % 10 == 0).all()  # none is flipped
