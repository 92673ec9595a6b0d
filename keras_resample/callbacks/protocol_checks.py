"""What a protocol asks of the truth, looked at before anything is embedded."""

import inspect

import numpy as np

from keras_resample.callbacks.protocol_numbers import (
    METRICS,
    entry_of,
    function_of,
    lists_pairs,
    protocol_numbers,
)
from keras_resample.metrics.verification.lfw import lfw_accuracy, val_at_far
from keras_resample.metrics.verification.roc import eer

# Metrics that take the embeddings of listed pairs, not scores.
OF_EMBEDDINGS = (lfw_accuracy, val_at_far)


def default_protocol(one):
    """The ten-fold accuracy of LFW for listed pairs, the equal error rate for labelled images."""
    return lfw_accuracy if one.truth is None or one.may_be_pairs() else eer


def check_protocols(protocols, one):
    """Raises where a protocol, or one of a dict of them, cannot be run on a `VerificationSet`.

    The functions of `kr.metrics` are run on embeddings that are made up, those of the user are not:
    of them the number of arguments is looked at.
    """
    given = list(protocols.values()) if isinstance(protocols, dict) else [protocols]
    if not given or not all(callable(protocol) for protocol in given):
        raise ValueError(
            "`protocol` must be a function of the embeddings, or a dict of functions. "
            f"Received: {protocols!r}"
        )
    for protocol in given:
        _check(protocol, one)


def _check(protocol, one):
    _check_arguments(protocol, one)
    if entry_of(METRICS, protocol) is None or one.truth is None:
        return
    of_embeddings = function_of(protocol) in OF_EMBEDDINGS
    if of_embeddings and not one.may_be_pairs():
        raise ValueError(
            f"`protocol` {function_of(protocol).__name__} compares listed pairs: give `same` (n,) "
            "bool for 2 n images, or protocol=kr.metrics.eer for labelled images. Received: for "
            f"{one.name!r} a truth of dtype {one.truth.dtype} and shape {one.truth.shape}"
        )
    if of_embeddings or lists_pairs(one.truth, one.number_of_images()):
        one.check_length(2)
        made_up = np.random.default_rng(0).normal(size=(2 * len(one.truth), 2))
        protocol_numbers(protocol, made_up, one.truth)
        return
    one.check_length(1)
    _, times = np.unique(one.truth, return_counts=True)
    if len(times) < 2 or times.max() < 2:
        raise ValueError(
            "`data` must have at least two identities, one of them with two images. "
            f"Received: for {one.name!r} labels of {len(times)} identities, "
            f"each with at most {times.max(initial=0)} images"
        )
    protocol_numbers(protocol, np.eye(2)[[0, 0, 1]], np.array([0, 0, 1]))


def _check_arguments(protocol, one):
    try:
        parameters = inspect.signature(protocol).parameters.values()
    except (TypeError, ValueError):  # some functions written in C have no signature
        return
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in positional if p.default is p.empty]
    takes_any = any(p.kind == p.VAR_POSITIONAL for p in parameters)
    if one.truth is None and len(needed) > 1:
        raise ValueError(
            "`data` must be (images, truth) for a protocol of two arguments: `same` (n,) bool for "
            "2 n images, or labels (n,); or a dataset of identities. "
            f"Received: {one.name!r} without a truth, and a protocol of {', '.join(needed)}"
        )
    if one.truth is not None and len(positional) < 2 and not takes_any:
        raise ValueError(
            "`protocol` must take the embeddings and the truth where `data` has one. "
            f"Received: for {one.name!r} a protocol of {len(positional)} arguments"
        )
    if len(needed) > 2:
        raise ValueError(
            "`protocol` must need no more than two arguments: fix the others by "
            f"functools.partial(protocol, {needed[2]}=...). "
            f"Received: a protocol of {', '.join(needed)}"
        )
