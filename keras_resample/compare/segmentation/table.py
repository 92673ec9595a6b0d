"""The tables of a comparison for segmentation, for a terminal and as Markdown."""

import math
import operator
import statistics

from keras_resample.compare.engine import report
from keras_resample.compare.engine.report import percent
from keras_resample.compare.engine.sources import by
from keras_resample.compare.segmentation.names import EDGE_BASED, METHODS, title

# Of the bands of the trimap, in pixels.
WIDTHS = (2, 4, 8, 16, 32)
# What every other method is set against, seed by seed, and by which number.
BASELINES = ("uniform-antialiased",)
MEASURED = {"mIoU {} points": operator.itemgetter("mean_iou")}


def page(results):
    """Lines of `results.md`."""
    sizes = sizes_of(results["runs"])
    lines = [
        "# Learning to downsample for segmentation\n",
        f"{results['data']}. "
        + ", ".join(f"{by(size)} pixels are sampled" for size in sizes)
        + ".\n",
    ]
    for size in sizes:
        lines += [f"## {by(size)}\n", *tables(results, size)]
    return [*lines, *report.pictures(results), *notes(results)]


def summary(results):
    """Lines for the terminal: the first table of each size."""
    lines = [results["data"], ""]
    for size in sizes_of(results["runs"]):
        lines += [by(size), *scores(results, trainings(results["runs"], size), size), ""]
    return lines


def sizes_of(records):
    return sorted({tuple(record["size"]) for record in records})


def trainings(records, size):
    """dict from the name of a method to its records at a size, in the order of the methods."""
    own = [record for record in records if tuple(record["size"]) == tuple(size)]
    return report.by_method(own, order)


def order(name):
    method, _, radius = name.partition(" ")
    return METHODS.index(method), float(radius or 0)


def tables(results, size):
    """Markdown of one output size."""
    by_method, class_names = trainings(results["runs"], size), results["class_names"]

    def per_item(names, key, form=".1f"):
        return report.table(["method", *names], _per_item(by_method, key, form))

    return [
        *scores(results, by_method, size),
        "",
        *report.differences(by_method, BASELINES, MEASURED, title),
        "",
        "IoU of the classes, %:\n",
        *per_item(class_names, "class_ious"),
        "",
        "The same for perfect predictions of the samples, IoU(Y', Y), %:\n",
        *per_item(class_names, "upsampling_class_ious"),
        "",
        "Accuracy in a band of so many pixels on both sides of class borders, %:\n",
        *per_item(map(str, WIDTHS), "trimap"),
        "",
        "Change of the share of a class by sampling, %:\n",
        *per_item(class_names, "class_frequency_change", "+.0f"),
        "",
    ]


def scores(results, by_method, size):
    """The table of mean IoUs and costs."""
    header = ["method", "seeds", "mIoU", "mIoU, sampled", "mIoU(Y', Y)"]
    header += ["GFLOPs, network", "sampler", "images/s", "minutes"]
    titles, rows = _titles(by_method), []
    for name, own in by_method.items():
        speed = results["images_per_second"].get(f"{name}, {by(size)}")
        rows.append(
            [
                titles[name],
                str(len(own)),
                *(
                    percent(report.mean_std([record[key] for record in own]))
                    for key in ("mean_iou", "sampled_mean_iou", "upsampling_iou")
                ),
                f"{own[0]['network_gflops']:.3g}",
                f"{own[0]['sampler_gflops']:.3g}",
                "" if speed is None else f"{speed:.3g}",
                f"{mean(own, 'seconds') / 60:.1f}",
            ]
        )
    return report.table(header, rows)


def best_edge_based(by_method):
    """Of the blur radii of edge-based sampling the one of the highest mean IoU."""
    found = set()
    for method in {name.split()[0] for name in by_method if name.startswith(EDGE_BASED)}:
        radii = {name: own for name, own in by_method.items() if name.split()[0] == method}
        radii = of_shared_seeds(radii)
        found.add(max(radii, key=lambda name: mean(radii[name], "mean_iou")))
    return found


def of_shared_seeds(by_method):
    """The records of the seeds that all methods have; all records where there is no such seed."""
    seeds = set.intersection(*({r["seed"] for r in own} for own in by_method.values()))
    if not seeds:
        return by_method
    return {name: [r for r in own if r["seed"] in seeds] for name, own in by_method.items()}


def mean(records, key):
    return statistics.fmean(record[key] for record in records)


def _titles(by_method):
    """Names in the tables; the best blur radius is marked."""
    best = best_edge_based(by_method)
    return {name: title(name) + (" (best)" if name in best else "") for name in by_method}


def _per_item(by_method, key, form):
    """Rows of the mean over the seeds of a list or dict."""
    titles, rows = _titles(by_method), []
    for name, own in by_method.items():
        lists = [r[key].values() if isinstance(r[key], dict) else r[key] for r in own]
        means = [_mean_known(values) for values in zip(*lists, strict=True)]
        cells = ["" if math.isnan(m) else f"{100 * m:{form}}" for m in means]
        rows.append([titles[name], *cells])
    return rows


def _mean_known(values):
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else math.nan


def notes(results):
    """How it was made."""
    settings = results["settings"]
    seeds = ", ".join(map(str, sorted({r["seed"] for r in results["runs"]})))
    balance = ", classes weighted by 1 / ln(1.02 + frequency)" if settings["balance"] else ""
    edges = ", every class border an edge of the same strength" if settings["binary_edges"] else ""
    return [
        "## How it was made\n",
        *(f"    {command}" for command in results["commands"]),
        "",
        f"* Network {settings['network']}, the same initial weights, images, flips and schedule "
        f"for every method: Adam {settings['learning_rate']:g}, stepwise decay, "
        f"{settings['epochs']} epochs, batches of {settings['batch_size']}, {settings['loss']} "
        f"loss{balance}. Seeds {seeds}; mean ± standard deviation.",
        "* Single and joint loss: `SaliencySampler` with `DeformationModule`, map of "
        f"{settings['map_scale']} x the output's size, sigma {settings['sigma']:g} output cells; "
        f"edge weight 0 and {settings['edge_weight']:g}{edges}.",
        "* Uniform antialiased is the resize of Keras, whose filter is wider than a cell; the mean "
        "of each cell is the filter of the other antialiased samplers.",
        "* Edge-based: **an oracle**. Its density is the blurred edge map of the true label, at "
        "test time too (Jin et al., A.5), by the same sampler. Every blur radius (in output "
        "cells) was trained; the best was chosen by its test score on the seeds that all radii "
        "have.",
        "* mIoU: at full resolution, over all test pixels together. Sampled: in the deformed "
        "space. mIoU(Y', Y): of labels that are sampled and restored, the most a perfect network "
        "reaches.",
        "* GFLOPs: convolutions for one image, a multiplication and an addition being two. "
        "images/s: inference to the restored probabilities of all pixels, methods taking turns, "
        f"batches of {settings['batch_size']}. Minutes: of one training.",
        "* The curve of cost shows, at each size, the seeds that all of its methods have.",
        *report.machine(results),
    ]
