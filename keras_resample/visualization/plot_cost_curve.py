"""What each method reaches at what cost."""

import numpy as np

from keras_resample.arguments import as_bool, as_number
from keras_resample.visualization.canvas import COLORS, LINE_STYLES, new_axes

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<")


def plot_cost_curve(
    costs,
    mean_ious,
    cost_name="GFLOPs",
    log=True,
    full_resolution=None,
    ax=None,
):
    """Draws mean IoU over cost, a line of sizes for each method.

    Args:
        costs: dict from the name of a method to its costs `(n,)`, one for each size it was
            trained at; or one array `(n,)` that holds for all methods.
        mean_ious: dict from the same names to mean IoUs `(n,)` in [0, 1]. NaN leaves a point
            out.
        cost_name: label of the cost axis, with its unit.
        log: whether the cost axis is logarithmic.
        full_resolution: mean IoU of the network at full resolution, drawn as a level line, or
            `None`.
        ax: Matplotlib axes to draw in; `None` makes a new figure.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if names or lengths differ, a cost is not positive, or an IoU lies outside
            [0, 1].
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import keras_resample as kr
    >>> figure = kr.visualization.plot_cost_curve(
    ...     [1.2, 4.8], {"uniform": [0.31, 0.42], "joint loss": [0.36, 0.45]})
    >>> figure.axes[0].get_ylabel()
    'mean IoU'
    """
    curves = _curves(costs, mean_ious)
    if full_resolution is not None:
        full_resolution = as_number(full_resolution, "full_resolution", "[0, 1]", "or None")
    figure, ax = new_axes(ax, width=5.0, height=3.6)
    for index, (name, (cost, iou)) in enumerate(curves.items()):
        ax.plot(
            cost,
            iou,
            color=COLORS[index % len(COLORS)],
            linestyle=LINE_STYLES[index % len(LINE_STYLES)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=5,
            linewidth=1.6,
            label=str(name),
        )
    if full_resolution is not None:
        ax.axhline(full_resolution, color="0.4", linewidth=1.0, label="full resolution")
    if as_bool(log, "log"):
        ax.set_xscale("log")
        _tick_costs(ax, np.unique(np.concatenate([cost for cost, _ in curves.values()])))
    ax.set(xlabel=str(cost_name), ylabel="mean IoU")
    ax.margins(x=0.08, y=0.12)
    ax.grid(True, which="major", color="0.85", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.legend(loc="best", fontsize=9, frameon=True, framealpha=0.9, edgecolor="none")
    return figure


def _tick_costs(ax, costs):
    """Ticks at the costs themselves where there are few of them, far enough from each other."""
    if 1 < len(costs) <= 8 and (costs[1:] / costs[:-1]).min() > (costs[-1] / costs[0]) ** 0.12:
        ax.set_xticks(costs, labels=[f"{cost:.3g}" for cost in costs])
        ax.set_xticks([], minor=True)


def _curves(costs, mean_ious):
    """dict from name to (costs, mean IoUs), sorted by cost, without missing points."""
    if not isinstance(mean_ious, dict) or not mean_ious:
        raise ValueError(
            "`mean_ious` must be a dict from name to mean IoUs with at least one method. "
            f"Received: mean_ious={mean_ious!r}"
        )
    if not isinstance(costs, dict):
        costs = dict.fromkeys(mean_ious, costs)
    if set(costs) != set(mean_ious):
        raise ValueError(
            "`costs` must have the names of `mean_ious`. "
            f"Received: costs of {list(costs)}, mean_ious of {list(mean_ious)}"
        )
    curves = {}
    for name, ious in mean_ious.items():
        cost, iou = (np.atleast_1d(np.asarray(v, "float64")) for v in (costs[name], ious))
        if cost.ndim != 1 or cost.shape != iou.shape or cost.size == 0:
            raise ValueError(
                f"`costs` and `mean_ious` must have one length a method. Received: {cost.shape} "
                f"and {iou.shape} for {name!r}"
            )
        if not (np.isfinite(cost).all() and cost.min() > 0):
            raise ValueError(f"`costs` must be positive. Received: {cost.tolist()} for {name!r}")
        if np.any((iou < 0) | (iou > 1)):
            raise ValueError(
                f"`mean_ious` must lie in [0, 1]. Received: {iou.tolist()} for {name!r}"
            )
        order = np.argsort(cost, kind="stable")
        order = order[~np.isnan(iou[order])]
        curves[name] = cost[order], iou[order]
    return curves
