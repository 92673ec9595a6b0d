"""Models of files, as the commands load them: no code of the file is run."""

import importlib
import re

import keras

from keras_resample import heads, layers, losses, metrics, models  # noqa: F401, they register
from keras_resample.compare.engine.checks import SettingError

UNKNOWN = re.compile(r"Could not locate \w+ '([^']+)'")
CODE = "Python lambda"


def load(command):
    """The model of a command's file, `command.model`.

    Raises:
        SettingError: for a module that cannot be imported, and a file that cannot be loaded, that
            holds a class which nobody registered, or code.
    """
    for module in command.custom_modules:
        _import(module)
    try:
        return keras.saving.load_model(command.model, compile=False)
    except MemoryError:
        raise
    except Exception as error:  # of many types, from zip, JSON and HDF5 up to the layers' own
        raise SettingError("model", _what_is_wrong(error), command.model) from error


def _import(module):
    try:
        importlib.import_module(module)
    except Exception as error:  # it is the user's code
        must = f"must be modules that can be imported ({type(error).__name__}: {error})"
        raise SettingError("custom_modules", must, module) from error


def _what_is_wrong(error):
    text = str(error)
    if CODE in text:
        return (
            "must not hold a lambda: its code would be run. Save the model with a registered layer "
            "of your own in its place, which --custom-modules names, or with functions of "
            "keras.ops. A file that you trust is loaded in Python, with safe_mode=False"
        )
    unknown = UNKNOWN.search(text)
    if unknown:
        return (
            f"must hold registered classes, and nobody registered {unknown[1]!r}: name the module "
            "that does so by --custom-modules"
        )
    first = text.strip().partition("\n")[0]
    return f"must be a sound .keras file ({type(error).__name__}: {first})"
