"""The table of a comparison of recognizers, for a terminal, as Markdown and as JSON."""

from keras_resample.compare.engine import report
from keras_resample.compare.engine.report import mean_std, percent
from keras_resample.compare.recognition import crop_search, gains
from keras_resample.compare.recognition.names import FULL
from keras_resample.metrics.arrays import rate_count

TELLING_PAIRS = 10
NOT_TIMED = {"front_end": None, "encoder": None}


def rows(runs, speed):
    """One row per front end: mean over the seeds, and standard deviation of several.

    Args:
        runs: list of the records of all runs.
        speed: dict from a front end to images per second of "front_end" and "encoder".

    Returns:
        list of dicts of JSON values; a measured number is `{"mean": ..., "std": ...}`, std `None`
        for one seed.
    """
    table = []
    for name in dict.fromkeys(run["front_end"] for run in runs):
        own = [run for run in runs if run["front_end"] == name]
        table.append(
            {
                "front_end": name,
                "encoder_input": own[0]["encoder_input"],
                "tar": {far: mean_std([run["tar"][far] for run in own]) for far in own[0]["tar"]},
                "eer": mean_std([run["eer"] for run in own]),
                "images_per_second": speed.get(name, NOT_TIMED),
                "gflops": own[0]["gflops"],
                "parameters": own[0]["parameters"],
                "folded_cells": _worst(max, [run["folded_cells"] for run in own]),
                "jacobian_min": _worst(min, [run["jacobian_min"] for run in own]),
                "training_seconds": mean_std(
                    [sum(epoch["seconds"] for epoch in run["history"]) for run in own]
                ),
            }
        )
    return table


def best(table):
    """Name of the front end with the lowest equal error rate, full resolution left out."""
    small = [row for row in table if row["front_end"] != FULL and row["eer"]["mean"] is not None]
    return min(small, key=lambda row: row["eer"]["mean"])["front_end"] if small else None


def telling_far(impostors, fars):
    """The smallest of the rates that rests on ten impostor pairs; `None` if none does."""
    telling = [far for far in fars if rate_count(float(far), impostors) >= TELLING_PAIRS]
    return telling[-1] if telling else None


def table_lines(results):
    """The table as aligned text, which is Markdown too."""
    fars = _shown_fars(results["rows"])
    header = [
        "front end",
        "encoder input",
        *(f"TAR@{far} (%)" for far in fars),
        "EER (%)",
        "images/s, front end",
        "images/s, encoder",
        "GFLOPs",
        "folded cells",
        "smallest Jacobian",
    ]
    lines = []
    for row in results["rows"]:
        speed = row["images_per_second"]
        lines.append(
            [
                row["front_end"],
                "x".join(map(str, row["encoder_input"])),
                *(percent(row["tar"][far]) for far in fars),
                percent(row["eer"], 2),
                _rounded(speed["front_end"]),
                _rounded(speed["encoder"]),
                f"{row['gflops']:.3g}",
                "-" if row["folded_cells"] is None else f"{row['folded_cells']:.0f}",
                "-" if row["jacobian_min"] is None else f"{row['jacobian_min']:.2f}",
            ]
        )
    return report.table(header, lines)


def headline(results):
    """What was tested, in a line or two."""
    pairs, seeds = results["pairs"], results["settings"]["seeds"]
    spread = f"mean ± standard deviation of {len(seeds)} seeds"
    return (
        f"{results['data']}; trained on {results['train_identities']} identities, tested on the "
        f"{results['test_identities']} others: {pairs['genuine']:,} genuine and "
        f"{pairs['impostor']:,} impostor pairs; "
        + (spread if len(seeds) > 1 else f"seed {seeds[0]}")
    )


def remarks(results):
    """Sentences below the table."""
    impostors = results["pairs"]["impostor"]
    sentences = [
        f"A false accept rate below {1 / max(impostors, 1):.1e} is not measurable (n/m) with "
        f"{impostors:,} impostor pairs; near that limit a rate rests on a few pairs."
    ]
    far = telling_far(impostors, results["rows"][0]["tar"])
    for pair, gain in results["gains"].items():
        sentences.append(f"{pair}: {gains.difference(gain, far)} percentage points.")
    if results["over_strongest"]:
        sentences.append(gains.sentence(results["over_strongest"], far))
    if results["crop_search"]:
        sentences.append(crop_search.sentence(results["crop_search"]))
    if results["best"]:
        sentences.append(
            f"Best downsampled: {results['best']['front_end']}, seed {results['best']['seed']}, "
            "chosen by its EER on the test pairs, so that EER is a little optimistic."
        )
    return sentences


def page(results):
    """Lines of `results.md`."""
    settings, search = results["settings"], results["crop_search"]
    return [
        "# Comparison of front ends\n",
        f"{headline(results)}.\n",
        *table_lines(results),
        "",
        *(f"* {sentence}" for sentence in remarks(results)),
        "* TAR: part of the genuine pairs accepted at the threshold where the named part of "
        "the impostor pairs is. EER: where both error rates are equal.",
        "* images/s: inference, batches of 256 from memory to memory, median, front ends "
        "taking turns. GFLOPs: convolutions and dense layers of the encoder for one image, a "
        "multiplication and an addition being two.",
        "* uniform: a bilinear resize; antialiased: that of Keras, whose filter is wider than a "
        "cell. Mean of cell: of the image over each output's own cell, as all other antialiased "
        "front ends read. Crop: the same, with so much of the image left out at each edge; every "
        "crop that was tested is shown.",
        "* Folded cells and Jacobian: of the learned grid, worst seed; 1 is the uniform grid's "
        "density, below 1 denser, 0 or less a fold.\n",
        *report.pictures(results),
        *(crop_search.section(search, _shown_fars(search["rows"])) if search else []),
        "## How it was made\n",
        f"    {results['command']}\n",
        f"* Recognizer: {settings['encoder']} encoder, ArcFace (scale {settings['scale']:g}, "
        f"margin {settings['margin']:g}), Adam {settings['learning_rate']:g} with cosine "
        f"decay, {settings['epochs']} epochs, batches of {settings['batch_size']}; the same "
        "seeds and order of images for every front end, no augmentation.",
        f"* Seeds: {', '.join(map(str, settings['seeds']))}",
        *report.machine(results),
    ]


def _shown_fars(table):
    """Rates of the table: all that can be measured, and at least down to 1e-4."""
    fars = list(table[0]["tar"])
    measured = [far for far in fars if any(row["tar"][far]["mean"] is not None for row in table)]
    return fars[: max(4, len(measured))]


def _worst(choose, values):
    known = [value for value in values if value is not None]
    return choose(known) if known else None


def _rounded(rate):
    """Images per second to two or three figures: no more repeats."""
    return "-" if rate is None else f"{float(f'{rate:.3g}'):,.0f}"
