"""The pictures of a comparison: grids, densities, what the network sees, ROC curves."""

import numpy as np
from matplotlib.figure import Figure

from keras_resample import visualization
from keras_resample.compare.recognition import front_ends
from keras_resample.compare.recognition.names import LEARNED
from keras_resample.metrics.verification.all_pairs import bounded_pairs

SHOWN_IMAGES = 8


def draw(data, encoders, runs):
    """The figures of one seed.

    Args:
        data: `Data`.
        encoders: dict from each front end to its trained encoder.
        runs: records of the same runs, with their embeddings.

    Yields:
        Pairs of a name and a figure.
    """
    samplers = {name: front_ends.sampler(encoder) for name, encoder in encoders.items()}
    learned = {name: layer for name, layer in samplers.items() if name in LEARNED}
    mean_image = data.test_images.mean(axis=0)
    if learned:
        yield (
            "grid",
            _side_by_side(
                learned, lambda layer, ax: visualization.plot_grid(layer, mean_image, ax=ax)
            ),
        )
        yield (
            "jacobian",
            _side_by_side(learned, lambda layer, ax: visualization.plot_jacobian(layer, ax=ax)),
        )
    moved = {name: layer for name, layer in samplers.items() if layer is not None}
    if moved:
        yield "warped", _warped(moved, data)
    curves = {
        run["front_end"]: bounded_pairs(run["embeddings"], data.test_labels)
        for run in runs
        if run["eer"] is not None
    }
    if curves:
        yield "roc", visualization.plot_roc(curves)


def _side_by_side(layers, plot):
    """One panel per layer, titled with its name."""
    figure = Figure(figsize=(5.0 * len(layers), 4.6), layout="constrained")
    for ax, (name, layer) in zip(
        figure.subplots(1, len(layers), squeeze=False)[0], layers.items(), strict=True
    ):
        plot(layer, ax)
        ax.set_title("\n".join(filter(None, [name, ax.get_title()])), fontsize=10)
    return figure


def _warped(layers, data):
    """Images of different identities, and below them what each front end makes of them."""
    _, first = np.unique(data.test_labels, return_index=True)
    images = data.test_images[first[:SHOWN_IMAGES]]
    height, width = images.shape[1:3]
    rows, columns = len(layers) + 1, len(images)
    figure = Figure(
        figsize=(1.2 * columns + 0.8, 1.2 * rows * height / width + 0.2), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    for row, (name, layer) in enumerate(layers.items(), 1):
        visualization.plot_warped(layer, images, max_images=columns, axes=axes[[0, row]])
        axes[row, 0].set_ylabel(f"{name}\n{axes[row, 0].get_ylabel()}", fontsize=7)
    axes[0, 0].set_ylabel(f"image\n{axes[0, 0].get_ylabel()}", fontsize=7)
    return figure
