"""The tables of a comparison at several resolutions, for a terminal and as Markdown."""

import statistics

from keras_resample import metrics
from keras_resample.compare.engine import report
from keras_resample.compare.engine.report import mean_std, percent
from keras_resample.compare.resolutions.names import (
    HEADS,
    HIGH,
    MULTI,
    SCRATCH,
    SHOWN,
    TITLES,
    TRUNKS,
)
from keras_resample.compare.resolutions.verification import FAR


def page(results):
    """Lines of `results.md`."""
    return [
        "# Images of several resolutions\n",
        f"{results['data']}.\n",
        *verified(results),
        "",
        "## Gains\n",
        "Of TAR, by equations 4 and 5 of the paper: 0 is the network of high resolution, 1 that "
        "trained at several (across resolutions), or at this one from scratch (within it).\n",
        *gains(results),
        "",
        *report.pictures(results),
        "## What they cost\n",
        *costs(results),
        "",
        *notes(results),
    ]


def verified(results):
    """The tables of EER, TAR and, of listed pairs, accuracy, within and across resolutions."""
    found = []
    tables = {"eer": "EER", "tar": f"TAR at FAR {FAR:g}"}
    if results["settings"]["pairs"] is not None:
        tables["accuracy"] = "accuracy"
    for key, name in tables.items():
        header = [f"{name}, %", *(" & ".join(pair) for pair in pairs(results))]
        rows = [
            [title, *(_cell(results, method, pair, key) for pair in pairs(results))]
            for method, title in shown(results).items()
        ]
        found += [*report.table(header, rows), ""]
    return found[:-1]


def pairs(results):
    """The pairs of resolutions: the full one with each, then the small ones among them."""
    full, *small = results["sizes"]
    among = [(one, other) for i, one in enumerate(small) for other in small[i:]]
    return [(full, full), *((full, one) for one in small), *among]


def shown(results):
    """dict from the name of each method that was measured to its title."""
    measured = {one["method"] for one in results["verified"]}
    return {name: title for name, title in SHOWN.items() if name in measured}


def gains(results):
    """The table of gains of the means over the seeds."""
    compared = [pair for pair in pairs(results) if pair[1] != results["sizes"][0]]
    header = ["gain", *(" & ".join(pair) for pair in compared)]
    rows = []
    for method, title in shown(results).items():
        cells = [_gain(results, method, pair) for pair in compared]
        if method != HIGH and any(cells):
            rows.append([title, *cells])
    return report.table(header, rows)


def costs(results):
    """The table of parameters, arithmetic and speed of each method at each resolution."""
    header = ["network", "images", "parameters", "GFLOPs"]
    header += ["images/s", "of enlarged ones", "minutes"]
    rows, runs, order = [], {}, list(TITLES).index
    for record in results["runs"]:
        size = results["sizes"].index(record["size"])
        runs.setdefault((size, order(record["method"])), []).append(record)
    for _, own in sorted(runs.items()):
        method, name = own[0]["method"], own[0]["size"]
        label = method if method in TRUNKS else f"{method}, {name}"
        speed = results["speed"].get(label, {})
        enlarged = speed.get("enlarged")
        rows.append(
            [
                TITLES[method],
                name,
                f"{own[0]['parameters']:,}",
                f"{own[0]['gflops']:.3g}",
                f"{speed['inference']:.3g}" if speed else "",
                f"{speed['inference'] / enlarged:.2f}" if enlarged else "",
                f"{statistics.fmean(record['seconds'] for record in own) / 60:.1f}",
            ]
        )
    return report.table(header, rows)


def notes(results):
    """How it was made."""
    settings = results["settings"]
    seeds = ", ".join(map(str, sorted({record["seed"] for record in results["runs"]})))
    full = results["sizes"][0]
    return [
        "## How it was made\n",
        *(f"    {command}" for command in results["commands"]),
        "",
        f"* All networks are trained on the same images of {full}, which they reduce themselves, "
        "antialiased, where they are for small ones. One network for all resolutions sees small "
        "images enlarged (bilinear), as the adapters do.",
        f"* A pair of two resolutions is an embedding of the network for small images and one of "
        f"the trunk, of images of {full}; from scratch, of the high resolution network. Across "
        "resolutions all pairs of different images are compared, within one each pair once.",
        *_trunk_notes(settings),
        f"* Encoder {settings['encoder'] or 'of a file'}, {HEADS[settings['head']][0]} with scale "
        f"{settings['scale']:g} and margin {settings['margin']:g}, {settings['epochs']} epochs of "
        f"batches of {settings['batch_size']}; Adam with half a cosine from "
        f"{settings['learning_rate']:g}, or from {settings['branch_learning_rate']:g} where the "
        "trunk's weights are the start. Distillation weighs "
        f"{settings['distillation_weight']:g}, adapters have rank {settings['rank']}.",
        f"* Seeds {seeds}; mean ± standard deviation.",
        "* Parameters: those that are trained, for small images beside the trunk's. GFLOPs: "
        "convolutions and dense layers for one image, a multiplication and an addition being two. "
        "images/s: inference; of enlarged ones: over the trunk's at the full size, taking turns.",
        *report.machine(results),
    ]


def _trunk_notes(settings):
    """What the networks start from, and what the listed pairs are."""
    from_weights = (
        "start from its weights and, but for the own networks, from its frozen classifier "
        "(`InfluenceLoss`); pretrained ones train a copy of the classifier."
    )
    if settings["trunk"] is None:
        lines = [
            f"* Multi-resolution: trained on images of the full size and all small ones, drawn "
            f"equally often. It is the trunk. The rows below it {from_weights}"
        ]
    else:
        lines = [
            "* High resolution: the trunk as it came, not trained here. Its classifier is the mean "
            "embedding of each person, of length 1. The rows below it, but for that from scratch, "
            f"{from_weights} Multi-resolution sees images of the full size and all small ones, "
            "drawn equally often."
        ]
    if settings["pairs"] is not None:
        folds = ", ".join(map(str, settings["train_folds"]))
        lines.append(
            f"* Trained on all photographs of the people of folds {folds} of the pairs, tested on "
            "those of the others. Accuracy: of the listed pairs of the other folds, each fold at "
            "the threshold that is best on the rest of these; across resolutions the first of a "
            "pair has the larger size. EER and TAR: of all pairs of the test photographs. Without "
            "mirror images."
        )
    return lines


def _values(results, method, pair, key):
    return [
        one[key]
        for one in results["verified"]
        if one["method"] == method and tuple(one["pair"]) == pair
    ]


def _cell(results, method, pair, key):
    values = _values(results, method, pair, key)
    return percent(mean_std(values), 2 if key == "eer" else 1) if values else ""


def _gain(results, method, pair):
    reference = SCRATCH if pair[0] == pair[1] else MULTI
    means = []
    for name in (method, HIGH, reference):
        values = _values(results, name, pair, "tar")
        if not values or None in values:
            return ""
        means.append(statistics.fmean(values))
    gain = float(metrics.resolution_gain(*means))
    return f"{gain:+.2f}" if gain == gain else "n/m"
