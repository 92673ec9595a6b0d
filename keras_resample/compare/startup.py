"""How the command gets the backend it was asked for, and a terminal without a framework's notes.

Both are settled when Keras is imported. `python -m keras_resample` does so when its words are read;
a program that runs the module itself may have done so before.
"""

import importlib.util
import logging
import os
import sys

from keras_resample.compare.engine.checks import BACKENDS, SettingError

# What TensorFlow's C++ code prints: 3 leaves out all but fatal errors. Python's errors stay.
LOG_LEVEL, FATAL, QUIET = "TF_CPP_MIN_LOG_LEVEL", "3", ("2", "3")


def start(settings, arguments):
    """Goes on where Keras runs on the backend of `settings`, and starts the program anew where not.

    Args:
        settings: what was asked for, with its `backend`, or `None` for Keras's own choice.
        arguments: list of the strings of the command line, for the new start.

    Raises:
        SettingError: the backend that Keras is configured for is not installed.
    """
    if "keras" in sys.modules:
        _start_again(settings, arguments)
    elif settings.backend:
        os.environ["KERAS_BACKEND"] = settings.backend
    # TensorFlow may be imported later, for the export.
    os.environ.setdefault(LOG_LEVEL, FATAL)
    # It warns of the fifth model that is traced; here every model is a new one.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        import keras  # noqa: F401
    except ImportError as error:
        if error.name not in BACKENDS:
            raise
        installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
        must = f"must be one that is installed ({', '.join(installed) or 'none is'})"
        raise SettingError("backend", must, error.name) from error


def _start_again(settings, arguments):
    """Starts the program anew where Keras runs on another backend, or TensorFlow prints notes."""
    import keras

    running = keras.backend.backend()
    backend = settings.backend or running
    # TensorFlow sets the variable to 1 when it is imported, and does not read it again.
    noisy = "tensorflow" in sys.modules and os.environ.get(LOG_LEVEL) not in QUIET
    if backend != running or noisy:
        environment = {**os.environ, "KERAS_BACKEND": backend, LOG_LEVEL: FATAL}
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", "keras_resample", *arguments], environment)
