"""The tables of a comparison on warped digits, for a terminal and as Markdown."""

import operator
import statistics

from keras_resample.compare.engine import report
from keras_resample.compare.engine.report import mean_std, percent
from keras_resample.compare.keypoints.names import BASELINES, METHODS, TITLES, TRANSFORMS

# The numbers of a record that networks are set against each other by.
MEASURED = {
    "{} points transformed": operator.itemgetter("transformed"),
    "{} upright": operator.itemgetter("accuracy"),
}
HEADS = {
    "mean": "The mean of the last tokens is classified.",
    "flatten": "The embedding is classified, a projection of the last tokens by their places.",
}


def page(results):
    """Lines of `results.md`."""
    lines = [
        "# Keypoints and affine transforms\n",
        f"{results['data']}. Networks learn upright digits{_places(results)} and are tested on "
        "warped ones.\n",
        *scores(results),
        "",
        *differences(results["runs"]),
        "",
        *report.pictures(results),
        "## Accuracy by severity, %\n",
    ]
    for transform in TRANSFORMS:
        lines += [f"### {transform.capitalize()}\n", *by_severity(results, transform), ""]
    return [*lines, *notes(results)]


def _places(results):
    share = 100 * results["settings"]["train_translation"]
    return f", shifted by up to {share:g} % of the frame," if share else ""


def trainings(records):
    """dict from the name of a method to its records, in the order of the tables."""
    return report.by_method(records, METHODS.index)


def scores(results):
    """The table of accuracies and costs; of a transform the mean of all severities."""
    header = ["network", "seeds", "upright, %", "validation", "transformed, %", *TRANSFORMS]
    header += ["GFLOPs", "parameters", "images/s", "minutes"]
    rows = []
    for method, own in trainings(results["runs"]).items():
        speed = results["images_per_second"].get(method)
        shares = [_of(own, key) for key in ("accuracy", "validation_accuracy", "transformed")]
        for transform in TRANSFORMS:
            shares.append([statistics.fmean(r["by_transform"][transform]) for r in own])
        rows.append(
            [
                TITLES[method],
                str(len(own)),
                *(percent(mean_std(share)) for share in shares),
                f"{own[0]['gflops']:.3g}",
                f"{own[0]['parameters']:,}",
                "" if speed is None else f"{speed:.3g}",
                f"{statistics.fmean(_of(own, 'seconds')) / 60:.1f}",
            ]
        )
    return report.table(header, rows)


def by_severity(results, transform):
    """The table of accuracies under one transform."""
    severities = results["settings"]["severities"]
    header = ["network", "upright", *(f"severity {severity:g}" for severity in severities)]
    rows = []
    for method, own in trainings(results["runs"]).items():
        columns = list(
            zip(*([r["accuracy"], *r["by_transform"][transform]] for r in own), strict=True)
        )
        rows.append([TITLES[method], *(percent(mean_std(column)) for column in columns)])
    return report.table(header, rows)


def differences(records, measured=MEASURED):
    """Seed by seed, how far each network lies above each baseline; each two once.

    Args:
        records: of all runs.
        measured: as in `report.differences`.
    """
    return report.differences(trainings(records), BASELINES, measured, TITLES.get)


def notes(results):
    """How it was made."""
    settings = results["settings"]
    severities = ", ".join(f"{severity:g}" for severity in settings["severities"])
    return [
        "## How it was made\n",
        *(f"    {command}" for command in results["commands"]),
        "",
        "* A digit has 0.7 of the side of its black frame. Keypoints: corners and centre of the "
        "box of pixels above a fifth of the full brightness, taken of the upright digit and "
        "warped along.",
        f"* Severity 1: rotation up to {settings['rotation']:g} degrees to each side, scale "
        f"{1 - settings['scale']:g} to {1 + settings['scale']:g}, translation up to "
        f"{100 * settings['translation']:g} % of the frame along x and y, shear up to "
        f"{settings['shear']:g}; about the centre of the frame, drawn uniformly. Severities "
        f"{severities} have so many times these ranges, and an image the same draws. All: the four "
        "at once. All networks and seeds are tested on the same warped images. Transformed is the "
        "mean of all transforms and severities.",
        f"* {100 * settings['test']:g} % of the images, drawn at random, are for the test; of the "
        f"others {100 * settings['validation']:g} % are for validation, whose accuracy is that of "
        f"the curves. {training_images_note(settings, 'images are upright')}. Test images were "
        "looked at once, after the last epoch.",
        "* Keypoints drawn: a further channel with a Gaussian dot of one pixel at each. Images "
        "aligned: turned, scaled and shifted, in training too, so that the keypoints come to their "
        "mean places on training images; `KeypointAlignment`, which does not undo a shear.",
        f"{networks_note(settings)} Softmax cross-entropy.",
        *training_notes(results),
    ]


def training_images_note(settings, kind):
    """The sentence, but for its end, about the images that are learned."""
    share = 100 * settings["train_translation"]
    moved = (
        f", shifted anew in each epoch by up to {share:g} % of the frame along x and y; those of "
        "validation are shifted once"
    )
    return f"All training {kind}{moved if share else ''}"


def networks_note(settings):
    """The line about the networks."""
    places = {
        True: "every one has absolute positions, and what is named besides",
        False: "only those named so have absolute positions",
    }
    return (
        f"* `ViT` and `KeypointViT` of width {settings['width']}, depth {settings['depth']}, "
        f"{settings['num_heads']} heads, patches of {settings['patch_size']} pixels; "
        f"{places[settings['absolute']]}. {HEADS[settings['head']]}"
    )


def training_notes(results):
    """The lines about the training, and about what was counted and timed."""
    settings = results["settings"]
    seeds = ", ".join(map(str, sorted({record["seed"] for record in results["runs"]})))
    return [
        f"* AdamW, epochs: {settings['epochs']}, batches of {settings['batch_size']}; a tenth of "
        f"the steps warm-up to {settings['learning_rate']:g}, then a cosine to 0. Weight decay "
        "0.05 of kernels, and of nothing else.",
        f"* Seeds {seeds}; mean ± standard deviation. The same images in the same order.",
        "* GFLOPs: convolutions, dense layers and the two products of attention for one image, a "
        "multiplication and an addition being two; without position encodings, normalizations and "
        "the alignment. images/s: inference, networks taking turns. Minutes: of one training.",
        *report.machine(results),
    ]


def _of(records, key):
    return [record[key] for record in records]
