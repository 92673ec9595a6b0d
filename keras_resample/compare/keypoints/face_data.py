"""Aligned faces of people to train on and of people to verify, and keypoints that are not exact."""

import contextlib
import functools
import os

import numpy as np

from keras_resample import datasets
from keras_resample.compare.engine.checks import SettingError
from keras_resample.compare.keypoints.data import SHIFT_SEED, SPLIT_SEED, Data, Part, shifted

# Photographs that a person has at least, and that are tested of one at most: a few people have
# hundreds, whose pairs would outnumber all others.
LEAST, MOST = 4, 20
# Of what becomes of keypoints.
KEYPOINT_SEED = 2


def load(settings):
    """Reads the faces of a comparison and splits them by people; validation is of the trained ones.

    Raises:
        SettingError: for files that cannot be read, or too few people or photographs.
    """
    size = settings.size, settings.size
    with _blaming("faces", settings):
        # Of one size, which is that of the pixels of the points.
        pixels = datasets.image_folder(settings.faces).image_shape[:2]
        faces = datasets.image_folder(settings.faces, size=size)
    with _blaming("points", settings):
        places = datasets.keypoint_file(settings.points, settings.faces, pixels)
    faces = faces.subset(np.bincount(faces.labels)[faces.labels] >= LEAST, relabel=True)
    if faces.num_images == 0 or faces.num_classes < 4:
        must = f"must have at least 4 people of at least {LEAST} photographs"
        raise SettingError("faces", must, settings.faces)
    people, others = datasets.half_identities(faces, seed=SPLIT_SEED)
    others = others.subset(first_of_each(others.labels, MOST))
    with _blaming("points", settings):
        halves = [datasets.KeypointDataset(half, places) for half in (people, others)]
    with _blaming("faces", settings):
        trained, test = map(_part, halves)
    order = np.random.default_rng(SPLIT_SEED).permutation(len(trained))
    held = round(settings.validation * len(trained))
    if not 0 < held < len(trained):
        must = "must leave images for it, and for the training"
        raise SettingError("validation", must, settings.validation)
    train = trained[order[held:]]
    validation = shifted(trained[order[:held]], SHIFT_SEED, settings)
    name = os.path.basename(os.path.normpath(settings.faces))
    description = (
        f"{name}: {len(train)} training and {len(validation)} validation photographs of "
        f"{people.num_classes} people and {len(test)} test photographs of {others.num_classes} "
        f"others, at {settings.size}x{settings.size}"
    )
    return Data(train, validation, test, people.num_classes, description)


def first_of_each(labels, count):
    """Indices of the first `count` images of each label, in their order."""
    chosen = [np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def noisy(keypoints, share):
    """Keypoints (n, 5, 2) with Gaussian noise, its deviation a share of the distance of the eyes.

    The first two are the eyes. x and y have the same draws, times the share.
    """
    eyes = np.linalg.norm(keypoints[:, 0] - keypoints[:, 1], axis=-1)
    drawn = np.random.default_rng(KEYPOINT_SEED).normal(size=keypoints.shape)
    return (keypoints + share * eyes[:, None, None] * drawn).astype("float32")


def without(keypoints, count):
    """Keypoints (n, 5, 2) of which `count` of each image, drawn at random, are NaN."""
    drawn = np.random.default_rng(KEYPOINT_SEED).random(keypoints.shape[:2])
    missing = drawn.argsort(axis=1) < count
    return np.where(missing[:, :, None], np.float32(np.nan), keypoints)


# What a detector may get wrong: functions of keypoints.
WRONG = {
    "noise 5 %": functools.partial(noisy, share=0.05),
    "noise 10 %": functools.partial(noisy, share=0.1),
    "one missing": functools.partial(without, count=1),
    "all missing": functools.partial(without, count=5),
}


def _part(faces):
    inputs, labels = faces.arrays()
    return Part(np.rint(255 * inputs["images"]).astype("uint8"), inputs["keypoints"], labels)


@contextlib.contextmanager
def _blaming(name, settings):
    """What goes wrong is an error of the setting of this name."""
    try:
        yield
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise SettingError(name, f"must be readable ({error})", getattr(settings, name)) from error
