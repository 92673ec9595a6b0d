"""A recognizer whose encoder is told keypoints: in training, in its callbacks and in its file."""

import functools

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.numerics import assert_close

SIZE = {"width": 8, "depth": 1, "num_heads": 2}
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.random((12, 14, 14, 1), dtype="float32")
POINTS = RANDOM.random((12, 5, 2), dtype="float32")
INPUTS = {"images": IMAGES, "keypoints": POINTS}
LABELS = np.arange(12) // 3
SAME = np.arange(6) % 2 == 0


@pytest.fixture(scope="module")
def recognizer():
    keras.config.set_image_data_format("channels_last")
    encoder = kr.models.KeypointViT(SIZE, (14, 14, 1), patch_size=7, embedding_dim=4)
    recognizer = kr.models.Recognizer(encoder, kr.heads.AdaFace(4))
    recognizer.compile(keras.optimizers.AdamW(1e-2))
    return recognizer


@pytest.fixture
def dataset():
    keras.config.set_image_data_format("channels_last")
    faces = kr.datasets.from_arrays(IMAGES, LABELS, batch_size=6, seed=1)
    warp = functools.partial(kr.datasets.warp_with_keypoints, rotation=10)
    return kr.datasets.KeypointDataset(faces, POINTS, warp)


@pytest.mark.every_backend
def test_it_trains_and_is_verified(recognizer, dataset, tmp_path):
    sets = {"people": dataset, "pairs": (INPUTS, SAME)}
    path = str(tmp_path / "best.keras")
    callback = kr.callbacks.VerificationCallback(sets, kr.metrics.eer, filepath=path, batch_size=5)
    history = recognizer.fit(dataset, epochs=2, verbose=0, callbacks=[callback]).history
    assert np.isfinite(history["loss"]).all()
    rows = recognizer.embed(dataset)  # in the order of the labels, and without warps
    assert_close(recognizer.embed(INPUTS), rows)
    assert history["pairs_eer"][-1] == pytest.approx(kr.metrics.eer(
        np.sum(rows[0::2] * rows[1::2], axis=1), SAME))  # fmt: skip
    moved = recognizer.embed({**INPUTS, "keypoints": POINTS[::-1]})
    assert np.abs(moved - rows).max() > 1e-5
    best = keras.saving.load_model(path)
    assert [tensor.name for tensor in best.encoder.inputs] == ["images", "keypoints"]
    assert best.embed(INPUTS).shape == rows.shape


def test_what_cannot_be_counted_or_mirrored_is_named(recognizer):
    with pytest.raises(ValueError, match="two images per entry of `same`.*12 images"):
        kr.callbacks.VerificationCallback((INPUTS, SAME[:5]), kr.metrics.lfw_accuracy)
    with pytest.raises(ValueError, match="`flip` needs an encoder of one tensor"):
        recognizer.embed(INPUTS, flip=True)
