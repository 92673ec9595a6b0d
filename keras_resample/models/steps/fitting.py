"""Do the loss, the weights of the classes and the classes of a dataset fit a model?"""

import inspect
import numbers
import warnings

import keras
import numpy as np

from keras_resample.arguments import as_number
from keras_resample.datasets.base.epoch_order import ShuffledDataset

# How many identities a message shows.
SHOWN = 3


def takes_logits(loss):
    """Whether a loss or metric takes logits; `None` where it has no `from_logits`."""
    if isinstance(loss, (keras.losses.Loss, keras.metrics.Metric)):
        try:
            found = loss.get_config().get("from_logits")
        except TypeError:  # of a function that cannot be saved
            found = None
    else:
        found = _default(loss, "from_logits")
    found = getattr(loss, "from_logits", None) if found is None else found
    return None if found is None else bool(found)


def _default(function, name):
    """The default of an argument of a function; `None` where it has none such."""
    try:
        argument = inspect.signature(function).parameters.get(name)
    except (TypeError, ValueError):  # what has no signature
        return None
    return None if argument is None or argument.default is argument.empty else argument.default


def check_take_logits(given, name, get, wanted=True):
    """Raises where one of the losses or metrics of `compile` takes the other kind of scores.

    Args:
        given: A loss or metric, by name or as an object, or a list or dict of them, or `None`.
        name: Of the argument.
        get: `keras.losses.get` or `keras.metrics.get`.
        wanted: Whether the model gives logits, otherwise probabilities.
    """
    for one in keras.tree.flatten(given):
        takes = takes_logits(_found(one, get))
        if takes not in (None, wanted):
            kind = "logits" if wanted else "probabilities"
            module = "losses" if name == "loss" else "metrics"
            raise ValueError(
                f"`{name}` must have from_logits={wanted}, because the model gives {kind} there, "
                f"such as keras.{module}.SparseCategoricalCrossentropy(from_logits={wanted}). "
                f"Received: {name}={one!r}, which has from_logits={takes}"
            )


def _found(one, get):
    """The loss or metric of a name; names that only `compile` knows stay."""
    if not isinstance(one, str):
        return one
    try:
        return get("sparse_categorical_crossentropy" if one in ("ce", "crossentropy") else one)
    except ValueError:
        return one


def check_class_weight(class_weight, num_classes=None, ignore_class=None):
    """Raises unless the keys are classes, as far as they are known, and the values weights.

    The class of ignored pixels may have a weight too, which weighs nothing.
    """
    if not (class_weight is None or isinstance(class_weight, dict)):
        raise ValueError(
            f"`class_weight` must be a dict of classes and weights. Received: {class_weight=}"
        )
    for key, weight in (class_weight or {}).items():
        is_class = isinstance(key, numbers.Real) and not isinstance(key, bool) and key % 1 == 0
        is_known = is_class and key >= 0 and (num_classes is None or key < num_classes)
        if not is_known and (ignore_class is None or key != ignore_class):
            classes = "classes" if num_classes is None else f"classes, 0 to {num_classes - 1}"
            raise ValueError(
                f"`class_weight` must have integer keys that are {classes}. "
                f"Received: class_weight={class_weight!r} with the key {key!r}"
            )
        as_number(weight, "class_weight", "[0, inf)", f"for class {key}")


def check_classes_of(dataset, num_classes):
    """Raises where a dataset of this package has more classes than the model."""
    if not isinstance(dataset, ShuffledDataset) or num_classes is None:
        return
    classes = dataset.num_classes
    if classes > num_classes:
        raise ValueError(
            "The model must have a class for each class of the dataset: build it with "
            f"num_classes={classes}, the dataset's. "
            f"Received: num_classes={num_classes}, and a dataset of {classes} classes"
        )


def warn_of_other_identities(trained, dataset):
    """Warns where the labels of a dataset are of other identities than those that were trained.

    Args:
        trained: Names of the identities in the order of their labels, or `None`.
        dataset: Any; its `identities`, if it has them, are compared.
    """
    found = getattr(dataset, "identities", None)
    found = None if found is None else tuple(found)
    if trained is None or found is None or found[: len(trained)] == trained[: len(found)]:
        return
    if isinstance(found[0], str) != isinstance(trained[0], str):  # names cannot be compared
        return
    warnings.warn(
        "The labels are of other identities than those of training, so the loss and the accuracy "
        "of the head say nothing. Compare the embeddings of people who were not trained: "
        "kr.metrics.eer(*kr.metrics.all_pairs(recognizer.embed(dataset), dataset.labels)). "
        f"Received: a dataset of {list(found[:SHOWN])}..., trained on {list(trained[:SHOWN])}...",
        stacklevel=3,
    )


def warn_of_nan(found, num_classes):
    """Warns where the loss that `evaluate` returned is NaN: a number, the first one or a dict's."""
    loss = found.get("loss") if isinstance(found, dict) else np.ravel(found)[0]
    if loss is not None and np.isnan(loss):
        warnings.warn(
            "The loss is NaN: the training diverged, an image has a NaN, or a label is not in "
            f"[0, {num_classes}), the classes of the model. Received: loss={loss}",
            stacklevel=3,
        )
