"""What a result was measured on."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

import keras

from keras_resample.version import __version__


def describe():
    """Processor, cores, accelerators and versions, as JSON values."""
    backend = keras.backend.backend()
    return {
        "processor": _processor(),
        "cores": _cores(),
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


def _cores():
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _processor():
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
