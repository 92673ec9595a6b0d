"""Reads the configuration of `train_face_recognition.py` and says what is wrong with it.

It needs no framework: keys, kinds of values and what is missing are checked before one is imported.
"""

import contextlib
import tomllib
from pathlib import Path


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_list(value, check):
    return isinstance(value, list) and bool(value) and all(map(check, value))


def is_text(value):
    return isinstance(value, str) and bool(value)


# Kinds of values: what they are called, and their check.
COUNT = ("a positive integer", lambda value: type(value) is int and value > 0)
SEED = ("an integer of at least 0", lambda value: type(value) is int and value >= 0)
POSITIVE = ("a positive number", lambda value: is_number(value) and 0 < value < float("inf"))
NUMBER = ("a number of at least 0", lambda value: is_number(value) and 0 <= value < float("inf"))
SWITCH = ("true or false", lambda value: isinstance(value, bool))
TEXT = ("text", is_text)
SIZE = ("[height, width]", lambda value: is_list(value, COUNT[1]) and len(value) == 2)
PATHS = ("a path or a list of paths", lambda value: is_text(value) or is_list(value, is_text))
EPOCHS = (
    "a list of positive numbers that grow",
    lambda value: is_list(value, POSITIVE[1]) and sorted(set(value)) == value,
)
SCHEDULE = (
    "polynomial, multistep, cosine or constant",
    lambda value: value in ("polynomial", "multistep", "cosine", "constant"),
)
NAMES = ("a list of texts", lambda value: is_list(value, is_text))
MARGIN = ('a number of at least 0 or "soft"', lambda value: value == "soft" or NUMBER[1](value))

# The keys of each section and the kinds of their values. What stands in NAMED has further keys: the
# arguments of what its `name` names.
SECTIONS = {
    "data": {
        "train": TEXT,
        "validation": PATHS,
        "keypoints": PATHS,
        "size": SIZE,
        "half_identities": SWITCH,
        "flip": SWITCH,
        "classes_per_batch": COUNT,
        "images_per_class": COUNT,
        "num_identities": COUNT,
        "images_per_identity": COUNT,
    },
    "warp": {"name": TEXT},
    "sampler": {"name": TEXT},
    "backbone": {"name": TEXT},
    "head": {"name": TEXT},
    "optimizer": {"name": TEXT, "learning_rate": POSITIVE, "exclude_from_weight_decay": NAMES},
    "schedule": {
        "name": SCHEDULE,
        "warmup_epochs": NUMBER,
        "power": POSITIVE,
        "milestones": EPOCHS,
        "rate": POSITIVE,
        "end_learning_rate": NUMBER,
    },
    "training": {
        "epochs": COUNT,
        "batch_size": COUNT,
        "mixed_precision": SWITCH,
        "seed": SEED,
        "workers": COUNT,
        "triplet_margin": MARGIN,
        "triplet_weight": NUMBER,
    },
}
NAMED = ("warp", "sampler", "backbone", "head", "optimizer")
REQUIRED = ("data", "backbone", "head", "optimizer", "schedule", "training")


def fail(message):
    raise SystemExit(f"train_face_recognition: {message}")


@contextlib.contextmanager
def explained(place):
    """Ends the script with a sentence where what stands at a place of the file cannot be used."""
    try:
        yield
    except (ImportError, OSError, KeyError, TypeError, ValueError) as error:
        fail(f"{place}: {error}")


def read_config(path, changes=()):
    """The sections of a configuration file, with `section.key=value` changes, checked."""
    try:
        config = tomllib.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        fail(f"{path} cannot be read: {error}")
    for change in changes:
        name, _, value = change.partition("=")
        section, _, key = name.partition(".")
        if not key or not value:
            fail(f"--set takes section.key=value. Received: {change!r}")
        with contextlib.suppress(tomllib.TOMLDecodeError):  # a bare word is text
            value = tomllib.loads(f"value = {value}")["value"]
        config.setdefault(section, {})[key] = value
    for section, values in config.items():
        if section not in SECTIONS or not isinstance(values, dict):
            fail(f"section [{section}] must be one of {list(SECTIONS)}")
        check_values(section, values)
    missing = [section for section in REQUIRED if section not in config]
    if missing:
        fail(f"{path} lacks the sections {missing}")
    for section, keys in needed(config).items():
        missing = [key for key in keys if key not in config[section]]
        if missing:
            fail(f"[{section}] lacks {missing}")
    return config


def check_values(section, values):
    """Keys of a section, and their values."""
    kinds = SECTIONS[section]
    unknown = [key for key in values if section not in NAMED and key not in kinds]
    if unknown:
        fail(f"[{section}] has no {unknown}; it has {list(kinds)}")
    for key in values.keys() & kinds.keys():
        words, is_right = kinds[key]
        if not is_right(values[key]):
            fail(f"[{section}] {key} must be {words}. Received: {key} = {values[key]!r}")


def needed(config):
    """The keys that each section must have."""
    data, schedule = config["data"], config["schedule"]
    keys = {section: ["name"] for section in NAMED if section in config}
    keys["optimizer"] += ["learning_rate"]
    keys["training"] = ["epochs", "batch_size"]
    keys["schedule"] = ["milestones"] if schedule.get("name") == "multistep" else []
    keys["data"] = ["train"]
    if data.get("train") == "palms":
        keys["data"] += ["num_identities", "images_per_identity"]
    batches = ["classes_per_batch", "images_per_class"]
    if any(key in data for key in batches):
        keys["data"] += batches
    return keys


def paths_of(data, key):
    """The paths that a key of [data] gives, one or several."""
    paths = data.get(key, [])
    return [paths] if isinstance(paths, str) else paths
