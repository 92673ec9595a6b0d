import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample.datasets import SegmentationDataset
from keras_resample.datasets.base.windows import tiling


class Numbered:
    """Images of numbers that differ everywhere; counts how often each is decoded."""

    def __init__(self, sizes, windowed=False):
        self.sizes = sizes
        self.windowed = windowed
        self.calls = []

    def whole(self, index):
        height, width = self.sizes[index]
        number = np.arange(height * width).reshape(height, width) + 1000 * index
        image = np.stack([number // 256 % 256, number % 256, number % 7], -1)
        return image.astype("uint8"), (number % 5).astype("uint8")

    def __call__(self, index, window):
        self.calls.append((index, window))
        top, left, height, width = window
        part = np.s_[top : top + height, left : left + width]
        return tuple(array[part] for array in self.whole(index))

    def reads_windows(self, index):
        return self.windowed


def windows_of(sizes, size, windowed=False, workers=1, batch_size=3, ignore_class=255, **kwargs):
    load = Numbered(sizes, windowed)
    dataset = SegmentationDataset(
        load,
        sizes,
        5,
        ignore_class=ignore_class,
        batch_size=1,
        workers=workers,
        data_format="channels_last",
        **kwargs,
    )
    return load, dataset.windows(size, batch_size)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 24), st.integers(1, 24)), min_size=1, max_size=4),
    st.tuples(st.integers(1, 25), st.integers(1, 25)),
    st.integers(1, 5),
    st.integers(0, 3),
    st.booleans(),
)
def test_every_pixel_comes_once(sizes, size, batch_size, epoch, windowed):
    load, windows = windows_of(sizes, size, windowed, batch_size=batch_size)
    windows.epoch = epoch
    images = [np.zeros((*side, 3), "int64") for side in sizes]
    labels = [np.zeros(side, "int64") for side in sizes]
    seen = [np.zeros(side, "int64") for side in sizes]
    total = 0
    for batch in range(len(windows)):
        index, places = windows.places(batch)
        pixels, classes = windows[batch]
        assert pixels.shape == (len(places), *size, 3) and classes.shape == (len(places), *size)
        assert len(places) <= batch_size
        total += len(places)
        for (top, left, height, width), image, label in zip(places, pixels, classes, strict=True):
            part = np.s_[top : top + height, left : left + width]
            images[index][part] += image[:height, :width]
            labels[index][part] += label[:height, :width]
            seen[index][part] += 1
            # Outside the image nothing counts, and it looks like the border.
            assert (label[height:] == 255).all() and (label[:, width:] == 255).all()
            assert (image[height:] == image[height - 1]).all()
            assert (image[:, width:] == image[:, width - 1 : width]).all()
    assert total == windows.num_windows
    for index, count in enumerate(seen):
        assert (count == 1).all()
        image, label = load.whole(index)
        np.testing.assert_array_equal(images[index], image)
        np.testing.assert_array_equal(labels[index], label)


def test_each_image_is_decoded_once_an_epoch():
    sizes = [(40, 50), (10, 10), (33, 20), (64, 64)]
    load, windows = windows_of(sizes, (8, 8))
    for _ in range(2):
        load.calls.clear()
        for batch in range(len(windows)):
            windows[batch]
        assert sorted(index for index, _ in load.calls) == [0, 1, 2, 3]
        assert all(window == (0, 0, *sizes[index]) for index, window in load.calls)
        windows.on_epoch_end()


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_share_what_is_decoded(workers):
    sizes = [(40, 48)] * 12
    load, windows = windows_of(sizes, (8, 8), workers=workers, batch_size=2)
    held, lock = [], threading.Lock()
    decode = load.__call__

    def slow(index, window):
        time.sleep(0.003)
        with lock:
            held.append(len(windows._decoded._held))
        return decode(index, window)

    windows.dataset.load = slow
    with ThreadPoolExecutor(workers) as threads:
        batches = list(threads.map(windows.__getitem__, range(len(windows))))
    assert sorted(index for index, _ in load.calls) == list(range(12))
    assert max(held) <= workers
    for batch, (images, _) in enumerate(batches):
        index, places = windows.places(batch)
        top, left, height, width = places[0]
        whole = load.whole(index)[0]
        np.testing.assert_array_equal(images[0], whole[top : top + height, left : left + width])


