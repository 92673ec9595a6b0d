"""Times the metrics of retrieval and re-ranking at a gallery of 100,000, and their memory.

    python benchmarks/retrieval.py --output docs/results/retrieval.md
    python benchmarks/retrieval.py --scale 0.1

All of it is numpy; the backend of Keras makes no difference but for the memory its import takes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

QUERIES, GALLERY, DIM = 3_000, 100_000, 512
# Images of an identity, cameras, and the spread of an image around its identity: hard enough that
# the order of the gallery matters.
IMAGES, CAMERAS, SPREAD = 20, 6, 2.5
# The share of the rows of which the product of all with all is timed.
SHARE = 0.1
VARIANTS = {
    "inputs": "the embeddings, the labels and the cameras",
    "product": "dot products of queries and gallery, nothing done with them",
    "cmc": "`cmc` of `ScoreBlocks`, with cameras",
    "map": "`mean_average_precision` of `ScoreBlocks`, with cameras",
    "minp": "`mean_inverse_penalty` of `ScoreBlocks`, with cameras",
    "product of all": f"dot products of all with all: {SHARE:.0%} of them, times {1 / SHARE:.0f}",
    "rerank": "`rerank`, and `mean_average_precision` of its scores, with cameras",
}
NOTES = f"""\
They are generated: {IMAGES}
images of an identity, {CAMERAS} cameras, Gaussian clusters, which flatter re-ranking. Each variant
ran once, in a process of its own that holds the inputs; its peak memory is that of the process,
Python and Keras included.
"""


def inputs(scale):
    """Embeddings, labels and cameras of queries and gallery, made without a copy in float64."""
    import numpy as np

    rng = np.random.default_rng(0)
    sizes = [max(50, int(scale * size)) for size in (QUERIES, GALLERY)]
    identities = max(2, sizes[1] // IMAGES)
    means = rng.standard_normal((identities, DIM), dtype="float32")
    labels = [rng.integers(0, identities, size) for size in sizes]
    cameras = [rng.integers(0, CAMERAS, size) for size in sizes]
    embeddings = []
    for of_images in labels:
        rows = rng.standard_normal((len(of_images), DIM), dtype="float32")
        rows *= SPREAD
        for start in range(0, len(rows), 1024):
            rows[start : start + 1024] += means[of_images[start : start + 1024]]
        embeddings.append(rows)
    return embeddings, labels, cameras


def product(probes, gallery):
    """All dot products, block by block."""
    rows = max(1, (1 << 23) // len(gallery))
    for start in range(0, len(probes), rows):
        probes[start : start + rows] @ gallery.T


def calls(embeddings, labels, cameras):
    """The variants: functions without arguments that return a number, or `None`."""
    import numpy as np

    from keras_resample import metrics

    def product_of_all():
        everything = np.concatenate(embeddings)
        product(everything[: int(SHARE * len(everything))], everything)

    def scores():
        return metrics.ScoreBlocks(*embeddings)

    return {
        "inputs": lambda: None,
        "product": lambda: product(*embeddings),
        "cmc": lambda: float(metrics.cmc(scores(), *labels, 1, *cameras)),
        "map": lambda: metrics.mean_average_precision(scores(), *labels, *cameras),
        "minp": lambda: metrics.mean_inverse_penalty(scores(), *labels, *cameras),
        "product of all": product_of_all,
        "rerank": lambda: metrics.mean_average_precision(
            metrics.rerank(*embeddings), *labels, *cameras
        ),
    }


def measured(variant, scale):
    """One variant, run once: seconds, CPU seconds, GB at the peak and what it returned."""
    call = calls(*inputs(scale))[variant]
    wall, cpu = time.perf_counter(), time.process_time()
    number = call()
    times = time.perf_counter() - wall, time.process_time() - cpu
    if variant == "product of all":
        times = [seconds / SHARE for seconds in times]
    return *times, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, number


def report(rows, scale, machine):
    """The Markdown page of the results."""
    queries, gallery = (int(scale * size) for size in (QUERIES, GALLERY))
    lines = [
        f"# Retrieval from a gallery of {gallery:,}",
        "",
        f"`{harness.command_line()}`",
        "",
        f"* {machine}",
        "",
        f"{queries:,} queries and {gallery:,} entries, {DIM} float32 numbers each. {NOTES}",
        "| variant | seconds | CPU seconds | peak GB | number |",
        "|---|---|---|---|---|",
    ]
    for variant, (wall, cpu, peak, number) in rows.items():
        times = "| | |" if variant == "inputs" else f"| {wall:.1f} | {cpu:.1f} |"
        value = "" if number is None else f"{number:.4f}"
        lines.append(f"| {VARIANTS[variant]} {times} {peak:.2f} | {value} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--scale", type=float, default=1.0, help="share of the images")
    parser.add_argument("--output", help="Markdown file to write (default: standard output)")
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)  # in one process
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measured(options.variant, options.scale)))
        return
    rows = {}
    for variant in options.variants:
        # Nothing is allocated here: a process starts with the peak of the one it comes from.
        arguments = [sys.executable, __file__, "--scale", str(options.scale), "--variant", variant]
        result = subprocess.run(arguments, check=True, capture_output=True, text=True)
        rows[variant] = json.loads(result.stdout.splitlines()[-1])
        print(variant, *rows[variant], file=sys.stderr, flush=True)
    harness.write(report(rows, options.scale, harness.machine()), options.output)


if __name__ == "__main__":
    main()
