"""Times the scores of millions of pairs against the products they consist of, and their memory.

    python benchmarks/scores.py --output docs/results/scores.md
    python benchmarks/scores.py --cases listed --scale 0.1

All of it is numpy; the backend of Keras makes no difference but for the memory its import takes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import harness  # noqa: E402

DIM = 512
LISTED = ("dot, rows in order", "fancy indexing", "pair_scores")
ALL = ("matrix product", "all_pairs_histogram", "all_pairs")
# name: embeddings, pairs or gallery, baseline, variants
CASES = {
    "listed pairs, random": (500_000, 10_000_000, LISTED[0], LISTED),
    "listed pairs, IJB-C": (23_124, 15_658_489, "matrix product", ("matrix product", *LISTED)),
    "probes x gallery, IJB-C 1:N": (
        19_593,
        3_531,
        "matrix product",
        ("matrix product", "ScoreBlocks", "cmc of ScoreBlocks"),
    ),
    "all pairs, 10 million": (4_473, 4_473, "matrix product", ALL),
    "all pairs, 200 million": (20_000, 20_000, "matrix product", ALL),
}
NOTES = f"""\
Embeddings of {DIM} float32 numbers. Seconds are the median over the rounds, in which the variants
take turns; ratios are to the baseline of the case, in wall and in CPU time. Peak memory is that of
a process of its own that holds the inputs and runs the variant once, Python and Keras included;
"inputs" is the same without running it.

* "dot, rows in order": `einsum("ij,ij->i", a, b)` over rows that lie in memory in the order of the
  pairs: what listed pairs would cost if looking up rows were free. It runs on one core.
* "fancy indexing": `einsum("ij,ij->i", e[i], e[j])`, 65,536 pairs at a time, without lengths.
* "matrix product": `a @ b.T`, {1024:,} rows at a time, on all the cores; nothing is done with it.
* IJB-C: as many templates and pairs as the benchmark has, the pairs in runs of one first template.
"""


def arrays(rows, seed):
    """Random embeddings, made without a copy in float64."""
    import numpy as np

    return np.random.default_rng(seed).standard_normal((rows, DIM), dtype="float32")


def in_order(embeddings, pairs):
    """Dot products of rows that are read one after the other."""
    import numpy as np

    scores, chunk, half = np.empty(pairs, "float32"), 256, len(embeddings) // 2
    for start in range(0, pairs, chunk):
        n = min(chunk, pairs - start)
        at = start % (half - chunk)
        a, b = embeddings[at : at + n], embeddings[half + at : half + at + n]
        np.einsum("ij,ij->i", a, b, out=scores[start : start + n])
    return scores


def fancy(embeddings, first, second):
    """The shortest numpy expression, in chunks."""
    import numpy as np

    scores, chunk = np.empty(len(first), "float32"), 65_536
    for start in range(0, len(first), chunk):
        rows = slice(start, start + chunk)
        a, b = embeddings[first[rows]], embeddings[second[rows]]
        scores[rows] = np.einsum("ij,ij->i", a, b)
    return scores


def product(probes, gallery):
    """All dot products, block by block, and nothing done with them."""
    for start in range(0, len(probes), 1024):
        probes[start : start + 1024] @ gallery.T


def upper_product(embeddings):
    """The dot products of `product`, without the half below the diagonal."""
    for start in range(0, len(embeddings), 1024):
        embeddings[start : start + 1024] @ embeddings[start:].T


def calls(case, scale):
    """The variants of one case: functions without arguments."""
    import numpy as np

    from keras_resample import metrics

    rows, size, _, variants = CASES[case]
    rows, size = max(2048, int(rows * scale)), max(1024, int(size * scale))
    rng = np.random.default_rng(0)
    embeddings = arrays(rows, 0)
    if case.startswith("listed"):
        first, second = rng.integers(0, rows, (2, size))
        if "IJB" in case:
            first.sort()
        found = {
            "matrix product": lambda: product(embeddings, embeddings),
            "dot, rows in order": lambda: in_order(embeddings, size),
            "fancy indexing": lambda: fancy(embeddings, first, second),
            "pair_scores": lambda: metrics.pair_scores(embeddings, first, second),
        }
        return {name: found[name] for name in variants}
    if case.startswith("probes"):
        gallery, labels = arrays(size, 1), np.arange(size)
        of_probes = rng.integers(0, size, rows)

        def scores():
            for _ in metrics.ScoreBlocks(embeddings, gallery):
                pass

        def ranks():
            return metrics.cmc(metrics.ScoreBlocks(embeddings, gallery), of_probes, labels)

        return {
            "matrix product": lambda: product(embeddings, gallery),
            "ScoreBlocks": scores,
            "cmc of ScoreBlocks": ranks,
        }
    labels = np.sort(rng.integers(0, rows // 10, rows))
    return {
        "matrix product": lambda: upper_product(embeddings),
        "all_pairs_histogram": lambda: metrics.all_pairs_histogram(embeddings, labels),
        "all_pairs": lambda: metrics.all_pairs(embeddings, labels),
    }


def peak_memory(case, variant, options):
    """GB at the peak of a process that runs one variant once."""
    arguments = [sys.executable, __file__, "--scale", str(options.scale)]
    arguments += ["--peak", json.dumps([case, variant])]
    result = subprocess.run(arguments, check=True, capture_output=True, text=True)
    return float(result.stdout.split()[-1])


def report(rows, memory, machine):
    """The Markdown page of the results."""
    lines = ["# Scores of millions of pairs", "", f"`{harness.command_line()}`", "", f"* {machine}"]
    lines += ["", NOTES, "| case | variant | seconds | ratio, wall | ratio, CPU | peak GB |"]
    lines.append("|---" * 6 + "|")
    for case, of_case in rows.items():
        base = next(r for r in of_case if r.variant == CASES[case][2])
        lines.append(f"| {case} | inputs | | | | {memory[case, '']:.2f} |")
        for r in of_case:
            lines.append(
                f"| {case} | {r.variant} | {r.wall_ms / 1000:.2f} | {r.wall_ms / base.wall_ms:.2f} "
                f"| {r.ratio:.2f} | {memory[case, r.variant]:.2f} |"
            )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--threads", type=int, default=0, help="cores to use; 0 is all (default: 0)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="timings per variant (default: 3)")
    parser.add_argument("--cases", default="", help="only cases whose name contains this")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the rows and pairs")
    parser.add_argument("--output", help="Markdown file to write (default: standard output)")
    parser.add_argument("--peak", help=argparse.SUPPRESS)  # how memory is measured
    options = parser.parse_args()
    if options.peak:
        case, variant = json.loads(options.peak)
        calls(case, options.scale).get(variant, lambda: None)()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
        return
    harness.use_threads(options.threads)
    cases = [case for case in CASES if options.cases in case]
    # Before anything is allocated here: a process starts with the peak of the one it comes from.
    memory = {
        (case, variant): peak_memory(case, variant, options)
        for case in cases
        for variant in ("", *CASES[case][3])
    }
    rows = {}
    for case in cases:
        chosen = calls(case, options.scale)
        rows[case] = harness.measure(
            case, chosen, CASES[case][2], options.rounds, warm_up=1, settle=False
        )
        print(harness.table(rows[case]), file=sys.stderr)
    harness.write(report(rows, memory, harness.machine()), options.output)


if __name__ == "__main__":
    main()