def test_files_that_can_are_read_by_window():
    load, windows = windows_of([(32, 48)] * 2, (16, 16), windowed=True)
    images, labels = windows[1]
    assert images.shape == (3, 16, 16, 3) and labels.shape == (3, 16, 16)
    assert [window for _, window in load.calls] == windows.places(1)[1]
    assert not windows._decoded._held


def test_the_order_is_that_of_the_images():
    _, windows = windows_of([(16, 16)] * 9, (8, 8), seed=4)
    orders = []
    for _ in range(2):
        images = [windows.places(batch)[0] for batch in range(len(windows))]
        # Two batches of an image follow each other.
        assert images[::2] == images[1::2] and sorted(images[::2]) == list(range(9))
        orders.append(images)
        windows.on_epoch_end()
    assert orders[0] != orders[1]
    again = windows_of([(16, 16)] * 9, (8, 8), seed=4)[1]
    again.epoch_callback().on_epoch_begin(1)
    assert [again.places(batch)[0] for batch in range(len(again))] == orders[1]
    still = windows_of([(16, 16)] * 3, (8, 8), shuffle=False)[1]
    assert [still.places(batch)[0] for batch in range(6)] == [0, 0, 1, 1, 2, 2]


def test_all_windows_of_an_image_are_flipped_or_none():
    load, windows = windows_of([(16, 20)] * 30, (8, 8), flip=True, shuffle=False)
    flips = []
    for batch in range(len(windows)):
        images, labels = windows[batch]
        index, places = windows.places(batch)
        image, label = load.whole(index)
        for (top, left, height, width), pixels, classes in zip(places, images, labels, strict=True):
            part = np.s_[top : top + height, left : left + width]
            kept = np.array_equal(pixels[:height, :width], image[part])
            assert kept or np.array_equal(pixels[:height, ::-1][:, :width], image[part])
            classes = classes if kept else classes[:, ::-1]
            assert np.array_equal(classes[:height, :width], label[part])
            flips.append((index, kept))
    assert len(set(flips)) == 30 and 5 < sum(kept for _, kept in set(flips)) < 25


def test_channels_first_and_pickling():
    load = Numbered([(16, 16)])
    dataset = SegmentationDataset(load, [(16, 16)], 5, data_format="channels_first")
    windows = pickle.loads(pickle.dumps(dataset.windows((8, 16))))
    images, _ = windows[0]
    assert windows.image_shape == (3, 8, 16) and images.flags.c_contiguous
    np.testing.assert_array_equal(images[1], np.moveaxis(load.whole(0)[0][8:], -1, 0))


def test_tiling():
    assert tiling((2, 3), (3, 4)) == [(0, 0, 2, 3), (0, 3, 2, 1), (2, 0, 1, 3), (2, 3, 1, 1)]


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"`size`.*`ignore_class`.*Received: size=\(8, 9\)"):
        windows_of([(16, 16)], (8, 9), ignore_class=None)
    with pytest.raises(ValueError, match="`dataset`.*Received: crop="):
        windows_of([(16, 16)], (8, 8), crop=(8, 8))
    for size in (8, (0, 8), "88"):
        with pytest.raises(ValueError, match="`size`.*Received: size="):
            windows_of([(16, 16)], size)
    with pytest.raises(ValueError, match="`batch_size`.*Received: batch_size=0"):
        windows_of([(16, 16)], (8, 8), batch_size=0)
    with pytest.raises(IndexError, match="There are 2 batch indices"):
        windows_of([(16, 16)], (8, 8))[1].places(2)
