"""How many genuine pairs pass at each rate of impostors."""

import numpy as np

from keras_resample.arguments import as_number
from keras_resample.metrics.verification.roc import roc
from keras_resample.visualization.canvas import COLORS, LINE_STYLES, new_axes

# As many as a page can show.
MAX_POINTS = 2000


def plot_roc(curves, min_far=None, ax=None):
    """Draws ROC curves: true accept rate over false accept rate on a logarithmic axis.

    A curve begins where its number of impostor pairs n can say anything, at FAR = 1 / n.

    Args:
        curves: dict from name to `(scores, same)`: scores `(n,)`, higher for pairs that look more
            alike, and whether each pair shows one identity, bool `(n,)`; or to `(scores, same,
            counts)`, how many pairs stand behind each, as `metrics.all_pairs_histogram` returns.
        min_far: left end of the axis; `None` for the smallest 1 / n.
        ax: Matplotlib axes to draw in; `None` makes a new figure.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if there is no curve, `scores` and `same` do not fit, or a curve has pairs of
            one kind only.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import keras_resample as kr
    >>> figure = kr.visualization.plot_roc({"chance": ([0.1, 0.4, 0.2, 0.3], [0, 1, 1, 0])})
    >>> figure.axes[0].get_xlabel()
    'False accept rate'
    """
    if not isinstance(curves, dict) or not curves:
        raise ValueError(
            "`curves` must be a dict from name to (scores, same) with at least one curve. "
            f"Received: curves={curves!r}"
        )
    min_far = None if min_far is None else as_number(min_far, "min_far", "(0, 1)")
    figure, ax = new_axes(ax, width=5.0, height=3.8)
    left, bottom = 1.0, 1.0
    for index, (name, pairs) in enumerate(curves.items()):
        far, tar = _curve(name, pairs)
        ax.plot(
            far,
            tar,
            drawstyle="steps-post",
            color=COLORS[index % len(COLORS)],
            linestyle=LINE_STYLES[index % len(LINE_STYLES)],
            linewidth=1.6,
            label=str(name),
        )
        start = far[0] if min_far is None else min_far
        left = min(left, start)
        first = np.searchsorted(far, start, side="right") - 1
        bottom = min(bottom, tar[max(first, 0)])  # where the axis or the curve begins
    ax.set_xscale("log")
    bottom = max(0.0, np.floor(bottom * 10.0 - 0.25) / 10.0)
    ax.set_xlim(min(left, 0.5), 1.0)
    ax.set_ylim(bottom, 1.0 + 0.02 * (1.0 - bottom))
    ax.set(xlabel="False accept rate", ylabel="True accept rate")
    ax.grid(True, which="major", color="0.85", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(loc="lower right", fontsize=9, frameon=True, framealpha=0.9, edgecolor="none")
    return figure


def _curve(name, pairs):
    """False and true accept rates from FAR = 1 / n to 1, thinned to what a page can show."""
    if not isinstance(pairs, (tuple, list)) or len(pairs) not in (2, 3):
        raise ValueError(
            "`curves` must map each name to (scores, same) or (scores, same, counts). "
            f"Received: {len(pairs) if hasattr(pairs, '__len__') else pairs!r} values for {name!r}"
        )
    scores, same = np.asarray(pairs[0]), np.asarray(pairs[1]).astype(bool)
    counts = pairs[2] if len(pairs) == 3 else None
    far, tar, _ = roc(scores, same, counts)
    # Of the points with one FAR the last has the largest TAR.
    last = np.append(far[1:] > far[:-1], True)
    far, tar = far[last], tar[last]
    smallest = 1.0 / np.sum(~same if counts is None else np.asarray(counts)[~same])
    at = np.geomspace(smallest, 1.0, MAX_POINTS) if len(far) > MAX_POINTS else far[far > 0]
    at = np.unique(np.append(at, (smallest, 1.0)))
    # A rounded 1 / n must not fall short of the step at 1 / n.
    return at, tar[np.searchsorted(far, at * (1.0 + 1e-9), side="right") - 1]
