"""The numbers of a protocol by name, as they stand in a training log."""

import dataclasses
import functools
import inspect

import numpy as np

from keras_resample.metrics.verification.all_pairs import all_pairs, bounded_pairs
from keras_resample.metrics.verification.pair_scores import pair_scores

# What the functions that return several numbers return, after the name of the first.
SEVERAL = {"lfw_accuracy": ("", "_std"), "val_at_far": ("", "_std", "_far")}
SHORT_NAMES = {"lfw_accuracy": "accuracy", "val_at_far": "val"}
# More numbers than this are a curve, not a line of a log.
MOST = 64


def protocol_numbers(protocols, embeddings, truth):
    """Run the protocols on the embeddings of a set.

    Args:
        protocols: Dict from name to function, or one function.
        embeddings: Array (n, dim).
        truth: Second argument of the functions, or `None` where they take the embeddings alone.

    Returns:
        Dict from name to float.

    Example:
    >>> from keras_resample.metrics import eer
    >>> protocol_numbers(eer, [[1, 0], [1, 0], [1, 0], [0, 1]], [True, False])
    {'eer': 0.0}
    """
    if not isinstance(protocols, dict):
        found = _run(protocols, embeddings, truth)
        name = _function(protocols).__name__ if hasattr(_function(protocols), "__name__") else ""
        prefix = "" if isinstance(found, dict) else SHORT_NAMES.get(name, name)
        return dict(_named(prefix, found, protocols))
    result = {}
    for name, protocol in protocols.items():
        result |= _named(name, _run(protocol, embeddings, truth), protocol)
    return result


def _run(protocol, embeddings, truth):
    if truth is None:
        return protocol(embeddings)
    parameters = _parameters(protocol)
    if parameters[:2] != ["scores", "same"]:
        return protocol(embeddings, truth)
    truth = np.asarray(truth)
    if truth.dtype == bool:
        return protocol(*_listed_pairs(embeddings, truth))
    if "counts" not in parameters:
        return protocol(*all_pairs(embeddings, truth))
    scores, same, counts = bounded_pairs(embeddings, truth)
    return protocol(scores, same, counts=counts)


def _listed_pairs(embeddings, truth):
    """Scores and same of the pairs that the truth lists."""
    if truth.ndim != 1 or len(embeddings) != 2 * len(truth):
        raise ValueError(
            "`data` must have two images per entry of `same`. "
            f"Received: {len(embeddings)} images and same of shape {truth.shape}"
        )
    first = 2 * np.arange(len(truth))
    return pair_scores(embeddings, first, first + 1), truth


def _named(name, value, protocol):
    """Pairs of a name and a float; what a name says comes after that of the whole."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _named(f"{name}_{key}" if name else str(key), part, protocol)
        return
    if isinstance(value, tuple):
        suffixes = SEVERAL.get(getattr(_function(protocol), "__name__", ""))
        if suffixes is None or len(suffixes) != len(value):
            suffixes = [f"_{i}" for i in range(len(value))]
        for suffix, part in zip(suffixes, value, strict=True):
            yield from _named(name + suffix, part, protocol)
        return
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or array.size > MOST:
        raise ValueError(
            "`protocol` must return numbers, or a dict, tuple or array of at most "
            f"{MOST} numbers. Received: {type(value).__name__} of shape {array.shape}"
        )
    if array.ndim == 0:
        yield name or "result", float(array)
        return
    for i, number in enumerate(array.ravel()):
        yield (f"{name}_{i}" if array.size > 1 else name), float(number)


def _parameters(protocol):
    try:
        return list(inspect.signature(protocol).parameters)
    except (TypeError, ValueError):  # some functions written in C have no signature
        return []


def _function(protocol):
    return protocol.func if isinstance(protocol, functools.partial) else protocol
