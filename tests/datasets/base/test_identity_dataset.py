import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_resample import datasets


class IndexImage:
    """An image whose every value tells its index, exactly."""

    def __init__(self):
        self.read = 0

    def __call__(self, index):
        self.read += 1
        return np.full((2, 3, 1), index / 64)


def make(labels, **kwargs):
    return datasets.IdentityDataset(IndexImage(), labels, (2, 3, 1), **kwargs)


def indices(dataset):
    """The image numbers of one pass, in the order they come."""
    return [int(v) for b in range(len(dataset)) for v in dataset[b][0][:, 0, 0, 0] * 64]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 17), st.integers(0, 2**40), st.integers(0, 5))
def test_an_epoch_is_a_permutation_whatever_the_batch_size(count, batch_size, seed, epoch):
    labels = np.arange(count) // 3
    dataset = make(labels, batch_size=batch_size, seed=seed)
    dataset.epoch = epoch
    order = indices(dataset)
    assert sorted(order) == list(range(count))
    whole = make(labels, batch_size=count, seed=seed)
    whole.epoch = epoch
    assert indices(whole) == order
    assert [int(v) for b in range(len(dataset)) for v in dataset[b][1]] == list(labels[order])


def test_batches_have_the_documented_types():
    images, labels = make([0, 0, 1, 1, 1], batch_size=2)[0]
    assert images.dtype == np.float32 and labels.dtype == np.int32
    assert images.shape == (2, 2, 3, 1) and labels.shape == (2,)
    assert make([0, 0, 1, 1, 1], batch_size=2)[2][0].shape[0] == 1


@pytest.mark.backends("torch", reason="nothing of a backend")
def test_an_ordered_view_has_each_image_once_in_the_order_of_the_labels():
    labels = np.arange(24) // 4
    dataset = make(labels, batch_size=5, seed=3)
    dataset.epoch = 2
    for one in (dataset, dataset.balanced_batches(2, 3)):
        view = one.ordered()
        view.on_epoch_end()
        assert indices(view) == list(range(24)) != indices(one)
        assert one.shuffle and view.labels is dataset.labels
    assert indices(dataset.subset([7, 3, 5]).ordered()) == [7, 3, 5]


def test_epochs_differ_and_repeat():
    dataset = make(np.zeros(50, int), seed=3)
    first = indices(dataset)
    dataset.on_epoch_end()
    second = indices(dataset)
    assert first != second
    resumed = make(np.zeros(50, int), seed=3)
    resumed.epoch = 1
    assert indices(resumed) == second
    assert indices(make(np.zeros(50, int), seed=4)) != first


def test_without_shuffle_the_order_is_that_of_the_labels():
    dataset = make(np.zeros(9, int), shuffle=False, batch_size=4)
    dataset.on_epoch_end()
    assert indices(dataset) == list(range(9))


def linear_model(*layers):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(4)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def fit(model, initial_epoch=0, **kwargs):
    """Fits to the end of the third epoch, and checks that the dataset follows the epochs."""
    dataset = make(np.arange(20) % 4, batch_size=4, seed=1, **kwargs)
    seen = []
    probe = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: seen.append(dataset.epoch))
    callbacks = [dataset.epoch_callback(), probe]
    model.fit(
        dataset,
        initial_epoch=initial_epoch,
        epochs=3,
        verbose=0,
        shuffle=False,
        callbacks=callbacks,
    )
    assert seen == list(range(initial_epoch, 3))


