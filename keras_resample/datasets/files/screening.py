"""Finding damaged images at construction, in threads."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

import keras
import numpy as np

THREADS = 8
CHUNK = 1024


def screen(check, place, indices, on_error, progress=False):
    """Which indices pass a check.

    Args:
        check: callable that raises ValueError for a bad index; called in threads.
        place: callable from an index to `(file, where in it)`.
        indices: integers `(n,)`.
        on_error: `"raise"` or `"skip"`.
        progress: whether to show a progress bar.

    Returns:
        `(good, skipped)`: int64 `(m,)`, and a list of `(file, reason)`.
    """
    good, skipped = [], []
    bar = keras.utils.Progbar(len(indices), unit_name="image") if progress else None
    with ThreadPoolExecutor(THREADS) as threads:
        for first in range(0, len(indices), CHUNK):
            part = [int(index) for index in indices[first : first + CHUNK]]
            for index, error in zip(part, threads.map(_error, repeat(check), part), strict=True):
                if error is None:
                    good.append(index)
                elif on_error == "raise":
                    raise error
                else:
                    file, where = place(index)
                    cause = error.__cause__ or error
                    skipped.append((file, f"{where}: {type(cause).__name__}: {cause}"))
            if bar is not None:
                bar.update(first + len(part))
    return np.array(good, "int64"), skipped


def warn_of_skipped(skipped, what):
    """One warning that gives the number and the first one."""
    if skipped:
        warnings.warn(
            f"{len(skipped)} {what} were skipped, the first one in {skipped[0][0]!r}: "
            f"{skipped[0][1]}. `.skipped` lists all.",
            stacklevel=3,
        )


def _error(check, index):
    try:
        check(index)
    except ValueError as error:
        return error
    return None
