"""The pictures of a comparison at several resolutions."""

import keras
import numpy as np
from matplotlib.figure import Figure

from keras_resample import models
from keras_resample.compare.engine.figures import plot_epochs
from keras_resample.compare.engine.sources import by
from keras_resample.compare.engine.task import Run
from keras_resample.compare.resolutions import data, networks
from keras_resample.compare.resolutions.names import BTNET, FIXED_TRUNK, SCRATCH, TITLES, TRUNKS

# Maps of one image that are drawn in a row, and of which methods.
CHANNELS = 6
MAPPED = (*TRUNKS, SCRATCH, FIXED_TRUNK, BTNET)


def draw(records, load, image, settings):
    """Pairs of the name of a figure and the figure.

    Args:
        records: of all runs.
        load: function from a `Run` to its trained model.
        image: (1, height, width, channels), of the full size.
        settings: `ResolutionSettings`.
    """
    yield "learning_curves", learning_curves(records)
    full, *cases = settings.sizes()
    done = {(record["method"], record["seed"], record["size"]) for record in records}
    seed = settings.seeds[0]
    if (settings.base, seed, full) not in done:
        return
    trunk = networks.trunk_of(load(Run(settings.base, seed)))
    for case in cases:
        runs = {name: Run(name, seed, "" if name in TRUNKS else case) for name in MAPPED}
        trained = {
            name: load(r) for name, r in runs.items() if (name, seed, r.case or full) in done
        }
        yield f"maps_{case}", feature_maps(trunk, trained, image, settings.sizes()[case])


def learning_curves(records):
    """Loss after each epoch, mean of the seeds; a panel for each resolution."""
    records = [record for record in records if record["history"]]
    sizes = list(dict.fromkeys(record["size"] for record in records))
    figure = Figure(figsize=(3.4 * max(len(sizes), 1), 3.4), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(sizes))) if sizes else []
    for ax, size in zip(axes, sizes, strict=True):
        own = [record for record in records if record["size"] == size]
        by_title = {
            title: [record for record in own if record["method"] == method]
            for method, title in TITLES.items()
        }
        plot_epochs(ax, by_title, "loss")
        ax.set(title=size, ylabel="training loss")
        ax.legend(fontsize=6, frameon=False)
    return figure


def feature_maps(trunk, trained, image, size):
    """Maps where a branch enters: the trunk's of the large image, and all others of the small one.

    After Fig. 10 of the paper, for the channels that differ most inside of the trunk's map. A
    network of large images gets the small one enlarged.

    Args:
        trunk: that of the branches.
        trained: dict from the name of a method to its trained model.
        image: (1, height, width, channels), of the full size.
        size: (height, width) of the small image.
    """
    (entry,) = models.BTNet(trunk, [size]).parts.entries
    small = data.reduced(image, size)
    again = data.enlarged(small, image.shape[1:3])
    maps = _maps(trunk, entry, image)
    rows = {f"trunk, {by(image.shape[1:3])}": maps}
    # The edges of a map stand out in every channel.
    order = np.argsort(-maps[1:-1, 1:-1].std(axis=(0, 1)))[:CHANNELS]
    pictures = [image]
    for name, model in trained.items():
        whole = name in TRUNKS
        network = networks.trunk_of(model) if whole else networks.below(model)
        pictures.append(again if whole else small)
        rows[TITLES[name].replace(", ", ",\n")] = _maps(network, entry, pictures[-1])
    figure = Figure(figsize=(1.3 * (CHANNELS + 1), 1.5 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(order) + 1, squeeze=False)
    for row, (title, maps), picture in zip(axes, rows.items(), pictures, strict=True):
        row[0].imshow(picture[0], cmap="gray", vmin=0, vmax=1)
        row[0].set_ylabel(title, fontsize=7)
        for ax, channel in zip(row[1:], order, strict=True):
            scale = np.abs(next(iter(rows.values()))[..., channel]).max() or 1.0
            ax.imshow(maps[..., channel], cmap="RdBu", vmin=-scale, vmax=scale)
        for ax in row:
            ax.set(xticks=[], yticks=[])
    return figure


def _maps(network, entry, images):
    """Of one image what a layer of a network makes of it."""
    until = keras.Model(network.input, network.get_layer(entry).output)
    return keras.ops.convert_to_numpy(until(images, training=False))[0]
