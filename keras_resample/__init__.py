"""Decide where a network looks before it spends computation."""

from keras_resample import program
from keras_resample.version import __version__

if not program.is_starting():
    from keras_resample import (
        callbacks,
        datasets,
        export,
        heads,
        layers,
        losses,
        metrics,
        models,
        ops,
        visualization,
    )

__all__ = [
    "__version__",
    "callbacks",
    "datasets",
    "export",
    "heads",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "visualization",
]


def __dir__():
    return __all__
