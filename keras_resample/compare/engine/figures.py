"""The pictures of a comparison: grids, densities, what the network sees, ROC curves."""

import numpy as np
from matplotlib.figure import Figure

from keras_resample import visualization
from keras_resample.compare import front_ends
from keras_resample.compare.engine.results import atomic
from keras_resample.metrics.verification.all_pairs import bounded_pairs

FOLDER = "figures"
DOTS_PER_INCH = 150
SHOWN_IMAGES = 8


def draw(store, data, encoders, runs):
    """Draws all figures of one seed.

    Args:
        store: `Store`.
        data: `Data`.
        encoders: dict from each front end to its trained encoder.
        runs: records of the same runs, with their embeddings.

    Returns:
        Names of the files, relative to the folder of the comparison.
    """
    samplers = {name: front_ends.sampler(encoder) for name, encoder in encoders.items()}
    learned = {name: samplers[name] for name in front_ends.LEARNED}
    mean_image = data.test_images.mean(axis=0)
    figures = {
        "grid": _side_by_side(
            learned, lambda layer, ax: visualization.plot_grid(layer, mean_image, ax=ax)
        ),
        "jacobian": _side_by_side(
            learned, lambda layer, ax: visualization.plot_jacobian(layer, ax=ax)
        ),
        "warped": _warped(samplers, data),
    }
    curves = {
        run["front_end"]: bounded_pairs(run["embeddings"], data.test_labels)
        for run in runs
        if run["eer"] is not None
    }
    if curves:
        figures["roc"] = visualization.plot_roc(curves)
    (store.out / FOLDER).mkdir(exist_ok=True)
    for name, figure in figures.items():
        with atomic(store.out / FOLDER / f"{name}.png") as path:
            figure.savefig(path, dpi=DOTS_PER_INCH)
    return [f"{FOLDER}/{name}.png" for name in figures]


def _side_by_side(layers, plot):
    """One panel per layer, titled with its name."""
    figure = Figure(figsize=(5.0 * len(layers), 4.6), layout="constrained")
    for ax, (name, layer) in zip(figure.subplots(1, len(layers)), layers.items(), strict=True):
        plot(layer, ax)
        ax.set_title("\n".join(filter(None, [name, ax.get_title()])), fontsize=10)
    return figure


def _warped(samplers, data):
    """Images of different identities, and below them what each front end makes of them."""
    _, first = np.unique(data.test_labels, return_index=True)
    images = data.test_images[first[:SHOWN_IMAGES]]
    layers = {name: layer for name, layer in samplers.items() if layer is not None}
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
