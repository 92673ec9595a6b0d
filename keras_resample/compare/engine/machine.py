"""What a result was measured on."""

import datetime
import importlib.metadata
import platform

import keras

from keras_resample.machine import cores, processor
from keras_resample.version import __version__


def describe():
    """Processor, cores, accelerators and versions, as JSON values."""
    backend = keras.backend.backend()
    return {
        "processor": processor(),
        "cores": cores(),
        # TensorFlow puts the address of a cluster in front.
        "device": str(keras.ops.zeros(1).device).rsplit("device:", 1)[-1],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "backend": backend,
        "versions": {
            "keras_resample": __version__,
            "keras": keras.version(),
            backend: importlib.metadata.version(backend),
            "numpy": importlib.metadata.version("numpy"),
        },
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
