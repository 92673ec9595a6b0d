"""How the command gets the backend it was asked for, and a terminal without a framework's notes.

Both are settled when Keras is imported, and `python -m keras_resample` imports the package, and so
Keras, before its first line runs.
"""

import contextlib
import logging
import os
import sys

# What TensorFlow's C++ code prints: 3 leaves out all but fatal errors. Python's errors stay.
LOG_LEVEL, FATAL, QUIET = "TF_CPP_MIN_LOG_LEVEL", "3", ("2", "3")


def prepare():
    """Called before the package imports Keras; does something only for the command.

    Reads the command line, so that a wrong option ends the program at once, and imports Keras on
    the backend it names.
    """
    # While Python looks for the module of `python -m`, sys.argv begins with "-m".
    if sys.argv[0] != "-m" or not sys.orig_argv[-len(sys.argv)].endswith("keras_resample"):
        return
    from keras_resample.compare.command import read

    backend = read(sys.argv[1:]).backend
    os.environ.setdefault(LOG_LEVEL, FATAL)
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    with _silent_stderr():
        import keras

        keras.ops.zeros(1)


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


@contextlib.contextmanager
def _silent_stderr():
    """Hides what native code prints; Python's exceptions pass."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
