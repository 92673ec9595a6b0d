"""In which classes a sampler invests its pixels."""

import numpy as np

from keras_resample.visualization.canvas import COLORS, new_axes


def plot_class_frequency_change(changes, class_names=None, ax=None):
    """Draws how much more or less often each class is seen after sampling.

    Args:
        changes: dict from the name of a method to its changes `(classes,)`, as
            `keras_resample.metrics.class_frequency_change` gives them: 0 for no change, 1 for
            twice the share of the pixels, -0.5 for half of it, NaN for a class that does not
            occur. Or one such array.
        class_names: names of the classes.
        ax: Matplotlib axes to draw in; `None` makes a new figure.

    Returns:
        The Matplotlib figure; as the last line of a notebook cell it shows itself.

    Raises:
        ValueError: if there is nothing to draw, lengths differ, or a change is below -1 or
            infinite.
        ImportError: if Matplotlib is not installed.

    Example:

    >>> import keras_resample as kr
    >>> figure = kr.visualization.plot_class_frequency_change(
    ...     {"joint loss": [-0.3, 0.2, 1.4]}, class_names=["sky", "road", "person"])
    >>> len(figure.axes[0].patches)
    3

    Reference:
        Figure 13 of Jin et al., Learning to Downsample for Segmentation of Ultra-High
        Resolution Images, ICLR 2022.
    """
    if not isinstance(changes, dict):
        changes = {"": changes}
    bars = {name: np.asarray(values, "float64") for name, values in changes.items()}
    shapes = {values.shape for values in bars.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 1 or not next(iter(shapes))[0]:
        raise ValueError(
            "`changes` must be one array (classes,), or a dict from names to arrays of one length. "
            f"Received: shapes {sorted(shapes)}"
        )
    for name, values in bars.items():
        known = values[~np.isnan(values)]
        if np.any((known < -1) | np.isinf(known)):
            raise ValueError(
                "`changes` must be finite and at least -1. "
                f"Received: {values.tolist()} for {name!r}"
            )
    num_classes = next(iter(shapes))[0]
    if class_names is None:
        class_names = [f"class {number}" for number in range(num_classes)]
    if len(class_names) != num_classes:
        raise ValueError(
            f"`class_names` must hold {num_classes} names. Received: {len(class_names)} names"
        )
    figure, ax = new_axes(ax, width=5.0, height=0.7 + (0.12 + 0.16 * len(bars)) * num_classes)
    height = 0.8 / len(bars)
    places = np.arange(num_classes)
    for index, (name, values) in enumerate(bars.items()):
        ax.barh(
            places + (index - (len(bars) - 1) / 2) * height,
            100 * np.nan_to_num(values),
            height=height,
            color=COLORS[index % len(COLORS)],
            label=str(name),
        )
    ax.axvline(0.0, color="0.3", linewidth=0.8)
    ax.set_yticks(places, labels=[str(name) for name in class_names])
    ax.set(ylim=(num_classes - 0.5, -0.5), xlabel="change of the share of pixels (%)")
    ax.grid(True, axis="x", color="0.85", linewidth=0.6)
    ax.set_axisbelow(True)
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    if any(bars):
        ax.legend(loc="best", fontsize=9, frameon=True, framealpha=0.9, edgecolor="none")
    return figure