@pytest.mark.every_backend
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("initial_epoch", [0, 2])
def test_fit_sees_the_batches_of_each_epoch(workers, initial_epoch):
    dataset = make(np.arange(20) % 4, batch_size=4, seed=1)
    by_hand = linear_model(keras.Input((2, 3, 1)))
    for dataset.epoch in range(initial_epoch, 3):
        for batch in dataset:
            by_hand.train_on_batch(*batch)
    fitted = linear_model(keras.Input((2, 3, 1)))
    start = fitted.get_weights()
    # Otherwise `fit` with workers first feeds what it prefetched to build the metrics.
    fitted.train_on_batch(*dataset[0])
    fitted.set_weights(start)
    fit(fitted, initial_epoch, workers=workers)
    for one, other in zip(fitted.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.every_backend
def test_an_unbuilt_model_starts_at_epoch_0_too():
    fit(linear_model())


def test_nothing_is_loaded_before_it_is_read():
    dataset = make(np.arange(1_000_000) // 10, batch_size=8)
    assert dataset.load.read == 0
    dataset[5]
    assert dataset.load.read == 8
    part = dataset.subset(np.arange(500_000))
    assert part.load.load.read == 8


def test_subset_selects_and_relabels():
    dataset = make([0, 0, 3, 3, 5], class_names=list("abcdef"), shuffle=False)
    part = dataset.subset([4, 2])
    assert part.labels.tolist() == [5, 3] and part.num_classes == 6
    assert indices(part) == [4, 2]
    relabeled = dataset.subset(np.array([False, False, True, True, True]), relabel=True)
    assert relabeled.labels.tolist() == [0, 0, 1] and relabeled.class_names == ["d", "f"]
    assert relabeled.subset([2]).image(0)[0, 0, 0] * 64 == 4
    assert dataset.num_images == 5 and dataset.labels.tolist() == [0, 0, 3, 3, 5]


def test_cameras_stay_with_their_images():
    dataset = make([0, 0, 3, 3, 5], cameras=np.array([7, 2, 7, 1, 3]))
    assert dataset.cameras.dtype == np.int32 and make([0, 1]).cameras is None
    part = dataset.subset([4, 0, 2], relabel=True).subset([True, False, True])
    assert part.cameras.tolist() == [3, 7] and part.labels.tolist() == [2, 1]
    assert dataset.ordered().cameras.tolist() == [7, 2, 7, 1, 3]
    assert dataset.balanced_batches(2, 2).cameras.tolist() == [7, 2, 7, 1, 3]
    assert make([0, 1]).subset([0]).cameras is None


def test_arrays_come_in_order():
    dataset = make([1, 0, 2], seed=5)
    images, labels = dataset.arrays(progress=True)
    assert (images[:, 0, 0, 0] * 64).tolist() == [0, 1, 2] and labels.tolist() == [1, 0, 2]


def test_pickled_dataset_gives_the_same_batches():
    dataset = make(np.arange(12) // 2, batch_size=5).subset(np.arange(1, 12))
    dataset.epoch = 4
    copied = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(copied[1][0], dataset[1][0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=40).filter(lambda v: len(set(v)) > 1),
    st.one_of(st.none(), st.integers(0, 1000)),
)
def test_half_identities_partitions_images_and_people(labels, seed):
    dataset = make(labels)
    train, test = datasets.half_identities(dataset, seed)
    images = [sorted(indices(half)) for half in (train, test)]
    assert sorted(images[0] + images[1]) == list(range(len(labels)))
    people = [{labels[i] for i in half} for half in images]
    assert not people[0] & people[1]
    assert len(people[0]) - len(people[1]) in (0, 1)
    for half, who in zip((train, test), people, strict=True):
        assert half.num_classes == len(who)
        assert set(half.labels.tolist()) == set(range(len(who)))
    if seed is None:
        assert max(people[0]) < min(people[1])


def test_an_identity_with_one_image_is_kept():
    train, test = datasets.half_identities(make([0, 1, 1, 2, 3, 3]))
    assert train.num_images == 3 and train.num_classes == 2
    assert test.labels.tolist() == [0, 1, 1]
    assert train.shuffle and not test.shuffle


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size=0"),
        ({"batch_size": 2.0}, ValueError, "batch_size=2.0"),
        ({"batch_size": True}, ValueError, "batch_size=True"),
        ({"seed": -1}, ValueError, "seed=-1"),
        ({"seed": "x"}, ValueError, "seed='x'"),
        ({"labels": []}, ValueError, "labels"),
        ({"labels": [0.5]}, ValueError, "float64"),
        ({"labels": [0, -1]}, ValueError, "-1"),
        ({"labels": [[0]]}, ValueError, r"\(1, 1\)"),
        ({"num_classes": 1}, ValueError, "num_classes=1"),
        ({"class_names": ["a"]}, ValueError, "1 names"),
        ({"image_shape": (2, 3)}, ValueError, "image_shape"),
        ({"load": 3}, TypeError, "load=3"),
        ({"cameras": [1]}, ValueError, r"`cameras` must be 2 integers.*\(1,\)"),
        ({"cameras": [1.0, 2.0]}, ValueError, "cameras of shape .* and dtype float64"),
    ],
)
def test_wrong_arguments(kwargs, error, message):
    kwargs = {"load": IndexImage(), "labels": [0, 1], "image_shape": (2, 3, 1), **kwargs}
    with pytest.raises(error, match=message):
        datasets.IdentityDataset(**kwargs)


def test_wrong_reads():
    dataset = make([0, 1, 2], batch_size=2)
    with pytest.raises(IndexError, match="index=2"):
        dataset[2]
    with pytest.raises(IndexError, match="index=3"):
        dataset.image(3)
    with pytest.raises(ValueError, match="at least one"):
        dataset.subset([])
    with pytest.raises(ValueError, match="from 0 to 3"):
        dataset.subset([0, 3])
    with pytest.raises(ValueError, match="epoch=-1"):
        dataset.epoch = -1
    with pytest.raises(ValueError, match="two identities"):
        datasets.half_identities(make([4, 4]))
    with pytest.raises(ValueError, match="`dataset` must be an IdentityDataset.*dataset=ndarray"):
        datasets.half_identities(np.zeros((4, 2, 3, 1)))
    wrong = datasets.IdentityDataset(lambda index: np.zeros((2, 2)), [0], (2, 3, 1))
    with pytest.raises(ValueError, match=r"shape \(2, 2\) for image 0"):
        wrong.image(0)
