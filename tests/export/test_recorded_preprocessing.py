"""What a model was trained on goes with it into its file and into the SavedModel."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.export.image_bytes import encoded, random_pixels
from tests.export.small_models import NATIVE, load

pytest.importorskip("tensorflow")

SIZE, COUNT = (6, 8), 6


@pytest.fixture(scope="module")
def pixels():
    return np.stack([random_pixels(SIZE, seed) for seed in range(COUNT)])


@pytest.fixture(scope="module")
def paths(pixels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for number, image in enumerate(pixels):
        (folder / f"{number}.png").write_bytes(encoded(image, "PNG"))
    return [str(folder / f"{number}.png") for number in range(COUNT)]


@pytest.fixture(scope="module")
def recognizer(pixels):
    """Trained for a step on images in [-1, 1]."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((*SIZE, 3))
    encoder = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.Flatten()(inputs)))
    recognizer = kr.models.Recognizer(encoder, kr.heads.ArcFace(3))
    recognizer.compile("sgd")
    dataset = kr.datasets.from_arrays(
        pixels, np.arange(COUNT) % 3, value_range=(-1, 1), data_format="channels_last"
    )
    recognizer.fit(dataset, verbose=0)
    return recognizer


def serve(path, endpoint, **inputs):
    import tensorflow as tf

    given = {name: tf.constant(values) for name, values in inputs.items()}
    return {name: x.numpy() for name, x in load(path).signatures[endpoint](**given).items()}


def test_a_file_remembers_the_range(recognizer, paths, tmp_path):
    assert recognizer.preprocessing.value_range == (-1.0, 1.0)
    recognizer.save(tmp_path / "face.keras")
    loaded = keras.saving.load_model(tmp_path / "face.keras")
    assert loaded.preprocessing == recognizer.preprocessing
    expected = recognizer.embed(paths, value_range=(-1, 1))
    np.testing.assert_allclose(loaded.embed(paths), expected, atol=1e-6)
    with pytest.raises(ValueError, match="`value_range` must be that of training"):
        loaded.embed(paths, value_range=(0, 1))
    verifier = kr.models.Verifier(loaded, 0.5)
    assert verifier.preprocessing == ((-1.0, 1.0), False, True, 0.5)
    np.testing.assert_allclose(verifier.embed(paths), expected, atol=1e-6)


def test_nothing_is_remembered_of_arrays(recognizer, pixels, tmp_path):
    other = kr.models.Recognizer(recognizer.encoder, kr.heads.ArcFace(3))
    other.compile("sgd")
    other.fit(pixels.astype("float32"), np.arange(COUNT) % 3, verbose=0)
    assert other.preprocessing.value_range is None
    assert "value_range" not in other.get_config()


@NATIVE
def test_files_are_served_as_they_are_embedded(recognizer, pixels, paths, tmp_path):
    path = kr.export.saved_model(recognizer, tmp_path / "1", normalize=True, check=False)
    files = [encoded(image, "PNG") for image in pixels]
    found = serve(path, "serve_bytes", images=files)["embedding"]
    np.testing.assert_allclose(found, recognizer.embed(paths), rtol=0, atol=1e-5)
    assert "black is -1 and white 1" in (path / "MODEL_CARD.md").read_text()
    said = kr.export.saved_model(recognizer, tmp_path / "2", scale=1 / 255, check=False)
    assert "black is 0 and white 1" in (said / "MODEL_CARD.md").read_text()


def test_a_verifier_is_served_as_it_answers(recognizer, pixels, paths, tmp_path):
    """Mirror images, length, range and threshold, checked before it appears."""
    scores = kr.models.Verifier(recognizer, 0.0, flip=True).verify(paths, paths[::-1]).score
    verifier = kr.models.Verifier(recognizer, float(np.median(scores)) + 1e-3, flip=True)
    path = kr.export.saved_model(verifier, tmp_path / "1")
    files = [encoded(image, "PNG") for image in pixels]
    found = serve(path, "verify", first=files, second=files[::-1])
    expected = verifier.verify(paths, paths[::-1])
    assert set(found["same"].tolist()) == {True, False}
    np.testing.assert_allclose(found["score"], expected.score, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found["same"], expected.same)
    card = (path / "MODEL_CARD.md").read_text()
    assert "from a cosine of" in card and "mirror image" in card and " ms |" in card
    found = serve(path, "serve_bytes", images=files)["embedding"]
    np.testing.assert_allclose(found, verifier.embed(paths), rtol=0, atol=1e-5)
