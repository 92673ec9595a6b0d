"""Keypoints go with their images, whatever the order, the subset and the warp."""

import functools

import keras
import numpy as np
import pytest
from PIL import Image

import keras_resample as kr

RANDOM = np.random.default_rng(0)
NUMBER = 10
# Image i has the value i / 100, and keypoints that say i too.
IMAGES = np.repeat(np.arange(NUMBER) / 100, 36).reshape(NUMBER, 6, 6, 1).astype("float32")
LABELS = np.arange(NUMBER) // 2
KEYPOINTS = np.repeat(np.arange(NUMBER) / 100, 6).reshape(NUMBER, 3, 2).astype("float32")
IDENTITIES = kr.datasets.from_arrays(IMAGES, LABELS, batch_size=4, seed=3)


def fits(inputs, labels):
    value = inputs["images"][:, 0, 0, 0]
    same = np.allclose(inputs["keypoints"], value[:, None, None], atol=1e-6)
    return same and np.array_equal(labels, np.round(value * 100) // 2)


def test_keypoints_follow_their_images():
    dataset = kr.datasets.KeypointDataset(IDENTITIES, KEYPOINTS)
    assert len(dataset) == 3 and dataset.num_images == NUMBER and dataset.num_classes == 5
    orders = []
    for epoch in range(2):
        assert dataset.epoch == epoch
        batches = [dataset[i] for i in range(3)]
        assert all(fits(*batch) for batch in batches)
        orders.append(np.concatenate([inputs["keypoints"][:, 0, 0] for inputs, _ in batches]))
        assert sorted(orders[-1]) == sorted(KEYPOINTS[:, 0, 0])
        dataset.on_epoch_end()
    assert not np.array_equal(*orders)
    assert fits(*dataset[-1]) and IDENTITIES.epoch == 0


def test_views():
    dataset = kr.datasets.KeypointDataset(IDENTITIES, KEYPOINTS, warp=lambda *_, seed: 1 / 0)
    ordered = dataset.ordered()
    assert ordered[0][1].tolist() == [0, 0, 1, 1] and fits(*ordered[2])
    assert fits(*dataset.arrays())
    part = kr.datasets.KeypointDataset(IDENTITIES, KEYPOINTS).subset(LABELS > 2, relabel=True)
    assert part.num_images == 4 and part.num_classes == 2 and part.labels.tolist() == [0, 0, 1, 1]
    assert fits(part[0][0], part[0][1] + 3)
    balanced = kr.datasets.KeypointDataset(IDENTITIES, KEYPOINTS).balanced_batches(2, 2)
    assert len(balanced) == 2 and all(fits(*balanced[i]) for i in range(2))


def test_warps_are_drawn_from_seed_epoch_and_batch():
    warp = functools.partial(kr.datasets.warp_with_keypoints, translation=0.3)
    datasets = [kr.datasets.KeypointDataset(IDENTITIES, KEYPOINTS, warp) for _ in range(2)]
    found, again = (dataset[1][0]["keypoints"] for dataset in datasets)
    np.testing.assert_array_equal(found, again)
    _, expected = warp(*kr.datasets.KeypointDataset(IDENTITIES, KEYPOINTS)[1][0].values(),
                       seed=(3, 0, 1))  # fmt: skip
    np.testing.assert_array_equal(found, expected)
    datasets[1].epoch = 1
    assert not np.array_equal(datasets[1][1][0]["keypoints"], found)


def test_sources_are_called_in_batches():
    sizes = []

    def source(images):
        sizes.append(len(images))
        return images[:, :3, :2, 0]

    dataset = kr.datasets.KeypointDataset(IDENTITIES, source)
    assert sizes == [4, 4, 2] and fits(*dataset[0])
    np.testing.assert_array_equal(dataset.keypoints, KEYPOINTS)


@pytest.mark.every_backend
def test_a_keras_model_is_a_source_and_a_model_is_trained_on_the_dataset():
    images = keras.Input((6, 6, 1))
    mean = keras.layers.GlobalAveragePooling2D(data_format="channels_last")(images)
    points = keras.Model(images, keras.layers.Reshape((3, 2))(keras.layers.RepeatVector(6)(mean)))
    dataset = kr.datasets.KeypointDataset(IDENTITIES, points)
    np.testing.assert_allclose(dataset.keypoints, KEYPOINTS, atol=1e-6)
    shapes = {"images": (6, 6, 1), "keypoints": (3, 2)}
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    flat = [keras.layers.Flatten()(value) for value in inputs.values()]
    outputs = keras.layers.Dense(5)(keras.layers.Concatenate()(flat))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(dataset, epochs=2, shuffle=False, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert model.predict(dataset.ordered(), verbose=0).shape == (NUMBER, 5)


def test_a_file_of_keypoints(tmp_path):
    lines = []
    for index, name in enumerate(("ann", "bob")):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8), index).save(tmp_path / name / "1.png")
        lines.insert(0, f"{name}/1.png {index} {index} 4 4\n")
    (tmp_path / "points.txt").write_text("".join(lines))
    faces = kr.datasets.image_folder(tmp_path, shuffle=False)
    points = kr.datasets.keypoint_file(tmp_path / "points.txt", num_keypoints=2)
    dataset = kr.datasets.KeypointDataset(faces, points)
    np.testing.assert_allclose(dataset.keypoints[:, 0], [[0.5 / 8] * 2, [1.5 / 8] * 2])
    points.popitem()
    with pytest.raises(ValueError, match="1 are missing.*ann"):
        kr.datasets.KeypointDataset(faces, points)
    with pytest.raises(ValueError, match="a dataset without paths"):
        kr.datasets.KeypointDataset(IDENTITIES, points)


@pytest.mark.parametrize(
    ("keypoints", "message"),
    [
        (KEYPOINTS[:4], "`keypoints` must be those of 10 images. Received: keypoints of 4"),
        (KEYPOINTS[:, :, :1], r"`keypoints` must be numbers \(n, k, 2\)"),
        (KEYPOINTS * 112, "`keypoints` must be relative.*Pixels?"),
        (KEYPOINTS + np.inf, "`keypoints` must be relative"),
        (None, r"`keypoints` must be numbers \(n, k, 2\)"),
        (lambda images: np.zeros((1, 5, 2)), "`keypoints` must be those of 4 images"),
        (lambda images: np.full((len(images), 5, 2), 56.0), "`keypoints` must be relative"),
    ],
)
def test_bad_keypoints(keypoints, message):
    with pytest.raises(ValueError, match=message):
        kr.datasets.KeypointDataset(IDENTITIES, keypoints)


def test_missing_keypoints_pass():
    missing = KEYPOINTS.copy()
    missing[3] = np.nan
    found = kr.datasets.KeypointDataset(IDENTITIES, missing).keypoints
    np.testing.assert_array_equal(found, missing)


def test_bad_arguments():
    with pytest.raises(TypeError, match="`dataset` must be an IdentityDataset"):
        kr.datasets.KeypointDataset(IMAGES, KEYPOINTS)
    with pytest.raises(TypeError, match="`warp` must be None or a callable"):
        kr.datasets.KeypointDataset(IDENTITIES, KEYPOINTS, warp=30)
