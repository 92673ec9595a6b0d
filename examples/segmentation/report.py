"""The table of a comparison, its figures, and what JSON keeps of it."""

import math
import statistics

import keras
import numpy as np

import keras_resample as kr
from keras_resample.compare.engine.results import atomic
from segmentation.names import EDGE_BASED, FULL, METHODS, title
from segmentation.training import WIDTHS

FIGURE_DOTS = 100


def write(results, data, out, pictures):
    """Writes results.md and the figures; returns the names of the figures."""
    records = results["runs"]
    figures = draw(records, data, out, pictures)
    lines = [
        "# Learning to downsample for segmentation\n",
        f"{results['data']}. "
        + ", ".join(f"{h}x{w} pixels are sampled" for h, w in sizes_of(records))
        + ".\n",
    ]
    for size in sizes_of(records):
        lines += [f"## {size[0]}x{size[1]}\n", *tables(records, size, data, results["speed"])]
    lines += [f"![{name}]({name})\n" for name in figures]
    lines += notes(results)
    with atomic(out / "results.md") as path:
        path.write_text("\n".join(lines), encoding="utf-8")
    return figures


def sizes_of(records):
    return sorted({tuple(record["size"]) for record in records.values()})


def trainings(records, size):
    """dict from the name of a method to its records at a size, in the order of the methods."""
    found = {}
    for record in records.values():
        if tuple(record["size"]) == tuple(size):
            found.setdefault(record["method"], []).append(record)
    return dict(sorted(found.items(), key=lambda item: order(item[0])))


def order(name):
    method, _, radius = name.partition(" ")
    return METHODS.index(method), float(radius or 0)


def tables(records, size, data, speeds):
    """Markdown of one output size."""
    by_method = trainings(records, size)
    best = best_edge_based(by_method)
    titles = {name: title(name) + (" (best)" if name in best else "") for name in by_method}
    header = ["method", "seeds", "mIoU", "mIoU, sampled", "mIoU(Y', Y)"]
    header += ["GFLOPs, network", "sampler", "images/s", "minutes"]
    rows = []
    for name, own in by_method.items():
        speed = speeds.get(f"{size[0]}x{size[1]}", {}).get(name)
        rows.append(
            [
                titles[name],
                str(len(own)),
                *(
                    percent([record[key] for record in own])
                    for key in ("mean_iou", "sampled_mean_iou", "upsampling_iou")
                ),
                f"{own[0]['network_gflops']:.3g}",
                f"{own[0]['sampler_gflops']:.3g}",
                "" if speed is None else f"{speed:.3g}",
                f"{statistics.fmean(record['seconds'] for record in own) / 60:.1f}",
            ]
        )
    lines = [*table(header, rows), "", *differences(by_method), ""]
    class_names = data.class_names or [str(i) for i in range(data.num_classes)]
    lines += ["IoU of the classes, %:\n"]
    lines += table(["method", *class_names], per_item(by_method, titles, "class_ious"))
    lines += ["", "The same for perfect predictions of the samples, IoU(Y', Y), %:\n"]
    lines += table(["method", *class_names], per_item(by_method, titles, "upsampling_class_ious"))
    lines += ["", "Accuracy in a band of so many pixels on both sides of class borders, %:\n"]
    lines += table(["method", *map(str, WIDTHS)], per_item(by_method, titles, "trimap"))
    lines += ["", "Change of the share of a class by sampling, %:\n"]
    changes = per_item(by_method, titles, "class_frequency_change", "+.0f")
    return [*lines, *table(["method", *class_names], changes), ""]


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


def differences(by_method):
    """Seed by seed, how far each method lies above the antialiased resize."""
    base = {r["seed"]: r["mean_iou"] for r in by_method.get("uniform-antialiased", [])}
    lines = []
    for name, own in by_method.items():
        pairs = [r["mean_iou"] - base[r["seed"]] for r in own if r["seed"] in base]
        if name != "uniform-antialiased" and pairs:
            text = percent(pairs, "+.1f")
            lines.append(f"* {title(name)} - uniform antialiased: mIoU {text} points")
    return lines


