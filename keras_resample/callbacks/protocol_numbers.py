"""The numbers of a protocol by name, as they stand in a training log."""

import dataclasses
import functools
import inspect

import numpy as np

from keras_resample.callbacks.best_model import mode_of_words
from keras_resample.metrics.verification.all_pairs import all_pairs, bounded_pairs
from keras_resample.metrics.verification.lfw import lfw_accuracy, val_at_far
from keras_resample.metrics.verification.operating_points import tar_at_far
from keras_resample.metrics.verification.pair_scores import pair_scores
from keras_resample.metrics.verification.roc import auc, eer

# What the functions of `kr.metrics` return, in order: the end of its name, and which is better.
METRICS = {
    lfw_accuracy: {"": "max", "_std": "min"},
    val_at_far: {"": "max", "_std": "min", "_far": "min"},
    eer: {"": "min", "_threshold": "max"},
    tar_at_far: {"": "max"},
    auc: {"": "max"},
}
SHORT_NAMES = {lfw_accuracy: "accuracy", val_at_far: "val"}
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
        prefix = "" if isinstance(found, dict) else _own_name(protocols)
        return dict(_named(prefix, found, protocols))
    result = {}
    for name, protocol in protocols.items():
        result |= _named(str(name), _run(protocol, embeddings, truth), protocol)
    return result


def mode_of_number(protocols, name):
    """Whether a number of `protocol_numbers` is better the higher, "max", or the lower, "min".

    The functions of `kr.metrics` know it, whatever they are called. Of others the words of the name
    tell: first what the function itself calls the number, then the function, then its key.
    """
    if not isinstance(protocols, dict):
        protocols = {"": protocols, _own_name(protocols): protocols}
    keys = [key for key in protocols if name.startswith(str(key))]
    key = max(keys, key=lambda key: len(str(key)))
    protocol, key = protocols[key], str(key)
    modes, rest = entry_of(METRICS, protocol), name[len(key) :]
    if modes is not None:
        return modes.get(rest, modes[""])
    names = rest, getattr(function_of(protocol), "__name__", ""), name
    return next(filter(None, map(mode_of_words, names)), "max")


def _run(protocol, embeddings, truth):
    if truth is None:
        return protocol(embeddings)
    parameters = _parameters(protocol)
    if parameters[:2] != ["scores", "same"]:
        return protocol(embeddings, truth)
    truth = np.asarray(truth)
    if lists_pairs(truth, len(embeddings)):
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
        suffixes = list(entry_of(METRICS, protocol) or ())
        if len(suffixes) != len(value):
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


def lists_pairs(truth, images):
    """Whether a truth says which pairs are the same: by a bool each, or by 0 and 1."""
    if truth.dtype == bool:
        return True
    return truth.ndim == 1 and images == 2 * len(truth) and bool(np.isin(truth, (0, 1)).all())


def function_of(protocol):
    """The function inside of a `functools.partial`, if it is one."""
    return protocol.func if isinstance(protocol, functools.partial) else protocol


def entry_of(table, protocol):
    """What a table of functions has for a protocol, which need not be hashable; or `None`."""
    function = function_of(protocol)
    return next((entry for key, entry in table.items() if key is function), None)


def _own_name(protocol):
    short = entry_of(SHORT_NAMES, protocol)
    return getattr(function_of(protocol), "__name__", "") if short is None else short
