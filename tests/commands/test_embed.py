"""Rows are what the model embeds itself, in the order of the files, whole or not at all."""

import csv
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

import keras_resample as kr
from keras_resample.commands import embed, embedders
from tests.commands.conftest import encoder_of, saved


@pytest.fixture
def rows_of(said, tmp_path):
    """Function from the words of `embed` to the paths and the embeddings that it writes."""

    def rows(*words):
        out = tmp_path / "rows.npz"
        status, text = said("embed", *words, "--out", out)
        assert status == 0, text
        with np.load(out, allow_pickle=False) as file:
            assert sorted(file) == ["embeddings", "paths"]
            assert f"{out} holds {len(file['paths'])} embeddings of 4 numbers." in text
            return file["paths"].tolist(), file["embeddings"]

    return rows


@pytest.mark.every_backend
@pytest.mark.parametrize("flip", [False, True])
def test_a_recognizer_embeds_as_itself(flip, files, images, paths, rows_of):
    found, rows = rows_of(files["recognizer"], images, *["--flip"] * flip, "--batch-size", 2)
    recognizer = keras.saving.load_model(files["recognizer"])
    assert found == paths and rows.dtype == "float32"
    np.testing.assert_allclose(rows, recognizer.embed(paths, flip=flip), atol=1e-6)


def test_an_encoder_and_a_verifier_embed_as_the_recognizer(files, images, rows_of):
    _, expected = rows_of(files["recognizer"], images, "--value-range", -1, 1, "--flip")
    _, rows = rows_of(files["encoder"], images, "--value-range", -1, 1, "--flip")
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    _, expected = rows_of(files["recognizer"], images)
    _, rows = rows_of(files["verifier"], images)
    np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_what_the_file_of_a_verifier_says_is_obeyed(files, images, paths, rows_of, said, tmp_path):
    encoder = keras.saving.load_model(files["encoder"], compile=False)
    verifier = kr.models.Verifier(encoder, 0.5, flip=True, value_range=(-1, 1))
    path = saved(verifier, tmp_path / "own.keras")
    expected = verifier.embed(paths)
    for words in ((), ("--flip",), ("--value-range", -1, 1)):
        np.testing.assert_allclose(rows_of(path, images, *words)[1], expected, atol=1e-6)
    out = tmp_path / "none.npz"
    status, text = said("embed", path, images, "--value-range", 0, 1, "--out", out)
    assert status == 2 and "--value-range must be left out for a Verifier" in text
    assert "says it, -1 1. Received: --value-range 0.0 1.0" in text
    status, text = said("embed", files["verifier"], images, "--value-range", -1, 1, "--out", out)
    assert status == 2 and "says it, 0 1. Received: --value-range -1.0 1.0" in text
    status, text = said("embed", files["verifier"], images, "--flip", "--out", out)
    assert status == 2 and "--flip must be left out for a Verifier" in text
    assert not out.exists()


@pytest.mark.parametrize("first", [False, True])
def test_a_network_of_several_resolutions_takes_each_image_at_its_size(
    first, images, paths, rows_of, tmp_path, monkeypatch
):
    monkeypatch.setattr(embedders, "STEPS_AT_ONCE", 1)
    data_format = "channels_first" if first else "channels_last"
    shape = (3, 16, 16) if first else (16, 16, 3)
    trunk = kr.models.IResNet((1, 1), (2, 4), shape, embedding_dim=4, data_format=data_format)
    network = kr.models.BTNet(trunk, [(8, 8)], data_format=data_format)
    path = saved(network, tmp_path / "network.keras")
    pixels = [2 * np.asarray(Image.open(file), "float32") / 255 - 1 for file in paths]
    pixels = [np.moveaxis(image, -1, 0) if first else image for image in pixels]
    found, rows = rows_of(path, images, "--flip", "--batch-size", 2, "--value-range", -1, 1)
    assert found == paths
    np.testing.assert_allclose(rows, network.embed(pixels, flip=True), atol=1e-5)


