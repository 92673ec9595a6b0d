"""A file is loaded without running its code, and what it lacks is said in one sentence."""

import sys

import keras
import pytest

from keras_resample.commands.embed import Embed
from keras_resample.commands.loading import load
from keras_resample.compare.engine.checks import SettingError
from tests.commands.conftest import encoder_of, saved

MODULE = """
import keras


@keras.saving.register_keras_serializable(package="test_loading")
class Twice(keras.layers.Layer):
    def call(self, images):
        return 2 * images
"""


def command_of(path, images, tmp_path, **words):
    return Embed(model=str(path), images=images, out=tmp_path / "rows.npz", **words)


def test_a_layer_of_a_module_of_ones_own(images, tmp_path, monkeypatch):
    (tmp_path / "layers_of_ones_own.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    from layers_of_ones_own import Twice

    path = saved(encoder_of(first=Twice()), tmp_path / "twice.keras")
    keras.saving.get_custom_objects().pop("test_loading>Twice")
    monkeypatch.delitem(sys.modules, "layers_of_ones_own")
    with pytest.raises(SettingError, match="nobody registered 'Twice'.*--custom-modules"):
        load(command_of(path, images, tmp_path))
    found = load(command_of(path, images, tmp_path, custom_modules="layers_of_ones_own"))
    assert type(found.layers[1]).__name__ == "Twice"


@pytest.mark.parametrize("text", ["import no_such_module", "1 / 0", "raise SystemError('x')"])
def test_a_module_that_cannot_be_imported(text, files, images, tmp_path, monkeypatch):
    (tmp_path / "fails_at_import.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    command = command_of(files["encoder"], images, tmp_path, custom_modules=["fails_at_import"])
    with pytest.raises(SettingError, match="`custom_modules` must be modules that can be imported"):
        load(command)


def test_code_is_not_run(images, tmp_path):
    path = saved(encoder_of(first=keras.layers.Lambda(lambda x: 2 * x)), tmp_path / "code.keras")
    with pytest.raises(SettingError, match="`model` must not hold a lambda.*keras.ops"):
        load(command_of(path, images, tmp_path))


@pytest.mark.parametrize("cut", [0, 10, 400, -1])
def test_a_damaged_file(cut, files, images, tmp_path):
    with open(files["encoder"], "rb") as file:
        content = file.read()
    path = tmp_path / "damaged.keras"
    path.write_bytes(content[:cut])
    with pytest.raises(SettingError, match="`model` must be a sound .keras file"):
        load(command_of(path, images, tmp_path))
