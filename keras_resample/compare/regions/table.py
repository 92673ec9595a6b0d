"""The tables of a comparison for fine-grained classes, for a terminal and as Markdown."""

import operator
import statistics

from keras_resample.compare.engine import report
from keras_resample.compare.engine.report import mean_std, percent
from keras_resample.compare.regions import simulation
from keras_resample.compare.regions.names import order, title

# What every other network is set against, seed by seed.
BASELINES = ("stride", "local-stride", "local-center-crop")
MEASURED = {"{} points": operator.itemgetter("accuracy")}
SIMULATED_K = (0.5, 0.7, 1.0)


def page(results):
    """Lines of `results.md`."""
    return [
        "# Regions for fine-grained classes\n",
        f"{results['data']}. By chance {100 * results['chance']:.1f} % are right.\n",
        *scores(results),
        "",
        *differences(results["runs"]),
        "",
        *report.pictures(results),
        "## How much adaptive pooling keeps\n",
        *simulated(results),
        "",
        *notes(results),
    ]


def trainings(records):
    """dict from the name of a method to its records, in the order of the tables."""
    return report.by_method(records, order)


def scores(results):
    """The table of accuracies and costs."""
    header = ["network", "seeds", "test accuracy, %", "validation", "mean of the epochs"]
    header += ["mark kept, %", "GFLOPs", "parameters", "images/s", "minutes"]
    rows = []
    for name, own in trainings(results["runs"]).items():
        speed = results["images_per_second"].get(name)
        coverage = mean_std([record["coverage"] for record in own])
        curves = [[epoch["val_accuracy"] for epoch in record["history"]] for record in own]
        rows.append(
            [
                title(name),
                str(len(own)),
                percent(mean_std([record["accuracy"] for record in own])),
                percent(mean_std([record["validation_accuracy"] for record in own])),
                percent(mean_std([statistics.fmean(curve) for curve in curves])),
                "" if coverage["mean"] is None else percent(coverage),
                f"{own[0]['gflops']:.3g}",
                f"{own[0]['parameters']:,}",
                "" if speed is None else f"{speed:.3g}",
                f"{statistics.fmean(record['seconds'] for record in own) / 60:.1f}",
            ]
        )
    return report.table(header, rows)


def differences(records):
    """Seed by seed, how far each network lies above each baseline; each two once."""
    return report.differences(trainings(records), BASELINES, MEASURED, title)


def simulated(results):
    """The table of the simulation."""
    header = ["k", "keypoints kept, %", "length kept, %", "at least half: keypoints", "length"]
    keys = ("coverage", "rate", "bounded_coverage", "bounded_rate")
    rows = [
        [f"{row['k']:g}", *(f"{100 * row[key]:.0f}" for key in keys)]
        for row in results["simulation"]
    ]
    recipe = f"After Appendix A, which gives no numbers. {simulation.RECIPE}.\n"
    return [recipe, *report.table(header, rows)]


def notes(results):
    """How it was made."""
    settings = results["settings"]
    seeds = ", ".join(map(str, sorted({record["seed"] for record in results["runs"]})))
    start = "All networks start from the weights of one that was trained with strides"
    if settings["weights"] is None:
        start = "No pretrained weights"
    conv3 = {"adaptive": "ARP with k = 1", "stride": "a stride"}[settings["conv3"]]
    return [
        "## How it was made\n",
        *(f"    {command}" for command in results["commands"]),
        "",
        "* ARP: `AdaptiveRegionPooling(0.5, k)`, RP: `RegionPooling(0.5)`, in Conv4 of the branch "
        "named; centre crop: the middle half of the same map, copied as it is. Networks with a "
        f"local branch have {conv3} in Conv3, the others a stride.",
        f"* Backbone {settings['network']}, epochs: {settings['epochs']}, batches of "
        f"{settings['batch_size']}; SGD with momentum {0.9:g} and the schedule of Appendix C over "
        f"the length of the training: a tenth of the way warm-up to {settings['learning_rate']:g},"
        " a tenth of the rate after 40 % and again after 70 %. The weight decay is the paper's. "
        f"{start}. The Spatial Transformer is trained at the rate of the rest.",
        f"* Seeds {seeds}; mean ± standard deviation. The same first weights of what networks "
        "share, and the same images in the same order.",
        f"* {100 * settings['validation']:g} % of the training images of each class are for "
        "validation, and not trained on. Their accuracy is that of the curves; the mean of the "
        "epochs is high where a network learns early. Test images were looked at once, after the "
        "last epoch.",
        "* Mark kept: share of the mark that tells the classes apart in the region that the "
        "local branches, or Conv4, keep.",
        "* GFLOPs: convolutions and dense layers for one image, a multiplication and an addition "
        "being two. images/s: inference, networks taking turns. Minutes: of one training.",
        *report.machine(results),
    ]
