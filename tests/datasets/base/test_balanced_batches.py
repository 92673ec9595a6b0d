import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample import datasets


class IndexImage:
    """An image whose every value tells its index, exactly."""

    def __call__(self, index):
        return np.full((1, 2, 1), index / 1024)


def make(labels, **kwargs):
    return datasets.IdentityDataset(IndexImage(), labels, (1, 2, 1), **kwargs)


def batches(dataset):
    """Image numbers and labels of each batch of the epoch."""
    return [
        ((images[:, 0, 0, 0] * 1024).astype(int), labels)
        for images, labels in (dataset[b] for b in range(len(dataset)))
    ]


def most_batches(counts, p, k):
    """The largest b with p b groups, at most b of one identity, by trying all."""
    groups = [max(count // k, 1) for count in counts]
    b = 1
    while sum(min(group, b + 1) for group in groups) >= p * (b + 1):
        b += 1
    return b


COUNTS = st.lists(st.integers(1, 9), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(COUNTS, st.data(), st.integers(1, 5), st.integers(0, 2**33), st.integers(0, 3))
def test_every_batch_has_k_images_of_each_of_p_identities(counts, data, k, seed, epoch):
    p = data.draw(st.integers(1, len(counts)))
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    dataset = make(labels, seed=seed).balanced_batches(p, k)
    dataset.epoch = epoch
    assert dataset.batch_size == p * k and len(dataset) == most_batches(counts, p, k)
    seen = np.zeros(len(labels), int)
    for images, batch_labels in batches(dataset):
        np.testing.assert_array_equal(batch_labels, labels[images])
        identities, per_identity = np.unique(batch_labels, return_counts=True)
        assert len(identities) == p and (per_identity == k).all()
        for identity in identities:
            times = np.bincount(images[batch_labels == identity], minlength=len(labels))
            own = times[labels == identity]
            if counts[identity] >= k:
                assert own.max() == 1
            else:
                assert set(own) <= {k // counts[identity], k // counts[identity] + 1}
        seen += np.bincount(images, minlength=len(labels))
    for identity, count in enumerate(counts):
        if count >= k:
            assert seen[labels == identity].max() <= 1


def test_an_epoch_leaves_out_less_than_a_batch_where_groups_fit():
    labels = np.repeat(np.arange(30), 7)
    dataset = make(labels).balanced_batches(4, 3)
    # Two groups of three images in each identity: 60 groups, 15 batches of 4.
    assert len(dataset) == 15
    images = np.concatenate([images for images, _ in batches(dataset)])
    assert len(set(images)) == 180
    rests = [set(range(210)) - set(images)]
    dataset.on_epoch_end()
    rests.append(set(range(210)) - {i for images, _ in batches(dataset) for i in images})
    assert rests[0] != rests[1]


def test_identities_meet_by_chance():
    dataset = make(np.repeat(np.arange(40), 8)).balanced_batches(8, 2)
    together = np.zeros((40, 40), int)
    for dataset.epoch in range(30):
        for _, labels in batches(dataset):
            identities = np.unique(labels)
            together[np.ix_(identities, identities)] += 1
    # 30 epochs of 20 batches, and 8 * 7 of 40 * 39 ordered pairs in each: 21.5 on average.
    met = together[~np.eye(40, dtype=bool)]
    assert abs(met.mean() - 30 * 20 * 56 / 1560) < 1e-9
    assert met.min() > 0 and met.max() < 2.5 * met.mean()


def test_batches_repeat_with_seed_and_epoch_and_differ_otherwise():
    def images(seed, epoch, **kwargs):
        dataset = make(np.repeat(np.arange(9), 4), seed=seed, **kwargs).balanced_batches(3, 2)
        dataset.epoch = epoch
        return [images.tolist() for images, _ in batches(dataset)]

    assert images(1, 2) == images(1, 2)
    assert images(1, 2) != images(1, 3) and images(1, 2) != images(2, 2)
    assert images(1, 2, shuffle=False) == images(1, 0, shuffle=False) == images(1, 0)


@pytest.mark.every_backend
@pytest.mark.parametrize(("workers", "processes"), [(1, False), (3, False), (2, True)])
def test_fit_sees_the_same_batches_whatever_the_workers(workers, processes):
    if processes and keras.backend.backend() != "torch":
        pytest.skip("Keras forks, which may hang beside the threads of TensorFlow and JAX")
    labels = np.repeat(np.arange(8), 3)

    def linear_model():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
        model.add(keras.layers.Dense(8))
        model.compile(
            keras.optimizers.SGD(0.3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        # Otherwise `fit` with workers first feeds what it prefetched to build the metrics.
        start = model.get_weights()
        model.train_on_batch(*make(labels)[0])
        model.set_weights(start)
        return model

    def trained_by_hand(seed):
        dataset = make(labels, seed=seed, value_range=(0, 64)).balanced_batches(4, 2)
        model = linear_model()
        for dataset.epoch in range(2):
            for batch in dataset:
                model.train_on_batch(*batch)
        return model.get_weights()

    options = {"workers": workers, "use_multiprocessing": processes, "value_range": (0, 64)}
    dataset = make(labels, seed=5, **options).balanced_batches(4, 2)
    fitted = linear_model()
    callbacks = [dataset.epoch_callback()]
    fitted.fit(dataset, epochs=2, shuffle=False, verbose=0, callbacks=callbacks)
    for one, other in zip(fitted.get_weights(), trained_by_hand(5), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    # Other batches would have shown.
    assert np.abs(trained_by_hand(6)[0] - fitted.get_weights()[0]).max() > 1e-3


def test_splits_and_subsets_have_plain_batches():
    dataset = make(np.repeat(np.arange(6), 3), batch_size=4).balanced_batches(3, 2)
    train, test = datasets.half_identities(dataset)
    assert train.arrays()[1].tolist() == test.arrays()[1].tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert sum(len(images) for images, _ in batches(test)) == 9
    assert train.balanced_batches(3, 2)[0][0].shape[0] == 6


@pytest.mark.parametrize(
    ("p", "k", "message"),
    [
        (0, 2, "`classes_per_batch`.*Received: classes_per_batch=0"),
        (2, 0, "`images_per_class`.*Received: images_per_class=0"),
        (2, 1.5, "`images_per_class`.*Received: images_per_class=1.5"),
        (4, 2, "number of identities, 3. Received: classes_per_batch=4"),
    ],
)
def test_wrong_arguments(p, k, message):
    with pytest.raises(ValueError, match=message):
        make([0, 0, 5, 5, 9]).balanced_batches(p, k)


# How images are served.


def test_value_range_and_data_format():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype="uint8")
    standard = (pixels / np.float32(255) - np.float32(0.5)) / np.float32(0.5)
    dataset = datasets.from_arrays(
        pixels, [0, 1, 1], value_range=(-1, 1), data_format="channels_first"
    )
    assert dataset.image_shape == (3, 4, 5)
    np.testing.assert_array_equal(dataset.arrays()[0], np.moveaxis(standard, -1, 1))
    assert dataset.subset([2])[0][0].shape == (1, 3, 4, 5)
    keras.config.set_image_data_format("channels_first")
    assert datasets.from_arrays(pixels, [0, 1, 1]).image_shape == (4, 5, 3)
    assert datasets.from_arrays(pixels, [0, 1, 1], data_format=None).image_shape == (3, 4, 5)


@pytest.mark.every_backend
def test_image_dataset_feeds_predict_in_order():
    dataset = datasets.ImageDataset(IndexImage(), 5, (1, 2, 1), batch_size=2)
    model = keras.Sequential([keras.Input((1, 2, 1)), keras.layers.Flatten()])
    expected = np.repeat(np.arange(5)[:, None], 2, axis=1) / 1024
    np.testing.assert_array_equal(model.predict(dataset, verbose=0), expected)
    np.testing.assert_array_equal(dataset.arrays(progress=True).reshape(5, 2), expected)
    with pytest.raises(IndexError, match="index=3"):
        dataset[3]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"num_images": 0},
        {"value_range": (1, 1)},
        {"value_range": (0, float("nan"))},
        {"value_range": 3},
        {"data_format": "NHWC"},
        {"batch_size": 0},
    ],
)
def test_wrong_image_datasets(kwargs):
    name = next(iter(kwargs))
    arguments = {"load": IndexImage(), "num_images": 2, "image_shape": (1, 2, 1), **kwargs}
    with pytest.raises(ValueError, match=f"`{name}`.*Received: {name}="):
        datasets.ImageDataset(**arguments)
