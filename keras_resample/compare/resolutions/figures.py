"""The pictures of a comparison at several resolutions."""

import keras
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_resample.compare.engine.sources import by
from keras_resample.compare.engine.task import Run
from keras_resample.compare.resolutions import data
from keras_resample.compare.resolutions.names import BTNET, FIXED_TRUNK, TITLES

# Maps of one image that are drawn in a row.
CHANNELS = 6


def draw(records, load, image, settings):
    """Pairs of the name of a figure and the figure.

    Args:
        records: of all runs.
        load: function from a `Run` to its trained model.
        image: (1, height, width, channels), of the full size.
        settings: `ResolutionSettings`.
    """
    yield "learning_curves", learning_curves(records, settings)
    done = {(record["method"], record["seed"], record["size"]) for record in records}
    seed = settings.seeds[0]
    for case, size in settings.sizes().items():
        names = [name for name in (BTNET, FIXED_TRUNK) if (name, seed, case) in done]
        if names:
            models = {name: load(Run(name, seed, case)) for name in names}
            yield f"maps_{case}", feature_maps(models, image, size)


def learning_curves(records, settings):
    """Loss after each epoch, mean of the seeds; a panel for each resolution."""
    records = [record for record in records if record["history"]]
    sizes = list(dict.fromkeys(record["size"] for record in records))
    figure = Figure(figsize=(3.4 * max(len(sizes), 1), 3.4), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(sizes))) if sizes else []
    for ax, size in zip(axes, sizes, strict=True):
        for number, method in enumerate(TITLES):
            own = [
                record["history"]
                for record in records
                if record["method"] == method and record["size"] == size
            ]
            if own:
                losses = np.mean([[epoch["loss"] for epoch in history] for history in own], axis=0)
                epochs = np.arange(1, len(losses) + 1)
                ax.plot(epochs, losses, "o-", ms=3, color=f"C{number}", label=TITLES[method])
        ax.grid(True, color="0.85", linewidth=0.6)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        ax.set(title=size, xlabel="epoch", ylabel="training loss")
        ax.legend(fontsize=6, frameon=False)
    return figure


def feature_maps(models, image, size):
    """Maps at a branch's entry: the trunk's of the large image, and branches' of the small one.

    After Fig. 10 of the paper, for the channels that differ most inside of the trunk's map.
    """
    trained = next(iter(models.values()))
    small = data.reduced(image, size)
    maps = _maps(trained.upper, image)
    rows = {f"trunk, {by(image.shape[1:3])}": maps}
    # The edges of a map stand out in every channel.
    order = np.argsort(-maps[1:-1, 1:-1].std(axis=(0, 1)))[:CHANNELS]
    for name, model in models.items():
        rows[TITLES[name].replace(", ", ",\n")] = _maps(model.branch, small)
    figure = Figure(figsize=(1.3 * (CHANNELS + 1), 1.5 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(order) + 1, squeeze=False)
    pictures = [image, *[small] * len(models)]
    for row, (title, maps), picture in zip(axes, rows.items(), pictures, strict=True):
        row[0].imshow(picture[0], cmap="gray", vmin=0, vmax=1)
        row[0].set_ylabel(title, fontsize=7)
        for ax, channel in zip(row[1:], order, strict=True):
            scale = np.abs(next(iter(rows.values()))[..., channel]).max() or 1.0
            ax.imshow(maps[..., channel], cmap="RdBu", vmin=-scale, vmax=scale)
        for ax in row:
            ax.set(xticks=[], yticks=[])
    return figure


def _maps(model, images):
    return keras.ops.convert_to_numpy(model(images, training=False))[0]
