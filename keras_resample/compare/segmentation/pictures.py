"""The pictures of a comparison for segmentation."""

import numpy as np

from keras_resample import visualization
from keras_resample.compare.engine.sources import by
from keras_resample.compare.segmentation import table
from keras_resample.compare.segmentation.names import EDGE_BASED, FULL, title


def draw(records, dataset, settings):
    """Pairs of the name of a figure and the figure: steps of the first seed, and the costs."""
    for size in table.sizes_of(records):
        panels = _panels(records, size, dataset, settings)
        for number, figure in enumerate(panels):
            yield f"methods_{by(size)}_{number}", figure
    yield "cost", cost_curve(records)


def cost_curve(records):
    """mIoU over the GFLOPs of network and sampler, of the seeds that all methods in it have."""
    costs, ious, full = {}, {}, None
    for size in table.sizes_of(records):
        by_method = table.trainings(records, size)
        best = table.best_edge_based(by_method)
        shown = {k: v for k, v in by_method.items() if not k.startswith(EDGE_BASED) or k in best}
        for name, own in table.of_shared_seeds(shown).items():
            method = name.split()[0]
            if method == FULL:
                full = table.mean(own, "mean_iou")
            else:
                label = title(method)
                gflops = own[0]["network_gflops"] + own[0]["sampler_gflops"]
                costs.setdefault(label, []).append(gflops)
                ious.setdefault(label, []).append(table.mean(own, "mean_iou"))
    figure = visualization.plot_cost_curve(costs, ious, full_resolution=full)
    figure.set_size_inches(7.6, 3.8)
    figure.axes[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    return figure


def _panels(records, size, dataset, settings):
    """For each shown image: points, deformed image, prediction, restored, error of all methods."""
    by_method = table.trainings(records, size)
    best = table.best_edge_based(by_method)
    places = {}
    for name, own in by_method.items():
        if name.startswith(EDGE_BASED) and name not in best:
            continue
        first = [record for record in own if record["seed"] == settings.seeds[0]]
        steps = _steps(first[0]) if first else {}
        for place in sorted(steps)[: settings.pictures]:
            places.setdefault(place, {})[_lines(name)] = steps[place]
    for place, rows in sorted(places.items()):
        image, label = dataset.read(place)
        yield visualization.plot_segmentation(
            rows, image, label, dataset=dataset, data_format="channels_last"
        )


def _steps(record):
    """What `Segmenter.inspect` returns, of what is stored of it, by the number of an image."""
    found = {}
    for name, array in record.items():
        if name.startswith("pictures/"):
            _, place, step = name.split("/")
            found.setdefault(int(place), {})[step] = np.asarray(array)[None]
    return found


def _lines(name):
    """The name of a method on several short lines."""
    return (
        title(name)
        .replace(" antialiased", "\nantialiased")
        .replace(", ", "\n")
        .replace(" (", "\n(")
    )
