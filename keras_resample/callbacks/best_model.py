"""Keeping the model with the best number in a file."""

import pathlib
import re
import warnings

import numpy as np

from keras_resample.files import whole

# A number with one of these words in its name is better when it is lower.
LOWER_IS_BETTER = {"loss", "eer", "error", "std", "distance"}
# Rates of errors and of right decisions: the first of them in a name is what the number is.
ERROR_RATES = {"far", "frr", "fmr", "fnmr", "fpr", "fnr", "fpir", "fnir"}
RIGHT_RATES = {"tar", "tmr", "tpr", "tnr", "tpir", "tnir", "gar"}
SUFFIXES = (".keras", ".weights.h5")


class BestModel:
    """Remembers the best number seen, and saves the model that reached it.

    Args:
        monitor: Name of the number.
        mode: "max", "min", or "auto" to tell by the name.
        filepath: File of the model, or `None`. It may hold fields such as `{epoch:02d}` and the
            names of the numbers.
        save_weights_only: Whether to save the weights alone.
        initial_value_threshold: A number to be surpassed by the first, or `None`.
    """

    def __init__(self, monitor, mode, filepath, save_weights_only, initial_value_threshold):
        if mode == "auto":
            mode = mode_of_words(monitor) or "max"
        self.monitor, self.mode, self.filepath = monitor, mode, filepath
        self.save_weights_only = save_weights_only
        self.best = initial_value_threshold

    def is_better(self, value):
        """Whether the value surpasses the best so far; NaN never does."""
        if self.best is None or np.isnan(self.best):
            return not np.isnan(value)
        return value > self.best if self.mode == "max" else value < self.best

    def update(self, model, value, fields):
        """Take the value if it is better, and save the model.

        Returns:
            The path written to; `None` where nothing was.
        """
        if np.isnan(value) and self.filepath is not None:
            warnings.warn(
                "`monitor` cannot be measured, so no model is saved: give it more pairs or a "
                f"higher rate, or monitor another number. Received: {self.monitor} = {value}",
                stacklevel=2,
            )
        if not self.is_better(value):
            return None
        if self.filepath is None:
            self.best = value
            return None
        path = pathlib.Path(str(self.filepath).format(**fields))
        write = model.save_weights if self.save_weights_only else model.save
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole(path) as (fresh,):
                write(fresh)
        except OSError as error:
            warnings.warn(
                f"{self.monitor} improved to {value:.5g}, but the model could not be saved to "
                f"{path}: {error}. What was saved before is as it was; training goes on.",
                stacklevel=2,
            )
            return None
        self.best = value
        return path


def mode_of_words(name):
    """ "min" or "max" by the words of the name of a number, `None` where they do not tell.

    A word after "@" or "at" is not what the number is but where: "tar@far=1e-4", "fnmr_at_fmr".
    """
    words = re.split("[^a-z0-9]+", re.split("@|(?<![a-z0-9])at(?![a-z0-9])", str(name).lower())[0])
    rates = [word for word in words if word in ERROR_RATES | RIGHT_RATES]
    if LOWER_IS_BETTER.intersection(words) or (rates and rates[0] in ERROR_RATES):
        return "min"
    return "max" if rates else None
