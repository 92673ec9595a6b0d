"""People of some folds of a list of pairs to train on, and of the others to verify."""

import dataclasses
import os

import numpy as np

from keras_resample import datasets
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.resolutions.settings import FOLDS


@dataclasses.dataclass
class Pairs:
    """Listed pairs of test images.

    Args:
        rows: integers (n, 2), which of the test images.
        same: booleans (n,), whether both show one person.
        folds: of which the pairs are the whole, in order.
    """

    rows: np.ndarray
    same: np.ndarray
    folds: int


def split(whole, settings):
    """The dataset of the people of the training folds, that of the others', and its `Pairs`.

    Each has all photographs of its people, whether or not a pair is of them.

    Args:
        whole: `IdentityDataset` of files.
        settings: `ResolutionSettings` with `pairs`.

    Raises:
        SettingError: for pairs that cannot be read, are no ten folds, or whose training and test
            folds share a person.
    """
    try:
        listed = datasets.lfw_pairs(settings.pairs, settings.faces, size=settings.size)
    except (ImportError, OSError, ValueError) as error:
        raise SettingError("pairs", f"must be readable ({error})", settings.pairs) from error
    if len(listed) % FOLDS:
        must = f"must be {FOLDS} folds of equally many pairs, not {len(listed)} pairs"
        raise SettingError("pairs", must, settings.pairs)
    place = {os.path.abspath(path): number for number, path in enumerate(whole.paths)}
    files = map(os.path.abspath, listed.images.paths)
    images = np.array([place[file] for file in files]).reshape(-1, 2)
    fold = 1 + np.arange(len(listed)) // (len(listed) // FOLDS)
    training = np.isin(fold, settings.train_folds)
    trained, tested = (np.unique(whole.labels[images[part]]) for part in (training, ~training))
    shared = np.intersect1d(trained, tested)
    if len(shared):
        who = whole.class_names[shared[0]]
        must = f"must not share people with the other folds of `pairs`, as {who}"
        raise SettingError("train_folds", must, settings.train_folds)
    train = whole.subset(np.isin(whole.labels, trained), relabel=True)
    kept = np.flatnonzero(np.isin(whole.labels, tested))
    rows = np.searchsorted(kept, images[~training])
    pairs = Pairs(rows, listed.same[~training], FOLDS - len(settings.train_folds))
    return train, whole.subset(kept, relabel=True), pairs
