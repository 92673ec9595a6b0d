"""Python processes of their own, in which TensorFlow is the only framework."""

import importlib.util
import os
import subprocess
import sys

# Exit status with which a child says that writing failed.
WRITING_FAILED = 74


def require_tensorflow(purpose):
    """Raises unless TensorFlow is installed."""
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError(
            f"{purpose} needs TensorFlow on every Keras backend. Install it with: "
            'pip install "keras-resample[serving]"'
        )


def run_python(arguments, text=None):
    """Runs `python *arguments` on Keras's TensorFlow backend and on the CPU.

    Args:
        arguments: of the interpreter.
        text: standard input.

    Returns:
        `(status, errors)`: exit status and the last lines of the standard error.
    """
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        # The caller's framework may hold the whole GPU; a graph is the same wherever it is traced.
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # The child must find what this process finds, also in a checkout or a notebook.
        "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
    }
    done = subprocess.run(
        [sys.executable, *arguments],
        input=text or "",
        env=environment,
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    return done.returncode, "\n".join(done.stderr.strip().splitlines()[-15:])
