"""The table of a comparison, for a terminal, as Markdown and as JSON."""

import statistics

from keras_resample.compare.front_ends import FRONT_ENDS, FULL

TELLING_PAIRS = 10
# The learned grid against the baseline that has the same filter.
PAIRS = (("FlowWarp", "uniform"), ("FlowWarp antialiased", "uniform antialiased"))


def rows(runs, speed):
    """One row per front end: mean over the seeds, and standard deviation of several.

    Args:
        runs: list of the records of all runs.
        speed: result of `speed.measure`.

    Returns:
        list of dicts of JSON values; a measured number is `{"mean": ..., "std": ...}`, std `None`
        for one seed.
    """
    table = []
    for name in FRONT_ENDS:
        own = [run for run in runs if run["front_end"] == name]
        table.append(
            {
                "front_end": name,
                "encoder_input": own[0]["encoder_input"],
                "tar": {far: mean_std([run["tar"][far] for run in own]) for far in own[0]["tar"]},
                "eer": mean_std([run["eer"] for run in own]),
                "images_per_second": speed[name],
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


def gains(runs):
    """Learned minus uniform, seed by seed: `{"eer": mean_std, "tar": {far: mean_std}}` by pair."""
    found = {}
    by_key = {(run["front_end"], run["seed"]): run for run in runs}
    seeds = sorted({run["seed"] for run in runs})
    for learned, uniform in PAIRS:
        both = [(by_key[learned, seed], by_key[uniform, seed]) for seed in seeds]
        found[f"{learned} - {uniform}"] = {
            "eer": mean_std([_difference(a["eer"], b["eer"]) for a, b in both]),
            "tar": {
                far: mean_std([_difference(a["tar"][far], b["tar"][far]) for a, b in both])
                for far in both[0][0]["tar"]
            },
        }
    return found


def mean_std(values):
    """`{"mean", "std"}` of numbers; `None` where one is missing or there is only one."""
    if any(value is None for value in values):
        return {"mean": None, "std": None}
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
    }


def best(table):
    """Name of the front end with the lowest equal error rate, full resolution left out."""
    small = [row for row in table if row["front_end"] != FULL and row["eer"]["mean"] is not None]
    return min(small, key=lambda row: row["eer"]["mean"])["front_end"] if small else None


def telling_far(impostors, fars):
    """The smallest of the rates that rests on ten impostor pairs; `None` if none does."""
    telling = [far for far in fars if float(far) * impostors >= TELLING_PAIRS]
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
    lines = [header]
    for row in results["rows"]:
        speed = row["images_per_second"]
        lines.append(
            [
                row["front_end"],
                "x".join(map(str, row["encoder_input"])),
                *(_percent(row["tar"][far]) for far in fars),
                _percent(row["eer"], 2),
                _rounded(speed["front_end"]),
                _rounded(speed["encoder"]),
                f"{row['gflops']:.3g}",
                "-" if row["folded_cells"] is None else f"{row['folded_cells']:.0f}",
                "-" if row["jacobian_min"] is None else f"{row['jacobian_min']:.2f}",
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    rule = ["-" * width for width in widths]
    lines.insert(1, [rule[0], *(dashes[:-1] + ":" for dashes in rule[1:])])
    return [
        "| " + " | ".join(_aligned(cell, i, widths[i]) for i, cell in enumerate(line)) + " |"
        for line in lines
    ]


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
    far = telling_far(impostors, results["gains"][next(iter(results["gains"]))]["tar"])
    for pair, gain in results["gains"].items():
        at = f", TAR@{far} {_signed(gain['tar'][far])}" if far else ""
        sentences.append(f"{pair}: EER {_signed(gain['eer'])}{at} percentage points.")
    if results["best"]:
        sentences.append(
            f"Best downsampled: {results['best']['front_end']}, seed {results['best']['seed']}, "
            "chosen by its EER on the test pairs, so that EER is a little optimistic."
        )
    return sentences


def markdown(results):
    """Content of `results.md`."""
    machine, settings = results["machine"], results["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    figures = [f"![{name}]({name})\n" for name in results["figures"]]
    return "\n".join(
        [
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
            "* Folded cells and Jacobian: of the learned grid, worst seed; 1 is the uniform grid's "
            "density, below 1 denser, 0 or less a fold.\n",
            *figures,
            "## How it was made\n",
            f"    {results['command']}\n",
            f"* Recognizer: {settings['encoder']} encoder, ArcFace (scale {settings['scale']:g}, "
            f"margin {settings['margin']:g}), Adam {settings['learning_rate']:g} with cosine "
            f"decay, {settings['epochs']} epochs, batches of {settings['batch_size']}; the same "
            "seeds and order of images for every front end, no augmentation.",
            f"* Seeds: {', '.join(map(str, settings['seeds']))}",
            f"* Machine: {machine['processor']}, {machine['cores']} cores, device "
            f"{machine['device']}, {machine['system']}",
            f"* Backend {machine['backend']}; {versions}; Python {machine['python']}",
            f"* Date: {machine['date']}",
            "",
        ]
    )


def _shown_fars(table):
    """Rates of the table: all that can be measured, and at least down to 1e-4."""
    fars = list(table[0]["tar"])
    measured = [far for far in fars if any(row["tar"][far]["mean"] is not None for row in table)]
    return fars[: max(4, len(measured))]


def _difference(a, b):
    return None if a is None or b is None else a - b


def _worst(choose, values):
    known = [value for value in values if value is not None]
    return choose(known) if known else None


def _percent(value, digits=1):
    if value["mean"] is None:
        return "n/m"
    spread = "" if value["std"] is None else f" ± {100 * value['std']:.{digits}f}"
    return f"{100 * value['mean']:.{digits}f}{spread}"


def _signed(value):
    text = _percent(value, 2)
    return text if text.startswith(("-", "n")) else "+" + text


def _rounded(rate):
    """Images per second to two or three figures: no more repeats."""
    return "-" if rate is None else f"{float(f'{rate:.3g}'):,.0f}"


def _aligned(cell, column, width):
    return cell.ljust(width) if column == 0 else cell.rjust(width)
