"""How the command gets the backend it was asked for, and a terminal without a framework's notes.

Both are settled when Keras is imported, and `python -m keras_resample` imports the package, and so
Keras, before its first line runs.
"""

import logging
import os
import sys

# What TensorFlow's C++ code prints: 3 leaves out all but fatal errors. Python's errors stay.
LOG_LEVEL, FATAL, QUIET = "TF_CPP_MIN_LOG_LEVEL", "3", ("2", "3")


def start(settings, arguments):
    """Goes on where Keras runs on the backend of `settings`, and starts the program anew where not.

    Args:
        settings: `Settings`.
        arguments: list of the strings of the command line, for the new start.
    """
    import keras

    running = keras.backend.backend()
    backend = settings.backend or running
    # TensorFlow sets the variable to 1 when it is imported, and does not read it again.
    noisy = "tensorflow" in sys.modules and os.environ.get(LOG_LEVEL) not in QUIET
    if backend != running or noisy:
        environment = {**os.environ, "KERAS_BACKEND": backend, LOG_LEVEL: FATAL}
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", "keras_resample", *arguments], environment)
    # TensorFlow may be imported later, for the export.
    os.environ.setdefault(LOG_LEVEL, FATAL)
    # It warns of the fifth model that is traced; here every model is a new one.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
