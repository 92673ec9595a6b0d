"""A verifier compares embeddings of length 1, and its file holds who is enrolled."""

import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

import keras_resample as kr


@pytest.fixture(autouse=True)
def channels_last():
    keras.config.set_image_data_format("channels_last")


def encoder_of(size=(6, 5), channels=3, dim=4):
    keras.utils.set_random_seed(0)
    images = keras.Input((*size, channels))
    x = keras.layers.Conv2D(3, 3, activation="tanh")(images)
    return keras.Model(images, keras.layers.Dense(dim)(keras.layers.Flatten()(x)))


def images_of(count, seed=0):
    return np.random.default_rng(seed).random((count, 6, 5, 3)).astype("float32")


@pytest.mark.parametrize("flip", [False, True])
def test_embeddings_are_those_of_the_recognizer(flip):
    recognizer = kr.models.Recognizer(encoder_of(), kr.heads.ArcFace(3))
    recognizer.build((None, 6, 5, 3))
    verifier = kr.models.Verifier(recognizer, 0.5, flip=flip)
    images = images_of(7)
    expected = recognizer.embed(images, flip=flip)
    np.testing.assert_allclose(verifier.embed(images, batch_size=3), expected, atol=1e-5)
    np.testing.assert_allclose(verifier.embed(images[2]), expected[2:3], atol=1e-5)
    dataset = kr.datasets.from_arrays(images, np.arange(7), batch_size=2, shuffle=True)
    np.testing.assert_allclose(verifier.embed(dataset), expected, atol=1e-5)


def test_a_vector_of_zeros_stays_zeros_and_large_ones_are_finite():
    images = keras.Input((1, 1, 2))
    verifier = kr.models.Verifier(keras.Model(images, keras.layers.Flatten()(images)), 0.5)
    given = np.array([[0, 0], [3e30, 4e30], [3e-30, 4e-30]], "float32").reshape(3, 1, 1, 2)
    expected = [[0, 0], [0.6, 0.8], [0.6, 0.8]]
    np.testing.assert_allclose(verifier.embed(given), expected, atol=1e-6)


def test_verify_is_the_cosine_and_the_threshold():
    first, second = images_of(5), images_of(5, seed=1)
    encoder = encoder_of()
    one, other = (encoder.predict(images, verbose=0) for images in (first, second))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(1) / lengths
    verifier = kr.models.Verifier(encoder, threshold=float(np.median(cosines)) - 1e-4)
    scores, same = verifier.verify(first, second)
    np.testing.assert_allclose(scores, cosines, atol=1e-5)
    assert same.sum() == 3
    single = verifier.verify(first[1], second[1])
    assert isinstance(single.score, float) and isinstance(single.same, bool)
    assert single.score == pytest.approx(cosines[1], abs=1e-5) and single.same == same[1]
    backwards = verifier.verify(second, first).score
    np.testing.assert_allclose(backwards, scores, atol=1e-6)


def test_search_finds_who_was_enrolled():
    people = {name: images_of(3, seed) for seed, name in enumerate(["ann", "bob", "cid"])}
    verifier = kr.models.Verifier(encoder_of(), threshold=0.99)
    for name, images in people.items():
        verifier.enroll(name, images)
    assert verifier.names == ("ann", "bob", "cid")
    embeddings = {name: verifier.embed(images).sum(0) for name, images in people.items()}
    probe = images_of(2, seed=9)
    of_probe = verifier.embed(probe)
    for row, found in zip(of_probe, verifier.search(probe, k=2), strict=True):
        cosines = {n: float(row @ e / np.linalg.norm(e)) for n, e in embeddings.items()}
        best = sorted(cosines, key=cosines.get, reverse=True)
        assert [match.name for match in found] == best[:2]
        assert [match.score for match in found] == pytest.approx(
            [cosines[name] for name in best[:2]], abs=1e-5
        )
        assert all(match.same == (match.score >= 0.99) for match in found)
    single = verifier.search(probe[0], k=10)
    assert len(single) == 3
    for one, other in zip(single, verifier.search(probe, k=2)[0], strict=False):
        assert one.name == other.name and one.score == pytest.approx(other.score, abs=1e-5)
    verifier.enroll("ann", probe[0], overwrite=True)
    best = verifier.search(probe[0], k=1)[0]
    assert best.name == "ann" and best.same and best.score == pytest.approx(1, abs=1e-5)
    verifier.remove("ann")
    assert verifier.names == ("bob", "cid")


