"""The pictures of a comparison for fine-grained classes."""

import numpy as np
from matplotlib.figure import Figure

from keras_resample import visualization
from keras_resample.compare.engine.figures import learning_curves
from keras_resample.compare.engine.report import mean_std
from keras_resample.compare.engine.task import Run
from keras_resample.compare.regions import networks, table
from keras_resample.compare.regions.names import ADAPTIVE, parts, title


def draw(records, load, images, settings):
    """Pairs of the name of a figure and the figure.

    Args:
        records: of all runs.
        load: function from a `Run` to its trained network.
        images: bytes (n, h, w, 3), what is drawn.
        settings: `RegionSettings`.
    """
    by_method = table.trainings(records)
    yield "learning_curves", learning_curves(by_method, title)
    sweep = {parts(name)[1]: own for name, own in by_method.items() if _is_swept(name)}
    if len(sweep) > 1:
        yield "k", sweep_of_k(sweep, by_method)
    for name, own in by_method.items():
        seeds = {record["seed"] for record in own}
        if len(images) and settings.seeds[0] in seeds:
            yield from _regions(name, load(Run(name, settings.seeds[0])), images)


def sweep_of_k(sweep, by_method):
    """Test accuracy over k, with the standard deviation of the seeds as in the table."""
    figure = Figure(figsize=(6.2, 3.4), layout="constrained")
    ax = figure.subplots()
    ax.grid(True, color="0.85", linewidth=0.6)
    values = {k: [100 * record["accuracy"] for record in own] for k, own in sweep.items()}
    found = [mean_std(accuracies) for accuracies in values.values()]
    means = [one["mean"] for one in found]
    spreads = [one["std"] or 0.0 for one in found]
    ax.errorbar(list(values), means, yerr=spreads, fmt="o-", capsize=3, label="ARP")
    for number, name in enumerate(("local-center-crop", "local-region", "local-stride"), 1):
        if name in by_method:
            mean = 100 * np.mean([record["accuracy"] for record in by_method[name]])
            ax.axhline(mean, color=f"C{number}", linestyle="--", label=title(name))
    ax.set(xlabel="k of one local branch", ylabel="test accuracy, %")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    return figure


def _regions(name, network, images):
    """Confidence and boxes of Conv3 and of Conv4, a figure for each branch (Figs. 5, 6 and 8)."""
    conv3, conv4 = networks.region_models(network)
    for number, model in enumerate(conv4, 1):
        stages = [stage.predict(images, verbose=0) for stage in (*conv3, model)]
        figure = visualization.plot_regions(images, stages, data_format="channels_last")
        for row, stage in enumerate(("Conv3", "Conv4")[-len(stages) :]):
            figure.axes[row * len(images)].set_ylabel(stage, fontsize=8)
        branch = f", branch {number}" if len(conv4) > 1 else ""
        figure.suptitle(f"{title(name)}{branch}", fontsize=9)
        yield f"regions_{name.replace(' ', '_')}_{number}", figure


def _is_swept(name):
    method, _, count = parts(name)
    return method == ADAPTIVE and count == 1