def per_item(by_method, titles, key, form=".1f"):
    """Rows of the mean over the seeds of a list or dict."""
    rows = []
    for name, own in by_method.items():
        lists = [r[key].values() if isinstance(r[key], dict) else r[key] for r in own]
        means = [mean_known(values) for values in zip(*lists, strict=True)]
        cells = ["" if math.isnan(m) else f"{100 * m:{form}}" for m in means]
        rows.append([titles[name], *cells])
    return rows


def mean_known(values):
    known = [v for v in values if v is not None and not math.isnan(v)]
    return statistics.fmean(known) if known else math.nan


def percent(values, form=".1f"):
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):{form}}{spread}"


def table(header, rows):
    """Lines of a Markdown table."""
    align = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(row) + " |" for row in (header, align, *rows)]


def notes(results):
    settings, machine = results["settings"], results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    seeds = ", ".join(map(str, sorted({r["seed"] for r in results["runs"].values()})))
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
        f"* Machine: {machine['processor']}, {machine['cores']} cores, device {machine['device']}; "
        f"backend {machine['backend']}; {versions}; Python {machine['python']}",
        f"* Date: {machine['date']}",
        "",
    ]


def draw(records, data, out, pictures):
    """Pictures of the first seed, and the curve of cost against mIoU."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        print('No figures without Matplotlib: pip install "keras-resample[visualization]"')
        return []
    folder = out / "figures"
    folder.mkdir(exist_ok=True)
    names = []
    for size in sizes_of(records):
        name = f"figures/methods_{size[0]}x{size[1]}"
        for number, figure in enumerate(panels(records, size, data, pictures)):
            names.append(f"{name}_{number}.png")
            with atomic(out / names[-1]) as path:
                figure.savefig(path, dpi=FIGURE_DOTS)
    names.append("figures/cost.png")
    with atomic(out / names[-1]) as path:
        cost_curve(records).savefig(path, dpi=FIGURE_DOTS)
    return names


def cost_curve(records):
    """mIoU over the GFLOPs of network and sampler, of the seeds that all methods in it have."""
    costs, ious, full = {}, {}, None
    for size in sizes_of(records):
        by_method = trainings(records, size)
        best = best_edge_based(by_method)
        shown = {k: v for k, v in by_method.items() if not k.startswith(EDGE_BASED) or k in best}
        for name, own in of_shared_seeds(shown).items():
            method = name.split()[0]
            if method == FULL:
                full = mean(own, "mean_iou")
            else:
                label = title(method)
                gflops = own[0]["network_gflops"] + own[0]["sampler_gflops"]
                costs.setdefault(label, []).append(gflops)
                ious.setdefault(label, []).append(mean(own, "mean_iou"))
    figure = kr.visualization.plot_cost_curve(costs, ious, full_resolution=full)
    figure.set_size_inches(7.6, 3.8)
    figure.axes[0].legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False)
    return figure


def panels(records, size, data, pictures):
    """For each shown image: points, deformed image, prediction, restored, error of all methods."""
    by_method = trainings(records, size)
    chosen = [n for n in by_method if not n.startswith(EDGE_BASED)]
    chosen = sorted([*chosen, *best_edge_based(by_method)], key=order)
    places = {}
    for name in chosen:
        for place, steps in pictures(name, size):
            places.setdefault(place, {})[lines_of(name)] = shown_steps(steps, data)
    for place, rows in sorted(places.items()):
        image, label = data.read(place)
        yield kr.visualization.plot_segmentation(
            rows, image, label, dataset=data, data_format="channels_last"
        )


def lines_of(name):
    """The name of a training on several short lines."""
    return (
        title(name)
        .replace(" antialiased", "\nantialiased")
        .replace(", ", "\n")
        .replace(" (", "\n(")
    )


def shown_steps(steps, data):
    """What `Segmenter.inspect` returns, of what is stored of it."""
    sampled, full = (
        keras.utils.to_categorical(steps[key], data.num_classes)[None]
        for key in ("sampled_classes", "classes")
    )
    return {
        "grid": steps["grid"][None],
        "sampled_images": np.asarray(steps["sampled_images"])[None],
        "sampled_probabilities": sampled,
        "probabilities": full,
    }