def test_files_are_read_in_the_range_that_was_given(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), "uint8")
    paths = [tmp_path / f"{i}.png" for i in range(2)]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    encoder = encoder_of()
    for value_range, given in ((None, pixels / 255), ((-1, 1), pixels / 127.5 - 1)):
        verifier = kr.models.Verifier(encoder, 0.5, value_range=value_range)
        expected = verifier.embed(given.astype("float32"))
        np.testing.assert_allclose(verifier.embed(paths), expected, atol=1e-5)
        np.testing.assert_allclose(verifier.embed(str(paths[1])), expected[1:], atol=1e-5)
    assert verifier.verify(paths[0], paths[0]).same
    images = keras.Input((6, 5, 3))
    scaling = keras.Model(images, encoder(keras.layers.Rescaling(1 / 255)(images)))
    with pytest.raises(ValueError, match="scales its images itself"):
        kr.models.Verifier(scaling, 0.5).embed(paths)


def test_the_file_holds_everything(tmp_path):
    verifier = kr.models.Verifier(encoder_of(), 0.4, flip=True, value_range=(-1, 1), name="door")
    empty = tmp_path / "empty.keras"
    verifier.save(empty)
    assert keras.models.load_model(empty).names == ()
    verifier.enroll("Ann Lee", images_of(2))
    verifier.enroll("bob", images_of(1, 1))
    path = tmp_path / "door.keras"
    verifier.save(path)
    loaded = keras.models.load_model(path)
    assert (loaded.threshold, loaded.flip, loaded.value_range) == (0.4, True, (-1.0, 1.0))
    probe = images_of(3, 5)
    for one, other in zip(verifier.search(probe), loaded.search(probe), strict=True):
        assert [match.name for match in one] == [match.name for match in other]
        assert [m.score for m in one] == pytest.approx([m.score for m in other], abs=1e-5)
    loaded.enroll("cid", images_of(1, 2))
    assert verifier.names == ("Ann Lee", "bob")


def test_a_damaged_file_is_refused(tmp_path):
    verifier = kr.models.Verifier(encoder_of(), 0.4)
    verifier.enroll("ann", images_of(1))
    path, damaged = tmp_path / "door.keras", tmp_path / "damaged.keras"
    verifier.save(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(damaged, "w") as new:
        for name in old.namelist():
            text = old.read(name)
            new.writestr(name, text.replace(b'["ann"]', b'["ann", "eve"]'))
    with pytest.raises(ValueError, match="a finite embedding for each name"):
        keras.models.load_model(damaged)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: kr.models.Verifier(keras.layers.Dense(2), 0.5), "`encoder` must be a built"),
        (lambda v: kr.models.Verifier(v.encoder, 1.5), "`threshold` must"),
        (lambda v: kr.models.Verifier(v.encoder, 0.5, flip=2), "`flip` must"),
        (lambda v: v.verify(images_of(2), images_of(3)), "same number of images"),
        (lambda v: v.verify(images_of(1), np.full((1, 6, 5, 3), np.nan)), "finite embeddings"),
        (lambda v: v.search(images_of(1)), "call `enroll` first"),
        (lambda v: v.enroll("", images_of(1)), "`name` must be a text"),
        (lambda v: v.enroll("ann", np.full((1, 6, 5, 3), np.nan)), "finite embeddings"),
        (lambda v: v.remove("ann"), "`name` must be one of"),
        (lambda v: [v.enroll("ann", images_of(1)) for _ in range(2)], "`name` must be new"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(kr.models.Verifier(encoder_of(), 0.5))
