"""The tables of a comparison on faces, for a terminal and as Markdown."""

import statistics

from keras_resample.compare.engine import report
from keras_resample.compare.engine.report import mean_std, percent
from keras_resample.compare.keypoints import face_data, networks, table
from keras_resample.compare.keypoints.names import TITLES
from keras_resample.compare.keypoints.table import trainings

# The numbers of a record that networks are set against each other by.
MEASURED = {
    f"{{}} points {name.upper()} {place}": lambda record, p=place, n=name: record[p][n]
    for place in ("misaligned", "aligned")
    for name in ("tar", "eer")
}
# Keypoints that are tested.
KINDS = ("exact", *face_data.WRONG)
PLACES = {"aligned": "on aligned faces", "all": "under all transforms at severity 1"}


def page(results):
    """Lines of `results.md`."""
    transforms = results["runs"][0]["by_transform"]
    lines = [
        "# Keypoints and affine transforms of faces\n",
        f"{results['data']}. Networks learn aligned faces, and verify those of other people, "
        "warped. TAR is at a false accept rate of 0.001, EER the equal error rate, in %.\n",
        *scores(results),
        "",
        *table.differences(results["runs"], MEASURED),
        "",
        *report.pictures(results),
        "## TAR / EER by severity, %\n",
    ]
    for transform in transforms:
        lines += [f"### {transform.capitalize()}\n", *by_severity(results, transform), ""]
    if any(record["keypoints"] for record in results["runs"]):
        lines += ["## TAR / EER with keypoints that are not exact, %\n"]
        for place, words in PLACES.items():
            lines += [f"### {words.capitalize()}\n", *by_keypoints(results, place), ""]
    return [*lines, *notes(results)]


def scores(results):
    """The table of the main numbers and costs; misaligned is the mean of all warps."""
    header = ["network", "seeds", "aligned, TAR / EER", "validation accuracy"]
    header += ["misaligned, TAR / EER", "GFLOPs", "parameters", "images/s", "minutes"]
    rows = []
    for method, own in trainings(results["runs"]).items():
        speed = results["images_per_second"].get(method)
        rows.append(
            [
                TITLES[method],
                str(len(own)),
                cell([r["aligned"] for r in own]),
                percent(mean_std([r["validation_accuracy"] for r in own])),
                cell([r["misaligned"] for r in own]),
                f"{own[0]['gflops']:.3g}",
                f"{own[0]['parameters']:,}",
                "" if speed is None else f"{speed:.3g}",
                f"{statistics.fmean(r['seconds'] for r in own) / 60:.1f}",
            ]
        )
    return report.table(header, rows)


def by_severity(results, transform):
    """The table of one transform."""
    severities = results["settings"]["severities"]
    header = ["network", "aligned", *(f"severity {severity:g}" for severity in severities)]
    rows = []
    for method, own in trainings(results["runs"]).items():
        columns = zip(*([r["aligned"], *r["by_transform"][transform]] for r in own), strict=True)
        rows.append([TITLES[method], *map(cell, columns)])
    return report.table(header, rows)


def by_keypoints(results, place):
    """The table of the networks that are told keypoints: exact ones, and others."""
    rows = []
    for method, own in trainings(results["runs"]).items():
        if own[0]["keypoints"]:
            kinds = [[r["keypoints"][kind][place] for r in own] for kind in KINDS]
            rows.append([TITLES[method], *map(cell, kinds)])
    return report.table(["network", *KINDS], rows)


def cell(measured):
    """Means of TAR and EER of dicts of both."""
    return " / ".join(percent(mean_std([one[name] for one in measured])) for name in ("tar", "eer"))


def mean(measured):
    """The mean of dicts of TAR and EER, `None` where one is missing."""
    return {name: mean_std([one[name] for one in measured])["mean"] for name in ("tar", "eer")}


def tars(record, transform):
    """TAR of a run on aligned faces and under a transform."""
    return [one["tar"] for one in (record["aligned"], *record["by_transform"][transform])]


def notes(results):
    """How it was made."""
    settings = results["settings"]
    severities = ", ".join(f"{severity:g}" for severity in settings["severities"])
    shear = f", shear up to {settings['shear']:g}" if settings["shear"] else ""
    return [
        "## How it was made\n",
        *(f"    {command}" for command in results["commands"]),
        "",
        f"* Of the people with at least {face_data.LEAST} photographs one half, drawn at random, "
        f"is trained on, and of the other half at most {face_data.MOST} photographs of each are "
        "tested: every pair of these is a trial. Test photographs were looked at once, after the "
        f"last epoch. {100 * settings['validation']:g} % of the photographs of the first half are "
        "for validation, whose accuracy is that of naming these people.",
        f"* {table.training_images_note(settings, 'photographs are aligned')}. No other "
        "augmentation, not even mirror images.",
        f"* Severity 1: rotation up to {settings['rotation']:g} degrees to each side, scale "
        f"{1 - settings['scale']:g} to {1 + settings['scale']:g}, translation up to "
        f"{100 * settings['translation']:g} % of the side along x and y{shear}; about the centre, "
        "drawn uniformly. Beyond the edge the nearest pixel is shown. Severities "
        f"{severities} have so many times these ranges, and a photograph the same draws. All: "
        "these at once. All networks and seeds are tested on the same warped photographs, each of "
        "a pair warped by itself. Misaligned is the mean of all transforms and severities.",
        "* Keypoints: those of the file, warped along; exact are as exact as it is. Noise: "
        "Gaussian along x and y, its deviation a share of the distance of the eyes. Missing: one "
        "of the five, drawn at random, or all. The bias of attention leaves out what is missing, "
        "nothing is drawn of it, and images are aligned by the others, or as they are where there "
        "are none; no network was trained with noisy keypoints or without some.",
        "* Keypoints drawn: a further channel with a Gaussian dot of one pixel at each. Images "
        "aligned: turned, scaled and shifted, in training too, so that the keypoints come to their "
        "mean places on training photographs.",
        f"{table.networks_note(settings)} CosFace of margin {networks.MARGIN:g} and scale "
        f"{networks.SCALE:g}.",
        *table.training_notes(results),
    ]