def test_a_table_holds_the_same_numbers(files, images, paths, rows_of, said, tmp_path):
    _, rows = rows_of(files["encoder"], images)
    table = tmp_path / "rows.csv"
    assert said("embed", files["encoder"], images, "--out", table)[0] == 0
    with open(table, newline="") as file:
        head, *lines = csv.reader(file)
    assert head == ["path", "0", "1", "2", "3"]
    assert [line[0] for line in lines] == paths
    np.testing.assert_array_equal(np.array([line[1:] for line in lines], "float32"), rows)


def test_what_is_unreadable(files, images, paths, said, tmp_path):
    bad, out = tmp_path / "bad.png", tmp_path / "rows.npz"
    bad.write_text("no image")
    words = ("embed", files["encoder"], paths[0], bad, paths[1], "--out", out)
    status, text = said(*words)
    assert status == 2 and not out.exists()
    assert "IMAGE must be an image that can be read (--skip-unreadable leaves others out)" in text
    assert f"Received: IMAGE {bad} (UnidentifiedImageError" in text
    status, text = said(*words, "--skip-unreadable")
    assert status == 0 and f"Left out: '{bad}' (UnidentifiedImageError" in text
    assert np.load(out)["paths"].tolist() == paths[:2]


def test_models_that_embed_no_images_are_named(images, said, tmp_path):
    images_and_points = [keras.Input((6, 5, 3)), keras.Input((5, 2))]
    flat = [keras.layers.Flatten()(x) for x in images_and_points]
    several = keras.Model(images_and_points, keras.layers.Concatenate()(flat))
    maps = keras.Model(several.inputs[0], keras.layers.Conv2D(2, 1)(several.inputs[0]))
    for name, model in {"a Functional with 2 inputs": several, "a Functional": maps}.items():
        path = saved(model, tmp_path / "other.keras")
        status, text = said("embed", path, images, "--out", tmp_path / "rows.npz")
        assert status == 2 and "MODEL must be a Verifier, a Recognizer, a BTNet, or an" in text
        assert f"Received: MODEL {path}, {name}\n" in text


def test_a_range_that_nobody_knows_has_to_be_said(images, said, tmp_path):
    encoder = encoder_of(first=keras.layers.Rescaling(1 / 255))
    for model in (encoder, kr.models.Verifier(encoder, 0.5)):
        path = saved(model, tmp_path / "scaled.keras")
        words = ("embed", path, images, "--out", tmp_path / "rows.npz")
        status, text = said(*words)
        assert status == 2 and "such as --value-range 0 255. Received" in text
        assert said(*words, "--value-range", 0, 255)[0] == 0


def test_a_network_of_images_of_any_size(paths, rows_of, tmp_path):
    encoder = encoder_of(size=(None, None))
    path = saved(encoder, tmp_path / "any.keras")
    expected = kr.models.Verifier(encoder, 0.0).embed(paths[0])
    np.testing.assert_allclose(rows_of(path, paths[0])[1], expected, atol=1e-6)


def test_embeddings_that_are_no_numbers_are_told(images, paths, said, tmp_path):
    encoder = encoder_of()
    encoder.layers[-1].bias.assign([np.nan] * 4)
    path = saved(encoder, tmp_path / "nan.keras")
    status, text = said("embed", path, images, "--out", tmp_path / "rows.npz")
    assert status == 0
    assert f"3 embeddings are not finite, the first one that of '{paths[0]}'." in text


def test_a_write_that_is_interrupted_leaves_what_was_there(
    files, images, said, tmp_path, monkeypatch
):
    def interrupted(path, *rows):
        pathlib.Path(path).write_text("half a ")
        raise KeyboardInterrupt

    out = tmp_path / "rows.csv"
    out.write_text("the earlier rows")
    monkeypatch.setattr(embed, "_write", interrupted)
    assert said("embed", files["encoder"], images, "--out", out)[0] == 130
    assert out.read_text() == "the earlier rows" and len(list(tmp_path.iterdir())) == 1


def test_the_bar_is_on_a_terminal_alone(files, images, said, tmp_path, monkeypatch):
    words = ("embed", files["recognizer"], images, "--out", tmp_path / "rows.npz")
    monkeypatch.setattr(embed.sys.stdout, "isatty", lambda: True, raising=False)
    assert "3/3" in said(*words)[1]
