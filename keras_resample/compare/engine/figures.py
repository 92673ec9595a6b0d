"""The pictures that several comparisons share."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def learning_curves(by_method, title):
    """Validation accuracy after each epoch of `report.by_method`; `title` is that of a name."""
    figure = Figure(figsize=(7.6, 4.2), layout="constrained")
    ax = figure.subplots()
    plot_epochs(ax, {title(name): own for name, own in by_method.items()}, "val_accuracy", 100)
    ax.set_ylabel("validation accuracy, %")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    return figure


def plot_epochs(ax, by_title, key, factor=1):
    """Draws what the logs of each epoch have by `key`, times a factor, mean of the seeds.

    A title without records keeps its colour.
    """
    for number, (title, own) in enumerate(by_title.items()):
        if not own:
            continue
        curves = [[epoch[key] for epoch in record["history"]] for record in own]
        curve = factor * np.mean(curves, axis=0)
        style, color = ("-", "--", ":")[number // 10 % 3], f"C{number % 10}"
        marker = "" if len(curve) > 1 else "o"  # of one epoch there is no line
        epochs = np.arange(1, len(curve) + 1)
        ax.plot(epochs, curve, style, color=color, marker=marker, label=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.grid(True, color="0.85", linewidth=0.6)
    ax.set_xlabel("epoch")
