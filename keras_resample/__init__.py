"""Decide where a network looks before it spends computation."""

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
from keras_resample.version import __version__
