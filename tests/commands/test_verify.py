"""The answer is that of the verifier, and an error is no answer."""

import keras
import numpy as np
import pytest

import keras_resample as kr
from tests.commands.conftest import encoder_of, saved


def test_the_answer_is_that_of_the_verifier(files, paths, said, tmp_path):
    encoder = keras.saving.load_model(files["encoder"], compile=False)
    score = kr.models.Verifier(encoder, 0.0).verify(*paths[:2]).score
    for threshold in (-1.0, score - 1e-4, score + 1e-4, 1.0):
        verifier = kr.models.Verifier(encoder, threshold)
        path = saved(verifier, tmp_path / "door.keras")
        same = verifier.verify(*paths[:2]).same
        answer = f"{'same' if same else 'different'}, score {score:.4f}, threshold {threshold:.4f}"
        assert said("verify", path, *paths[:2]) == (0 if same else 3, f"{answer}\n")


def test_the_threshold_of_the_file_gives_way(files, paths, said):
    assert said("verify", files["verifier"], paths[0], paths[0])[0] == 0
    status, text = said("verify", files["verifier"], *paths[:2], "--threshold", 1)
    assert status == 3 and "threshold 1.0000" in text


@pytest.mark.parametrize("name", ["recognizer", "encoder"])
def test_another_model_needs_a_threshold(name, files, paths, said):
    status, text = said("verify", files[name], *paths[:2])
    assert status == 2 and "--threshold must be given for a " in text
    assert "the file of a Verifier has one" in text
    expected = said("verify", files["verifier"], *paths[:2])
    assert said("verify", files[name], *paths[:2], "--threshold", 0.41) == expected


def test_values_and_mirror_images_reach_the_encoder(files, paths, said):
    recognizer = keras.saving.load_model(files["recognizer"])
    rows = recognizer.embed(paths[:2], flip=True, value_range=(-1, 1))
    words = ("--threshold", -1, "--flip", "--value-range", -1, 1)
    text = said("verify", files["recognizer"], *paths[:2], *words)[1]
    assert f"score {rows[0] @ rows[1]:.4f}," in text


def test_a_network_of_several_resolutions(paths, said, tmp_path):
    trunk = kr.models.IResNet(
        (1, 1), (2, 4), (16, 16, 3), embedding_dim=4, data_format="channels_last"
    )
    network = kr.models.BTNet(trunk, [(8, 8)], data_format="channels_last")
    path = saved(network, tmp_path / "network.keras")
    status, text = said("verify", path, paths[0], paths[0], "--threshold", 0.5)
    assert status == 0 and "same, score 1.0000" in text


def test_an_error_is_no_answer(files, images, paths, said, tmp_path):
    status, text = said("verify", files["verifier"], paths[0], images / "notes.txt")
    assert status == 2 and "SECOND must be an image that can be read. Received: SECOND" in text
    encoder = encoder_of()
    encoder.layers[-1].bias.assign([np.nan] * 4)
    path = saved(kr.models.Verifier(encoder, 0.5), tmp_path / "nan.keras")
    status, text = said("verify", path, *paths[:2])
    assert status == 2 and "FIRST must have a finite embedding" in text
